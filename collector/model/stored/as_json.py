"""Arrow tables as JSON: exact, and the same for every command and API.

Money is text with all its digits, times are ISO 8601 (UTC ends in ``Z``), maps are objects, binary is
lower-case hex, NaN and infinities are text. Columns of JSON text stay text.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

EXACT_INTEGERS = 2**53
"""JavaScript reads larger integers inexactly."""

Convert = Callable[[Any], Any]


def json_rows(table: pa.Table, *, exact_integers: bool = False) -> Iterator[list[Any]]:
    """Each row as values that ``json.dumps`` takes, in the order of the columns.

    ``exact_integers``: integers beyond 2^53 become text, for readers in JavaScript.
    """
    converters = [_converter(field.type, exact_integers) for field in table.schema]
    for batch in table.to_batches(max_chunksize=1_024):
        columns = [_readable(column).to_pylist() for column in batch.columns]
        for row in zip(*columns, strict=True):
            yield [None if value is None else convert(value) for value, convert in zip(row, converters, strict=True)]


def json_objects(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Each row as an object under the names of the columns."""
    names = table.schema.names
    for row in json_rows(table):
        yield dict(zip(names, row, strict=True))


def _readable(column: pa.Array) -> pa.Array:
    # Python's datetime has no nanoseconds.
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return column


def _converter(kind: pa.DataType, exact_integers: bool) -> Convert:
    types = pa.types
    if types.is_dictionary(kind):
        return _converter(kind.value_type, exact_integers)
    if types.is_map(kind):
        item = _optional(_converter(kind.item_type, exact_integers))
        return lambda value: {str(key): item(inner) for key, inner in value}
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        inside = _optional(_converter(kind.value_type, exact_integers))
        return lambda value: [inside(inner) for inner in value]
    if types.is_struct(kind):
        fields = {field.name: _optional(_converter(field.type, exact_integers)) for field in kind}
        return lambda value: {name: convert(value[name]) for name, convert in fields.items()}
    return _scalar_converter(kind, exact_integers)


def _scalar_converter(kind: pa.DataType, exact_integers: bool) -> Convert:
    types = pa.types
    if types.is_boolean(kind) or types.is_string(kind) or types.is_large_string(kind):
        return _same
    if types.is_integer(kind) or (types.is_decimal(kind) and kind.scale == 0):
        # DuckDB's sum of integers comes as a decimal without a fraction.
        return _integer if exact_integers else int
    if types.is_decimal(kind):
        return lambda value: format(value, "f")
    if types.is_floating(kind):
        return _float
    if types.is_timestamp(kind):
        return _timestamp
    if types.is_date(kind) or types.is_time(kind):
        return lambda value: value.isoformat()
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return lambda value: value.hex()
    return str


def _optional(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _same(value: Any) -> Any:
    return value


def _integer(value: Any) -> int | str:
    return int(value) if -EXACT_INTEGERS <= value <= EXACT_INTEGERS else str(int(value))


def _float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _timestamp(value: dt.datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat(timespec="microseconds")
    return value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
