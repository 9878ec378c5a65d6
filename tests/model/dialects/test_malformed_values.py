"""Whatever type a value has, it costs no more than the columns it is there to fill.

Proves it key by key over stored rows. Does not prove it for two malformed values at once.
"""

# ruff: noqa: E501 - a table reads best with one case per line
import json

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from collector.testing.strategies import attribute_values
from tests.model.dialects.observed import observed

CHAT = '[{"role": "user", "content": "hi"}]'
TOKENS = {
    "usage",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "usage_scope",
    "usage_rule",
    "provided_usage",
}
COST = {"cost", "input_cost", "output_cost", "total_cost", "cost_source", "provided_cost"}
RAW = {"attributes"}

ADK = {
    "scope": ("gcp.vertex.agent", "2"),
    "attributes": {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.request.model": "gemini-2.5-flash",
        "gcp.vertex.agent.session_id": "s",
        "user.id": "u",
        "gcp.vertex.agent.llm_request": json.dumps({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
        "gcp.vertex.agent.llm_response": '{"content": {"role": "model", "parts": [{"text": "yo"}]}, "usage_metadata": {"prompt_token_count": 5}}',
    },
}
STRANDS = {
    "scope": ("strands.telemetry.tracer", "1"),
    "attributes": {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.server.time_to_first_token": 7,
        "session.id": "s",
        "tags": ["t"],
        "gen_ai.input.messages": CHAT,
    },
}
GENKIT = {
    "attributes": {
        "genkit:metadata:subtype": "model",
        "genkit:name": "googleai/g",
        "genkit:input": '{"messages": [{"role": "user", "content": [{"text": "hi"}]}]}',
        "genkit:output": '{"message": {"role": "model", "content": [{"text": "yo"}]}, "finishReason": "stop", "usage": {"inputTokens": 5}}',
        "genkit:state": "success",
    }
}
CLAUDE = {
    "attributes": {
        "span.type": "claude_code.llm_request",
        "model": "claude-opus-5",
        "input_tokens": 5,
        "output_tokens": 3,
        "cache_read_tokens": 9,
        "new_context": "c",
        "response.model_output": "ok",
        "ttft_ms": 5,
        "stop_reason": "end_turn",
    }
}
LANGWATCH = {
    "attributes": {
        "langwatch.span.type": "llm",
        "langwatch.input": '{"type": "text", "value": "hi"}',
        "langwatch.metrics": '{"type": "json", "value": {"promptTokens": 5, "cost": 0.5}}',
        "langwatch.user.id": "u",
        "langwatch.thread.id": "s",
        "langwatch.labels": ["t"],
    }
}
LIVEKIT = {
    "scope": ("livekit-agents", "1"),
    "span_name": "llm_request",
    "attributes": {
        "lk.chat_ctx": '{"items": []}',
        "lk.response.text": "yo",
        "lk.room_name": "r",
        "lk.response.ttft": 0.5,
        "gen_ai.request.model": "gpt-4o",
    },
}
FLUE = {
    "attributes": {
        "gen_ai.operation.name": "chat",
        "flue.turn.input": json.dumps({"messages": json.loads(CHAT), "tools": []}),
        "flue.turn.output": "yo",
        "gen_ai.tool.definitions": "[]",
    }
}

CASES = [
    (ADK, "gcp.vertex.agent.llm_request", {"input", "tool_definitions"}),
    (ADK, "gcp.vertex.agent.llm_response", {"output", *TOKENS}),
    (ADK, "gcp.vertex.agent.session_id", {"session_id"}),
    (ADK, "gen_ai.request.model", {"request_model", "model", "provider"}),
    (STRANDS, "gen_ai.usage.input_tokens", TOKENS),
    (STRANDS, "gen_ai.usage.cache_read_input_tokens", TOKENS),
    (STRANDS, "gen_ai.server.time_to_first_token", {"time_to_first_token_ns"}),
    (STRANDS, "session.id", {"session_id"}),
    (STRANDS, "tags", {"tags"}),
    (STRANDS, "gen_ai.input.messages", {"input"}),
    (STRANDS, "gen_ai.system_instructions", {"input"}),
    (GENKIT, "genkit:input", {"input", "tool_definitions", "model_parameters"}),
    (GENKIT, "genkit:output", {"output", "finish_reasons", *TOKENS}),
    (GENKIT, "genkit:state", {"level"}),
    (GENKIT, "genkit:name", {"name", "trace_name", "model", "provider"}),
    (CLAUDE, "input_tokens", TOKENS),
    (CLAUDE, "new_context", {"input"}),
    (CLAUDE, "response.model_output", {"output"}),
    (CLAUDE, "ttft_ms", {"time_to_first_token_ns"}),
    (CLAUDE, "stop_reason", {"finish_reasons"}),
    (LANGWATCH, "langwatch.input", {"input"}),
    (LANGWATCH, "langwatch.metrics", TOKENS | COST),
    (LANGWATCH, "langwatch.labels", {"tags"}),
    (LANGWATCH, "langwatch.user.id", {"user_id"}),
    (LIVEKIT, "lk.chat_ctx", {"input"}),
    (LIVEKIT, "lk.response.ttft", {"time_to_first_token_ns"}),
    (LIVEKIT, "lk.room_name", {"session_id"}),
    (FLUE, "flue.turn.input", {"input", "tool_definitions"}),
    (FLUE, "gen_ai.tool.definitions", {"tool_definitions"}),
]  # fmt: skip

ODD_TEXTS = [
    "",
    "{",
    "[",
    "null",
    "[null]",
    '{"messages": 1}',
    '{"contents": [1, {"parts": 2}]}',
    '{"items": [1]}',
    '{"usage": []}',
    '{"type": "list", "value": [{"type": "list"}]}',
    '"\\ud800"',
    "[" * 2000,
    '{"value": {"promptTokens": "NaN", "cost": -1}}',
    '{"content": {"parts": [{"function_call": 3}]}, "usage_metadata": "x"}',
    '[{"role": ["a"], "content": {"text": {"value": 3}}}]',
    '[{"function_declarations": [3]}]',
    "x" * 100_000,
]
PLACE = {"trace_id", "start_time", "end_time", "start_unix_nano", "end_unix_nano", "completion_start_time"}
"""What tells the rows of one batch apart."""


def _with_what_follows(columns):
    """The family of a model follows its name."""
    return columns | {"model_family"} if "model" in columns else columns


@pytest.mark.parametrize(("base", "key", "columns"), CASES, ids=[key for _, key, _ in CASES])
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(attribute_values, min_size=12, max_size=12))
def test_a_malformed_value_changes_only_its_own_columns(base, key, columns, drawn):
    odd = [{**base["attributes"], key: value} for value in [*drawn, *ODD_TEXTS]]
    first, *rest = observed(
        [
            {"span_name": "s", **base, "trace_id": n + 1, "span_id": 1, "attributes": a}
            for n, a in enumerate([base["attributes"], *odd])
        ]
    )
    for row in rest:
        assert {name for name in row if row[name] != first[name]} <= _with_what_follows(columns) | RAW | PLACE
