# ruff: noqa: E501 - a table reads best with one case per line
"""OpenTelemetry GenAI: what the conventions and MAPPING say of each key, one row at a time.

Proves values by current and deprecated names. Does not prove names that the conventions have yet to add.
"""

import json

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.model.dialects.rows import call, fact, message, stored, text

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}


def usage(**counts):
    return {**CHAT, **{"gen_ai.usage." + name.replace("__", "."): count for name, count in counts.items()}}


@pytest.mark.parametrize(
    ("operation", "type_", "subtype"),
    [(o, "generation", None) for o in ("chat", "text_completion", "generate_content", "completion", "generate", "generate_live_content", "response", "image", "audio", "speech_to_text", "text_to_speech", "translate")]
    + [(f"{verb}_memory{store}", "tool", "memory") for verb in ("create", "update", "upsert", "delete") for store in ("", "_store")]
    + [("embeddings", "embedding", None), ("execute_tool", "tool", None), ("invoke_agent", "agent", None), ("create_agent", "agent", None), ("retrieval", "retriever", None), ("vectordb", "retriever", None), ("search_memory", "retriever", "memory"), ("invoke_workflow", "chain", "workflow"), ("handle_conversation_turn", "chain", None), ("plan", "chain", "plan"), ("agent_step", "chain", None), ("fetch_response", "span", None)],
)  # fmt: skip
def test_type_of_an_operation(operation, type_, subtype):
    found = fact({"gen_ai.operation.name": operation})
    assert (found["type"], found["subtype"]) == (type_, subtype)


@pytest.mark.parametrize(
    ("key", "type_"),
    [("gen_ai.tool.name", "tool"), ("gen_ai.tool.call.id", "tool"), ("gen_ai.retrieval.query.text", "retriever"), ("gen_ai.evaluation.name", "evaluator"), ("gen_ai.request.model", "generation"), ("gen_ai.input.messages", "generation"), ("gen_ai.output.messages", "span"), ("gen_ai.prompt.0.content", "generation"), ("gen_ai.prompt.7.content", "generation"), ("gen_ai.prompt.name", "span")],
)  # fmt: skip
def test_type_without_an_operation(key, type_):
    assert fact({key: "x"})["type"] == type_


@pytest.mark.parametrize(
    ("system", "provider"),
    [("AWS", "aws.bedrock"), ("amazon", "aws.bedrock"), ("AzureOpenAI", "azure.ai.openai"), ("MistralAI", "mistral_ai"), ("Watsonx", "ibm.watsonx.ai"), ("VertexAI", "gcp.vertex_ai"), ("xai", "x_ai"), ("moonshot", "moonshot_ai"), ("az.ai.inference", "azure.ai.inference"), ("Cohere", "cohere"), ("Langchain", "openai"), ("OpenAI Agents", "openai"), ("ag2", "openai"), ("BeeAI", "openai")],
)  # fmt: skip
def test_provider_is_canonical_and_no_framework(system, provider):
    found = fact({"gen_ai.operation.name": "chat", "gen_ai.system": system, "gen_ai.request.model": "gpt-4o"})
    assert found["provider"] == provider


@pytest.mark.parametrize(
    ("attributes", "buckets"),
    [
        (usage(input_tokens=100, output_tokens=5, reasoning__output_tokens=50), {"input": 100, "output": 5, "output_reasoning": 50}),
        (usage(input_tokens=100, output_tokens=5, audio__output_tokens=50), {"input": 100, "output": 5, "output_audio": 50}),
        (usage(input_tokens=100, output_tokens=50, audio__output_tokens=5), {"input": 100, "output": 45, "output_audio": 5}),
        (usage(input_tokens=100, image__input_tokens=60, image__cache_read__input_tokens=40, cache_read__input_tokens=40), {"input": 40, "input_cache_read": 40, "input_image": 20}),
        (usage(input_tokens=100, cache_write__input_tokens=10, cache_creation__input_tokens=20), {"input": 90, "input_cache_write": 10}),
        (usage(input_tokens="100", output_tokens="5.0", cache_read__input_tokens="NaN", reasoning__output_tokens="-3"), {"input": 100, "output": 5}),
        (usage(input_tokens="", prompt_tokens=9), {"input": 9}),
        (usage(input_tokens=-1, prompt_tokens=9), {"input": 9}),
        (usage(total_tokens=9), {"total": 9}),
    ],
)  # fmt: skip
def test_usage(attributes, buckets):
    assert fact(attributes)["usage"] == buckets


def test_parameters_of_current_and_deprecated_names():
    sent = {"gen_ai.output.type": "json", "gen_ai.request.temperature": 0.5, "gen_ai.openai.request.seed": 3, "gen_ai.openai.request.response_format": "text"}  # fmt: skip
    expected = {"temperature": 0.5, "seed": 3, "output_type": "json"}
    assert stored({**CHAT, **sent})["model_parameters"] == expected
    del sent["gen_ai.output.type"]
    assert stored({**CHAT, **sent})["model_parameters"] == {**expected, "output_type": "text"}
    assert stored({**CHAT, "gen_ai.output.type": "json"})["model_parameters"] == {"output_type": "json"}


MESSAGES = [{"role": "assistant", "parts": [text("q"), {"type": "tool_call", "id": "1", "name": "f", "arguments": '{"a": 1}'}, {"type": "odd", "z": 1}]}]  # fmt: skip


@pytest.mark.parametrize("sent", [MESSAGES, json.dumps(MESSAGES), json.dumps(json.dumps(MESSAGES)), repr(MESSAGES)])
def test_messages_however_they_are_written(sent):
    expected = [message("assistant", text("q"), call("f", {"a": 1}, "1"), {"type": "odd", "z": 1})]
    assert stored({**CHAT, "gen_ai.output.messages": sent})["output"] == expected


@pytest.mark.parametrize("sent", ['[{"role": "us', "[{'role': open('x')}]", "plain"])
def test_what_is_no_message_stays_as_sent(sent):
    assert stored({**CHAT, "gen_ai.input.messages": sent})["input"] == sent


ANYTHING = st.one_of(
    st.text(max_size=8), st.sampled_from(["", "[", "{}", "[1]", '"\\ud800"', "{'a': 1}", "NaN", "9" * 50]), st.binary(max_size=4),
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.lists(st.integers(0, 9), max_size=3),
    st.dictionaries(st.sampled_from(["role", "parts", "content", "low"]), st.integers(0, 9), max_size=2),
)  # fmt: skip
ODD = {
    "gen_ai.input.messages": ("input",),
    "gen_ai.output.messages": ("output",),
    "gen_ai.response.finish_reasons": ("finish_reasons",),
    "gen_ai.conversation.id": (),
    "gen_ai.output.type": ("model_parameters",),
    "gen_ai.request.seed": ("model_parameters",),
    "gen_ai.openai.request.seed": ("model_parameters",),
    "gen_ai.tool.definitions": ("tool_definitions",),
    "gen_ai.response.time_to_first_chunk": ("completion_start_time",),
}
LOOKED_AT = ("type", "model", "provider", "input", "output", "finish_reasons", "model_parameters", "tool_definitions", "usage", "completion_start_time")  # fmt: skip
GOOD = {**usage(input_tokens=3, output_tokens=4), "gen_ai.request.temperature": 0.5}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(ODD)), ANYTHING)
def test_a_malformed_value_changes_no_other_field(key, value):
    plain, odd = stored(GOOD), stored({**GOOD, key: value})
    changed = {name for name in LOOKED_AT if plain[name] != odd[name]}
    assert changed <= set(ODD[key])


def test_a_call_over_mcp_is_one_tool_on_the_side_of_its_client():
    call_ = {
        "mcp.method.name": "tools/call",
        "gen_ai.tool.name": "get_weather",
        "gen_ai.operation.name": "execute_tool",
    }
    client = fact(call_, kind=3, parent_span_id=7)
    server = fact(call_, kind=2, parent_span_id=7)
    alone = fact(call_, kind=2, parent_span_id=None)
    assert [(f["type"], f["subtype"]) for f in (client, server, alone)] == [
        ("tool", None),
        ("span", "mcp"),
        ("tool", None),
    ]
    assert fact({"mcp.method.name": "tools/list"}, kind=2, parent_span_id=7)["type"] == "span"
