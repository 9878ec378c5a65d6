"""Opening a DuckDB file for one writer, and its errors sorted by what the caller should do."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from spanloom import CollectorError, ConfigError, PermanentError, RetryableError

FENCES: Mapping[str, Any] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,  # SQL must not see this process's variables
}
"""What keeps SQL inside the file: set before anything runs, and locked with the rest of the configuration."""

CHECKPOINT_THRESHOLD = "256MB"
"""Size of the write-ahead log at which it is folded into the file. Each fold rewrites the last row
group of a table (up to 122,880 wide rows), so DuckDB's own 16 MB halves the throughput; replaying a
full log at start takes about a second."""

_DATA_ERRORS = (
    duckdb.DataError,
    duckdb.IntegrityError,
    duckdb.NotSupportedError,
    duckdb.ProgrammingError,
    pa.ArrowInvalid,
    pa.ArrowTypeError,
    pa.ArrowNotImplementedError,
)
_BROKEN = (duckdb.FatalException, duckdb.InternalException)
_LOCKED = re.compile(r"Conflicting lock is held in .*?\(PID (\d+)\)")


def connect(path: Path, *, owner: str, memory_limit: str, threads: int | None) -> duckdb.DuckDBPyConnection:
    """Opens or creates the file; no SQL on this instance reaches other files, the network or settings.

    ``owner`` is the exporter's id: a second exporter on the same file is refused, because DuckDB
    shares an open file only between equal configurations. Raises ``ConfigError``.
    """
    options: dict[str, Any] = {
        "temp_directory": str(path.with_name(path.name + ".tmp")),
        "checkpoint_threshold": CHECKPOINT_THRESHOLD,
        "memory_limit": memory_limit,
        "custom_user_agent": f"spanloom {owner}",
    }
    if threads is not None:
        options["threads"] = threads
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _fenced(path, options)
    except (duckdb.Error, OSError) as error:
        raise ConfigError(f"exporters.{owner}: cannot open {path}: {_why_not(error)}") from error


def connect_to_read(path: Path) -> duckdb.DuckDBPyConnection:
    """Opens a file that no service uses, behind the same fences. Raises ``FileNotFoundError``, ``ConfigError``."""
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    try:
        return _fenced(path, {}, read_only=True)
    except duckdb.Error as error:
        raise ConfigError(f"cannot open {path}: {_why_not(error)}") from error


def _fenced(path: Path, options: Mapping[str, Any], *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(path), read_only=read_only, config={**FENCES, **options})
    # Times are instants (TIMESTAMPTZ): the zone is only how text is read and days are cut.
    run(connection, "SET GLOBAL TimeZone = 'UTC'")
    run(connection, "SET GLOBAL lock_configuration = true")
    return connection


def run(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Runs one statement to its end: an unread result would block the connection."""
    rows: list[tuple[Any, ...]] = connection.execute(sql, list(parameters)).fetchall()
    return rows


@contextmanager
def registered(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> Iterator[None]:
    """Makes an Arrow table readable under ``name`` on this connection."""
    connection.register(name, table)
    try:
        yield
    finally:
        with suppress(duckdb.Error):  # in a transaction that failed: the next one of this name replaces it
            connection.unregister(name)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All statements inside or none of them."""
    run(connection, "BEGIN TRANSACTION")
    try:
        yield
        run(connection, "COMMIT")
    except BaseException:
        with suppress(duckdb.Error):
            connection.rollback()
        raise


def is_broken(error: BaseException) -> bool:
    """True when DuckDB refuses all further work on this instance: the file must be opened again."""
    return isinstance(error, _BROKEN) or "has been invalidated" in str(error)


def delivery_error(error: Exception) -> CollectorError:
    """What the engine should do about a failed write.

    The text of data errors is left out: it may quote values.
    """
    if isinstance(error, _DATA_ERRORS) and not is_broken(error):
        return PermanentError(f"DuckDB refused the data: {type(error).__name__}")
    return RetryableError(f"DuckDB cannot write now: {_first_line(error)}")


def _why_not(error: Exception) -> str:
    text = str(error)
    if lock := _LOCKED.search(text):
        return f"it is open in another process (PID {lock[1]}). One process at a time can open a DuckDB file"
    if "different configuration" in text:
        return "another exporter of this service writes to it; give each its own path"
    if "not a valid DuckDB database file" in text:
        return "it is not a DuckDB database. Move it away, or set another path"
    if "version number" in text or "newer version" in text:
        return f"it was written by another version of DuckDB than {duckdb.__version__} can read ({_first_line(error)})"
    if "orrupt" in text or "checksum" in text:
        return f"it is damaged ({_first_line(error)}). Restore it, or move it away and start with a new one"
    return _first_line(error)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
