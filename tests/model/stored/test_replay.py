"""Stored rows are the spans they came from: OTLP → rows → OTLP is the identity, up to order.

Proves it by property, for spans. Does not prove it for logs and metrics, nor for masked values.
"""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.model import schema
from collector.model.batch import Signal, SpanBatch
from collector.model.codec.chosen import decode, encode
from collector.model.facts import resolve
from collector.model.stored.observations import observations
from collector.model.stored.replay import to_spans
from collector.testing import builders
from collector.testing.equivalence import assert_equivalent
from collector.testing.otlp_strategies import requests


def stored(spans: SpanBatch) -> pa.Table:
    row = {"adjusted_count": 1.0, "date": 0, "ingested_unix_nano": builders.START_UNIX_NANO}
    return observations(spans, pa.RecordBatch.from_pylist([row] * spans.num_rows, schema=schema.DECIDED))


@settings(max_examples=100, deadline=None)
@given(requests(Signal.TRACES))
def test_a_request_comes_back_from_its_rows(body):
    batches = decode(Signal.TRACES, [body]).batches
    again = [encode(to_spans(stored(resolve.resolve(batch)))) for batch in batches]
    assert_equivalent(Signal.TRACES, [by_key(body)], [by_key(request) for request in again])


def by_key(body: bytes) -> bytes:
    """The request with attributes in the order of their keys; those of one key stay in their order."""
    request = ExportTraceServiceRequest.FromString(body)
    sort_keys(request)
    return request.SerializeToString()


def sort_keys(message) -> None:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        children = list(value) if field.is_repeated else [value]
        for child in children:
            sort_keys(child)
        if field.message_type.name == "KeyValue":
            ordered = sorted(children, key=lambda key_value: key_value.key)
            message.ClearField(field.name)
            getattr(message, field.name).extend(ordered)


def test_a_replaced_status_message_comes_back_as_it_was_sent():
    sent = [
        {"status_message": "otlp", "attributes": {"langfuse.observation.status_message": "better"}},
        {"status_message": "", "attributes": {"error.message": "better"}},
    ]
    table = stored(builders.spans(sent, facts=True))
    assert table["status_message"].to_pylist() == ["better", "better"]
    assert to_spans(table).column("status_message").to_pylist() == ["otlp", ""]


def test_no_rows_are_no_spans():
    assert to_spans(schema.OBSERVATIONS.empty_table()).num_rows == 0


def test_a_missing_column_is_named():
    with pytest.raises(KeyError, match="otlp"):
        to_spans(schema.OBSERVATIONS.empty_table().drop_columns(["otlp"]))
