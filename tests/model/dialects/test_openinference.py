# ruff: noqa: E501 - a table reads best with one case per line
"""OpenInference: what its conventions and MAPPING say of each key, one row at a time.

Proves values by hand-written spans of its instrumentations. Does not prove the order of messages
(``messages/test_openinference_messages``).
"""

import json

import pytest

from tests.model.dialects.rows import answer, call, fact, message, stored, text

LLM = {"openinference.span.kind": "LLM"}


@pytest.mark.parametrize(
    ("kind", "type_", "subtype"),
    [("LLM", "generation", None), ("EMBEDDING", "embedding", None), ("AGENT", "agent", None), ("TOOL", "tool", None), ("CHAIN", "chain", None), ("RETRIEVER", "retriever", None), ("GUARDRAIL", "guardrail", None), ("EVALUATOR", "evaluator", None), ("RERANKER", "retriever", "reranker"), ("PROMPT", "chain", "prompt"), ("DECISION", "chain", "decision"), ("UNKNOWN", "span", None)],
)  # fmt: skip
def test_type(kind, type_, subtype):
    found = fact({"openinference.span.kind": kind, "gen_ai.operation.name": "chat"})
    assert (found["type"], found["subtype"], found["dialect"]) == (type_, subtype, "openinference")


def test_both_sets_of_names_are_one_call():
    sent = {**LLM, "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5, "llm.token_count.prompt": 5, "gen_ai.usage.output_tokens": 2, "llm.token_count.completion": 2, "llm.token_count.total": 7}  # fmt: skip
    assert fact(sent)["usage"] == {"input": 5, "output": 2}


def test_audio_cache_and_reasoning_are_inside():
    counts = {"prompt": 100, "completion": 50, "prompt_details.audio": 20, "completion_details.audio": 10, "prompt_details.cache_read": 30, "completion_details.reasoning": 5}  # fmt: skip
    found = fact({**LLM, **{f"llm.token_count.{name}": count for name, count in counts.items()}})
    assert found["usage"] == {"input": 50, "input_cache_read": 30, "input_audio": 20, "output": 35, "output_reasoning": 5, "output_audio": 10}  # fmt: skip


def test_messages_sort_by_number_and_keep_media():
    inside = "llm.input_messages.2.message."
    sent = {
        "llm.input_messages.10.message.role": "tool", "llm.input_messages.10.message.tool_call_id": "c", "llm.input_messages.10.message.content": "42",
        inside + "role": "user",
        inside + "contents.1.message_content.type": "image", inside + "contents.1.message_content.image.image.url": "data:image/png;base64,AAAA",
        inside + "contents.0.message_content.type": "text", inside + "contents.0.message_content.text": "see",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"a": 1}',
    }  # fmt: skip
    row = stored({**LLM, **sent})
    blob = {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AAAA"}
    assert row["input"] == [message("user", text("see"), blob), message("tool", answer("42", "c"))]
    assert row["output"] == [message("assistant", call("f", {"a": 1}, "c"))]


def langchain_message(kind, **members):
    return {"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", kind], "kwargs": members}


def test_langchain_js_loses_blocks_in_its_messages_but_not_in_the_request():
    system = langchain_message("SystemMessage", content=[{"type": "text", "text": "terse"}])
    sent = {
        "llm.input_messages.0.message.role": "system",
        "llm.input_messages.1.message.role": "user", "llm.input_messages.1.message.content": "hi",
        "input.value": json.dumps({"messages": [[system, langchain_message("HumanMessage", content="hi")]]}),
    }  # fmt: skip
    assert stored({**LLM, **sent})["input"] == [message("system", text("terse")), message("user", text("hi"))]
    cut = {**sent, "input.value": "[cut"}
    assert stored({**LLM, **cut})["input"] == [message("system"), message("user", text("hi"))]


def test_langchain_js_counts_cache_writes_but_names_them_only_in_the_answer():
    usage = {"input_token_details": {"cache_creation": 1024, "cache_read": 2048}}
    answered = {"generations": [[{"message": langchain_message("AIMessage", usage_metadata=usage)}]]}
    sent = {**LLM, "llm.token_count.prompt": 3105, "llm.token_count.prompt_details.cache_read": 2048, "output.value": json.dumps(answered)}  # fmt: skip
    found = fact(sent, scope=("@arizeai/openinference-instrumentation-langchain", "4.1.1"))
    assert found["usage"] == {"input": 33, "input_cache_read": 2048, "input_cache_write": 1024}


def test_bedrock_in_javascript_names_the_author_and_leaves_out_the_cache():
    counts = {"inputTokens": 1000, "outputTokens": 20, "cacheReadInputTokens": 300, "cacheWriteInputTokens": 100}
    sent = {
        **LLM, "llm.provider": "aws", "llm.model_name": "anthropic", "input.value": json.dumps({"modelId": "us.anthropic.claude"}),
        "output.value": json.dumps({"usage": counts}), "llm.token_count.prompt": 1000, "llm.token_count.completion": 20,
    }  # fmt: skip
    found = fact(sent, scope=("@arizeai/openinference-instrumentation-bedrock", ""))
    assert (found["model"], found["provider"]) == ("us.anthropic.claude", "aws.bedrock")
    assert found["usage"] == {"input": 1000, "input_cache_read": 300, "input_cache_write": 100, "output": 20}


def test_on_the_ai_sdk_its_own_attributes_say_more():
    sdk = {"ai.prompt": '{"system": "terse", "prompt": "hi"}', "ai.response.text": "yo", "ai.response.finishReason": "stop"}  # fmt: skip
    row = stored({"openinference.span.kind": "AGENT", "input.value": sdk["ai.prompt"], "output.value": "yo", **sdk})
    assert row["input"] == [message("system", text("terse")), message("user", text("hi"))]
    assert row["output"] == [message("assistant", text("yo"), finish_reason="stop")]


def test_parameters_that_were_not_given_are_left_out():
    sent = {"llm.invocation_parameters": '{"model": "m", "temperature": "", "stream": false}'}
    assert stored({**LLM, **sent})["model_parameters"] == {"stream": False}
