"""VoltAgent, Laminar, LangWatch, Flue, OpenRouter, Sentry, Langtrace and generic keys.

Proves for each what the mapping promises, on spans written by hand. Does not prove orders of arrival or traces that
mix products.
"""

# ruff: noqa: E501 - a table reads best with one case per line

import json

import pytest

from tests.model.dialects.observed import content, observed, one
from tests.model.dialects.products.products_kit import CHAT, HI, YO


def test_voltagent():
    agent = {
        "entity.type": "agent",
        "voltagent.operation_id": "o",
        "agent.messages": json.dumps(CHAT),
        "agent.state": "completed",
        "ai.model.name": "gpt-4o",
        "output": "yo",
        "usage.prompt_tokens": 60,
        "usage.completion_tokens": 12,
        "usage.total_tokens": 72,
        "usage.cached_tokens": 20,
        "usage.reasoning_tokens": 2,
    }
    llm = {
        "entity.type": "agent",
        "span.type": "llm",
        "llm.messages": json.dumps(CHAT),
        "output": "yo",
        "llm.usage.prompt_tokens": 30,
        "llm.usage.completion_tokens": 6,
        "llm.model": "openai/gpt-4o",
    }
    delegate = {"entity.type": "agent", "span.type": "tool", "tool.name": "delegate_task", "tool.call.id": "t"}
    rows = observed(
        [
            {"attributes": agent},
            {"parent_span_id": 1, "attributes": llm},
            {"parent_span_id": 1, "attributes": delegate},
            {"parent_span_id": 3, "attributes": agent},
        ]
    )
    # The model span holds the last step only; an agent called by another counts for itself.
    assert [(row["type"], row["usage_scope"]) for row in rows] == [
        ("agent", "counted"),
        ("generation", "rollup"),
        ("tool", None),
        ("agent", "counted"),
    ]
    assert [content(row["input"]) for row in rows] == [HI, HI, None, HI]
    assert [row["output"] for row in rows] == ["yo", "yo", None, "yo"]
    assert rows[0]["usage"] == {"input": 40, "input_cache_read": 20, "output": 10, "output_reasoning": 2}
    assert [row["model"] for row in rows[:2]] == ["gpt-4o", "openai/gpt-4o"]
    assert (rows[2]["tool_name"], rows[2]["tool_call_id"]) == ("delegate_task", "t")


def test_an_answer_that_is_tool_calls_alone():
    function = {"name": "f", "arguments": '{"a": 1}'}
    row = one({"langfuse.observation.output": json.dumps({"tool_calls": [{"function": function}]})})
    call = {"type": "tool_call", "name": "f", "arguments": {"a": 1}}
    assert content(row["output"]) == [{"role": "assistant", "parts": [call]}]


def test_a_node_of_a_graph_hands_on_messages():
    said = {"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", "AIMessage"], "kwargs": {"content": "yo"}}  # fmt: skip
    command = {"lg_name": "Command", "update": {"messages": [said]}}
    for output, found in [([command], [{"role": "assistant", "parts": [{"type": "text", "content": "yo"}]}]), ([command] * 2, None)]:  # fmt: skip
        row = one({"langfuse.observation.output": json.dumps({"output": output})})
        assert content(row["output"]) == (found or {"output": output})


def test_laminar_content():
    row = one({"lmnr.span.type": "LLM", "lmnr.span.input": json.dumps(CHAT), "lmnr.span.output": '"yo"'})
    assert (content(row["input"]), row["output"]) == (HI, "yo")


def test_langwatch_on_langchain():
    answered = {"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", "ToolMessage"], "kwargs": {"content": "22", "tool_call_id": "c"}}  # fmt: skip
    attributes = {
        "langwatch.span.type": "tool",
        "langwatch.langgraph.user_id": "u",
        "langwatch.langgraph.thread_id": "s",
        "langwatch.output": json.dumps({"type": "json", "value": {"type": "text", "value": answered}}),
    }
    row = one(attributes)
    assert (row["user_id"], row["session_id"]) == ("u", "s")
    response = {"type": "tool_call_response", "id": "c", "response": "22"}
    assert content(row["output"]) == [{"role": "tool", "parts": [response]}]


def test_langwatch_wrappers_and_metrics():
    attributes = {
        "langwatch.span.type": "llm",
        "langwatch.input": json.dumps({"type": "chat_messages", "value": CHAT}),
        "langwatch.output": json.dumps({"type": "text", "value": "yo"}),
        "langwatch.metrics": json.dumps(
            {
                "type": "json",
                "value": {
                    "promptTokens": 10,
                    "completionTokens": 5,
                    "cost": 0.25,
                    "reasoningTokens": 2,
                    "cacheReadInputTokens": 3,
                },
            }
        ),
    }
    row = one(attributes)
    assert (content(row["input"]), row["output"]) == (HI, "yo")
    assert (row["input_tokens"], row["output_tokens"], row["reasoning_tokens"]) == (10, 5, 2)
    assert str(row["total_cost"]) == "0.250000000000"


def test_langwatch_lists_and_contexts():
    values = {"type": "list", "value": [{"type": "text", "value": "a"}, {"type": "json", "value": {"b": 1}}]}
    contexts = {"type": "json", "value": [{"document_id": "d", "chunk_id": "c", "content": "text"}]}
    row = one(
        {
            "langwatch.span.type": "rag",
            "langwatch.input": json.dumps(values),
            "langwatch.contexts": json.dumps(contexts),
        }
    )
    assert content(row["input"]) == ["a", {"b": 1}]
    assert content(row["output"]) == [{"document_id": "d", "chunk_id": "c", "content": "text"}]


def test_flue_content():
    request = {
        "systemPrompt": "be short",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "tools": [{"name": "f", "description": "d", "parameters": {"type": "object"}}],
    }
    answer = {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "yo"},
            {"type": "toolCall", "id": "c", "name": "f", "arguments": {"a": 1}},
        ],
    }
    row = one(
        {
            "flue.turn.input": json.dumps(request),
            "flue.turn.output": json.dumps(answer),
            "flue.turn.purpose": "agent",
            "gen_ai.operation.name": "chat",
        }
    )
    assert content(row["input"]) == [{"role": "system", "parts": [{"type": "text", "content": "be short"}]}, *HI]
    assert content(row["output"]) == [
        {
            "role": "assistant",
            "parts": [*YO[0]["parts"], {"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}],
        }
    ]
    assert content(row["tool_definitions"]) == [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
    ]


@pytest.mark.parametrize(
    ("attributes", "given", "got"),
    [
        ({"flue.tool.arguments": '{"a": 1}', "flue.tool.result": '{"r": 2}'}, {"a": 1}, {"r": 2}),
        ({"flue.task.prompt": "p", "flue.task.result": "r"}, "p", "r"),
        ({"flue.workflow.payload": '{"a": 1}', "flue.workflow.result": "r"}, {"a": 1}, "r"),
        ({"input.value": "a", "input": "b", "prompt": "c", "output.value": "d", "output": "e"}, "a", "d"),
        ({"input": "b", "prompt": "c", "output": "e"}, "b", "e"),
        ({"prompt": "c"}, "c", None),
        ({"input": json.dumps(CHAT), "output": "yo"}, HI, "yo"),
        (
            {"mcp.request.argument": "{}", "gen_ai.tool.call.arguments": '{"a": 1}', "mcp.method.name": "tools/call"},
            {"a": 1},
            None,
        ),
        ({"gen_ai.tool.input": "a", "gen_ai.tool.output": "b", "gen_ai.tool.name": "f"}, "a", "b"),
        ({"gen_ai.tool.args": '{"a": 1}', "gen_ai.tool.name": "f"}, {"a": 1}, None),
        ({"tool_arguments": '{"a": 1}', "tool_response": "r", "gen_ai.tool.name": "f"}, {"a": 1}, "r"),
    ],
)
def test_generic_content(attributes, given, got):
    row = one(attributes)
    assert (content(row["input"]), content(row["output"])) == (given, got)


def test_openrouter_broadcast():
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "openai/gpt-4o",
        "gen_ai.response.model": "openai/gpt-4o-2024-08-06",
        "gen_ai.provider.name": "OpenAI",
        "gen_ai.system": "openrouter",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.total_cost": 0.25,
        "trace.name": "t",
        "user.id": "u",
        "session.id": "s",
        "gen_ai.prompt": json.dumps({"messages": CHAT}),
        "gen_ai.completion": json.dumps({"completion": "yo"}),
    }
    row = one(attributes)
    assert (row["provider"], row["model"], row["user_id"], row["session_id"], str(row["total_cost"])) == (
        "openai",
        "openai/gpt-4o-2024-08-06",
        "u",
        "s",
        "0.250000000000",
    )
    assert content(row["input"]) == HI


def test_sentry_spellings():
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.input_tokens.cached": 60,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.output_tokens.reasoning": 5,
        "gen_ai.usage.total_tokens": 120,
        "gen_ai.request.messages": json.dumps(CHAT),
        "gen_ai.response.text": "yo",
        "gen_ai.request.available_tools": '[{"name": "f"}]',
    }
    row = one(attributes)
    assert row["usage"] == {"input": 40, "input_cache_read": 60, "output": 15, "output_reasoning": 5}
    assert (content(row["input"]), row["output"]) == (HI, "yo")


def test_langtrace_keys():
    attributes = {
        "langtrace.sdk.name": "langtrace-python-sdk",
        "gen_ai.operation.name": "chat",
        "llm.prompts": json.dumps(CHAT),
        "gen_ai.usage.prompt_tokens": 10,
        "gen_ai.usage.completion_tokens": 5,
    }
    events = [
        {
            "name": "gen_ai.content.completion",
            "attributes": {"gen_ai.completion": '[{"role": "assistant", "content": "yo"}]'},
        }
    ]
    row = one(attributes, events=events)
    assert (content(row["input"]), content(row["output"])) == (HI, YO)
