"""Columns become numpy arrays, and tables are built by name.

Proves that an order of columns never matters, and that a column too few or too many is refused. Does not prove that
any table's columns are right: the tests of what builds them do.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from collector.model.arrow_arrays import numpy_of, table_of, with_column

FIELDS = pa.schema([pa.field("a", pa.int64(), nullable=False), pa.field("b", pa.dictionary(pa.int32(), pa.string()))])


def test_columns_find_their_field_by_name_and_take_its_type() -> None:
    table = table_of(FIELDS, {"b": pa.array(["x", None]), "a": np.array([1, 2], np.int32)})
    assert table.schema == FIELDS
    assert table.to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


@pytest.mark.parametrize(
    "columns", [{"a": pa.array([1])}, {"a": pa.array([1]), "b": pa.array(["x"]), "c": pa.array([1])}]
)
def test_a_column_too_few_or_too_many_is_refused(columns) -> None:
    with pytest.raises(ValueError, match=r"missing columns: .*; unknown columns: "):
        table_of(FIELDS, columns)


def test_a_column_is_replaced_in_its_place_and_type() -> None:
    table = table_of(FIELDS, {"a": np.array([1, 2]), "b": pa.array(["x", "y"])})
    changed = with_column(table, "a", np.array([3, 4], np.int32))
    assert changed.schema == FIELDS
    assert changed["a"].to_pylist() == [3, 4]
    with pytest.raises(KeyError):
        with_column(table, "c", np.array([1, 2]))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pa.array([1, 2], pa.int64()), [1, 2]),
        (pa.array([True, False]), [True, False]),
        (pa.array(["x", None]), ["x", None]),
        (pa.chunked_array([["x"], ["y"]]), ["x", "y"]),
        (pa.array([], pa.int32()), []),
    ],
)
def test_a_column_is_a_numpy_array_whatever_it_holds(column, values) -> None:
    assert numpy_of(column).tolist() == values


def test_a_column_of_numbers_is_not_copied() -> None:
    column = pa.array(np.arange(3))
    assert np.shares_memory(numpy_of(column), numpy_of(column))
