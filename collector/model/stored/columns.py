"""Kernels from in-flight columns to stored ones: ids, names, times and money."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.model import schema
from collector.model.arrow_arrays import numpy_of
from collector.model.batch import SpanBatch

_HEX = np.frombuffer("".join(f"{n:02x}" for n in range(256)).encode(), np.uint8).reshape(256, 2)
_MAX_MONEY = 10**18
"""First pico-dollar amount that decimal(18,12) does not hold: a million dollars."""

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Typed scalars made once: of a plain value pyarrow infers the type anew in every call, and without
# dateutil installed searches the import path for it each time (0.1 ms).
NO_TEXT = pa.scalar(None, pa.string())
EMPTY_TEXT = pa.scalar("", pa.string())
_NO_NUMBER = pa.scalar(None, pa.int64())
_ZERO = pa.scalar(0, pa.int64())
_THOUSAND = pa.scalar(1_000, pa.int64())


def hex_ids(column: pa.FixedSizeBinaryArray) -> pa.StringArray:
    """Lower-case hex of fixed-size ids; null stays null."""
    width = column.type.byte_width
    octets = np.frombuffer(column.buffers()[1], np.uint8)[column.offset * width :][: len(column) * width]
    text = _HEX[octets].tobytes()
    offsets = np.arange(len(column) + 1, dtype=np.int32) * (2 * width)
    ids = pa.StringArray.from_buffers(len(column), pa.py_buffer(offsets), pa.py_buffer(text))
    return pc.if_else(pc.is_valid(column), ids, NO_TEXT) if column.null_count else ids


def parent_ids(column: pa.FixedSizeBinaryArray) -> pa.StringArray:
    """Hex of parent ids; null when absent or all zero."""
    ids = hex_ids(column)
    return pc.if_else(pc.equal(ids, pa.scalar("0" * (2 * column.type.byte_width), pa.string())), NO_TEXT, ids)


def named(numbers: pa.Int32Array, names: Sequence[str]) -> pa.StringArray:
    """Names of enum numbers; a number without one gets the name of 0."""
    codes = numpy_of(numbers)
    known = (codes >= 0) & (codes < len(names))
    return pa.array(names, pa.string()).take(pa.array(np.where(known, codes, 0)))


def filled_times(spans: SpanBatch, ingested: Int64s) -> tuple[Int64s, Int64s]:
    """Start and end; a missing one is the other, both missing are the time of ingestion."""
    start = numpy_of(spans.column("start_unix_nano"))
    end = numpy_of(spans.column("end_unix_nano"))
    first = np.where(start != 0, start, np.where(end != 0, end, ingested))
    return first, np.where(end != 0, end, first)


def timestamps(nanos: pa.Int64Array | Int64s) -> pa.TimestampArray:
    """Microseconds UTC; null where OTLP's unsigned nanoseconds are beyond int64."""
    column = nanos if isinstance(nanos, pa.Array) else pa.array(nanos)
    micros = pc.divide(column, _THOUSAND)
    return pc.if_else(pc.greater_equal(column, _ZERO), micros, _NO_NUMBER).cast(schema.TIMESTAMP)


def difference(start: Int64s, end: Int64s) -> pa.Int64Array:
    """``end - start``; null where either is beyond int64."""
    return pa.array(end - start, mask=(start < 0) | (end < 0))


def time_to(moment: pa.Int64Array, start: Int64s) -> pa.Int64Array:
    """Nanoseconds from ``start`` to ``moment``; null where it is unknown or lies before."""
    begun = pa.array(start)
    sensible = pc.and_(pc.greater_equal(moment, begun), pc.greater_equal(begun, _ZERO))
    return pc.if_else(sensible, pc.subtract(moment, begun), _NO_NUMBER)


def unless_zero(column: pa.Int64Array) -> pa.Int64Array:
    """The column with null for 0: a time that was not sent."""
    return pc.if_else(pc.equal(column, _ZERO), _NO_NUMBER, column)


def unless_empty(column: pa.StringArray) -> pa.StringArray:
    """The column with null for the empty text."""
    return pc.if_else(pc.equal(column, EMPTY_TEXT), NO_TEXT, column)


def rows_where(keep: Bools) -> pa.Int64Array:
    """The number of each row, null where ``keep`` is false: what ``take`` makes null of any type, maps too."""
    return pa.array(np.arange(len(keep)), mask=~keep)


def decimals(column: pa.Int64Array) -> pa.Decimal128Array:
    """Pico-dollars as dollars, exactly; null beyond what decimal(18,12) holds."""
    if column.null_count == len(column):
        return pa.nulls(len(column), schema.MONEY)
    sent = numpy_of(column.fill_null(_ZERO))
    known = numpy_of(column.is_valid()) & (sent < _MAX_MONEY) & (sent > -_MAX_MONEY)
    picos = np.where(known, sent, 0)
    # A decimal128 is the scaled integer in 16 bytes, two's complement, little-endian.
    words = np.stack([picos, picos >> 63], axis=1)
    amounts = pa.Array.from_buffers(schema.MONEY, len(column), [None, pa.py_buffer(np.ascontiguousarray(words))])
    return amounts if known.all() else amounts.take(rows_where(known))


def decimal_map(column: pa.MapArray) -> pa.MapArray:
    """The map with its pico-dollars as dollars; entries beyond decimal(18,12) become null."""
    if column.null_count == len(column):
        return pa.nulls(len(column), pa.map_(column.type.key_type, schema.MONEY))
    missing = numpy_of(column.is_null())
    whole = column.take(rows_where(~missing))  # no offset, nothing behind nulls
    mask = pa.array(missing) if whole.null_count else None
    return pa.MapArray.from_arrays(whole.offsets, whole.keys, decimals(whole.items), mask=mask)
