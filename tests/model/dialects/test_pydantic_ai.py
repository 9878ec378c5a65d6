# ruff: noqa: E501 - a table reads best with one case per line
"""Pydantic AI by format, and Logfire: what MAPPING says of each key, one row at a time.

Proves values by hand-written spans of each format. Does not prove spans of Logfire that are not about models.
"""

import json

import pytest

from collector.model import schema
from tests.model.dialects.rows import answer, call, fact, message, stored, text

PYDANTIC = {"scope": ("pydantic-ai", "2.68.0")}
LOGFIRE = {"scope": ("logfire.openai", "5.4.0")}


@pytest.mark.parametrize(
    ("attributes", "name", "type_", "role"),
    [
        ({}, "agent run", "agent", schema.ROLE_WRAPPER),
        ({}, "running tool", "tool", schema.ROLE_OTHER),
        ({}, "running tool: get_weather", "tool", schema.ROLE_OTHER),
        ({}, "running tools", "chain", schema.ROLE_OTHER),
        ({"gen_ai.operation.name": "chat"}, "chat m", "generation", schema.ROLE_CALL),
        ({"gen_ai.operation.name": "invoke_agent"}, "invoke_agent a", "agent", schema.ROLE_WRAPPER),
        ({"gen_ai.operation.name": "execute_tool"}, "execute_tool t", "tool", schema.ROLE_OTHER),
        ({"gen_ai.operation.name": "embeddings"}, "embeddings m", "embedding", schema.ROLE_CALL),
        ({"logfire.span_type": "pending_span", "gen_ai.operation.name": "chat"}, "chat m", "generation", schema.ROLE_PLACEHOLDER),
    ],
)  # fmt: skip
def test_type_and_role(attributes, name, type_, role):
    found = fact(attributes, span_name=name, **PYDANTIC)
    assert (found["type"], found["role"], found["dialect"]) == (type_, role, "pydantic_ai")


@pytest.mark.parametrize(
    ("number", "level"),
    [
        (1, "DEBUG"),
        (5, "DEBUG"),
        (6, "DEBUG"),
        (9, "DEFAULT"),
        (10, "DEFAULT"),
        (13, "WARNING"),
        (14, "WARNING"),
        (17, "ERROR"),
        (18, "ERROR"),
        (21, "ERROR"),
        (24, "ERROR"),
    ],
)
def test_level(number, level):
    assert fact({"logfire.level_num": number}, **LOGFIRE)["level"] == level
    assert fact({"logfire.level_num": str(number)}, **LOGFIRE)["level"] == level


@pytest.mark.parametrize(
    ("attributes", "field", "value"),
    [
        ({"logfire.msg": "Chat Completion with 'm'"}, "name", "Chat Completion with 'm'"),
        ({"gen_ai.conversation.id": "c"}, "session_id", "c"),
        ({"agent_name": "a", "gen_ai.agent.name": "b"}, "agent_name", "b"),
        ({"agent_name": "a"}, "agent_name", "a"),
        ({"model_name": "m"}, "model", "m"),
        ({"gen_ai.provider.name": "google-gla"}, "provider", "gcp.gemini"),
        ({"gen_ai.system": "google-vertex"}, "provider", "gcp.vertex_ai"),
        ({"gen_ai.response.finish_reasons": '["stop"]'}, "finish_reasons", ["stop"]),
        ({"gen_ai.response.finish_reasons": ["tool_call"]}, "finish_reasons", ["tool_call"]),
    ],
)
def test_fields(attributes, field, value):
    assert fact(attributes, **PYDANTIC)[field] == value


def test_aggregated_usage_is_no_usage():
    found = fact({"gen_ai.operation.name": "invoke_agent", "gen_ai.aggregated_usage.input_tokens": 9}, **PYDANTIC)
    assert (found["usage"], found["role"]) == (None, schema.ROLE_WRAPPER)
    assert json.loads(found["provided_usage"]) == {"gen_ai.aggregated_usage.input_tokens": 9}


def test_details_say_the_same_number_again():
    usage = {
        "gen_ai.usage.input_tokens": 2379,
        "gen_ai.usage.output_tokens": 84,
        "gen_ai.usage.cache_read.input_tokens": 2048,
        "gen_ai.usage.details.cache_read_tokens": 2048,
        "gen_ai.usage.details.cache_read_input_tokens": 2048,
        "gen_ai.usage.cache_creation.input_tokens": 300,
        "gen_ai.usage.details.cache_write_tokens": 300,
        "gen_ai.usage.details.reasoning_tokens": 64,
        "gen_ai.usage.details.input_tokens": 31,
    }
    assert fact({"gen_ai.operation.name": "chat", **usage}, **PYDANTIC)["usage"] == {
        "input": 31,
        "input_cache_read": 2048,
        "input_cache_write": 300,
        "output": 20,
        "output_reasoning": 64,
    }


def test_thoughts_of_gemini():
    usage = {
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 84,
        "gen_ai.usage.details.thoughts_tokens": 64,
    }
    assert fact({"gen_ai.operation.name": "chat", **usage}, **PYDANTIC)["usage"] == {
        "input": 10,
        "output": 20,
        "output_reasoning": 64,
    }


@pytest.mark.parametrize(
    ("attributes", "total"),
    [
        ({"operation.cost": 0.5}, 500_000_000_000),
        ({"operation.cost": 0.5, "gen_ai.usage.cost": 0.25}, 250_000_000_000),
        ({"operation.cost": 0}, None),
    ],
)
def test_cost(attributes, total):
    assert (
        fact({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5, **attributes}, **PYDANTIC)["total_cost"]
        == total
    )


def test_raw_usage_only_fills_what_is_left_open():
    raw = {"input_tokens": 24, "output_tokens": 42, "cache_read_input_tokens": 2048, "cache_creation_input_tokens": 300}
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 2372,
        "gen_ai.usage.output_tokens": 42,
        "gen_ai.usage.raw": json.dumps(raw),
    }
    assert fact(attributes, **LOGFIRE)["usage"] == {
        "input": 24,
        "input_cache_read": 2048,
        "input_cache_write": 300,
        "output": 42,
    }


def test_usage_of_old_logfire_stands_in_the_response():
    response = {
        "message": {"role": "assistant", "content": "hi"},
        "usage": {
            "prompt_tokens": 127,
            "completion_tokens": 42,
            "total_tokens": 169,
            "prompt_tokens_details": {"cached_tokens": 64},
        },
    }
    attributes = {
        "request_data": '{"model": "m", "messages": []}',
        "gen_ai.request.model": "m",
        "response_data": json.dumps(response),
    }
    assert fact(attributes, **LOGFIRE)["usage"] == {"input": 63, "input_cache_read": 64, "output": 42}
    assert fact({**attributes, "gen_ai.usage.input_tokens": 200}, **LOGFIRE)["input_tokens"] == 200


IMAGE = {"type": "uri", "modality": "image", "uri": "http://a/b.png"}
BLOB = {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AA=="}
FORMAT_1 = [
    {"event.name": "gen_ai.system.message", "role": "system", "content": "s", "gen_ai.message.index": 0},
    {
        "event.name": "gen_ai.user.message",
        "role": "user",
        "content": [
            "hi",
            {"kind": "image-url", "url": "http://a/b.png"},
            {"kind": "binary", "media_type": "image/png", "binary_content": "AA=="},
        ],
    },
    {
        "event.name": "gen_ai.assistant.message",
        "role": "assistant",
        "content": [{"kind": "thinking", "text": "hm"}, {"kind": "text", "text": "ok"}],
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}],
    },
    {"event.name": "gen_ai.tool.message", "role": "tool", "id": "1", "name": "f", "content": "18"},
    {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": "done"}},
]
CONVERSATION = [
    message("system", text("s")),
    message("user", text("hi"), IMAGE, BLOB),
    message("assistant", {"type": "reasoning", "content": "hm"}, text("ok"), call("f", {"a": 1}, "1")),
    message("tool", answer("18", "1"), name="f"),
]  # fmt: skip


def test_format_1():
    found = stored({"gen_ai.operation.name": "chat", "events": json.dumps(FORMAT_1)}, **PYDANTIC)
    assert found["input"] == CONVERSATION
    assert found["output"] == [message("assistant", text("done"))]
    agent = stored(
        {"all_messages_events": json.dumps(FORMAT_1), "final_result": "done"}, span_name="agent run", **PYDANTIC
    )
    assert (agent["input"], agent["output"]) == (CONVERSATION, "done")


@pytest.mark.parametrize(
    "media",
    [
        [
            {"type": "image-url", "url": "http://a/b.png"},
            {"type": "binary", "media_type": "image/png", "content": "AA=="},
        ],
        [
            {"type": "uri", "modality": "image", "uri": "http://a/b.png"},
            {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AA=="},
        ],
    ],
)
def test_parts_of_later_formats(media):
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": "hi"}, *media]},
        {
            "role": "assistant",
            "parts": [
                {"type": "thinking", "content": "hm"},
                {"type": "tool_call", "id": "1", "name": "f", "arguments": '{"a": 1}'},
            ],
        },
        {"role": "user", "parts": [{"type": "tool_call_response", "id": "1", "name": "f", "result": {"t": 18}}]},
    ]
    expected = [
        message("user", text("hi"), IMAGE, BLOB),
        message("assistant", {"type": "reasoning", "content": "hm"}, call("f", {"a": 1}, "1")),
        message("user", {**answer({"t": 18}, "1"), "name": "f"}),
    ]
    for key in ("gen_ai.input.messages", "pydantic_ai.all_messages"):
        assert stored({key: json.dumps(messages)}, **PYDANTIC)["input"] == expected


def test_tools():
    found = stored(
        {"tool_arguments": '{"a": 1}', "tool_response": '{"t": 18}', "gen_ai.tool.name": "f"},
        span_name="running tool",
        **PYDANTIC,
    )
    assert (found["input"], found["output"], found["tool_name"]) == ({"a": 1}, {"t": 18}, "f")
    parameters = {
        "function_tools": [
            {
                "name": "f",
                "description": "d",
                "parameters_json_schema": {"type": "object"},
                "outer_typed_dict_key": None,
            }
        ]
    }
    found = stored({"gen_ai.operation.name": "chat", "model_request_parameters": json.dumps(parameters)}, **PYDANTIC)
    assert found["tool_definitions"] == [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
    ]


@pytest.mark.parametrize(
    ("response", "output"),
    [
        ({"message": {"role": "assistant", "content": "hi"}, "usage": {}}, [message("assistant", text("hi"))]),
        ({"combined_chunk_content": "hi", "chunk_count": 2}, [message("assistant", text("hi"))]),
        (
            {
                "message": {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": '{"a": 1}'}, "type": "function"}],
                }
            },
            [message("assistant", call("f", {"a": 1}, "1"))],
        ),
    ],
)
def test_logfire_content(response, output):
    request = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False}
    found = stored(
        {"request_data": json.dumps(request), "response_data": json.dumps(response), "gen_ai.request.model": "m"},
        **LOGFIRE,
    )
    assert (found["input"], found["output"]) == ([message("user", text("hi"))], output)
