"""Builders of Arrow columns, filled row by row from protobuf messages; one set per batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector.model import schema
from collector.model.any_value import EMPTY, TooDeepError, ValueColumns, to_columns

_ATTRIBUTE = list(schema.ATTRIBUTE)
_UINT32_MAX = 2**32 - 1


def value_columns(value: AnyValue) -> tuple[ValueColumns, int]:
    """A value's columns, and 1 if it was too deep and is empty instead."""
    try:
        return to_columns(value), 0
    except TooDeepError:
        return EMPTY, 1


class Attributes:
    """A column of ``schema.ATTRIBUTES``."""

    def __init__(self) -> None:
        self._offsets = [0]
        self._keys: list[str] = []
        self._texts: list[str] = []
        # Most values are strings with text; of the others, position, type and num.
        self._positions: list[int] = []
        self._types: list[int] = []
        self._nums: list[int] = []

    def add(self, key_values: Sequence[KeyValue]) -> int:
        """Appends a row; returns how many of its values were too deep and are empty instead."""
        row = list(key_values)
        texts = [key_value.value.string_value for key_value in row]
        start = self._offsets[-1]
        self._keys += [key_value.key for key_value in row]
        self._texts += texts
        self._offsets.append(start + len(texts))
        return self._add_others(start, row, texts) if "" in texts else 0

    def _add_others(self, start: int, row: list[KeyValue], texts: list[str]) -> int:
        emptied = 0
        for position, text in enumerate(texts):
            if not text:
                (kind, num, written), too_deep = value_columns(row[position].value)
                self._positions.append(start + position)
                self._types.append(kind)
                self._nums.append(num)
                self._texts[start + position] = written
                emptied += too_deep
        return emptied

    def finish(self) -> pa.ListArray:
        types = np.full(len(self._texts), schema.STRING, np.uint8)
        nums = np.zeros(len(self._texts), np.int64)
        types[self._positions] = self._types
        nums[self._positions] = self._nums
        child = pa.StructArray.from_arrays(
            [
                pa.array(self._keys, pa.string()).dictionary_encode(),
                pa.array(types),
                pa.array(nums),
                pa.array(self._texts, pa.string()),
            ],
            fields=_ATTRIBUTE,
        )
        return pa.ListArray.from_arrays(pa.array(np.array(self._offsets, np.int32)), child, type=schema.ATTRIBUTES)


class Interned(list[bytes]):
    """A column of ``schema.INTERNED``: each distinct value stored once."""

    def finish(self) -> pa.DictionaryArray:
        codes: dict[bytes, int] = {}
        rows = [codes.setdefault(value, len(codes)) for value in self]
        return pa.DictionaryArray.from_arrays(pa.array(np.array(rows, np.int32)), pa.array(list(codes), pa.binary()))


class Layout:
    """How to build the columns of one schema or struct type; made once per type."""

    def __init__(self, fields: Iterable[pa.Field]) -> None:
        self.fields = list(fields)
        self._builders = [(field.name, _builder(field.type)) for field in self.fields]

    def builders(self) -> dict[str, Any]:
        return {name: make() for name, make in self._builders}


class Struct:
    """The columns of one layout: a list per plain column, a builder per nested one.

    ``columns[name]`` is what to append to; every column gets one value per row.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.columns = layout.builders()

    def finish(self) -> list[pa.Array]:
        return [_finish(field, self.columns[field.name]) for field in self._layout.fields]


class Lists:
    """A list column of structs: append to ``items``, then ``end_row``."""

    def __init__(self, kind: pa.ListType, layout: Layout, none: pa.StructArray) -> None:
        self._type = kind
        self._none = none
        self._offsets: list[int | None] = [0]
        self._count = 0
        self.items = Struct(layout)

    def end_row(self, count: int) -> None:
        """The last ``count`` items are one row's."""
        self._count += count
        self._offsets.append(self._count)

    def null_row(self) -> None:
        """This row has no list at all."""
        self._offsets[-1] = None
        self._offsets.append(self._count)

    def finish(self) -> pa.ListArray:
        child = self._none
        if self._count:
            child = pa.StructArray.from_arrays(self.items.finish(), fields=list(self._type.value_type))
        return pa.ListArray.from_arrays(pa.array(self._offsets, pa.int32()), child, type=self._type)


def _builder(kind: pa.DataType) -> Callable[[], Any]:
    if kind.equals(schema.ATTRIBUTES):
        return Attributes
    if kind.equals(schema.INTERNED):
        return Interned
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        return partial(Lists, kind, Layout(kind.value_type), pa.array([], kind.value_type))
    return list


def _finish(field: pa.Field, values: Any) -> pa.Array:
    if not isinstance(values, list) or isinstance(values, Interned):
        return values.finish()
    if field.name.endswith("unix_nano"):
        # uint64 on the wire: the bits are kept, so nothing a client sends is out of range.
        return pa.array(np.array(values, np.uint64).view(np.int64))
    return pa.array(values, field.type)
