"""Text for text what the standard library reads and writes.

Proves it by property and on odd texts. Does not prove that it is faster.
"""

import json

import pytest
from hypothesis import given, strategies as st

from collector.model import attributes, fast_json
from collector.model.attributes import encode_value
from collector.model.dialects.messages.choices import as_text
from collector.model.stored import json_text

characters = st.characters(codec=None) | st.sampled_from('\ud800\udfff"\\/\x00\x1f\x7f\u2028é😀')
texts = st.text(characters, max_size=90)
numbers = st.floats() | st.integers() | st.sampled_from([2**63, 2**64, -(2**63) - 1, 10**30, 1e-7, 1e16, -0.0])
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
sent = st.dictionaries(
    st.text('ab$é"', max_size=2),
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text('x"\né', max_size=60) | st.lists(st.none()),
    max_size=6,
)
standard = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def outcome(read, text):
    try:
        return repr(read(text))
    except ValueError:
        return "refused"


def expect_same_reading(text):
    assert outcome(fast_json.loads, text) == outcome(json.JSONDecoder(parse_constant=str).decode, text)


@given(values, st.booleans(), st.booleans())
def test_json_text_is_read_as_the_standard_library_reads_it(value, ascii_only, indented):
    expect_same_reading(json.dumps(value, ensure_ascii=ascii_only, indent=1 if indented else None))


@given(
    st.lists(st.sampled_from([*'{}[]:,"', "\\", "\\u", "d800", "-", "0", "1e5", "1e999", ".", "NaN", "null", " ", "é"]))
)
def test_text_that_may_be_no_json_is_read_as_the_standard_library_reads_it(tokens):
    expect_same_reading("".join(tokens))


@pytest.mark.parametrize("text", ['"\\ud800"', "1e999", "-Infinity", '{"a":1,"a":2}', "-0", "1" * 5_000, "\ufeff1", ""])
def test_odd_text_is_read_as_the_standard_library_reads_it(text):
    expect_same_reading(text)


@given(values)
def test_a_value_is_written_as_the_standard_library_writes_it_or_left_to_it(value):
    assert fast_json.dumps(value) in {None, standard.encode(value)}


@given(values)
def test_stored_text_is_what_the_standard_library_writes(value):
    written = standard.encode(value)
    if isinstance(value, str) or "NaN" in written or "Infinity" in written or not written.isascii():
        return
    assert as_text(value) == written


@pytest.mark.parametrize("value", [{"a": ["é\n", 1, True, None, 2**70]}, [], {}, [[]], {"a": {}}])
def test_values_without_floats_need_no_standard_library(value):
    assert fast_json.dumps(value) == standard.encode(value)


@pytest.mark.parametrize(
    "value", [float("nan"), [1e-7], {"a": "\ud800"}, {"a": b"x"}, (1,), {"a": type("T", (str,), {})("x")}]
)
def test_what_the_two_write_differently_is_left_to_the_standard_library(value):
    assert fast_json.dumps(value) is None


def test_nesting_is_left_to_the_standard_library():
    value = []
    for _ in range(5_000):
        value = [value]
    assert fast_json.dumps(value) is None


@given(st.text(st.characters(codec="utf-8"), max_size=90))
def test_a_quoted_text_is_the_standard_library_s(text):
    assert fast_json.quote(text) == json.dumps(text, ensure_ascii=False)


@given(st.lists(sent, max_size=5))
def test_the_text_of_attributes_is_their_values_texts_side_by_side(rows):
    expected = [
        "{" + ",".join([f"{fast_json.quote(k)}:{json_text.value_text(*encode_value(v))}" for k, v in row.items()]) + "}"
        for row in rows
    ]
    assert json_text.attribute_texts(attributes.from_dicts(rows)) == expected
