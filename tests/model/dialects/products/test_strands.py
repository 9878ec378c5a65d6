"""Strands: what each rule of the mapping makes of its spans.

Proves usage, events and tools, old conventions and new. Does not prove Strands' metrics.
"""

# ruff: noqa: E501 - a table reads best with one case per line

import json

import pytest

from tests.model.dialects.observed import content, observed, one
from tests.model.dialects.products.agents_kit import STRANDS, TEXT, message


def strands_call(**more):
    return {
        "gen_ai.operation.name": "chat", "gen_ai.system": "strands-agents", "gen_ai.request.model": "us.amazon.nova-pro-v1:0",
        "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.input_tokens": 100, "gen_ai.usage.completion_tokens": 20, "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.total_tokens": 120, "gen_ai.usage.cache_read_input_tokens": 60, "gen_ai.usage.cache_write_input_tokens": 10, "gen_ai.server.time_to_first_token": 250, **more,
    }  # fmt: skip


def test_strands_aliases_are_one_number_and_its_first_token_is_in_milliseconds():
    row = one(strands_call(), **STRANDS)
    assert row["usage"] == {"input": 30, "input_cache_read": 60, "input_cache_write": 10, "output": 20}
    assert row["time_to_first_token_ns"] == 250_000_000


def test_strands_bedrock_counts_of_before_it_normalised_exclude_the_cache():
    row = one(
        strands_call(
            **{
                "gen_ai.usage.cache_read_input_tokens": 600,
                "gen_ai.usage.total_tokens": 730,
                "gen_ai.usage.cache_write_input_tokens": 10,
            }
        ),
        **STRANDS,
    )
    assert row["usage"] == {"input": 100, "input_cache_read": 600, "input_cache_write": 10, "output": 20}
    row = one(strands_call(**{"gen_ai.usage.total_tokens": 190}), **STRANDS)
    assert row["usage"] == {"input": 100, "input_cache_read": 60, "input_cache_write": 10, "output": 20}


@pytest.mark.parametrize("scope", ["strands.telemetry.tracer", "strands-agents"])
def test_strands_agent_sums_are_never_counted(scope):
    agent = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.usage.input_tokens": 500,
        "gen_ai.usage.output_tokens": 50,
        "session.id": "s",
        "user.id": "u",
        "tags": ["t"],
    }
    rows = observed(
        [
            {"scope": (scope, ""), "attributes": agent},
            {
                "scope": (scope, ""),
                "parent_span_id": 1,
                "attributes": {"gen_ai.operation.name": "execute_event_loop_cycle", "event_loop.cycle_id": "1"},
            },
            {"scope": (scope, ""), "parent_span_id": 2, "attributes": strands_call()},
        ]
    )
    assert [row["usage_scope"] for row in rows] == ["rollup", None, "counted"]
    assert rows[1]["type"] == "chain"
    assert {(row["session_id"], row["user_id"], tuple(row["tags"])) for row in rows} == {("s", "u", ("t",))}


def test_strands_events_are_messages():
    events = [
        {"name": "gen_ai.system.message", "attributes": {"content": TEXT}},
        {"name": "gen_ai.user.message", "attributes": {"content": TEXT}},
        {
            "name": "gen_ai.assistant.message",
            "attributes": {
                "content": '[{"text": "a"}, {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}}]'
            },
        },
        {
            "name": "gen_ai.tool.message",
            "attributes": {
                "content": '[{"toolResult": {"toolUseId": "t1", "status": "success", "content": [{"text": "42"}]}}]'
            },
        },
        {
            "name": "gen_ai.choice",
            "attributes": {
                "finish_reason": "end_turn",
                "message": '[{"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}, {"text": "done"}]',
            },
        },
    ]
    row = one(strands_call(), events=events, **STRANDS)
    assert content(row["input"]) == [
        message("system", "hi"),
        message("user", "hi"),
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "a"},
                {"type": "tool_call", "id": "t1", "name": "f", "arguments": {"a": 1}},
            ],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "t1", "response": "42"}]},
    ]
    assert content(row["output"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "done"}],
            "finish_reason": "stop",
        }
    ]


def test_strands_latest_conventions_are_on_the_details_event():
    event = {
        "name": "gen_ai.client.inference.operation.details",
        "attributes": {
            "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]',
            "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "tool_call", "name": "f", "id": "1", "arguments": {"a": 1}}], "finish_reason": "tool_use"}]',
        },
    }
    split = [{**event, "attributes": {k: v}} for k, v in event["attributes"].items()]
    for events in ([event], split):
        row = one(strands_call(), events=events, **STRANDS)
        assert content(row["input"]) == [message("user", "hi")]
        assert content(row["output"]) == [
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "1", "name": "f", "arguments": {"a": 1}}],
                "finish_reason": "tool_call",
            }
        ]


def test_strands_tool_events():
    events = [
        {"name": "gen_ai.tool.message", "attributes": {"role": "tool", "content": '{"a": 1}', "id": "t1"}},
        {"name": "gen_ai.choice", "attributes": {"message": '[{"text": "42"}]', "id": "t1"}},
    ]
    row = one(
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "f", "gen_ai.tool.call.id": "t1"},
        events=events,
        **STRANDS,
    )
    assert (content(row["input"]), row["output"], row["tool_name"], row["tool_call_id"]) == ({"a": 1}, "42", "f", "t1")


def test_strands_under_a_langfuse_endpoint_is_still_an_agent_whose_sum_does_not_count():
    agent = {
        "gen_ai.operation.name": "invoke_agent",
        "langfuse.observation.type": "span",
        "gen_ai.usage.input_tokens": 500,
        "gen_ai.usage.output_tokens": 50,
    }
    rows = observed([{**STRANDS, "attributes": agent}, {**STRANDS, "parent_span_id": 1, "attributes": strands_call()}])
    assert [(row["type"], row["usage_scope"]) for row in rows] == [("span", "rollup"), ("generation", "counted")]


def test_blocks_that_strands_names_by_their_bedrock_member():
    parts = [
        {"type": "reasoningContent", "content": {"reasoningText": {"text": "hm", "signature": "s"}}},
        {"type": "image", "content": {"format": "png", "source": {"bytes": "AAAA"}}},
        {"type": "tool_call_response", "id": "t1", "response": [{"text": "sunny"}]},
    ]
    row = one(strands_call(**{"gen_ai.input.messages": json.dumps([{"role": "user", "parts": parts}])}), **STRANDS)
    assert content(row["input"])[0]["parts"] == [
        {"type": "reasoning", "content": "hm"},
        {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AAAA"},
        {"type": "tool_call_response", "id": "t1", "response": "sunny"},
    ]


def test_bedrock_tool_definitions():
    tools = [{"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}}]
    row = one(strands_call(**{"gen_ai.tool.definitions": json.dumps(tools)}), **STRANDS)
    assert content(row["tool_definitions"]) == [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
    ]
