"""OTLP/JSON: what the specification says, and that a mistake costs only itself.

Proves what is read, written, repaired and refused, case by case. Does not prove that other writers keep to the
specification.
"""

import base64
import json
import math

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.errors import InvalidDataError
from collector.model.any_value import MAX_DEPTH
from collector.model.batch import Signal
from collector.model.codec.chosen import decode
from collector.model.codec.otlp_json import to_json, to_protobuf
from collector.testing.equivalence import assert_equivalent
from collector.testing.otlp_strategies import requests

TRACE_ID = "5b8efff798038103d269b633813fc60c"
SPAN_ID = "eee19b7ec3c1b174"


def request_of(*spans, **resource_spans):
    return {"resourceSpans": [{**resource_spans, "scopeSpans": [{"spans": list(spans)}]}]}


def read(value) -> ExportTraceServiceRequest:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return ExportTraceServiceRequest.FromString(to_protobuf(Signal.TRACES, body))


def read_span(**members):
    return (
        read(request_of({"traceId": TRACE_ID, "spanId": SPAN_ID, **members})).resource_spans[0].scope_spans[0].spans[0]
    )


def read_value(value) -> AnyValue:
    return read_span(attributes=[{"key": "k", "value": value}]).attributes[0].value


@pytest.mark.parametrize("signal", list(Signal))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_messages_survive_json(signal, data):
    body = data.draw(requests(signal))
    message = {
        Signal.TRACES: ExportTraceServiceRequest,
        Signal.LOGS: ExportLogsServiceRequest,
        Signal.METRICS: ExportMetricsServiceRequest,
    }[signal].FromString(body)
    assert_equivalent(signal, [body], [to_protobuf(signal, to_json(signal, message))])


def test_json_is_written_as_the_specification_says():
    request = ExportTraceServiceRequest()
    span = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(trace_id=bytes.fromhex(TRACE_ID), span_id=b"\xff" * 8, kind=2, start_time_unix_nano=2**63, flags=7)
    )
    span.attributes.add(key="é").value.bytes_value = b"\0\1"
    span.attributes.add(key="nan").value.double_value = math.nan
    span.attributes.add(key="zero").value.int_value = 0
    assert json.loads(to_json(Signal.TRACES, request)) == request_of(
        {
            "traceId": TRACE_ID,
            "spanId": "ff" * 8,
            "kind": 2,
            "startTimeUnixNano": str(2**63),
            "flags": 7,
            "attributes": [
                {"key": "é", "value": {"bytesValue": "AAE="}},
                {"key": "nan", "value": {"doubleValue": "NaN"}},
                {"key": "zero", "value": {"intValue": "0"}},
            ],
        }
    )
    assert "é".encode() in to_json(Signal.TRACES, request)


def test_a_response_is_written_as_json():
    partial = ExportTracePartialSuccess(rejected_spans=2, error_message="why")
    response = ExportTraceServiceResponse(partial_success=partial)
    assert json.loads(to_json(Signal.TRACES, response)) == {
        "partialSuccess": {"rejectedSpans": "2", "errorMessage": "why"}
    }
    assert to_json(Signal.TRACES, ExportTraceServiceResponse()) == b"{}"


def test_ids_are_hex_of_either_case():
    span = read_span(traceId=TRACE_ID.upper(), parentSpanId=SPAN_ID.upper(), links=[{"traceId": "AB", "spanId": ""}])
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE_ID, SPAN_ID)
    assert (span.links[0].trace_id, span.links[0].span_id) == (b"\xab", b"")


@pytest.mark.parametrize("sent", [1_700_000_000_000_000_000, "1700000000000000000", 1.7e18, "1.7e18"])
def test_64_bit_numbers_may_be_text_or_number(sent):
    assert read_span(startTimeUnixNano=sent).start_time_unix_nano == 1_700_000_000_000_000_000


@pytest.mark.parametrize(("sent", "kind"), [(3, 3), ("3", 3), ("SPAN_KIND_SERVER", 2), ("nonsense", 0), (2**40, 0)])
def test_enums_are_numbers_and_known_names_pass(sent, kind):
    assert read_span(kind=sent).kind == kind


def test_snake_case_and_unknown_names_are_ignored():
    span = read_span(name="n", start_time_unix_nano=5, shape={"deep": [1]}, dropped_events_count=3)
    assert (span.name, span.start_time_unix_nano, span.dropped_events_count) == ("n", 0, 0)


def test_null_is_absent_everywhere():
    span = read_span(
        parentSpanId=None, name=None, kind=None, attributes=None, events=[None], links=None, status=None, flags=None
    )
    assert span == read_span()
    assert read({"resourceSpans": None}) == ExportTraceServiceRequest()
    assert read({"resourceSpans": [{"resource": None, "scopeSpans": None}]}).resource_spans[0].ByteSize() == 0


@pytest.mark.parametrize("value", [None, {}, {"doubleValue": None}, {"stringValue": None}, {"unknown": 1}])
def test_a_value_without_members_is_empty(value):
    assert read_value(value) == AnyValue()
    assert read_span(attributes=[{"key": "k"}]).attributes[0].value == AnyValue()


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"stringValue": ""}, AnyValue(string_value="")),
        ({"boolValue": False}, AnyValue(bool_value=False)),
        ({"intValue": "-9223372036854775808"}, AnyValue(int_value=-(2**63))),
        ({"intValue": 1e3}, AnyValue(int_value=1000)),
        ({"doubleValue": 1}, AnyValue(double_value=1.0)),
        ({"doubleValue": "1.5"}, AnyValue(double_value=1.5)),
        ({"doubleValue": "-Infinity"}, AnyValue(double_value=-math.inf)),
        ({"bytesValue": base64.b64encode(b"\xff\xfe").decode()}, AnyValue(bytes_value=b"\xff\xfe")),
        ({"bytesValue": "__4"}, AnyValue(bytes_value=b"\xff\xfe")),
        # malformed members: kept as text of what was sent
        ({"intValue": "abc"}, AnyValue(string_value="abc")),
        ({"intValue": 1.5}, AnyValue(string_value="1.5")),
        ({"intValue": "1_000"}, AnyValue(string_value="1_000")),
        ({"intValue": 2**63}, AnyValue(string_value=str(2**63))),
        ({"intValue": "1e999999999"}, AnyValue(string_value="1e999999999")),
        ({"intValue": True}, AnyValue(string_value="true")),
        ({"doubleValue": "1_0"}, AnyValue(string_value="1_0")),
        ({"doubleValue": {"a": 1}}, AnyValue(string_value='{"a":1}')),
        ({"boolValue": 1}, AnyValue(string_value="1")),
        ({"boolValue": "true"}, AnyValue(bool_value=True)),
        ({"boolValue": []}, AnyValue(string_value="[]")),
        ({"bytesValue": "no base64!"}, AnyValue(string_value="no base64!")),
        ({"stringValue": 5}, AnyValue(string_value="5")),
        ({"arrayValue": [1]}, AnyValue(string_value="[1]")),
        ({"kvlistValue": {"values": ["x"]}}, AnyValue(string_value='{"values":["x"]}')),
        ("plain", AnyValue(string_value="plain")),
        (7, AnyValue(string_value="7")),
    ],
)
def test_a_value_is_read_or_kept_as_text(sent, expected):
    assert read_value(sent) == expected


def test_empty_containers_and_null_elements_keep_their_places():
    assert read_value({"arrayValue": {}}).WhichOneof("value") == "array_value"
    assert read_value({"kvlistValue": {"values": None}}).WhichOneof("value") == "kvlist_value"
    values = read_value({"arrayValue": {"values": [None, {"intValue": 1}]}}).array_value.values
    assert [v.WhichOneof("value") for v in values] == [None, "int_value"]


def test_bare_nan_tokens_survive():
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":{"doubleValue":NaN}}]}]}]}]}'
    assert math.isnan(read(body).resource_spans[0].scope_spans[0].spans[0].attributes[0].value.double_value)


def test_lone_surrogates_become_replacement_characters():
    body = json.dumps(request_of({"name": "x"})).replace('"x"', r'"a\ud800b\ud83d\ude00"').encode()
    assert read(body).resource_spans[0].scope_spans[0].spans[0].name == "a\ufffdb😀"


def test_lists_under_a_repeated_name_are_joined():
    part = json.dumps(request_of({"name": "x"}))[1:-1]
    assert len(read(f"{{{part},{part}}}".encode()).resource_spans) == 2


def test_a_byte_order_mark_is_no_error():
    assert read(b'\xef\xbb\xbf{"resourceSpans":[]}') == ExportTraceServiceRequest()


def test_very_long_numbers_cost_only_themselves():
    body = json.dumps(request_of({"name": "n", "flags": 1})).replace('"flags": 1', '"flags": ' + "9" * 10_000)
    span = read(body.encode()).resource_spans[0].scope_spans[0].spans[0]
    assert (span.name, span.flags) == ("n", 0)


@pytest.mark.parametrize(
    "bad", ["xyz", "abc", 7, {"a": 1}, "5b8efff798038103d269b633813fc6", "Nb7+95gDgQPSabYzgT/GDA=="]
)
def test_a_span_with_a_bad_id_is_rejected_and_its_neighbours_are_not(bad):
    good = {"traceId": TRACE_ID, "spanId": SPAN_ID}
    for name in ("traceId", "spanId", "parentSpanId"):
        body = json.dumps(request_of(good, {**good, name: bad}, good)).encode()
        result = decode(Signal.TRACES, [to_protobuf(Signal.TRACES, body)])
        assert result.accepted.tolist() == [2]
        assert result.rejected[0][0] == 1


def test_a_span_that_is_no_object_is_rejected_alone():
    body = json.dumps(request_of({"traceId": TRACE_ID, "spanId": SPAN_ID}, "oops", 5)).encode()
    result = decode(Signal.TRACES, [to_protobuf(Signal.TRACES, body)])
    assert result.accepted.tolist() == [1]
    assert result.rejected[0][0] == 2


def test_entries_that_are_no_objects_are_counted_as_dropped():
    span = read_span(
        attributes=["x", {"key": "a"}, 5], droppedAttributesCount=1, events=[{"name": "e"}, "x"], links={"a": 1}
    )
    assert (len(span.attributes), span.dropped_attributes_count) == (1, 3)
    assert (len(span.events), span.dropped_events_count) == (1, 1)
    assert (len(span.links), span.dropped_links_count) == (0, 1)


def test_a_value_nested_too_deep_is_emptied_and_counted():
    value = {"stringValue": "x"}
    for _ in range(MAX_DEPTH):
        value = {"arrayValue": {"values": [value]}}
    assert read_value(value).WhichOneof("value") == "array_value"
    span = read_span(attributes=[{"key": "k", "value": {"arrayValue": {"values": [value]}}}, {"key": "b"}])
    assert [a.value.WhichOneof("value") for a in span.attributes] == [None, None]
    assert span.dropped_attributes_count == 1


def test_a_list_of_numbers_with_a_bad_one_is_dropped_whole():
    point = {"bucketCounts": ["1", "x", "3"], "explicitBounds": [1, "2.5"], "count": "4"}
    body = json.dumps(
        {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"histogram": {"dataPoints": [point]}}]}]}]}
    ).encode()
    request = ExportMetricsServiceRequest.FromString(to_protobuf(Signal.METRICS, body))
    found = request.resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0]
    assert (list(found.bucket_counts), list(found.explicit_bounds), found.count) == ([], [1.0, 2.5], 4)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON: Expecting value at line 1, column 1"),
        (b'{"resourceSpans": [', "not JSON: Expecting value at line 1, column 20"),
        (b'{"a": "\xff secret"}', "not JSON: byte 7 is not UTF-8"),
        (b"[]", "$: expected an object, got an array"),
        (b'"secret"', "$: expected an object, got a string"),
        (b'{"resourceSpans": {}}', "$.resourceSpans: expected an array, got an object"),
        (b'{"resourceSpans": [{}, 5]}', "$.resourceSpans[1]: expected an object, got a number"),
        (
            b'{"resourceSpans": [{"scopeSpans": [{}, {"spans": "secret"}]}]}',
            "$.resourceSpans[0].scopeSpans[1].spans: expected an array, got a string",
        ),
    ],
)
def test_a_body_that_is_no_request_is_refused_saying_where_and_not_what(body, message):
    with pytest.raises(InvalidDataError) as caught:
        to_protobuf(Signal.TRACES, body)
    assert str(caught.value) == message


def test_json_nested_too_deep_is_refused():
    for body in (b"[" * 100_000, b'{"resourceSpans":' * 100_000, b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}"):
        with pytest.raises(InvalidDataError, match="too deep"):
            to_protobuf(Signal.TRACES, body)


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        *("resourceSpans", "scopeSpans", "spans", "traceId", "spanId", "attributes", "key", "value"),
                        *("stringValue", "intValue", "doubleValue", "boolValue", "bytesValue", "arrayValue", "values"),
                        *("kvlistValue", "events", "links", "status", "code", "resource", "scope", "kind", "flags"),
                    ]
                ),
                inner,
                max_size=5,
            ),
        ),
        max_leaves=20,
    )
)
def test_any_json_is_read_or_refused_cleanly(value):
    for sent in (value, request_of(value), request_of({"attributes": value, "kind": value, "status": value})):
        try:
            body = to_protobuf(Signal.TRACES, json.dumps(sent).encode())
        except InvalidDataError:
            continue
        assert not decode(Signal.TRACES, [body]).failed
