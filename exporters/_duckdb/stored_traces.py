"""Stored observations read back from the file of a data folder, some whole traces at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa

from exporters._duckdb.connection import connect_to_read, registered, run
from spanloom import ConfigError, InvalidDataError

_TRACES_AT_ONCE = 2_000


def stored_traces(folder: Path, file: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """These columns of ``observations``, in the order in which the traces came.

    Raises ``InvalidDataError`` when the folder has no such file, or a service uses it.
    """
    try:
        connection = connect_to_read(folder / file)
    except FileNotFoundError:
        raise InvalidDataError(f"{folder}: holds no {file}") from None
    except ConfigError as error:
        raise InvalidDataError(f"{folder}: {error}") from None
    with closing(connection):
        try:
            yield from _read(connection, columns)
        except duckdb.Error as error:
            raise InvalidDataError(f"{folder / file}: cannot be read as observations: {error}") from None


def _read(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> Iterator[pa.Table]:
    traces = run(connection, "SELECT trace_id FROM observations GROUP BY trace_id ORDER BY min(ingested_at), trace_id")
    named = ", ".join(f'"{name}"' for name in columns)
    sql = f"SELECT {named} FROM observations SEMI JOIN _wanted USING (trace_id) ORDER BY ingested_at"  # noqa: S608 - names of our schema
    for start in range(0, len(traces), _TRACES_AT_ONCE):
        wanted = pa.table({"trace_id": [trace for (trace,) in traces[start : start + _TRACES_AT_ONCE]]})
        with registered(connection, "_wanted", wanted):
            yield connection.sql(sql).to_arrow_table()
