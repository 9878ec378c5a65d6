"""What a span says of a call: models, provider, finish reasons, tools, ids, first token.

Proves them for one span at a time. Does not prove what a trace adds, nor prices.
"""

import json

import pytest

from collector.testing.builders import START_UNIX_NANO
from tests.model.facts.facts_kit import fact


def test_models_are_kept_apart_and_the_priced_one_is_chosen():
    attributes = {"gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-2024"}
    found = fact(attributes)
    assert [found[k] for k in ("request_model", "response_model", "model")] == ["gpt-4o", "gpt-4o-2024", "gpt-4o-2024"]
    assert fact({**attributes, "langfuse.observation.model.name": "mine"})["model"] == "mine"
    assert fact({"llm.model_name": "m", "openinference.span.kind": "LLM"})["model"] == "m"
    assert fact({"mlflow.llm.model": '"m"'})["model"] == "m"
    found = fact({"llm.invocation_parameters": '{"model": "from-params", "temperature": 1}'})
    assert found["model"] == "from-params"


@pytest.mark.parametrize(
    ("provider", "attributes"),
    [
        ("openai", {"gen_ai.provider.name": "openai", "gen_ai.system": "anthropic"}),
        ("anthropic", {"gen_ai.system": "Anthropic"}),
        ("openai", {"gen_ai.system": "langchain", "llm.system": "openai"}),
        ("openai", {"gen_ai.provider.name": "openai.chat"}),
        ("gcp.gemini", {"gen_ai.provider.name": "gemini"}),
        ("gcp.vertex_ai", {"gen_ai.system": "vertex_ai"}),
        ("aws.bedrock", {"gen_ai.system": "aws_bedrock"}),
        ("azure.ai.openai", {"gen_ai.system": "az.ai.openai"}),
        ("x_ai", {"llm.provider": "xai"}),
        ("openai", {"ai.model.provider": "openai.responses"}),
        ("anthropic", {"langsmith.metadata.ls_provider": "anthropic"}),
        ("my-gateway", {"gen_ai.provider.name": "My-Gateway"}),
        ("azure.ai.openai", {"gen_ai.request.model": "gpt-4o", "server.address": "me.openai.azure.com"}),
        ("openai", {"gen_ai.request.model": "gpt-4o", "server.address": "127.0.0.1"}),
        ("anthropic", {"gen_ai.request.model": "claude-sonnet-4-5"}),
        ("aws.bedrock", {"gen_ai.request.model": "us.anthropic.claude-sonnet-4-v1:0"}),
        ("openai", {"gen_ai.system": "strands-agents", "gen_ai.request.model": "gpt-4o"}),
        ("groq", {"gen_ai.request.model": "groq/llama-3"}),
        (None, {"gen_ai.system": "crewai", "gen_ai.request.model": "my-model"}),
    ],
)
def test_provider(provider, attributes):
    assert fact(attributes)["provider"] == provider


@pytest.mark.parametrize(
    ("reasons", "attributes"),
    [
        (["stop"], {"gen_ai.response.finish_reasons": ["stop"]}),
        (["tool_call"], {"gen_ai.response.finish_reasons": '["tool_calls"]'}),
        (["stop"], {"gen_ai.response.finish_reasons": "end_turn"}),
        (["stop"], {"gen_ai.response.finish_reason": "FinishReason.STOP"}),
        (["length"], {"llm.finish_reason": "max_tokens"}),
        (["tool_call"], {"ai.response.finishReason": "tool-calls"}),
        (["length"], {"gen_ai.completion.1.finish_reason": "stop", "gen_ai.completion.0.finish_reason": "length"}),
        (["other"], {"gen_ai.response.finish_reasons": ["other"]}),
        (None, {"gen_ai.response.finish_reasons": ""}),
    ],
)
def test_finish_reasons(reasons, attributes):
    assert fact(attributes)["finish_reasons"] == reasons


def test_tools_agents_and_prompts():
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "gen_ai.tool.call.id": "c1"}
    found = fact({**tool, "gen_ai.agent.name": "planner"})
    assert [found[k] for k in ("tool_name", "tool_call_id", "agent_name")] == ["search", "c1", "planner"]
    prompt = {"langfuse.observation.prompt.name": "greet", "langfuse.observation.prompt.version": 3}
    found = fact({**prompt, "langfuse.observation.type": "generation"})
    assert (found["prompt_name"], found["prompt_version"]) == ("greet", "3")
    assert fact({**prompt, "langfuse.observation.type": "span"})["prompt_name"] is None
    found = fact({"ai.operationId": "ai.streamText.doStream", "ai.telemetry.metadata.langfusePrompt":
                  json.dumps({"name": "p", "version": 2})})  # fmt: skip
    assert (found["prompt_name"], found["prompt_version"]) == ("p", "2")


def test_response_id_and_service_tier():
    assert fact({"gen_ai.response.id": "chatcmpl-1", "ai.response.id": "x"})["response_id"] == "chatcmpl-1"
    assert fact({"ai.response.id": "x"})["response_id"] == "x"
    assert fact({"openai.response.service_tier": "flex"})["service_tier"] == "flex"
    metadata = json.dumps({"openai": {"serviceTier": "priority"}})
    assert fact({"ai.response.providerMetadata": metadata})["service_tier"] == "priority"


@pytest.mark.parametrize(
    ("after_ns", "attributes", "scope"),
    [
        (250_000_000, {"gen_ai.response.time_to_first_chunk": 0.25}, ""),
        (2_000_000_000, {"gen_ai.response.time_to_first_chunk": 2}, ""),
        (25_135_963, {"ai.response.msToFirstChunk": 25.135963}, "ai"),
        (61_000_000, {"gen_ai.client.operation.time_to_first_chunk": 0.061}, "gen_ai"),
        (400_000_000, {"gen_ai.server.time_to_first_token": 400}, "strands.telemetry.tracer"),
        (400_000_000, {"gen_ai.server.time_to_first_token": 0.4}, "openlit.instrumentation.openai"),
        (500_000_000, {"gen_ai.response.time_to_first_chunk": "0.5"}, ""),
        (1_234_000, {"langfuse.observation.completion_start_time": '"2025-10-09T08:53:20.001234Z"'}, ""),
        (1_234_000, {"langfuse.observation.completion_start_time": '"\\"2025-10-09T08:53:20.001234Z\\""'}, ""),
        (1_000_000, {"mastra.completion_start_time": "2025-10-09T10:53:20.001+02:00"}, ""),
        (1_000_000, {"langfuse.observation.completion_start_time": "2025-10-09 08:53:20.001"}, ""),
        (None, {"langfuse.observation.completion_start_time": "2025-02-31T08:53:20Z"}, ""),
        (None, {"langfuse.observation.completion_start_time": "2025-10-08T00:00:00Z"}, ""),
        (None, {"langfuse.observation.completion_start_time": "9999-12-31T23:59:59Z"}, ""),
        (None, {"langfuse.observation.completion_start_time": "0001-01-01T00:00:00Z"}, ""),
        (None, {"gen_ai.response.time_to_first_chunk": float("nan")}, ""),
        (None, {"gen_ai.response.time_to_first_chunk": -1}, ""),
        (None, {"gen_ai.response.time_to_first_chunk": "soon"}, ""),
        (None, {"gen_ai.response.time_to_first_chunk": True}, ""),
    ],
)
def test_time_of_the_first_token(after_ns, attributes, scope):
    expected = None if after_ns is None else START_UNIX_NANO + after_ns
    assert fact(attributes, scope=scope)["completion_start_unix_nano"] == expected


def test_the_first_chunk_event_tells_the_time_of_the_first_token():
    events = [
        {"name": "First Token Stream Event", "time_unix_nano": START_UNIX_NANO + 7},
        {"name": "First Token Stream Event", "time_unix_nano": START_UNIX_NANO + 9},
    ]
    assert fact(events=events)["completion_start_unix_nano"] == START_UNIX_NANO + 7


def test_a_delay_beyond_all_numbers_is_no_time_and_no_warning():
    found = fact({"gen_ai.response.time_to_first_chunk": "1e308"})
    assert found["completion_start_unix_nano"] is None
