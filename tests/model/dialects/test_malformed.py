# ruff: noqa: E501 - lists of keys
"""Any attribute may have any type: a malformed value is worth nothing, and costs nothing but itself.

Proves by property that numbers elsewhere stay and nothing raises. Does not prove which columns a malformed value may
cost: ``test_malformed_values`` does.
"""

import json

import pytest
from hypothesis import given, settings, strategies as st

from collector.model.dialects import fields, table_files
from collector.model.dialects.compiled_tables import compiled
from tests.model.dialects.rows import fact, stored

SCOPES = {
    "vercel_ai": ("ai", ""),
    "langfuse": ("langfuse-sdk", "5.0.4"),
    "langsmith": ("langsmith", ""),
    "litellm": ("litellm", ""),
    "mlflow": ("mlflow.tracing.provider", ""),
    "pydantic_ai": ("pydantic-ai", "2.68.0"),
}
BASE = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.cost": 0.5,
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]),
    "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "yo"}]}]),
    "user.id": "u",
    "session.id": "s",
}
AS_SENT = {"attributes", "provided_usage", "provided_cost", "metadata", "model_parameters", "dialect"}
"""Columns that keep what came, or tell whose key it is."""


def keys_of(dialect, fields):
    """Keys whose values are read for these fields and whose presence means nothing."""
    (file,) = (f for f in table_files.files() if f.dialect == dialect)
    rows = [row for row in file.rows if row.field in fields and row.const is None]
    objects = [o.key for o in (*file.usage_objects, *file.cost_objects)] if "input_total" in fields else []
    found = {key for row in rows for key in (row.source.key, row.source.json_key) if key} | set(objects)
    return sorted(key.replace("*", "0") for key in found)


def all_keys(dialect):
    (file,) = (f for f in table_files.files() if f.dialect == dialect)
    listed = [*file.usage_keys, *file.cost_keys, *file.fact_keys, *file.identity_keys]
    return sorted({*keys_of(dialect, {row.field for row in file.rows}), *(key.replace("*", "x") for key in listed)})


NUMBERS = {*fields.COUNT_FIELDS, *fields.MONEY_FIELDS, "completion_start_unix_nano"}
MALFORMED = st.one_of(
    st.sampled_from(["", " ", "abc", "{", "[", '{"a":', '"', "NaN", "Infinity", "-5", "{'a': ", "\ud7ff\x00", "x" * 5000]),
    st.booleans(),
    st.binary(max_size=6),
    st.none(),
    st.integers(-(2**63), -1),
    st.sampled_from([float("nan"), float("inf"), float("-inf"), -0.5]),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.booleans() | st.text(max_size=3), max_size=2),
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "type", "parts", "tool_calls", "text", "input", "output", "usage", "messages", "kwargs", "lc", "id", "kind", "args", "low", "high", "total"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
CONTENT = [
    "ai.prompt", "ai.prompt.messages", "ai.prompt.tools", "ai.response.text", "ai.response.toolCalls", "ai.response.files",
    "ai.toolCall.args", "langfuse.observation.input", "langfuse.observation.output", "langfuse.observation.metadata.x",
    "gen_ai.prompt", "gen_ai.completion", "mlflow.spanInputs", "mlflow.spanOutputs", "request_data", "response_data",
    "pydantic_ai.all_messages", "all_messages_events", "events", "model_request_parameters", "final_result", "metadata",
]  # fmt: skip


def seen(attributes, dialect):
    """The stored row with the facts that a trace gives it."""
    facts = fact(attributes, scope=SCOPES[dialect])
    return {
        **stored(attributes, scope=SCOPES[dialect]),
        **{name: facts[name] for name in ("user_id", "session_id", "tags")},
    }


@pytest.mark.parametrize("dialect", SCOPES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_malformed_number_changes_nothing(dialect, data):
    key = data.draw(st.sampled_from(keys_of(dialect, NUMBERS)))
    value = data.draw(MALFORMED)
    with_it = seen({**BASE, key: value}, dialect)
    without = seen({**BASE, **({key: ""} if compiled().key_info(key).markers else {})}, dialect)
    changed = {name for name in with_it if str(with_it[name]) != str(without[name])}
    assert changed <= AS_SENT | ({"input", "output"} if key in CONTENT else set()), (key, value)


@pytest.mark.parametrize("dialect", SCOPES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_value_of_any_key_raises_or_loses_the_numbers(dialect, data):
    values = MALFORMED | JSON.map(json.dumps) | JSON.filter(lambda value: isinstance(value, list | dict))
    odd = data.draw(st.dictionaries(st.sampled_from([*all_keys(dialect), *CONTENT]), values, max_size=8))
    found = seen({**BASE, **odd}, dialect)
    assert (found["user_id"], found["session_id"]) == ("u", "s") or any(key.startswith("langfuse.") for key in odd)
    if not any("usage" in key or "oken" in key for key in odd):
        assert (found["input_tokens"], found["output_tokens"]) == (100, 20)
