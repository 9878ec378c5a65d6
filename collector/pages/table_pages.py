"""Writes ``docs/tables``: a page per stored table and an index, from the declarations of its columns.

``python -m collector.pages.table_pages DIRECTORY``. The pages are committed; a test compares them. A column without a
meaning, a source or a unit that its type needs is a fault: it is named, and the exit code is 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from collector.model.stored_tables.observation_columns import OBSERVATIONS
from collector.model.stored_tables.received_columns import LOGS, METRICS
from collector.model.stored_tables.score_columns import SCORES
from collector.model.stored_tables.stored_table import Column, StoredTable
from collector.model.stored_tables.view_columns import SESSIONS, TRACES
from collector.pages.written import INDEX, PageError, replace_pages, table

TABLES = (OBSERVATIONS, TRACES, SESSIONS, LOGS, METRICS, SCORES)

_GENERATED = "<!-- Generated from collector/model/stored_tables by `make docs`; change the declarations instead. -->"
_INDEX = """Every table can be named in `spanloom query`, in `POST /api/v1/query` and in DuckDB's file. Under `parquet/`
each has a folder, the views apart. Columns are only ever appended: select by name. Ids are lower-case hex. Times are
UTC to the microsecond; where more counts, an integer beside them has the nanoseconds. JSON is text in UTF-8."""
_SOURCE = """The source is the field of OTLP, or the attribute as the OpenTelemetry conventions name it, that the column
comes from first; [dialects](../dialects/README.md) lists what else is read. `Spanloom` works out the rest itself."""
_TYPES = {
    pa.string(): "text",
    pa.bool_(): "boolean",
    pa.float64(): "double",
    pa.timestamp("us", tz="UTC"): "timestamp, µs, UTC",
}
_WITHOUT_UNIT = frozenset({"severity_number", "scale", "positive_offset", "negative_offset", "value"})
"""Numbers that count nothing and measure nothing."""


def pages() -> dict[str, str]:
    """File name → Markdown of every page. Raises ``PageError`` for a column that does not say enough."""
    if faults := [fault for one in TABLES for fault in faults_of(one)]:
        raise PageError(faults)
    return {INDEX: _index(), **{f"{one.name}.md": _page(one) for one in TABLES}}


def faults_of(one: StoredTable) -> Iterator[str]:
    """What the columns of a table fail to say."""
    for column in one.columns:
        if not column.meaning.endswith("."):
            yield f"{one.name}.{column.name} has no meaning, or not a whole sentence"
        if not column.source:
            yield f"{one.name}.{column.name} has no source"
        if _is_number(column.type) and not column.unit and column.name not in _WITHOUT_UNIT:
            yield f"{one.name}.{column.name} is a number without a unit"


def _is_number(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return _is_number(kind.value_type)
    if pa.types.is_map(kind):
        return _is_number(kind.item_type)
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _index() -> str:
    rows = [[f"[{one.name}]({one.name}.md)", str(len(one.columns)), one.meaning] for one in TABLES]
    return "\n\n".join(["# Tables", _GENERATED, _INDEX, table(("table", "columns", "holds"), rows)]) + "\n"


def _page(one: StoredTable) -> str:
    rows = [
        [f"`{column.name}`", _type(column), column.unit, column.null or "never", column.meaning, column.source]
        for column in one.columns
    ]
    heads = ("column", "type", "unit", "null", "meaning", "source")
    return "\n\n".join([f"# {one.name}", _GENERATED, one.meaning, _SOURCE, table(heads, rows)]) + "\n"


def _type(column: Column) -> str:
    return f"{type_name(column.type)} ({column.form})" if column.form else type_name(column.type)


def type_name(kind: pa.DataType) -> str:
    """An Arrow type in the words of the pages."""
    if pa.types.is_list(kind):
        return f"list of {type_name(kind.value_type)}"
    if pa.types.is_map(kind):
        return f"map of {type_name(kind.key_type)} to {type_name(kind.item_type)}"
    if pa.types.is_struct(kind):
        return f"struct ({', '.join(f'{field.name} {type_name(field.type)}' for field in kind)})"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    return _TYPES.get(kind, str(kind))


if __name__ == "__main__":
    replace_pages(Path(sys.argv[1]), pages)
