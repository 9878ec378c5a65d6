"""Changes to attribute lists, as kernels over all attributes of a batch; and the same for resources.

Every change takes a list column and a mask of its rows, and returns the column with those rows changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from spanloom import Flat, attributes, numpy_of, schema

Bools = npt.NDArray[np.bool_]
Change = Callable[[pa.ListArray, Bools], pa.ListArray]


@dataclass(frozen=True)
class Values:
    """One attribute value per row."""

    types: npt.NDArray[np.uint8]
    nums: npt.NDArray[np.int64]
    texts: pa.StringArray
    known: Bools
    """Where there is one."""

    def take(self, rows: npt.NDArray[np.integer]) -> Values:
        return Values(self.types[rows], self.nums[rows], self.texts.take(pa.array(rows)), self.known[rows])


def can_hold(kind: pa.DataType) -> bool:
    """Whether an attribute can have values of this type."""
    types = pa.types
    if types.is_list(kind):
        return can_hold(kind.value_type) and not types.is_decimal(kind.value_type)
    return bool(
        types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
        or types.is_string(kind) or types.is_null(kind)
    )  # fmt: skip


def values_of(computed: pa.Array) -> Values:
    """What an expression gave, each value in the type of attributes that is nearest."""
    n, kind = len(computed), computed.type
    known = numpy_of(computed.is_valid())
    nothing = pa.array([""] * n, pa.string())
    if pa.types.is_string(kind):
        return Values(np.full(n, schema.STRING, np.uint8), np.zeros(n, np.int64), computed.fill_null(""), known)
    if pa.types.is_boolean(kind):
        return Values(np.full(n, schema.BOOL, np.uint8), _ints(computed.cast(pa.int8())), nothing, known)
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return Values(np.full(n, schema.INT, np.uint8), _ints(computed), nothing, known)
    if pa.types.is_list(kind):
        texts = [attributes.encode_value(value or [])[2] for value in computed.to_pylist()]
        return Values(np.full(n, schema.ARRAY, np.uint8), np.zeros(n, np.int64), pa.array(texts, pa.string()), known)
    if pa.types.is_null(kind):
        return Values(np.zeros(n, np.uint8), np.zeros(n, np.int64), nothing, known)
    doubles = np.ascontiguousarray(numpy_of(computed.cast(pa.float64(), safe=False).fill_null(0.0)))
    whole = (pa.types.is_decimal(kind) and kind.scale == 0) or kind == pa.uint64()
    if whole and (np.abs(doubles) < 2.0**63).all():
        return Values(np.full(n, schema.INT, np.uint8), _ints(computed.cast(pa.int64())), nothing, known)
    return Values(np.full(n, schema.DOUBLE, np.uint8), doubles.view(np.int64), nothing, known)


def _ints(column: pa.Array) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64] = numpy_of(column.cast(pa.int64()).fill_null(0))
    return found


def copied(column: pa.ListArray, key: str) -> Values:
    """An attribute of every row, as it is."""
    flat = attributes.flatten(column)
    mine = np.flatnonzero(np.isin(flat.key_codes, _codes(flat, key.__eq__)))
    rows, first = np.unique(flat.rows[mine], return_index=True)
    position = np.full(len(column), -1)
    position[rows] = mine[first]
    known = position >= 0
    at = np.where(known, position, 0)
    if not len(flat.rows):
        n = len(column)
        return Values(np.zeros(n, np.uint8), np.zeros(n, np.int64), pa.array([""] * n, pa.string()), known)
    return Values(flat.types[at], flat.nums[at], flat.texts.take(pa.array(at)), known)


def put(key: str, values: Values) -> Change:
    """Sets an attribute where there is a value: in its place, or behind the others."""

    def change(column: pa.ListArray, rows: Bools) -> pa.ListArray:
        flat = attributes.flatten(column)
        wanted = rows & values.known
        mine = np.flatnonzero(np.isin(flat.key_codes, _codes(flat, key.__eq__)))
        there, first = np.unique(flat.rows[mine], return_index=True)
        keep = np.ones(len(flat.rows), np.bool_)
        keep[mine] = ~wanted[flat.rows[mine]]
        place = np.full(len(column), len(flat.rows), np.int64)
        place[there] = mine[first]
        new = np.flatnonzero(wanted)
        order = np.lexsort(
            (np.append(np.flatnonzero(keep), place[new]), np.append(flat.rows[keep], new)),
        )
        kept, added = flat.select(keep), values.take(new)
        keys = pa.array(flat.keys, pa.string())
        code = flat.keys.index(key) if key in flat.keys else len(flat.keys)
        keys = keys if key in flat.keys else pa.concat_arrays([keys, pa.array([key])])
        joined = Flat(
            np.append(kept.rows, new).astype(np.int32),
            np.append(kept.key_codes, np.full(len(new), code)).astype(np.int32),
            keys.to_pylist(),
            np.append(kept.types, added.types).astype(np.uint8),
            np.append(kept.nums, added.nums),
            pa.concat_arrays([kept.texts, added.texts]),
        )
        return _built(joined.select(order), len(column))

    return change


def without(is_named: Callable[[str], bool]) -> Change:
    """Removes the attributes with these keys."""

    def change(column: pa.ListArray, rows: Bools) -> pa.ListArray:
        flat = attributes.flatten(column)
        gone = rows[flat.rows] & np.isin(flat.key_codes, _codes(flat, is_named))
        return _built(flat.select(~gone), len(column)) if gone.any() else column

    return change


def with_texts(made: Callable[[pa.StringArray], pa.StringArray]) -> Change:
    """Rewrites all attributes that are text."""

    def change(column: pa.ListArray, rows: Bools) -> pa.ListArray:
        flat = attributes.flatten(column)
        mine = rows[flat.rows] & (flat.types == schema.STRING)
        if not mine.any():
            return column
        texts = pc.replace_with_mask(flat.texts, pa.array(mine), made(flat.texts.filter(pa.array(mine))))
        return _built(Flat(flat.rows, flat.key_codes, flat.keys, flat.types, flat.nums, texts), len(column))

    return change


def limited(most: int, first: Sequence[str]) -> Change:
    """Keeps so many attributes of a row: those named, then those that come first."""

    def change(column: pa.ListArray, rows: Bools) -> pa.ListArray:
        flat = attributes.flatten(column)
        later = ~np.isin(flat.key_codes, _codes(flat, lambda key: key in first))
        order = np.lexsort((np.arange(len(later)), later, flat.rows))
        begins = np.searchsorted(flat.rows[order], flat.rows[order], side="left")
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order)) - begins
        return _built(flat.select((rank < most) | ~rows[flat.rows]), len(column))

    return change


def _codes(flat: Flat, is_named: Callable[[str], bool]) -> list[int]:
    return [code for code, key in enumerate(flat.keys) if is_named(key)]


def _built(flat: Flat, num_rows: int) -> pa.ListArray:
    codes = pa.array(flat.key_codes, pa.int32())
    keys = pa.DictionaryArray.from_arrays(codes, pa.array(flat.keys, pa.string()))
    return attributes.build(num_rows, flat.rows, keys, flat.types, flat.nums, flat.texts)


def resources(column: pa.DictionaryArray) -> pa.ListArray:
    """The attributes of each distinct resource."""
    return attributes.from_dicts([attributes.resource_values(header) for header in column.dictionary.to_pylist()])


def on_resources(column: pa.DictionaryArray, rows: Bools, change: Change) -> pa.DictionaryArray:
    """The column with the resources of these rows changed: once per distinct resource."""
    return _with_resources(column, rows, np.zeros(len(column), np.int64), lambda _: change)


def put_in_resources(column: pa.DictionaryArray, rows: Bools, key: str, values: Values) -> pa.DictionaryArray:
    """Sets an attribute of the resources of these rows: once per distinct resource and value."""
    texts = [*zip(values.types.tolist(), values.nums.tolist(), values.texts.to_pylist(), strict=True)]
    numbers: dict[Any, int] = {}
    value = np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.int64)
    return _with_resources(column, rows & values.known, value, lambda first: put(key, values.take(first)))


def _with_resources(
    column: pa.DictionaryArray,
    rows: Bools,
    value: npt.NDArray[np.int64],
    change: Callable[[npt.NDArray[np.integer]], Change],
) -> pa.DictionaryArray:
    if not rows.any():
        return column
    codes = numpy_of(column.indices)
    mine = np.flatnonzero(rows)
    pairs = np.column_stack([codes[mine], value[mine]])
    distinct, first, number = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
    headers = column.dictionary.to_pylist()
    before = [headers[code] for code in distinct[:, 0].tolist()]
    listed = attributes.from_dicts([attributes.resource_values(header) for header in before])
    after = change(mine[first])(listed, np.ones(len(before), np.bool_))
    new = codes.astype(np.int32).copy()
    new[mine] = len(headers) + number.reshape(-1)
    made = [_header(old, row) for old, row in zip(before, _key_values(after), strict=True)]
    return pa.DictionaryArray.from_arrays(pa.array(new), pa.array([*headers, *made], pa.binary()))


def _key_values(column: pa.ListArray) -> list[list[KeyValue]]:
    flat = attributes.flatten(column)
    out: list[list[KeyValue]] = [[] for _ in range(len(column))]
    columns = (flat.rows, flat.key_codes, flat.types, flat.nums)
    entries = zip(*(column.tolist() for column in columns), flat.texts.to_pylist(), strict=True)
    for row, code, kind, num, text in entries:
        out[row].append(KeyValue(key=flat.keys[code], value=ParseDict(_tagged(kind, num, text), AnyValue())))
    return out


def _tagged(kind: int, num: int, text: str) -> dict[str, Any]:
    if kind in (schema.ARRAY, schema.KVLIST):
        return {"arrayValue" if kind == schema.ARRAY else "kvlistValue": json.loads(text)}
    return attributes.tagged(attributes.decode_value(kind, num, text))


def _header(old: bytes, entries: list[KeyValue]) -> bytes:
    message = attributes.parse_resource(old)
    del message.resource.attributes[:]
    message.resource.attributes.extend(entries)
    return message.SerializeToString(deterministic=True)
