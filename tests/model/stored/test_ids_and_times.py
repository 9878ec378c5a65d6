"""Ids, names and times of stored rows.

Proves forms and edges of each column. Does not prove that ids agree across stores: the exporters' tests read them
back.
"""

import json
from datetime import UTC, datetime

import pytest

from collector.model.stored.observations import observations
from collector.testing import builders
from tests.model.stored.rows_kit import INGESTED, START, decided, one


def test_ids_are_lower_case_hex():
    row = one({"trace_id": "0AF7651916CD43DD8448EB211C80319C", "span_id": "B7AD6B7169203331", "parent_span_id": 7})
    assert row["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert row["span_id"] == "b7ad6b7169203331"
    assert row["parent_span_id"] == "0000000000000007"


def test_ids_of_a_slice_are_those_of_its_rows():
    batch = builders.spans([{"span_id": n, "parent_span_id": n or None} for n in range(5)], facts=True).slice(2, 2)
    table = observations(batch, decided([{}, {}]))
    assert table["span_id"].to_pylist() == ["0000000000000002", "0000000000000003"]
    assert table["parent_span_id"].to_pylist() == ["0000000000000002", "0000000000000003"]


@pytest.mark.parametrize("parent", [None, 0])
def test_a_root_has_no_parent(parent):
    assert one({"parent_span_id": parent})["parent_span_id"] is None


@pytest.mark.parametrize(
    ("number", "name"), list(enumerate(["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]))
)
def test_kinds_have_names(number, name):
    row = one({"kind": number})
    assert (row["kind"], row["otlp"]) == (name, None)


def test_an_unknown_enum_number_is_unspecified_and_kept():
    row = one({"kind": 42, "status_code": -1})
    assert (row["kind"], row["status_code"]) == ("UNSPECIFIED", "UNSET")
    assert json.loads(row["otlp"]) == {"kind": 42, "status_code": -1}


def test_times_are_microseconds_beside_exact_nanoseconds():
    row = one({"start_unix_nano": START + 1_999, "end_unix_nano": START + 5_001})
    assert row["start_time"] == datetime(2025, 10, 9, 8, 53, 20, 1, tzinfo=UTC)
    assert (row["start_unix_nano"], row["end_unix_nano"]) == (START + 1_999, START + 5_001)
    assert row["duration_ns"] == 3_002
    assert row["ingested_at"] == datetime(2025, 10, 9, 8, 53, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        (START, 0, (START, START)),
        (0, START, (START, START)),
        (0, 0, (INGESTED, INGESTED)),
    ],
)
def test_a_missing_time_is_the_other_one_and_flagged(start, end, told):
    row = one({"start_unix_nano": start, "end_unix_nano": end})
    assert (row["start_unix_nano"], row["end_unix_nano"]) == told
    assert row["duration_ns"] == 0
    sent = {"start_unix_nano": start, "end_unix_nano": end}
    assert json.loads(row["otlp"]) == {name: 0 for name, value in sent.items() if value == 0}


def test_a_time_beyond_int64_has_no_timestamp_but_its_number():
    row = one({"start_unix_nano": -1, "end_unix_nano": START})
    assert row["start_time"] is None
    assert row["start_unix_nano"] == -1
    assert row["duration_ns"] is None
    assert row["end_time"] is not None


def test_time_to_first_token_runs_from_the_start():
    row = one({"start_unix_nano": START, "completion_start_unix_nano": START + 250_000_000})
    assert row["time_to_first_token_ns"] == 250_000_000
    assert row["completion_start_time"] == datetime(2025, 10, 9, 8, 53, 20, 250_000, tzinfo=UTC)


def test_a_first_token_before_the_start_has_no_latency():
    row = one({"start_unix_nano": START, "completion_start_unix_nano": START - 1})
    assert row["time_to_first_token_ns"] is None
    assert row["completion_start_time"] is not None
