"""Attributes as JSON text: pleasant to query, and nothing lost on the way back.

Proves by property that attributes come back, and case by case how they look. Does not prove the fast writer against
the library (``test_fast_json``).
"""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from collector.model import attributes, schema
from collector.model.any_value import set_columns, to_columns
from collector.model.batch import Signal
from collector.model.codec.chosen import decode
from collector.model.stored import json_text
from collector.testing.equivalence import assert_equivalent
from collector.testing.otlp_strategies import messages, requests

keys = st.one_of(st.sampled_from(["a", "b", "$bytes", "$double", "$entries", ""]), st.text(max_size=5))
values = messages(AnyValue.DESCRIPTOR).map(to_columns)
entries = st.lists(st.tuples(keys, values), max_size=6)
some = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def column(*rows: list[tuple[str, tuple[int, int, str]]]) -> pa.ListArray:
    flat = [(row, key, value) for row, found in enumerate(rows) for key, value in found]
    return attributes.build(
        len(rows),
        np.array([row for row, _, _ in flat], np.int32),
        pa.array([key for _, key, _ in flat], pa.string()).dictionary_encode(),
        np.array([value[0] for _, _, value in flat], np.uint8),
        np.array([value[1] for _, _, value in flat], np.int64),
        pa.array([value[2] for _, _, value in flat], pa.string()),
    )


def normal(kind: int, num: int, text: str) -> bytes:
    """A value's serialised message, any NaN as one NaN and keys of maps in one order."""
    value = AnyValue()
    set_columns(value, kind, num, text)
    _sort(value)
    return value.SerializeToString(deterministic=True)


def _sort(value: AnyValue) -> None:
    if value.WhichOneof("value") == "double_value" and math.isnan(value.double_value):
        value.double_value = math.nan
    for inner in value.array_value.values if value.HasField("array_value") else ():
        _sort(inner)
    if value.HasField("kvlist_value"):
        for kv in value.kvlist_value.values:
            _sort(kv.value)
            kv.value.SetInParent()
        value.kvlist_value.values.sort(key=lambda kv: kv.key)  # stable: of repeated keys the order counts


def by_key(found: list[tuple[str, int, int, str]]) -> list[tuple[str, bytes]]:
    return sorted(((key, normal(*value)) for key, *value in found), key=lambda entry: entry[0])


@some
@given(rows=st.lists(entries, max_size=3))
def test_any_attributes_come_back(rows):
    texts = json_text.attributes_json(column(*rows)).to_pylist()
    for text, row in zip(texts, rows, strict=True):
        assert by_key(json_text.parse_attributes(text)) == by_key([(key, *value) for key, value in row])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", '"x"'),
        ("1", '"1"'),
        (True, "true"),
        (1, "1"),
        (-(2**63), "-9223372036854775808"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (1e22, "1e+22"),
        (1e16, "1e+16"),
        (None, "null"),
        (math.nan, '{"$double":"NaN"}'),
        (-math.inf, '{"$double":"-Infinity"}'),
        (b"\0", '{"$bytes":"AA=="}'),
        ([1, 1.0, "é", [None]], '[1,1.0,"é",[null]]'),
        ({"role": "user", "n": {"x": [b"\0"]}}, '{"role":"user","n":{"x":[{"$bytes":"AA=="}]}}'),
        ({"$bytes": 1, "a": 2}, '{"a":2,"$entries":[["$bytes",1]]}'),
        ([], "[]"),
        ({}, "{}"),
    ],
)
def test_values_are_plain_json(value, text):
    found = attributes.from_dicts([{"k": value}])
    assert json_text.attributes_json(found).to_pylist() == [f'{{"k":{text}}}']


def test_of_a_repeated_key_the_last_stands_and_the_earlier_are_listed():
    one, two, three = ((schema.INT, n, "") for n in (1, 2, 3))
    texts = json_text.attribute_texts(column([("k", one), ("x", two), ("k", three)]))
    assert texts == ['{"x":2,"k":3,"$entries":[["k",1]]}']
    assert [(key, num) for key, _, num, _ in json_text.parse_attributes(texts[0])] == [("k", 1), ("x", 2), ("k", 3)]


def test_slices_and_empty_columns_have_their_own_rows():
    found = attributes.from_dicts([{"a": 1}, {}, {"b": "x", "a": 2}])
    assert json_text.attributes_json(found.slice(1)).to_pylist() == ["{}", '{"b":"x","a":2}']
    assert json_text.attributes_json(found.slice(3)).to_pylist() == []


def test_text_that_is_not_what_its_type_says_is_kept_as_a_string():
    assert json_text.attribute_texts(column([("k", (schema.ARRAY, 0, "[masked]"))])) == ['{"k":"[masked]"}']
    assert json_text.attribute_texts(column([("k", (schema.KVLIST, 0, '{"values":[1]}'))])) == [
        '{"k":"{\\"values\\":[1]}"}'
    ]


@pytest.mark.parametrize("text", ["", "[]", "{", "1"])
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        json_text.parse_attributes(text)


@some
@given(data=st.data())
def test_resources_and_scopes_come_back_from_text_and_remains(data):
    body = data.draw(requests(Signal.TRACES))
    for batch in decode(Signal.TRACES, [body]).batches:
        texts = json_text.resource_json(batch.column("resource")).to_pylist()
        for row in range(batch.num_rows):
            resource, scope = batch.column("resource")[row].as_py(), batch.column("scope")[row].as_py()
            parsed = attributes.parse_scope(scope).scope
            again = json_text.resource_header(texts[row], through_json(json_text.resource_remains(resource)))
            scope_again = json_text.scope_header(
                parsed.name, parsed.version, through_json(json_text.scope_remains(scope))
            )
            assert_equivalent(Signal.TRACES, [request(resource, scope)], [request(again, scope_again)])


def through_json(value):
    return json.loads(attributes.dumps(value))


def request(resource: bytes, scope: bytes) -> bytes:
    """A request of one span from these headers, attributes sorted as text does not keep their order."""
    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    resource_spans.MergeFromString(resource)
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.MergeFromString(scope)
    scope_spans.spans.add(name="x")
    for found in (resource_spans.resource.attributes, scope_spans.scope.attributes):
        found.sort(key=lambda kv: kv.key)
        for kv in found:
            _sort(kv.value)
    data: bytes = message.SerializeToString()
    return data


def test_remains_hold_only_what_is_not_the_default():
    header = attributes.resource_header(Resource(), "")
    assert json_text.resource_remains(header) == {}
    assert json_text.scope_remains(b"") == {}
    header = json_text.resource_header('{"a":1}', {"entity_refs": [{"type": "service", "id_keys": ["a"]}]})
    assert json_text.resource_remains(header) == {"entity_refs": [{"type": "service", "id_keys": ["a"]}]}


def test_events_and_links_are_arrays_of_objects():
    message = ExportTraceServiceRequest()
    spans = message.resource_spans.add().scope_spans.add().spans
    for number in (1, 2):
        span = spans.add(trace_id=b"\1" * 16, span_id=bytes([number]) * 8)
        span.events.add(name='e"', time_unix_nano=5).attributes.add(key="k").value.double_value = 1
        span.events.add(name="f", dropped_attributes_count=2)
        span.links.add(trace_id=b"\xab", span_id=b"", trace_state="s", flags=1, dropped_attributes_count=3)
    batch = decode(Signal.TRACES, [message.SerializeToString()]).batches[0].slice(1)
    assert json_text.events_json(batch.column("events")).to_pylist() == [
        (
            '[{"time_unix_nano":5,"name":"e\\"","attributes":{"k":1.0}},'
            '{"time_unix_nano":0,"name":"f","attributes":{},"dropped_attributes_count":2}]'
        )
    ]
    assert json.loads(json_text.links_json(batch.column("links"))[0].as_py()) == [
        {
            "trace_id": "ab",
            "span_id": "",
            "attributes": {},
            "trace_state": "s",
            "flags": 1,
            "dropped_attributes_count": 3,
        }
    ]
