"""Batches written by hand: the columns, ids and headers that builders give.

Proves their schemas and defaults. Does not prove that such batches are like those of real senders.
"""

from __future__ import annotations

import pytest

from collector.model import attributes, schema
from collector.testing.builders import logs, metrics, resource, scope, spans


def test_a_span_without_facts_has_exactly_the_wire_columns() -> None:
    batch = spans([{"attributes": {"a": 1, "b": [1, "x"]}}, {}])

    assert batch.record_batch.schema == schema.WIRE
    assert attributes.to_dicts(batch.column("attributes")) == [{"a": 1, "b": [1, "x"]}, {}]
    batch.record_batch.validate(full=True)


def test_naming_one_fact_brings_all_fact_columns() -> None:
    batch = spans([{"model": "gpt-4o", "usage": [("input", 3)]}, {}])

    assert batch.record_batch.schema == schema.SPANS
    assert batch.column("model").to_pylist() == ["gpt-4o", None]
    assert batch.column("usage").to_pylist() == [[("input", 3)], None]
    batch.record_batch.validate(full=True)


def test_ids_are_numbers_hex_or_bytes() -> None:
    batch = spans([{"trace_id": 7, "span_id": "00000000000000ff", "parent_span_id": b"12345678"}, {}])

    assert batch.column("trace_id").to_pylist() == [b"\0" * 15 + b"\7", b"\0" * 15 + b"\1"]
    assert batch.column("span_id").to_pylist() == [b"\0" * 7 + b"\xff", b"\0" * 7 + b"\2"]
    assert batch.column("parent_span_id").to_pylist() == [b"12345678", None]


def test_events_and_links_carry_their_attributes() -> None:
    batch = spans([{"events": [{"name": "e", "attributes": {"k": True}}], "links": [{"trace_id": 1, "span_id": 2}]}])

    (event,) = batch.column("events").to_pylist()[0]
    assert event["name"] == "e"
    assert event["attributes"] == [{"key": "k", "type": schema.BOOL, "num": 1, "text": ""}]
    assert batch.column("links").to_pylist()[0][0]["trace_id"] == (1).to_bytes(16, "big")


def test_resource_and_scope_are_headers() -> None:
    batch = spans([{"resource": {"service.name": "shop"}, "scope": ("lib", "1.2")}])

    assert batch.column("resource").to_pylist() == [resource({"service.name": "shop"})]
    assert batch.column("scope").to_pylist() == [scope("lib", "1.2")]
    parsed = attributes.parse_resource(batch.column("resource").to_pylist()[0])
    assert parsed.resource.attributes[0].value.string_value == "shop"


def test_log_records_and_points_have_their_schemas() -> None:
    records = logs([{"body": {"role": "user"}, "trace_id": 5}, {"body": "hi"}])
    points = metrics([{"value_double": 0.5, "exemplars": [{"value_int": 1, "attributes": {"x": 1}}]}])

    assert records.record_batch.schema == schema.LOGS
    assert records.column("body_type").to_pylist() == [schema.KVLIST, schema.STRING]
    assert records.column("trace_id").to_pylist() == [(5).to_bytes(16, "big"), b""]
    assert points.record_batch.schema == schema.METRICS
    records.record_batch.validate(full=True)
    points.record_batch.validate(full=True)


def test_a_batch_without_rows_keeps_its_schema() -> None:
    assert spans([]).record_batch.schema == schema.WIRE
    assert logs([]).record_batch.schema == schema.LOGS


def test_a_key_that_is_no_column_is_refused() -> None:
    with pytest.raises(ValueError, match="no such column: modle"):
        spans([{"modle": "gpt-4o"}])
