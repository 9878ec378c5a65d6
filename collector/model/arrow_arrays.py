"""Arrow columns as numpy arrays, and tables that are built and changed by the names of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def numpy_of(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[Any]:
    """The values of a column, one per row; not to be written to.

    Numbers without nulls are a view of Arrow's memory; truth values, text and whatever has nulls are copied. A null
    is NaN in a column of numbers, None in one of truth values or text.
    """
    values: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values


def table_of(fields: pa.Schema, columns: Mapping[str, Any]) -> pa.RecordBatch:
    """A record batch of this schema from its columns by name: Arrow arrays or numpy arrays.

    Each column is cast to the type of its field. Raises ``ValueError`` when a column of the schema is missing or
    one is given that it does not have.
    """
    if columns.keys() != set(fields.names):
        missing, unknown = set(fields.names) - columns.keys(), columns.keys() - set(fields.names)
        raise ValueError(f"missing columns: {sorted(missing)}; unknown columns: {sorted(unknown)}")
    return pa.record_batch([_as_type(columns[field.name], field.type) for field in fields], schema=fields)


def with_column(table: pa.RecordBatch, name: str, values: Any) -> pa.RecordBatch:
    """The table with other values in a column that it has; the column keeps its field.

    Raises ``KeyError`` when there is no such column.
    """
    field = table.schema.field(name)
    return table.set_column(table.schema.get_field_index(name), field, _as_type(values, field.type))


def completed(table: pa.RecordBatch, fields: pa.Schema, given: Mapping[str, Any] | None = None) -> pa.RecordBatch:
    """A table that another version wrote, with the columns of this schema.

    A column it lacks is the one in ``given``, or null, or where the schema allows no null the type's
    neutral value: 0, false, no text, no items. Columns the schema does not know are left out. Raises
    ``ValueError`` when a column cannot be read as the type that the schema has.
    """
    if table.schema.equals(fields):
        return table
    names = set(table.schema.names)
    columns = {}
    for field in fields:
        if field.name in names:
            columns[field.name] = table[field.name]
        elif given and field.name in given:
            columns[field.name] = given[field.name]
        else:
            columns[field.name] = _absent(field, table.num_rows)
    return table_of(fields, columns)


def _absent(field: pa.Field, n: int) -> pa.Array:
    return pa.nulls(n, field.type) if field.nullable else pa.array([_neutral(field.type)] * n, field.type)


def _neutral(dtype: pa.DataType) -> Any:
    if pa.types.is_dictionary(dtype):
        return _neutral(dtype.value_type)
    if pa.types.is_struct(dtype):
        return {field.name: None if field.nullable else _neutral(field.type) for field in dtype}
    if pa.types.is_list(dtype):
        return []
    if pa.types.is_fixed_size_binary(dtype):
        return bytes(dtype.byte_width)
    if pa.types.is_binary(dtype):
        return b""
    if pa.types.is_boolean(dtype):
        return False
    return "" if pa.types.is_string(dtype) else 0


def _as_type(values: Any, dtype: pa.DataType) -> pa.Array:
    if isinstance(values, np.ndarray):
        return pa.array(values, dtype)
    return values if values.type == dtype else values.cast(dtype)
