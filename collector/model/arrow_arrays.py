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


def _as_type(values: Any, dtype: pa.DataType) -> pa.Array:
    if isinstance(values, np.ndarray):
        return pa.array(values, dtype)
    return values if values.type == dtype else values.cast(dtype)
