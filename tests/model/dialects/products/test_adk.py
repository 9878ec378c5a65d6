"""Google ADK: what each rule of the mapping makes of its spans.

Proves it through assembly to stored values. Does not prove what versions of ADK other than those noted send.
"""

# ruff: noqa: E501 - a table reads best with one case per line

import json

import pytest

from tests.model.dialects.observed import content, observed, one
from tests.model.dialects.products.agents_kit import ADK, USAGE, message


def test_adk_counts_the_inner_of_call_llm_and_generate_content():
    call = {"gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": "gemini-2.5-flash", **USAGE}
    rows = observed(
        [
            {**ADK, "span_name": "invocation", "attributes": {}},
            {
                **ADK,
                "parent_span_id": 1,
                "span_name": "invoke_agent a",
                "attributes": {
                    "gen_ai.operation.name": "invoke_agent",
                    "gen_ai.agent.name": "a",
                    "gen_ai.conversation.id": "s",
                },
            },
            {
                **ADK,
                "parent_span_id": 2,
                "span_name": "call_llm",
                "attributes": {**call, "gcp.vertex.agent.session_id": "s"},
            },
            {
                **ADK,
                "parent_span_id": 3,
                "span_name": "generate_content gemini-2.5-flash",
                "attributes": {**call, "gen_ai.operation.name": "generate_content"},
            },
            {
                **ADK,
                "parent_span_id": 2,
                "span_name": "execute_tool f",
                "attributes": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "f"},
            },
        ]
    )
    assert [row["type"] for row in rows] == ["span", "agent", "generation", "generation", "tool"]
    assert [row["usage_scope"] for row in rows] == [None, None, "duplicate", "counted", None]
    assert {row["session_id"] for row in rows} == {"s"}
    assert rows[4]["name"] == "f"


def test_adk_over_litellm_over_openai_counts_the_openai_call():
    call = {"gen_ai.operation.name": "generate_content", "gen_ai.request.model": "openai/gpt-4o", **USAGE}
    openai = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4o",
        "llm.token_count.prompt": 100,
        "llm.token_count.completion": 20,
    }
    rows = observed(
        [
            {**ADK, "attributes": call},
            {
                "parent_span_id": 1,
                "scope": ("litellm", ""),
                "attributes": {**USAGE, "gen_ai.operation.name": "chat", "gen_ai.response.id": "r1"},
            },
            {"parent_span_id": 2, "scope": ("openinference.instrumentation.openai", "1"), "attributes": openai},
        ]
    )
    assert [row["usage_scope"] for row in rows] == ["duplicate", "duplicate", "counted"]
    assert sum(row["input_tokens"] or 0 for row in rows) == 100


LLM_RESPONSE = {
    "content": {"parts": [{"text": "sure", "thought": True}, {"text": "hello"}], "role": "model"},
    "finish_reason": "STOP",
    "usage_metadata": {
        "prompt_token_count": 100,
        "candidates_token_count": 20,
        "thoughts_token_count": 30,
        "total_token_count": 150,
        "cached_content_token_count": 40,
    },
}


def test_adk_usage_that_only_the_response_json_tells():
    row = one(
        {"gcp.vertex.agent.llm_response": json.dumps(LLM_RESPONSE), "gen_ai.request.model": "gemini-2.5-pro"}, **ADK
    )
    assert row["usage"] == {"input": 60, "input_cache_read": 40, "output": 20, "output_reasoning": 30}
    assert (row["input_tokens"], row["output_tokens"], row["total_tokens"]) == (100, 50, 150)


def test_adk_attributes_come_before_the_response_json():
    attributes = {
        "gcp.vertex.agent.llm_response": json.dumps(LLM_RESPONSE),
        "gen_ai.request.model": "g",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 50,
    }
    assert one(attributes, **ADK)["usage"] == {
        "input": 60,
        "input_cache_read": 40,
        "output": 20,
        "output_reasoning": 30,
    }


LLM_REQUEST = {
    "model": "gemini-2.5-flash",
    "config": {
        "system_instruction": "be short",
        "temperature": 0.5,
        "tools": [{"function_declarations": [{"name": "f", "description": "d", "parameters": {"type": "OBJECT"}}]}],
    },
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "hi"},
                {"inline_data": {"mime_type": "image/png", "data": "AAAA"}},
                {"file_data": {"mime_type": "video/mp4", "file_uri": "gs://b/v"}},
            ],
        },
        {"role": "model", "parts": [{"function_call": {"id": "c1", "name": "f", "args": {"a": 1}}}]},
        {"role": "user", "parts": [{"function_response": {"id": "c1", "name": "f", "response": {"r": 2}}}]},
        {
            "role": "model",
            "parts": [
                {"executable_code": {"language": "PYTHON", "code": "1+1"}},
                {"code_execution_result": {"outcome": "OUTCOME_OK", "output": "2"}},
            ],
        },
    ],
}


def test_adk_request_and_response_are_messages():
    row = one(
        {
            "gcp.vertex.agent.llm_request": json.dumps(LLM_REQUEST),
            "gcp.vertex.agent.llm_response": json.dumps(LLM_RESPONSE),
            "gen_ai.request.model": "m",
        },
        **ADK,
    )
    assert content(row["input"]) == [
        message("system", "be short"),
        {"role": "user", "parts": [{"type": "text", "content": "hi"}, {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AAAA"}, {"type": "uri", "mime_type": "video/mp4", "modality": "video", "uri": "gs://b/v"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": {"a": 1}}]},
        {"role": "user", "parts": [{"type": "tool_call_response", "id": "c1", "response": {"r": 2}, "name": "f"}]},
        {
            "role": "assistant",
            "parts": [
                {"type": "server_tool_call", "name": "code_execution", "server_tool_call": {"type": "code_execution", "language": "PYTHON", "code": "1+1"}},
                {"type": "server_tool_call_response", "server_tool_call_response": {"type": "code_execution", "outcome": "OUTCOME_OK", "output": "2"}},
            ],
        },
    ]  # fmt: skip
    assert content(row["output"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "reasoning", "content": "sure"}, {"type": "text", "content": "hello"}],
            "finish_reason": "stop",
        }
    ]
    assert content(row["tool_definitions"]) == [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "OBJECT"}}
    ]


@pytest.mark.parametrize("nothing", ["{}", "N/A", " {} "])
def test_adk_placeholders_are_empty(nothing):
    keys = ("llm_request", "llm_response", "tool_call_args", "tool_response")
    row = one(
        {
            **{f"gcp.vertex.agent.{key}": nothing for key in keys},
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "f",
        },
        **ADK,
    )
    assert (row["input"], row["output"], row["tool_definitions"]) == (None, None, None)


def test_adk_placeholders_do_not_hide_the_semantic_conventions():
    attributes = {
        "gcp.vertex.agent.tool_call_args": "{}",
        "gcp.vertex.agent.tool_response": "{}",
        "gcp.vertex.agent.llm_request": "{}",
        "gen_ai.tool.call.arguments": '{"a": 1}',
        "gen_ai.tool.call.result": '{"r": 2}',
        "gen_ai.operation.name": "execute_tool",
    }
    row = one(attributes, **ADK)
    assert (content(row["input"]), content(row["output"])) == ({"a": 1}, {"r": 2})


@pytest.mark.parametrize("name", ["<elided>", "[REDACTED]", "<REDACTED>", "<replaced>"])
def test_a_placeholder_for_held_back_content_stays_visible(name):
    row = one({"gen_ai.operation.name": "chat", "gen_ai.input.messages": name, "gen_ai.output.messages": name})
    assert (row["input"], row["output"]) == (name, name)


def test_adk_user_id_from_a_log_record():
    attributes = {"gen_ai.operation.name": "generate_content", "gen_ai.input.messages": "[]"}
    record = {
        "event_name": "gen_ai.client.inference.operation.details",
        "trace_id": 1,
        "span_id": 1,
        "attributes": {
            "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
            "gen_ai.output.messages": [
                {"role": "assistant", "parts": [{"type": "text", "content": "yo"}], "finish_reason": "stop"}
            ],
        },
    }
    row = one(attributes, logs=[record], **ADK)
    assert content(row["input"]) == [message("user", "hi")]
    assert content(row["output"]) == [{**message("assistant", "yo"), "finish_reason": "stop"}]
