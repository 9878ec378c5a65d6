"""Content that cannot be read as what it should be.

Proves by property that no value raises or harms its neighbours. Does not prove what a reader would like to see in its
place.
"""

# ruff: noqa: E501 - a table reads best with one case per line

import json
from collections import Counter

from hypothesis import example, given, settings, strategies as st

from collector.model import attributes
from collector.model.dialects.messages import content_tables
from tests.model.stored.rows_kit import one, store


def test_one_odd_row_costs_no_other_row_its_content():
    deep = "[" * 100_000 + "]" * 100_000
    rows = store(
        [
            {"attributes": {"gen_ai.input.messages": deep}},
            {"attributes": {"gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]'}},
            {"attributes": {"gen_ai.input.messages": '[{"role":"user","parts":'}},
        ]
    )
    assert rows[0]["input"] == deep
    assert "hi" in rows[1]["input"]
    assert rows[2]["input"] == '[{"role":"user","parts":'


def test_lone_surrogates_and_nan_leave_valid_text():
    sent = '[{"role":"user","content":"\\ud83d"}]'
    row = one({"attributes": {"langfuse.observation.input": sent, "gen_ai.request.temperature": float("nan")}})
    assert json.loads(row["input"])[0]["parts"][0]["content"] == "\ud83d"
    assert json.loads(row["model_parameters"]) == {"temperature": "NaN"}


KEYS = sorted(
    {
        key
        for table_row in content_tables.rows()
        if table_row.name and "*" not in table_row.name
        for key in {
            "key": [table_row.name],
            "prefix": [table_row.name + "x", table_row.name + "text", table_row.name + "toolCalls"],
            "indexed": [f"{table_row.name}.{tail}" for tail in ("0", "0.role", "10.message.content", "2.message.contents.0.message_content.type", "1.tool_calls.0.id")],
            "events": [],
        }[table_row.source]
    }
)  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(
        [
            "text",
            "tool_use",
            "tool-call",
            "user",
            "tool",
            "image",
            "[",
            "{}",
            '"',
            "data:image/png;base64,AA",
            "https://x",
        ]
    )
)
MEMBERS = st.sampled_from(
    ["role", "content", "parts", "type", "text", "tool_calls", "function", "arguments", "id", "message", "messages",
     "choices", "image_url", "source", "input", "output", "toolUse", "toolResult", "functionCall", "summary", "kwargs",
     "lc", "generations", "candidates", "image", "file", "data", "thinking", "media", "toolRequest", "tool_call_id"]
)  # fmt: skip
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4))
VALUES = JSON | JSON.map(json.dumps)
TYPES = st.sampled_from(["generation", "tool", "embedding"])
SPANS = st.fixed_dictionaries({"attributes": st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5), "type": TYPES})


@settings(max_examples=50, deadline=None)
@given(st.lists(SPANS, min_size=3))
@example([{"attributes": {"spanloom.model_parameters": "null"}, "type": "generation"}])
def test_no_value_of_any_key_is_too_odd(spans):
    faults = Counter()
    for row in store(spans, faults=faults):
        for name in ("model_parameters", "metadata", "attributes"):
            assert row[name] is None or isinstance(json.loads(row[name]), dict)
    assert not faults


EVENT_NAMES = sorted({name for table_row in content_tables.rows() for name in table_row.events})
RECORDS = st.fixed_dictionaries(
    {
        "event_name": st.sampled_from(EVENT_NAMES),
        "span_id": st.integers(1, 6),
        "body": VALUES,
        "attributes": st.dictionaries(MEMBERS, VALUES, max_size=3),
    }
)


@settings(max_examples=50, deadline=None)
@given(st.lists(RECORDS, min_size=3))
def test_no_log_record_is_too_odd(records):
    faults = Counter()
    spans = [{"type": kind} for kind in ("tool", "generation", "span")] * 2
    assert len(store(spans, logs=[{"trace_id": 1, **record} for record in records], faults=faults)) == 6
    assert not faults


def test_no_rows_are_no_rows():
    assert store([]) == []


def test_nothing_is_taken_out_of_the_attributes():
    sent = {"gen_ai.input.messages": "[]", "my.key": 1, "tags": ["a", "b"], "ratio": 1.0}
    row = one({"attributes": sent})
    assert json.loads(row["attributes"]) == sent
    assert attributes.to_dicts(attributes.from_dicts([sent])) == [sent]
