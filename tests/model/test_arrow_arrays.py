"""Tables are built by name: an order of columns never matters, and a column too few or too many is refused.

Does not prove that any table's columns are right: the tests of what builds them do.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from collector.model.arrow_arrays import table_of, with_column

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
