"""LiveKit: what each rule of the mapping makes of its spans.

Proves level, content, tools and usage of its spans. Does not prove the counting of calls that another instrumentation
reports too.
"""

import json

import pytest

from tests.model.dialects.observed import content, one
from tests.model.dialects.products.products_kit import HI, LIVEKIT


@pytest.mark.parametrize(
    "name",
    [
        "on_enter",
        "on_exit",
        "drain_agent_activity",
        "user_speaking",
        "agent_speaking",
        "eou_detection",
        "llm_node",
        "tts_node",
    ],
)
def test_livekit_noise_is_for_debugging(name):
    assert one(span_name=name, **LIVEKIT)["level"] == "DEBUG"
    assert one(span_name=name, status_code=2, **LIVEKIT)["level"] == "ERROR"
    assert one(span_name=name)["level"] == "DEFAULT"


def test_livekit_content():
    items = {
        "items": [
            {"id": "i1", "type": "message", "role": "user", "content": ["hi"]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a": 1}'},
            {"type": "function_call_output", "call_id": "c", "name": "f", "output": "42", "is_error": False},
        ]
    }
    row = one(
        {"lk.chat_ctx": json.dumps(items), "lk.response.text": "yo", "gen_ai.request.model": "gpt-4o"},
        span_name="llm_request",
        **LIVEKIT,
    )
    assert content(row["input"]) == [
        HI[0],
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "42"}]},
    ]
    assert row["output"] == "yo"


@pytest.mark.parametrize(
    ("attributes", "given"),
    [
        ({"lk.input_text": "a", "lk.user_transcript": "b", "lk.chat_ctx": "c"}, "a"),
        ({"lk.user_transcript": "b", "lk.chat_ctx": "c"}, "b"),
        ({"lk.user_input": "b", "lk.instructions": "i"}, "b"),
        ({"lk.pii.input_text": "a"}, "a"),
        ({"lk.pii.chat_ctx": "a"}, "a"),
    ],
)
def test_livekit_input(attributes, given):
    assert one(attributes, **LIVEKIT)["input"] == given


def test_livekit_tool():
    attributes = {
        "lk.function_tool.id": "c1",
        "lk.function_tool.name": "f",
        "lk.function_tool.arguments": '{"a": 1}',
        "lk.function_tool.output": "42",
        "lk.response.text": "no",
    }
    row = one(attributes, span_name="function_tool", **LIVEKIT)
    assert (content(row["input"]), content(row["output"]), row["tool_name"], row["tool_call_id"]) == (
        {"a": 1},
        42,
        "f",
        "c1",
    )


def test_livekit_usage():
    attributes = {
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.input_cached_tokens": 60,
        "lk.response.ttft": 0.5,
    }
    row = one(attributes, span_name="llm_request", **LIVEKIT)
    assert row["usage"] == {"input": 40, "input_cache_read": 60, "output": 20}
    assert row["time_to_first_token_ns"] == 500_000_000
