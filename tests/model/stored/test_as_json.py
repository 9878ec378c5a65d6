"""Arrow as JSON: exact, whatever the type.

Proves values of every Arrow type. Does not prove speed on large tables.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from collector.model.stored.as_json import json_objects, json_rows

UTC = pa.timestamp("us", tz="UTC")
AT = dt.datetime(2026, 11, 20, 10, 30, 0, 123456, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (Decimal("0.000012500000"), pa.decimal128(18, 12), "0.000012500000"),
        (Decimal("0.000000000001"), pa.decimal128(18, 12), "0.000000000001"),
        (Decimal(12), pa.decimal128(38, 0), 12),
        (AT, UTC, "2026-11-20T10:30:00.123456Z"),
        (AT, pa.timestamp("us", tz="Europe/Berlin"), "2026-11-20T10:30:00.123456Z"),
        (AT.replace(tzinfo=None), pa.timestamp("us"), "2026-11-20T10:30:00.123456"),
        (1_000_000_001, pa.timestamp("ns", tz="UTC"), "1970-01-01T00:00:01.000000Z"),
        (dt.date(2026, 11, 20), pa.date32(), "2026-11-20"),
        ([("input", 3)], pa.map_(pa.string(), pa.int64()), {"input": 3}),
        ([("input", Decimal(1))], pa.map_(pa.string(), pa.decimal128(18, 12)), {"input": "1.000000000000"}),
        (["a", None], pa.list_(pa.string()), ["a", None]),
        ({"a": b"\x01", "b": None}, pa.struct({"a": pa.binary(), "b": pa.float64()}), {"a": "01", "b": None}),
        (float("nan"), pa.float64(), "NaN"),
        (float("-inf"), pa.float64(), "-Infinity"),
        (0.1, pa.float64(), 0.1),
        (b"\xab", pa.binary(1), "ab"),
        ("ünï", pa.string(), "ünï"),
        (True, pa.bool_(), True),
        (dt.timedelta(seconds=1), pa.duration("us"), "0:00:01"),
        (None, pa.decimal128(18, 12), None),
    ],
)
def test_values(value: Any, kind: pa.DataType, expected: Any) -> None:
    table = pa.table({"v": pa.array([value, None], kind)})
    assert list(json_rows(table)) == [[expected], [None]]
    assert json.loads(json.dumps(expected, allow_nan=False)) == expected


@pytest.mark.parametrize(("value", "exact"), [(2**53, 2**53), (2**53 + 1, str(2**53 + 1)), (-(2**62), str(-(2**62)))])
def test_large_integers_become_text_for_readers_in_javascript(value: int, exact: Any) -> None:
    table = pa.table({"v": pa.array([value], pa.int64())})
    assert list(json_rows(table, exact_integers=True)) == [[exact]]
    assert list(json_rows(table)) == [[value]]


def test_dictionaries_are_their_values() -> None:
    table = pa.table({"v": pa.array(["a", None]).dictionary_encode()})
    assert list(json_objects(table)) == [{"v": "a"}, {"v": None}]


def test_no_rows_and_many_chunks() -> None:
    assert list(json_rows(pa.table({"v": pa.array([], pa.int64())}))) == []
    many = pa.table({"v": pa.chunked_array([[1], [2, 3]])})
    assert [row[0] for row in json_rows(many)] == [1, 2, 3]
