"""One read-only statement of a user's, run beside the writer.

DuckDB has no privileges inside a process, so three fences stand in a row: the instance reaches
nothing outside its file (``connection.FENCES``), the statement is read as a tree and may name only
public relations and harmless functions, and it runs in a read-only transaction. The tree matters
because ``WITH x AS (INSERT …) SELECT …`` counts as a SELECT, and a read-only transaction still lets
``ATTACH ':memory:'`` or ``SET VARIABLE`` through.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from exporters._duckdb.connection import connect_to_read, run
from exporters._duckdb.tables import PUBLIC
from spanloom import PermanentError

MAX_RESULT_BYTES = 256 * 1024 * 1024
_ROWS_AT_ONCE = 2_048
_LONGEST = threading.TIMEOUT_MAX

_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series", "json_each", "json_tree", "repeat_row"})
_REFUSED_FUNCTIONS = frozenset({
    "add_parquet_key", "current_query", "current_setting", "currval", "getenv", "getvariable", "nextval",
    "json_execute_serialized_sql", "query", "query_table", "setval", "stats", "which_secret", "write_log",
})  # fmt: skip
_REFUSED_PREFIXES = ("duckdb_", "pragma_", "pg_", "read_", "parquet_", "sniff_", "glob", "inet_", "sqlite_")

_SHOW_TABLES = f"SELECT unnest({sorted(PUBLIC)}) AS name"


def query_file(path: Path, sql: str, *, limit: int) -> pa.Table:
    """The first ``limit`` rows of one SELECT over a file that no service uses, however long it takes.

    Raises ``FileNotFoundError``, ``ConfigError`` when the file cannot be opened, and as ``query`` does.
    """
    with closing(connect_to_read(path)) as connection:
        return query(connection, sql, limit=limit)


def query(cursor: duckdb.DuckDBPyConnection, sql: str, *, limit: int, timeout: float = _LONGEST) -> pa.Table:
    """The first ``limit`` rows of one SELECT; ``cursor`` is free for other work afterwards.

    Raises ``PermanentError`` when the statement is refused or fails, takes longer than ``timeout``
    seconds, or its result is above 256 MiB.
    """
    timed_out = threading.Event()
    alarm = threading.Timer(timeout, _interrupt, [cursor, timed_out])
    alarm.daemon = True
    alarm.start()
    try:
        sql = _checked(cursor, sql)
        run(cursor, "BEGIN TRANSACTION READ ONLY")
        try:
            return _fetch(cursor, sql, limit)
        finally:
            _end(cursor)
    except duckdb.InterruptException as error:
        reason = f"it took longer than {timeout:g} s" if timed_out.is_set() else "the store is closing"
        raise PermanentError(f"the query was stopped: {reason}") from error
    except duckdb.Error as error:
        raise PermanentError(str(error)) from error
    finally:
        alarm.cancel()


def _interrupt(cursor: duckdb.DuckDBPyConnection, timed_out: threading.Event) -> None:
    timed_out.set()
    with suppress(duckdb.Error):  # the query has just ended
        cursor.interrupt()


def _fetch(cursor: duckdb.DuckDBPyConnection, sql: str, limit: int) -> pa.Table:
    with cursor.sql(sql).to_arrow_reader(_ROWS_AT_ONCE) as reader:
        batches: list[pa.RecordBatch] = []
        rows = size = 0
        while rows < limit and (batch := _next(reader)) is not None:
            batch = batch.slice(0, limit - rows)
            batches.append(batch)
            rows += batch.num_rows
            size += batch.nbytes
            if size > MAX_RESULT_BYTES:
                raise PermanentError("the result is above 256 MiB: select fewer columns or rows")
        return pa.Table.from_batches(batches, reader.schema)


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None
    except pa.ArrowException as error:  # a DuckDB error that went through Arrow's stream
        text = str(error)
        raise (duckdb.InterruptException(text) if "INTERRUPT" in text.upper() else PermanentError(text)) from error


def _end(cursor: duckdb.DuckDBPyConnection) -> None:
    with suppress(duckdb.Error):
        cursor.abort()
    with suppress(duckdb.Error):
        cursor.rollback()


def _checked(cursor: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The statement to run. Raises ``PermanentError`` unless it is one SELECT over public relations."""
    kinds = [statement.type for statement in cursor.extract_statements(sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        names = ", ".join(str(kind).rpartition(".")[2] for kind in kinds) or "nothing"
        raise PermanentError(f"expected one SELECT statement, got {names}")
    ((text,),) = run(cursor, "SELECT json_serialize_sql(?::VARCHAR)", [sql])
    tree = json.loads(text)
    if tree.get("error"):
        raise PermanentError(f"this kind of SELECT is not supported here: {tree.get('error_message')}")
    parts = list(_walk(tree))
    if any(part.get("type") == "SHOW_REF" and part.get("table_name") == '"tables"' for part in parts):
        return _SHOW_TABLES
    local = {entry["key"].lower() for part in parts for entry in _ctes(part)}
    for part in parts:
        if problem := _problem(part, PUBLIC | local):
            raise PermanentError(problem)
    return sql


def _walk(tree: Any) -> Iterator[dict[str, Any]]:
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            yield part
            stack += part.values()
        elif isinstance(part, list):
            stack += part


def _ctes(part: dict[str, Any]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = (part.get("cte_map") or {}).get("map") or []
    return entries


def _problem(part: dict[str, Any], relations: frozenset[str]) -> str | None:
    """Why this part of a statement is refused, or None."""
    kind = part.get("type")
    if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _NODES:
        return f"only reading is allowed, not {kind.removesuffix('_NODE').removesuffix('_QUERY')}"
    for entry in _ctes(part):
        if entry["key"].lower().startswith(("_", *_REFUSED_PREFIXES)):
            return f"the name {entry['key']!r} is reserved"
    if kind == "BASE_TABLE":
        return _relation_problem(part, relations)
    if kind == "TABLE_FUNCTION":
        name = part["function"]["function_name"].lower()
        return None if name in _TABLE_FUNCTIONS else f"the table function {name!r} is not allowed here"
    if kind == "SHOW_REF" and part.get("query") is None:
        return "of SHOW, only SHOW TABLES is allowed here"
    if part.get("class") == "FUNCTION":
        name = part["function_name"].lower()
        if name in _REFUSED_FUNCTIONS or name.startswith(_REFUSED_PREFIXES):
            return f"the function {name!r} is not allowed here"
    return None


def _relation_problem(part: dict[str, Any], relations: frozenset[str]) -> str | None:
    path = [name.lower() for name in part["qualified_name"]["path"]]
    if path[-1] in relations and path[-2:-1] in ([], ["main"]):
        return None
    return f"there is no relation {'.'.join(path)!r} to read: expected one of {', '.join(sorted(PUBLIC))}"
