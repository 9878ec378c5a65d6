"""Prices the rows of a DuckDB table again, page by page, each in a transaction of its own."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from exporters._duckdb.connection import registered, run, transaction
from spanloom import REPRICED_FROM, Reprice, schema

_PAGE_ROWS = 65_536


def reprice_table(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    price: Reprice,
    *,
    since_unix_nano: int,
    dry_run: bool,
) -> None:
    """See ``component.Repriceable``. Rows that an update writes anew get a higher row id, and are not read again."""
    bound = run(connection, f"SELECT max(rowid) FROM {table}")[0][0]  # noqa: S608 - our own names
    last = -1
    while bound is not None and last < bound:
        page = _page(connection, table, after=last, up_to=bound, since_unix_nano=since_unix_nano)
        if not page.num_rows:
            return
        rowids = page["_rowid"].combine_chunks()
        last = rowids[-1].as_py()
        found = price(page)
        if len(found.rows) and not dry_run:
            _update(connection, table, found.columns.append_column("_rowid", rowids.take(pa.array(found.rows))))


def _page(
    connection: duckdb.DuckDBPyConnection, table: str, *, after: int, up_to: int, since_unix_nano: int
) -> pa.Table:
    columns = ", ".join(REPRICED_FROM)
    sql = (
        f"SELECT rowid AS _rowid, {columns} FROM {table} WHERE rowid > ? AND rowid <= ? AND start_unix_nano >= ?"  # noqa: S608 - our own names
        f" AND usage_scope = 'counted' ORDER BY rowid LIMIT {_PAGE_ROWS}"
    )
    return connection.sql(sql, params=[after, up_to, since_unix_nano]).to_arrow_table()


def _update(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    assignments = ", ".join(f"{name} = _rows.{name}" for name in schema.PRICED)
    with transaction(connection), registered(connection, "_rows", rows):
        run(connection, f"UPDATE {table} SET {assignments} FROM _rows WHERE {table}.rowid = _rows._rowid")  # noqa: S608 - our own names
