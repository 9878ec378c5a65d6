"""Stores observations, logs, metrics and scores in a DuckDB file: exactly once, and open to SQL meanwhile.

One transaction per range holds the rows and the range's end, so that a range is stored or it is
not. Times are ``TIMESTAMPTZ``: instants, as in Parquet, which compare right with ``now()`` in every
session's time zone. The connection belongs to the exporter's thread; queries use cursors.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
from pydantic import Field

from exporters._duckdb.connection import connect, delivery_error, is_broken, run, transaction
from exporters._duckdb.query import query, query_file
from exporters._duckdb.reprice import reprice_table
from exporters._duckdb.stored_traces import stored_traces
from exporters._duckdb.tables import Tables
from exporters._shared import stored
from spanloom import (
    ComponentConfig,
    ConfigError,
    Duration,
    ExportBatch,
    ExporterFactory,
    ExportPreferences,
    JournalError,
    PermanentError,
    Reprice,
    RetryableError,
    Settings,
)

_RETENTION_CHECK_SECONDS = 3600
_STOP_SECONDS = 10
_INSERT_ROWS = 65_536
_INSERT_BYTES = 128 * 1024 * 1024

_FILE = "spanloom.duckdb"


class Config(ComponentConfig):
    path: Path | None = None
    """The database file; null: ``spanloom.duckdb`` in the data folder. While the service runs, no other process can
    open it."""

    retention: Duration | None = Field(default=None, ge=timedelta(days=1))
    """How long rows are kept after they were received, at least a day; null: for ever. Whole months are dropped, or
    whole days when this is 31 days or less."""

    memory_limit: str | None = Field(default=None, pattern=r"^\d+(\.\d+)?\s*([KMGT]i?B|%)$")
    """Memory DuckDB may use, as ``512MiB`` or ``25%``; null: the exporter's share of ``service.memory.limit_mib``."""

    threads: int | None = Field(default=None, ge=1)
    """Threads of queries and checkpoints; null: one per core."""

    flush_interval: Duration = Field(default=timedelta(seconds=1), ge=timedelta(0))
    """Rows are written at the latest this long after their decision."""

    target_rows: int = Field(default=1_000, ge=1)
    """Rows are written once there are this many."""

    query_timeout: Duration = Field(default=timedelta(seconds=10), gt=timedelta(0))
    """A query is stopped after this time."""


class DuckDBExporter:
    """See the module; ``clock`` returns seconds since 1970."""

    def __init__(self, config: Config, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._id = str(settings.id)
        self._log = settings.log
        self._path = _path(config, settings.data_dir)
        self._memory_limit = config.memory_limit or f"{max(128, settings.memory_bytes // 2**20)}MiB"
        self._clock = clock
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._tables: Tables | None = None
        self._positions: dict[str, int] = {}
        self._retention_due = 0.0
        self._queries = threading.Condition()  # guards the two below, which other threads use
        self._cursors: duckdb.DuckDBPyConnection | None = None
        self._running: set[duckdb.DuckDBPyConnection] = set()

    def start(self) -> None:
        """Opens the file, brings it to today's schema and drops what is past retention."""
        self._open()
        try:
            self._apply_retention()
        except duckdb.Error as error:
            self._close()
            raise ConfigError(f"exporters.{self._id}: cannot use {self._path}: {error}") from error

    def checkpoint(self) -> tuple[str, int] | None:
        """(epoch, last decision number) of the last transaction, or None."""
        assert self._connection is not None, "not started"
        rows = run(self._connection, "SELECT epoch, dseq FROM _checkpoint ORDER BY turn DESC LIMIT 1")
        return (rows[0][0], rows[0][1]) if rows else None

    def export(self, batch: ExportBatch) -> None:
        """Stores the range in one transaction; a range that is stored already is skipped."""
        if self._connection is None:
            self._reopen()
        if self._is_stored(batch):
            return
        built = _built(batch)
        with self._delivering():
            self._store(batch, built)
        if self._clock() >= self._retention_due:
            with self._delivering():
                self._apply_retention()

    def reprice(self, price: Reprice, *, since_unix_nano: int, dry_run: bool) -> None:
        """See ``component.Repriceable``: changed pages are committed one by one."""
        if self._connection is None:
            self._reopen()
        assert self._connection is not None
        assert self._tables is not None
        with self._delivering():
            for table in self._tables.tables_of(stored.OBSERVATIONS):
                reprice_table(self._connection, table, price, since_unix_nano=since_unix_nano, dry_run=dry_run)

    def query(self, sql: str, *, limit: int) -> pa.Table:
        """The first ``limit`` rows of one SELECT; may be called from any thread."""
        with self._queries:
            if self._cursors is None:
                raise PermanentError("the store is not open")
            cursor = self._cursors.cursor()
            self._running.add(cursor)
        try:
            return query(cursor, sql, limit=limit, timeout=self._config.query_timeout.total_seconds())
        finally:
            with self._queries:
                self._running.discard(cursor)
                cursor.close()
                self._queries.notify_all()

    def shutdown(self) -> None:
        """Stops queries, folds the write-ahead log into the file and closes it."""
        if self._connection is None:
            return
        self._stop_queries()
        with suppress(duckdb.Error):  # the log holds everything: the next start folds it
            run(self._connection, "CHECKPOINT")
        self._close()

    def _open(self) -> None:
        config = self._config
        connection = connect(self._path, owner=self._id, memory_limit=self._memory_limit, threads=config.threads)
        tables = Tables(connection, config.retention)
        try:
            with transaction(connection):
                tables.prepare()
                run(
                    connection,
                    "CREATE TABLE IF NOT EXISTS _checkpoint (epoch VARCHAR, dseq BIGINT, turn BIGINT)",
                )
            self._positions = dict(run(connection, "SELECT epoch, dseq FROM _checkpoint"))
        except duckdb.Error as error:
            connection.close()
            raise ConfigError(f"exporters.{self._id}: cannot use {self._path}: {error}") from error
        self._connection, self._tables = connection, tables
        with self._queries:
            self._cursors = connection.cursor()

    def _reopen(self) -> None:
        try:
            self._open()
        except ConfigError as error:
            raise RetryableError(str(error)) from error

    def _close(self) -> None:
        self._stop_queries()
        if self._connection is not None:
            with suppress(duckdb.Error):
                self._connection.close()
        self._connection = self._tables = None

    def _stop_queries(self) -> None:
        """Lets no new query begin and ends those that run: DuckDB does not close below them."""
        with self._queries:
            cursors, self._cursors = self._cursors, None
            deadline = time.monotonic() + _STOP_SECONDS
            while self._running and time.monotonic() < deadline:
                for cursor in self._running:
                    cursor.interrupt()  # again and again: it is lost on a query between two statements
                self._queries.wait(0.02)
        if cursors is not None:
            with suppress(duckdb.Error):
                cursors.close()

    def _is_stored(self, batch: ExportBatch) -> bool:
        """Raises ``JournalError`` when a part of the range is: ranges only grow."""
        position = self._positions.get(batch.epoch)
        if position is None or batch.first > position:
            return False
        if batch.last <= position:
            return True
        raise JournalError(
            f"exporter {self._id}: decisions {batch.first}..{batch.last} overlap those stored (up to {position})"
        )

    def _store(self, batch: ExportBatch, built: Mapping[str, Sequence[pa.Table]]) -> None:
        assert self._connection is not None
        assert self._tables is not None
        with transaction(self._connection):
            for view, tables in built.items():
                # Few inserts: each has a fixed cost of some milliseconds.
                for rows in stored.grouped(tables, max_rows=_INSERT_ROWS, max_bytes=_INSERT_BYTES):
                    self._tables.insert(view, rows)
            self._set_position(batch.epoch, batch.last)
        self._positions[batch.epoch] = batch.last

    def _set_position(self, epoch: str, last: int) -> None:
        """``turn`` counts transactions, so that the epoch in use is known without trusting a clock."""
        assert self._connection is not None
        turn = "(SELECT coalesce(max(turn), 0) + 1 FROM _checkpoint)"
        update = f"UPDATE _checkpoint SET dseq = $2, turn = {turn} WHERE epoch = $1"  # noqa: S608 - our own names
        insert = f"INSERT INTO _checkpoint VALUES ($1, $2, {turn})"  # noqa: S608 - our own names
        sql = update if epoch in self._positions else insert
        run(self._connection, sql, [epoch, last])

    def _apply_retention(self) -> None:
        assert self._connection is not None
        assert self._tables is not None
        now = self._clock()
        with transaction(self._connection):
            dropped = self._tables.drop_expired(datetime.fromtimestamp(now, UTC))
        self._retention_due = now + _RETENTION_CHECK_SECONDS
        if dropped:
            self._log.info("retention dropped tables", exporter=self._id, tables=dropped)

    @contextmanager
    def _delivering(self) -> Iterator[None]:
        """Turns DuckDB's errors into ours and leaves the exporter ready for the next attempt."""
        try:
            yield
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            assert self._tables is not None
            self._tables.forget()
            translated = delivery_error(error)
            # A failed commit leaves open whether it happened: only the file knows. A broken
            # instance refuses everything. Both are settled by opening it again.
            if isinstance(translated, RetryableError) or is_broken(error):
                self._close()
            raise translated from error


def _built(batch: ExportBatch) -> dict[str, list[pa.Table]]:
    """View → its rows in this range."""
    tables: dict[str, list[pa.Table]] = {stored.OBSERVATIONS: [table for table, _ in stored.observations(batch)]}
    for view, table in stored.others(batch):
        tables.setdefault(view, []).append(table)
    tables[stored.SCORES] = list(stored.scores(batch))
    return tables


def _query_at_rest(config: Config, data_dir: Path, sql: str, *, limit: int) -> pa.Table:
    """See ``component.QueryAtRest``."""
    return query_file(_path(config, data_dir), sql, limit=limit)


def _path(config: Config, data_dir: Path) -> Path:
    return config.path or data_dir / _FILE


def _read_at_rest(folder: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """See ``component.ReadAtRest``: of a data folder, whose file has its usual name."""
    return stored_traces(folder, _FILE, columns)


def _preferences(config: Config) -> ExportPreferences:
    return ExportPreferences(config.target_rows, config.flush_interval.total_seconds())


factory = ExporterFactory(
    Config,
    DuckDBExporter,
    stores=True,
    preferences=_preferences,
    query_at_rest=_query_at_rest,
    read_at_rest=_read_at_rest,
)
