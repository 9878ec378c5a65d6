# ruff: noqa: E501 - a table reads best with one case per line
"""LiteLLM's callbacks: what MAPPING says of each key, one row at a time.

Proves values by hand-written spans of callback and proxy. Does not prove counting over the traces of several
instrumentations.
"""

import json

import pytest

from collector.model import schema
from tests.model.dialects.rows import answer, fact, message, stored, text

LITELLM = {"scope": ("litellm", "")}
CALL = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20}
DOLLAR = 10**12


@pytest.mark.parametrize(
    ("attributes", "total"),
    [
        ({"litellm.cost.total": 0.5}, DOLLAR // 2),
        ({"litellm.cost.total": "0.5"}, DOLLAR // 2),
        ({"litellm.cost.total": 0.5, "gen_ai.cost.total_cost": 0.7}, DOLLAR // 2),
        ({"gen_ai.usage.cost": 0.25, "litellm.cost.total": 0.5}, DOLLAR // 4),
        ({"gen_ai.cost.total_cost": 0.5, "llm.cost.total": 0.7}, DOLLAR // 2),
        ({"litellm.cost.input": 0.25, "litellm.cost.output": 0.5}, DOLLAR * 3 // 4),
        ({"hidden_params": '{"response_cost": 0.5}'}, DOLLAR // 2),
        ({"hidden_params": "{'response_cost': 0.5, 'cache_hit': None}"}, DOLLAR // 2),
        ({"llm.response.cost": 0.5}, DOLLAR // 2),
        ({"litellm.saved_cache_cost": 0.5}, None),
        ({"gen_ai.cost.total_cost": 0}, None),
        ({"gen_ai.cost.total_cost": 0, "cache_hit": "True"}, 0),
        ({"litellm.cost.total": 0, "litellm.cache_hit": True}, 0),
        ({"litellm.cost.total": float("nan")}, None),
        ({"litellm.cost.total": -1}, None),
    ],
)
def test_cost(attributes, total):
    assert fact({**CALL, **attributes}, **LITELLM)["total_cost"] == total


def test_cached_cost_is_part_of_the_input_s():
    costs = {
        "gen_ai.cost.input_cost": 0.75,
        "gen_ai.cost.output_cost": 0.5,
        "gen_ai.cost.cache_read_cost": 0.25,
        "gen_ai.cost.cache_creation_cost": 0.0,
        "gen_ai.cost.reasoning_cost": 0.125,
        "gen_ai.cost.total_cost": 1.25,
    }
    found = fact({**CALL, **costs}, **LITELLM)
    assert found["cost"] == {
        "input": DOLLAR // 2,
        "input_cache_read": DOLLAR // 4,
        "output": DOLLAR * 3 // 8,
        "output_reasoning": DOLLAR // 8,
    }
    assert found["total_cost"] == DOLLAR * 5 // 4


@pytest.mark.parametrize("usage_object", [repr, json.dumps])
def test_cache_inside_the_usage_object(usage_object):
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 64, "cache_creation_tokens": 6},
        "completion_tokens_details": {"reasoning_tokens": 8},
        "cache_read_input_tokens": None,
    }
    found = fact({**CALL, "metadata.usage_object": usage_object(usage)}, **LITELLM)
    assert found["usage"] == {
        "input": 30,
        "input_cache_read": 64,
        "input_cache_write": 6,
        "output": 12,
        "output_reasoning": 8,
    }


def test_lifetimes_of_cache_writes():
    lifetimes = {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 2}
    usage = {
        "prompt_tokens_details": {
            "cached_tokens": 64,
            "cache_creation_tokens": 6,
            "cache_creation_token_details": lifetimes,
        }
    }
    found = fact({**CALL, "metadata.usage_object": repr(usage)}, **LITELLM)["usage"]
    assert found == {
        "input": 30,
        "input_cache_read": 64,
        "input_cache_write_5m": 4,
        "input_cache_write_1h": 2,
        "output": 20,
    }


@pytest.mark.parametrize(
    ("attributes", "field", "value"),
    [
        ({"llm.user": "a", "litellm.end_user.id": "b"}, "user_id", "a"),
        ({"litellm.end_user.id": "b", "metadata.user_api_key_end_user_id": "c"}, "user_id", "b"),
        ({"metadata.user_api_key_end_user_id": "c", "metadata.user_api_key_user_id": "d"}, "user_id", "c"),
        ({"metadata.user_api_key_end_user_id": "", "metadata.user_api_key_user_id": "d"}, "user_id", "d"),
        ({"llm.user": "", "metadata.user_api_key_end_user_id": "None", "metadata.user_api_key_user_id": "d"}, "user_id", "d"),
        ({"litellm.metadata.user_api_key_end_user_id": "e", "litellm.metadata.user_api_key_user_id": "f"}, "user_id", "e"),
        ({"litellm.metadata.user_api_key_user_id": "f"}, "user_id", "f"),
        ({"gen_ai.system": "openai"}, "provider", "openai"),
        ({"gen_ai.system": "litellm", "gen_ai.request.model": "claude-sonnet-4"}, "provider", "anthropic"),
        ({"gen_ai.request.model": "m", "gen_ai.response.model": "m-1"}, "model", "m-1"),
        ({"litellm.provider.model": "azure/m"}, "model", "azure/m"),
        ({"gen_ai.response.finish_reasons": '["stop"]'}, "finish_reasons", ["stop"]),
        ({"langfuse.trace.tags": '["a", "b"]'}, "tags", ["a", "b"]),
        ({"langfuse.trace.name": "t"}, "trace_name", "t"),
    ],
)  # fmt: skip
def test_fields(attributes, field, value):
    assert fact({"gen_ai.operation.name": "chat", **attributes}, **LITELLM)[field] == value


@pytest.mark.parametrize(
    ("attributes", "name", "type_"),
    [
        ({"gen_ai.operation.name": "embedding"}, "litellm_request", "embedding"),
        ({"gen_ai.operation.name": "completion"}, "litellm_request", "generation"),
        ({"llm.request.type": "completion"}, "litellm_request", "generation"),
        ({"gen_ai.operation.name": "responses"}, "litellm_request", "generation"),
        ({"litellm.guardrail.name": "pii"}, "x", "guardrail"),
        ({}, "execute_guardrail pii", "guardrail"),
        ({"guardrail_name": "pii"}, "guardrail", "guardrail"),
        ({}, "Received Proxy Server Request", "span"),
    ],
)
def test_type(attributes, name, type_):
    assert fact(attributes, span_name=name, **LITELLM)["type"] == type_


def test_the_proxy_s_baggage_makes_no_calls():
    baggage = {"gen_ai.request.model": "m", "litellm.api_key.hash": "h", "litellm.metadata.user_api_key_user_id": "u"}
    assert fact(baggage, span_name="route m", **LITELLM)["type"] == "span"
    assert fact(baggage, scope=("fastapi", "0.165.0"))["type"] == "span"
    assert fact({**baggage, "gen_ai.operation.name": "chat"}, span_name="chat m", **LITELLM)["type"] == "generation"


def test_the_raw_request_beside_the_call_never_counts():
    for name in ("raw_gen_ai_request", "my-generation"):
        assert fact({"llm.openai.model": "m"}, span_name=name, **LITELLM)["role"] == schema.ROLE_NEVER
    assert fact(CALL, span_name="my-generation", **LITELLM)["role"] == schema.ROLE_CALL


def test_messages_beside_parts():
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": "hi"}]},
        {"role": "tool", "tool_call_id": "1", "parts": [{"type": "text", "content": "18"}]},
    ]
    found = stored({**CALL, "gen_ai.input.messages": json.dumps(messages)}, **LITELLM)
    assert found["input"] == [message("user", text("hi")), message("tool", answer("18", "1"))]


def test_metadata_has_the_proxy_s_keys_without_the_empty_ones():
    attributes = {
        **CALL,
        "metadata.user_api_key_team_id": "team",
        "metadata.user_api_key_alias": "key",
        "metadata.requester_ip_address": "",
    }
    assert stored(attributes, **LITELLM)["metadata"] == {"user_api_key_team_id": "team", "user_api_key_alias": "key"}
