# ruff: noqa: E501 - a table reads best with one case per line
"""OpenLLMetry: what MAPPING says of each key, of the oldest names and of the flattened ones.

Proves values by hand-written spans. Does not prove all of OpenLLMetry's instrumentations: they differ in details.
"""

import pytest

from tests.model.dialects.rows import answer, call, fact, message, stored, text

SCOPE = {"scope": ("opentelemetry.instrumentation.openai", "0.40.0")}


def test_the_oldest_names():
    sent = {
        "llm.request.type": "chat", "llm.vendor": "OpenAI", "llm.request.model": "gpt-4", "llm.response.model": "gpt-4-0613",
        "llm.prompts.0.role": "user", "llm.prompts.0.content": "hi", "llm.completions.0.role": "assistant",
        "llm.completions.0.content": "yo", "llm.completions.0.finish_reason": "stop",
        "llm.usage.prompt_tokens": 3, "llm.usage.completion_tokens": 4, "llm.usage.total_tokens": 7,
    }  # fmt: skip
    found = fact(sent, scope=("opentelemetry.instrumentation.openai", "0.4.0"))
    assert {name: found[name] for name in ("dialect", "type", "request_model", "response_model", "model", "provider", "finish_reasons", "usage")} == {
        "dialect": "traceloop", "type": "generation", "request_model": "gpt-4", "response_model": "gpt-4-0613",
        "model": "gpt-4-0613", "provider": "openai", "finish_reasons": ["stop"], "usage": {"input": 3, "output": 4},
    }  # fmt: skip
    row = stored(sent)
    assert row["input"] == [message("user", text("hi"))]
    assert row["output"] == [message("assistant", text("yo"), finish_reason="stop")]


def test_a_model_name_goes_before_the_oldest_names():
    found = fact({"llm.model_name": "a", "llm.response.model": "b", "llm.request.model": "c"})
    assert found["model"] == "a"


def test_flattened_messages_with_gaps_and_out_of_order():
    sent = {
        "llm.request.type": "chat", "gen_ai.prompt.10.role": "user", "gen_ai.prompt.10.content": "ten",
        "gen_ai.prompt.2.role": "tool", "gen_ai.prompt.2.tool_call_id": "1", "gen_ai.prompt.2.content": "r",
        "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": '[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"https://x/a.png"}}]',
        "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.finish_reason": "tool_calls",
        "gen_ai.completion.0.tool_calls.0.id": "1", "gen_ai.completion.0.tool_calls.0.name": "f", "gen_ai.completion.0.tool_calls.0.arguments": '{"x":[1]}',
    }  # fmt: skip
    row = stored(sent, **SCOPE)
    image = {"type": "uri", "modality": "image", "uri": "https://x/a.png"}
    assert row["input"] == [message("user", text("hi"), image), message("tool", answer("r", "1")), message("user", text("ten"))]  # fmt: skip
    assert row["output"] == [message("assistant", call("f", {"x": [1]}, "1"), finish_reason="tool_call")]


@pytest.mark.parametrize(
    ("attributes", "type_", "subtype"),
    [({"traceloop.span.kind": "workflow"}, "chain", "workflow"), ({"traceloop.span.kind": "task"}, "chain", "task"), ({"traceloop.span.kind": "agent"}, "agent", None), ({"traceloop.span.kind": "tool"}, "tool", None), ({"traceloop.span.kind": "unknown"}, "span", None), ({"llm.request.type": "rerank"}, "retriever", "reranker"), ({"llm.request.type": "embedding"}, "embedding", None)],
)  # fmt: skip
def test_type(attributes, type_, subtype):
    found = fact(attributes)
    assert (found["type"], found["subtype"]) == (type_, subtype)


def test_vertex_ai_is_not_gemini_s_own_api():
    sent = {"gen_ai.system": "Google", "gen_ai.request.model": "gemini-2.5-flash"}
    assert fact(sent, scope=("@traceloop/instrumentation-vertexai", "0.27.0"))["provider"] == "gcp.vertex_ai"
    assert fact(sent, scope=("opentelemetry.instrumentation.google_generativeai", "0.62.4"))["provider"] == "gcp.gemini"


def test_tags_of_the_ai_sdk_s_metadata():
    tags = {"traceloop.association.properties.tags": "a,b"}
    assert fact({"ai.operationId": "ai.generateText", **tags}, scope=("ai", ""))["tags"] == ["a", "b"]
    assert not fact(tags, scope=("@traceloop/instrumentation-openai", ""))["tags"]
