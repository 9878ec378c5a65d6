"""Builders of Arrow columns, filled row by row from protobuf messages; one set per batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector.model import schema
from collector.model.any_value import EMPTY, Columns, TooDeepError, to_columns

_UINT32_MAX = 2**32 - 1


def value_columns(value: AnyValue) -> tuple[Columns, int]:
    """A value's columns, and 1 if it was too deep and is empty instead."""
    try:
        return to_columns(value), 0
    except TooDeepError:
        return EMPTY, 1


def dropped(sent: int, emptied: int) -> int:
    """``dropped_attributes_count`` with the values that were emptied here."""
    return min(sent + emptied, _UINT32_MAX)


class Attributes:
    """A column of ``schema.ATTRIBUTES``."""

    def __init__(self) -> None:
        self._offsets = [0]
        self._keys: list[str] = []
        self._texts: list[str] = []
        # Most values are strings with text; of the others, position, type and num.
        self._others: list[int] = []
        self._types: list[int] = []
        self._nums: list[int] = []

    def add(self, key_values: Iterable[KeyValue]) -> int:
        """Appends a row; returns how many of its values were too deep and are empty instead."""
        keys, texts = self._keys, self._texts
        emptied = 0
        for key_value in key_values:
            keys.append(key_value.key)
            value = key_value.value
            text = value.string_value
            if not text:
                (kind, num, text), too_deep = value_columns(value)
                self._others.append(len(texts))
                self._types.append(kind)
                self._nums.append(num)
                emptied += too_deep
            texts.append(text)
        self._offsets.append(len(self._texts))
        return emptied

    def finish(self) -> pa.ListArray:
        types = np.full(len(self._texts), schema.STRING, np.uint8)
        nums = np.zeros(len(self._texts), np.int64)
        types[self._others] = self._types
        nums[self._others] = self._nums
        child = pa.StructArray.from_arrays(
            [
                pa.array(self._keys, pa.string()).dictionary_encode(),
                pa.array(types),
                pa.array(nums),
                pa.array(self._texts, pa.string()),
            ],
            fields=list(schema.ATTRIBUTE),
        )
        return pa.ListArray.from_arrays(pa.array(np.array(self._offsets, np.int32)), child, type=schema.ATTRIBUTES)


class Interned:
    """A column of ``schema.INTERNED``: each distinct value stored once."""

    def __init__(self) -> None:
        self._codes: dict[bytes, int] = {}
        self._rows: list[int] = []

    def append(self, value: bytes) -> None:
        self._rows.append(self._codes.setdefault(value, len(self._codes)))

    def finish(self) -> pa.DictionaryArray:
        indices = pa.array(np.array(self._rows, np.int32))
        return pa.DictionaryArray.from_arrays(indices, pa.array(list(self._codes), pa.binary()))


class Struct:
    """The columns of one schema or struct type: a list per plain column, a builder per nested one.

    ``columns[name]`` is what to append to; every column gets one value per row.
    """

    def __init__(self, fields: Iterable[pa.Field]) -> None:
        self._fields = list(fields)
        self.columns: dict[str, Any] = {field.name: _builder(field.type) for field in self._fields}

    def finish(self) -> list[pa.Array]:
        return [_finish(field, self.columns[field.name]) for field in self._fields]


class Lists:
    """A list column of structs: append to ``items``, then ``end_row``."""

    def __init__(self, kind: pa.ListType) -> None:
        self._type = kind
        self._offsets: list[int | None] = [0]
        self._count = 0
        self.items = Struct(list(kind.value_type))

    def end_row(self, count: int) -> None:
        """The last ``count`` items are one row's."""
        self._count += count
        self._offsets.append(self._count)

    def null_row(self) -> None:
        """This row has no list at all."""
        self._offsets[-1] = None
        self._offsets.append(self._count)

    def finish(self) -> pa.ListArray:
        child = pa.StructArray.from_arrays(self.items.finish(), fields=list(self._type.value_type))
        return pa.ListArray.from_arrays(pa.array(self._offsets, pa.int32()), child, type=self._type)


def _builder(kind: pa.DataType) -> Any:
    if kind.equals(schema.ATTRIBUTES):
        return Attributes()
    if kind.equals(schema.INTERNED):
        return Interned()
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        return Lists(kind)
    return []


def _finish(field: pa.Field, values: Any) -> pa.Array:
    if not isinstance(values, list):
        return values.finish()
    if field.name.endswith("unix_nano"):
        # uint64 on the wire: the bits are kept, so nothing a client sends is out of range.
        return pa.array(np.array(values, np.uint64).view(np.int64))
    return pa.array(values, field.type)
