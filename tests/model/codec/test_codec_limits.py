"""What a client sends wrong costs that client alone, and of what it sent only the wrong part.

Proves refusals, repairs and sizes for damaged and random bytes. Does not prove bounds on the time a request may take.
"""

import pytest
from hypothesis import given, settings, strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.errors import InvalidDataError
from collector.model import schema
from collector.model.any_value import MAX_DEPTH
from collector.model.attributes import parse_resource, to_dicts
from collector.model.batch import Signal
from collector.model.codec.chosen import check_framing, decode, encode
from collector.testing.equivalence import assert_equivalent

signals = pytest.mark.parametrize("signal", list(Signal))


def spans(*changes: dict, resource: dict | None = None) -> ExportTraceServiceRequest:
    """A request of one good span per dict, changed by it."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    for key, value in (resource or {"service.name": "app"}).items():
        resource_spans.resource.attributes.add(key=key).value.string_value = value
    scope_spans = resource_spans.scope_spans.add()
    for number, change in enumerate(changes, 1):
        ids = {"trace_id": b"\1" * 16, "span_id": number.to_bytes(8, "big"), "name": f"span {number}"}
        scope_spans.spans.add(**{**ids, **change})
    return request


def nested(levels: int, kind: str) -> AnyValue:
    value = AnyValue(string_value="inside")
    for _ in range(levels):
        outer = AnyValue()
        if kind == "array":
            outer.array_value.values.add().CopyFrom(value)
        else:
            outer.kvlist_value.values.add(key="k").value.CopyFrom(value)
        value = outer
    return value


def delimited(number: int, inner: bytes) -> bytes:
    out, size = bytearray([number << 3 | 2]), len(inner)
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes(out) + bytes([size]) + inner


def deep_bytes(levels: int) -> bytes:
    """A serialised AnyValue of nested arrays, deeper than the runtime would build one."""
    value = delimited(1, b"inside")
    for _ in range(levels):
        value = delimited(5, delimited(1, value))
    return value


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"trace_id": b""}, "trace_id"),
        ({"trace_id": bytes(16)}, "trace_id"),
        ({"trace_id": b"\1" * 15}, "trace_id"),
        ({"span_id": b"\1" * 16}, "span_id"),
        ({"span_id": bytes(8)}, "span_id"),
        ({"parent_span_id": b"\1"}, "parent_span_id"),
    ],
)
def test_a_span_with_bad_ids_is_rejected_alone(change, word):
    result = decode(Signal.TRACES, [spans({}, {**change, "name": "secret"}, {}).SerializeToString()])
    assert result.accepted.tolist() == [2]
    count, reason = result.rejected[0]
    assert count == 1
    assert word in reason
    assert "secret" not in reason
    assert result.batches[0].column("span_name").to_pylist() == ["span 1", "span 3"]


def test_rejections_are_counted_per_request_and_reason():
    bad = spans({"trace_id": b""}, {"trace_id": b""}, {"span_id": b""}, {}).SerializeToString()
    good = spans({}).SerializeToString()
    result = decode(Signal.TRACES, [good, bad, good])
    assert result.accepted.tolist() == [1, 1, 1]
    assert [count for count, _ in result.rejected] == [0, 3, 0]
    assert result.rejected[1][1] == (
        "3 spans were rejected: trace_id is not 16 bytes or all zero (2); span_id is not 8 bytes or all zero (1)"
    )


def test_a_parent_of_zeros_is_no_parent():
    batch = decode(Signal.TRACES, [spans({"parent_span_id": bytes(8)}).SerializeToString()]).batches[0]
    assert batch.column("parent_span_id").to_pylist() == [None]


@pytest.mark.parametrize("size", [0, 5, 16])
def test_log_records_keep_ids_of_any_length(size):
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(trace_id=b"\7" * size, span_id=b"\1" * size)
    record.body.string_value = "text"
    result = decode(Signal.LOGS, [request.SerializeToString()])
    assert result.accepted.tolist() == [1]
    assert result.batches[0].column("trace_id").to_pylist() == [b"\7" * size]


@signals
@pytest.mark.parametrize(
    "body",
    [
        b"\x0a\x05abc",  # longer than the body
        b"\x0a",  # ends in a length
        b"\xff" * 11,  # a number without an end
        b"\x00\x00",  # field number 0
        b"\x0f",  # wire type 7
        b"\x0c",  # the end of a group that never began
        b"\x0b\x08\x01",  # a group that never ends
        b"\x0b\x14",  # ... or ends as another
        b"\x0b" * 200,
        b"not protobuf at all",
    ],
)
def test_broken_framing_is_refused_and_harms_no_neighbour(signal, body):
    with pytest.raises(InvalidDataError, match=r"Export\w+ServiceRequest"):
        check_framing(signal, body)
    result = decode(signal, [b"", body, b"\x0a\x00"])
    assert list(result.failed) == [1]
    assert result.accepted.tolist() == [0, 0, 0]


def test_a_request_broken_inside_fails_alone():
    good = spans({}).SerializeToString()
    broken = delimited(1, delimited(2, delimited(2, b"\x0a\x10short")))
    check_framing(Signal.TRACES, broken)
    result = decode(Signal.TRACES, [good, broken, good])
    assert list(result.failed) == [1]
    assert "short" not in str(result.failed[1])
    assert result.accepted.tolist() == [1, 0, 1]


def test_groups_and_unknown_fields_are_ignored_everywhere():
    plain = spans({}).SerializeToString()
    unknown = b"\xfb\x07\x08\x01\x12\x01x\x0b\x0c\xfc\x07" + delimited(9, b"new")
    inner = spans({}).resource_spans[0]
    resource = delimited(1, inner.resource.SerializeToString() + unknown) + unknown
    scope = delimited(2, inner.scope_spans[0].SerializeToString() + unknown)
    result = decode(Signal.TRACES, [delimited(1, resource + scope) + unknown, plain])
    assert not result.failed
    assert_equivalent(Signal.TRACES, [plain, plain], [encode(result.batches[0])])
    assert len(result.batches[0].column("resource").dictionary) == 1


@signals
@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=60))
def test_random_bytes_decode_or_fail_cleanly(signal, body):
    result = decode(signal, [body, b""])
    assert set(result.failed) <= {0}


@signals
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_requests_decode_or_fail_cleanly(signal, data):
    body = bytearray(spans({}, {"trace_state": "x" * 10}).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = bytes(body[: data.draw(st.integers(0, len(body)))])
    for batch in decode(signal, [body]).batches:
        batch.record_batch.validate(full=True)
        encode(batch)


def test_invalid_utf8_costs_only_itself():
    request = spans({"name": "MARK", "trace_state": "kept"}, {})
    request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="k").value.string_value = "a MARK b"
    broken = request.SerializeToString().replace(b"MARK", b"\xff\xfeok")
    good = spans({}).SerializeToString()
    result = decode(Signal.TRACES, [good, broken])
    assert not result.failed
    assert result.accepted.tolist() == [1, 2]
    names = [name for batch in result.batches for name in batch.column("span_name").to_pylist()]
    assert names == ["span 1", "\ufffd\ufffdok", "span 2"]
    rows = [row for batch in result.batches for row in to_dicts(batch.column("attributes"))]
    assert rows[1] == {"k": "a \ufffd\ufffdok b"}


def test_invalid_utf8_in_nested_values_and_resources_is_repaired():
    request = spans({}, resource={"service.name": "MARK"})
    attribute = request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="MARK")
    attribute.value.kvlist_value.values.add(key="MARK").value.array_value.values.add().string_value = "MARK"
    batch = decode(Signal.TRACES, [request.SerializeToString().replace(b"MARK", b"ok\xff\xff")]).batches[0]
    text = "ok\ufffd\ufffd"
    assert to_dicts(batch.column("attributes")) == [{text: {text: [text]}}]
    assert parse_resource(batch.column("resource")[0].as_py()).resource.attributes[0].value.string_value == text


@pytest.mark.parametrize("kind", ["array", "kvlist"])
def test_values_nest_as_deep_as_every_protobuf_runtime_reads(kind):
    request = spans({})
    request.resource_spans[0].scope_spans[0].spans[0].events.add(name="e").attributes.add(key="k").value.CopyFrom(
        nested(MAX_DEPTH, kind)
    )
    body = request.SerializeToString()
    assert_equivalent(Signal.TRACES, [body], [encode(batch) for batch in decode(Signal.TRACES, [body]).batches])


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 45, 60, 5_000])
def test_a_deeper_value_is_emptied_and_counted(levels):
    key_value = delimited(1, b"deep") + delimited(2, deep_bytes(levels))
    request = spans({"dropped_attributes_count": 2})
    request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="kept").value.int_value = 1
    span = request.resource_spans[0].scope_spans[0].spans[0].SerializeToString() + delimited(9, key_value)
    resource = delimited(1, delimited(1, key_value))
    body = delimited(1, resource + delimited(2, delimited(2, span)))
    batch = decode(Signal.TRACES, [body, spans({}).SerializeToString()]).batches[0]
    assert to_dicts(batch.column("attributes"))[0] == {"kept": 1, "deep": None}
    assert batch.column("dropped_attributes_count")[0].as_py() == 3
    found = parse_resource(batch.column("resource")[0].as_py()).resource
    assert (found.attributes[0].key, found.attributes[0].value.WhichOneof("value")) == ("deep", None)
    assert found.dropped_attributes_count == 1


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 5_000])
def test_a_log_body_that_is_too_deep_is_emptied_and_counted(levels):
    record = delimited(3, b"INFO") + delimited(5, deep_bytes(levels))
    batch = decode(Signal.LOGS, [delimited(1, delimited(2, delimited(2, record)))]).batches[0]
    assert batch.column("body_type").to_pylist() == [schema.EMPTY]
    assert batch.column("severity_text").to_pylist() == ["INFO"]
    assert batch.column("dropped_attributes_count").to_pylist() == [1]


def test_batches_hold_at_most_so_many_rows():
    bodies = [spans(*[{}] * 3_000).SerializeToString()] * 6
    result = decode(Signal.TRACES, bodies)
    assert [batch.num_rows for batch in result.batches] == [8_192, 8_192, 1_616]
    assert result.accepted.tolist() == [3_000] * 6


def test_batches_hold_at_most_so_many_bytes(monkeypatch):
    monkeypatch.setattr(schema, "MAX_BATCH_BYTES", 100_000)
    request = spans(*[{}] * 50)
    for number, span in enumerate(request.resource_spans[0].scope_spans[0].spans):
        size = 250_000 if number == 20 else 6_000
        span.attributes.add(key="k").value.string_value = "x" * size
    body = request.SerializeToString()
    batches = decode(Signal.TRACES, [body]).batches
    assert_equivalent(Signal.TRACES, [body], [encode(batch) for batch in batches])
    assert [batch.num_rows for batch in batches if batch.nbytes > 101_000] == [1]
    assert len(batches) < 15


def test_a_metric_of_many_points_is_spread_over_batches():
    request = metric_request(20_000)
    result = decode(Signal.METRICS, [request])
    assert max(batch.num_rows for batch in result.batches) <= schema.MAX_BATCH_ROWS
    assert result.accepted.tolist() == [20_000]
    assert_equivalent(Signal.METRICS, [request], [encode(batch) for batch in result.batches])


def metric_request(points: int) -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    for number in range(points):
        metric.sum.data_points.add(as_int=number)
    data: bytes = request.SerializeToString()
    return data
