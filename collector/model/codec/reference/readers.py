"""Arrow columns as Python values: the counterpart of ``collector.model.codec.reference.array_builders``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from collector.model import schema
from collector.model.any_value import set_columns
from collector.model.attributes import flatten

Columns = dict[str, Any]
"""Per column a list with a value per row, an ``Attributes`` or a ``Lists``."""


def read(table: pa.RecordBatch | pa.StructArray, names: Iterable[str]) -> Columns:
    """The named columns of a record batch, or the named fields of a struct array, slices included."""
    column = table.column if isinstance(table, pa.RecordBatch) else table.field
    return {name: _read(name, column(name)) for name in names}


class Attributes:
    """A column of ``schema.ATTRIBUTES``."""

    def __init__(self, column: pa.ListArray) -> None:
        flat = flatten(column)
        self._keys = [flat.keys[code] for code in flat.key_codes.tolist()]
        self._types = flat.types.tolist()
        self._nums = flat.nums.tolist()
        self._texts = flat.texts.to_pylist()
        self._bounds = np.searchsorted(flat.rows, np.arange(len(column) + 1)).tolist()

    def fill(self, target: Any, row: int) -> None:
        """Appends the row's attributes to a repeated KeyValue field."""
        keys, types, texts = self._keys, self._types, self._texts
        for i in range(self._bounds[row], self._bounds[row + 1]):
            value = target.add(key=keys[i]).value
            if types[i] == schema.STRING:
                value.string_value = texts[i]
            else:
                set_columns(value, types[i], self._nums[i], texts[i])

    def identity(self, row: int) -> tuple[tuple[Any, ...], ...]:
        """A hashable that is equal for rows of equal attributes."""
        part = slice(self._bounds[row], self._bounds[row + 1])
        columns = (self._keys[part], self._types[part], self._nums[part], self._texts[part])
        return tuple(zip(*columns, strict=True))


class Lists:
    """A list column of structs; a null list has no items."""

    def __init__(self, column: pa.ListArray) -> None:
        offsets = column.offsets.to_numpy()
        self._bounds = (offsets - offsets[0]).tolist()
        items = column.values.slice(offsets[0], offsets[-1] - offsets[0])
        self.items = read(items, [field.name for field in column.type.value_type])

    def range(self, row: int) -> range:
        """The positions of the row's items in ``items``."""
        return range(self._bounds[row], self._bounds[row + 1])


def _read(name: str, column: pa.Array) -> Any:
    kind = column.type
    if kind.equals(schema.ATTRIBUTES):
        return Attributes(column)
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        return Lists(column)
    if pa.types.is_dictionary(kind):
        # One Python object per distinct value: a resource may be large and every row has one.
        values = column.dictionary.to_pylist()
        return [values[code] for code in column.indices.to_pylist()]
    if name.endswith("unix_nano"):
        return column.to_numpy().view(np.uint64).tolist()
    return column.to_pylist()
