# ruff: noqa: E501 - a table reads best with one case per line
"""LangSmith's OpenTelemetry exporters: what MAPPING says of each key, one row at a time.

Proves values by hand-written spans. Does not prove LangSmith's own way of sending runs, which is not OTLP.
"""

import json

import pytest

from collector.model import schema
from tests.model.dialects.rows import answer, call, fact, message, stored, text

LANGSMITH = {"scope": ("langsmith", "")}


@pytest.mark.parametrize(
    ("kind", "type_", "subtype"),
    [("llm", "generation", None), ("tool", "tool", None), ("retriever", "retriever", None), ("embedding", "embedding", None), ("chain", "chain", None), ("prompt", "chain", "prompt"), ("parser", "chain", "parser")],
)  # fmt: skip
def test_the_run_type_says_more_than_the_operation(kind, type_, subtype):
    found = fact({"langsmith.span.kind": kind, "gen_ai.operation.name": "embeddings"}, **LANGSMITH)
    assert (found["type"], found["subtype"], found["dialect"]) == (type_, subtype, "langsmith")


@pytest.mark.parametrize(
    ("attributes", "field", "value"),
    [
        ({"langsmith.trace.session_id": "project", "langsmith.trace.session_name": "default"}, "session_id", None),
        ({"langsmith.metadata.thread_id": "t", "langsmith.metadata.session_id": "s"}, "session_id", "t"),
        ({"langsmith.metadata.session_id": "s"}, "session_id", "s"),
        ({"session.id": "x", "langsmith.metadata.thread_id": "t"}, "session_id", "x"),
        ({"langsmith.metadata.user_id": "u"}, "user_id", "u"),
        ({"langsmith.span.tags": "a, b"}, "tags", ["a", "b"]),
        ({"langsmith.span.tags": ""}, "tags", None),
        ({"gen_ai.system": "langchain", "langsmith.metadata.ls_provider": "anthropic"}, "provider", "anthropic"),
        ({"gen_ai.system": "langchain"}, "provider", None),
        ({"langsmith.metadata.ls_model_name": "m"}, "model", "m"),
        ({"gen_ai.response.model": "r", "langsmith.metadata.ls_model_name": "m"}, "model", "r"),
        ({"langsmith.trace.name": "root"}, "trace_name", "root"),
        ({"gen_ai.response.finish_reasons": "tool_calls"}, "finish_reasons", ["tool_call"]),
        ({"langsmith.metadata.usage_scope": "agent_total"}, "role", schema.ROLE_WRAPPER),
    ],
)  # fmt: skip
def test_fields(attributes, field, value):
    assert fact(attributes, **LANGSMITH)[field] == value


def test_the_name_of_a_run_below_the_root_is_not_the_trace_s():
    assert fact({"langsmith.trace.name": "step"}, parent_span_id=9, **LANGSMITH)["trace_name"] is None


DETAILS = {"audio": 0, "cache_read": 64, "cache_creation": 6}


@pytest.mark.parametrize("written", [repr, json.dumps])
def test_details_are_python_or_json(written):
    attributes = {
        "langsmith.span.kind": "llm",
        "gen_ai.usage.input_tokens": 127,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.total_tokens": 177,
        "gen_ai.usage.input_token_details": written(DETAILS),
        "gen_ai.usage.output_token_details": written({"reasoning": 16}),
    }
    found = fact(attributes, **LANGSMITH)
    assert found["usage"] == {
        "input": 57,
        "input_cache_read": 64,
        "input_cache_write": 6,
        "output": 34,
        "output_reasoning": 16,
    }


def test_lifetimes_of_cache_writes_in_details():
    details = {"cache_read": 10, "cache_creation": 30, "ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10}
    attributes = {
        "langsmith.span.kind": "llm",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.input_token_details": repr(details),
    }
    assert fact(attributes, **LANGSMITH)["usage"] == {
        "input": 60,
        "input_cache_read": 10,
        "input_cache_write_5m": 20,
        "input_cache_write_1h": 10,
    }


@pytest.mark.parametrize("key", ["langsmith.usage_metadata", "langsmith.metadata.usage_metadata"])
def test_usage_metadata(key):
    usage = {
        "input_tokens": 127,
        "output_tokens": 42,
        "total_tokens": 169,
        "input_token_details": {"cache_read": 64},
        "input_cost": 0.25,
        "output_cost": 0.5,
        "total_cost": 0.75,
    }
    found = fact({"langsmith.span.kind": "llm", key: json.dumps(usage)}, **LANGSMITH)
    assert found["usage"] == {"input": 63, "input_cache_read": 64, "output": 42}
    assert found["total_cost"] == 750_000_000_000


def lc(class_, **kwargs):
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", class_], "kwargs": kwargs}


TOOL_CALLS = [{"name": "f", "args": {"a": 1}, "id": "1", "type": "tool_call"}]


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ({"messages": [[lc("SystemMessage", content="s"), lc("HumanMessage", content="hi")]]}, [message("system", text("s")), message("user", text("hi"))]),
        ({"messages": [[lc("AIMessageChunk", content="", tool_calls=TOOL_CALLS), lc("ToolMessage", content="18", tool_call_id="1", name="f")]]}, [message("assistant", call("f", {"a": 1}, "1")), message("tool", answer("18", "1"), name="f")]),
        ({"messages": [{"role": "user", "content": "hi"}], "model": "m"}, [message("user", text("hi"))]),
        ({"messages": [["human", "hi"]]}, [message("user", text("hi"))]),
        ({"output": lc("AIMessage", content="hi", response_metadata={"finish_reason": "stop"})}, [message("assistant", text("hi"), finish_reason="stop")]),
        ({"output": lc("ChatPromptValue", messages=[lc("HumanMessage", content="hi")])}, [message("user", text("hi"))]),
        ({"output": {"type": "ai", "content": "hi", "response_metadata": {"stop_reason": "end_turn"}}}, [message("assistant", text("hi"), finish_reason="stop")]),
        ({"generations": [[{"text": "hi", "generation_info": {"finish_reason": "stop"}, "message": lc("AIMessage", content="hi")}]], "llm_output": None}, [message("assistant", text("hi"), finish_reason="stop")]),
        ({"generations": [[{"text": "hi"}]]}, [message("assistant", text("hi"))]),
        ({"choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}], "model": "m"}, [message("assistant", text("hi"), finish_reason="stop")]),
        ({"output": {"messages": [{"type": "system", "content": "s"}, {"type": "human", "content": "hi"}]}}, [message("system", text("s")), message("user", text("hi"))]),
        ({"output": "18"}, {"output": "18"}),
        ({"input": "hi"}, {"input": "hi"}),
    ],
)  # fmt: skip
def test_content(value, content):
    found = stored(
        {"langsmith.span.kind": "llm", "gen_ai.prompt": json.dumps(value), "gen_ai.completion": json.dumps(value)},
        **LANGSMITH,
    )
    assert (found["input"], found["output"]) == (content, content)
