"""What a table of the mapping says of several products: dialect, type, identity, model, first token.

Proves single columns, a case per product. Does not prove whole traces: the modules beside it do for the larger
products.
"""

import pytest

from collector.testing.builders import START_UNIX_NANO
from tests.model.dialects.observed import content, one
from tests.model.dialects.products.products_kit import CLAUDE, GENKIT, LIVEKIT, MASTRA


@pytest.mark.parametrize(
    ("dialect", "row"),
    [
        ("livekit", {**LIVEKIT, "attributes": {"gen_ai.request.model": "gpt-4o"}}),
        ("livekit", {"attributes": {"lk.job_id": "j"}}),
        ("genkit", {**GENKIT, "attributes": {}}),
        ("genkit", {"attributes": {"genkit:path": "/{x}"}}),
        ("laminar", {"attributes": {"lmnr.span.path": ["a"], "gen_ai.system": "openai"}}),
        ("voltagent", {"attributes": {"voltagent.operation_id": "o", "span.type": "llm"}}),
        ("voltagent", {"attributes": {"entity.type": "agent", "span.type": "llm"}}),
        ("voltagent", {"attributes": {"entity.type": "agent"}}),
        ("flue", {"attributes": {"flue.turn.purpose": "agent", "gen_ai.operation.name": "chat"}}),
        ("claude_code", {"attributes": {"span.type": "claude_code.llm_request", "input_tokens": 1}}),
        ("claude_code", {"attributes": {"span.type": "claude_code.interaction"}}),
        ("claude_code", {**CLAUDE, "attributes": {"span.type": "llm_request"}}),
        ("claude_code", {"span_name": "claude_code.tool", "attributes": {"span.type": "tool", "tool_name": "Bash"}}),
        ("langwatch", {"attributes": {"langwatch.span.type": "llm"}}),
        ("mastra", {**MASTRA, "attributes": {"gen_ai.operation.name": "chat"}}),
        ("otel", {"attributes": {"span.type": "web", "resource.name": "GET /"}}),
        ("otel", {"attributes": {"entity.name": "host"}}),
    ],
)
def test_dialect(dialect, row):
    assert one(**row)["dialect"] == dialect


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"attributes": {"span.type": "claude_code.interaction"}}, "agent"),
        ({"attributes": {"span.type": "claude_code.llm_request"}}, "generation"),
        ({"attributes": {"span.type": "claude_code.tool"}}, "tool"),
        ({**CLAUDE, "attributes": {"span.type": "interaction"}}, "agent"),
        ({**CLAUDE, "attributes": {"span.type": "llm_request"}}, "generation"),
        ({**CLAUDE, "attributes": {"span.type": "tool", "model": "x"}}, "tool"),
        ({**CLAUDE, "attributes": {"span.type": "tool.execution"}}, "span"),
        ({"attributes": {"entity.type": "agent", "span.type": "llm", "voltagent.operation_id": "o"}}, "generation"),
        ({"attributes": {"entity.type": "agent", "span.type": "tool"}}, "tool"),
        ({"attributes": {"entity.type": "agent", "span.type": "memory"}}, "span"),
        ({"attributes": {"entity.type": "agent", "span.type": "retriever"}}, "retriever"),
        ({"attributes": {"entity.type": "agent", "span.type": "embedding"}}, "embedding"),
        ({"attributes": {"entity.type": "agent", "span.type": "guardrail"}}, "guardrail"),
        ({"attributes": {"entity.type": "agent"}}, "agent"),
        ({"attributes": {"entity.type": "workflow", "voltagent.operation_id": "o"}}, "chain"),
        ({"attributes": {"lmnr.span.type": "LLM"}}, "generation"),
        ({"attributes": {"lmnr.span.type": "TOOL"}}, "tool"),
        ({"attributes": {"lmnr.span.type": "DEFAULT"}}, "span"),
        ({**LIVEKIT, "span_name": "agent_turn"}, "agent"),
        ({**LIVEKIT, "span_name": "start_agent_activity"}, "agent"),
        ({**LIVEKIT, "span_name": "function_tool", "attributes": {"lk.function_tool.name": "f"}}, "tool"),
        ({**LIVEKIT, "span_name": "llm_request", "attributes": {"gen_ai.request.model": "gpt-4o"}}, "generation"),
        ({"span_name": "function_tool", "attributes": {"lk.function_tool.name": "f"}}, "tool"),
        ({"span_name": "function_tool", "attributes": {}}, "span"),
        ({**LIVEKIT, "span_name": "llm_node", "attributes": {"lk.response.text": "x"}}, "span"),
        ({"attributes": {"genkit:metadata:subtype": "model"}}, "generation"),
        ({"attributes": {"genkit:metadata:subtype": "background-model"}}, "generation"),
        ({"attributes": {"genkit:metadata:subtype": "embedder"}}, "embedding"),
        ({"attributes": {"genkit:metadata:subtype": "tool.v2"}}, "tool"),
        ({"attributes": {"genkit:metadata:subtype": "retriever"}}, "retriever"),
        ({"attributes": {"genkit:metadata:subtype": "indexer"}}, "span"),
        ({"attributes": {"genkit:metadata:subtype": "reranker"}}, "retriever"),
        ({"attributes": {"genkit:metadata:subtype": "evaluator"}}, "evaluator"),
        ({"attributes": {"genkit:metadata:subtype": "prompt"}}, "chain"),
        ({"attributes": {"genkit:metadata:subtype": "flow"}}, "chain"),
        ({"attributes": {"langwatch.span.type": "rag"}}, "retriever"),
        ({"attributes": {"langwatch.span.type": "component"}}, "chain"),
        ({"attributes": {"langwatch.span.type": "task"}}, "chain"),
        ({"attributes": {"langwatch.span.type": "evaluation"}}, "evaluator"),
        ({"attributes": {"mastra.span.type": "model_inference", "gen_ai.operation.name": "chat"}}, "generation"),
        ({"attributes": {"mastra.span.type": "processor_run"}}, "span"),
        ({"attributes": {"mastra.span.type": "workflow_conditional"}}, "chain"),
        ({"attributes": {"flue.operation.kind": "prompt", "gen_ai.operation.name": "chat"}}, "generation"),
        ({"attributes": {"flue.turn.input": "{}", "flue.turn.purpose": "agent"}}, "generation"),
        ({"attributes": {"flue.tool.arguments": "{}"}}, "tool"),
        ({"attributes": {"model": "gpt-4o", "prompt": "hi"}}, "generation"),
        ({"attributes": {"model_name": "gpt-4o", "input": "hi"}}, "generation"),
    ],
)
def test_type(row, kind):
    assert one(**row)["type"] == kind


@pytest.mark.parametrize(
    ("attributes", "user", "session", "tags"),
    [
        (
            {
                "lmnr.association.properties.user_id": "u",
                "lmnr.association.properties.session_id": "s",
                "lmnr.association.properties.tags": ["a", "b"],
            },
            "u",
            "s",
            ["a", "b"],
        ),
        ({"langwatch.user.id": "u", "langwatch.thread.id": "s", "langwatch.labels": ["a"]}, "u", "s", ["a"]),
        (
            {"mastra.metadata.userId": "u", "mastra.metadata.sessionId": "s", "mastra.tags": '["a","b"]'},
            "u",
            "s",
            ["a", "b"],
        ),
        ({"voltagent.user_id": "u", "voltagent.conversation_id": "s"}, "u", "s", None),
        ({"user.id": "u", "conversation.id": "s", "entity.type": "agent"}, "u", "s", None),
        ({"user.id": "u", "voltagent.user_id": "v", "session.id": "s", "lk.room_name": "r"}, "u", "s", None),
        ({"langwatch.thread.id": "t", "gen_ai.conversation.id": "c"}, None, "c", None),
        ({"lk.room_name": "r", "voltagent.conversation_id": "v"}, None, "v", None),
        ({"gen_ai.framework.tags": "a, b", "gen_ai.system": "openai"}, None, None, ["a", "b"]),
        ({"user.id": 7, "session.id": 8}, "7", "8", None),
    ],
)
def test_identity(attributes, user, session, tags):
    row = one(attributes)
    assert (row["user_id"], row["session_id"], row["tags"]) == (user, session, tags)


def test_metadata_of_products():
    row = one({"lmnr.association.properties.metadata.team": "x", "lmnr.span.type": "DEFAULT"})
    assert content(row["metadata"]) == {"team": "x"}
    row = one({"mastra.metadata.team": "x", "mastra.span.type": "generic", "mastra.metadata.body": "{}"})
    assert content(row["metadata"]) == {"team": "x"}


@pytest.mark.parametrize(
    ("attributes", "model", "provider"),
    [
        (
            {"genkit:metadata:subtype": "model", "genkit:name": "googleai/gemini-2.5-flash"},
            "googleai/gemini-2.5-flash",
            "gcp.gemini",
        ),
        (
            {"genkit:metadata:subtype": "model", "genkit:name": "vertexai/gemini-2.5-flash"},
            "vertexai/gemini-2.5-flash",
            "gcp.vertex_ai",
        ),
        ({"genkit:metadata:subtype": "model", "genkit:name": "openai/gpt-4o"}, "openai/gpt-4o", "openai"),
        ({"genkit:metadata:subtype": "flow", "genkit:name": "my-flow"}, None, None),
        ({"genkit:metadata:subtype": "tool", "genkit:name": "f"}, None, None),
        ({"span.type": "claude_code.llm_request", "model": "claude-opus-5"}, "claude-opus-5", "anthropic"),
        (
            {
                "span.type": "claude_code.llm_request",
                "model": "claude-sonnet-4-5-20250929[1m]",
                "gen_ai.system": "anthropic",
            },
            "claude-sonnet-4-5-20250929[1m]",
            "anthropic",
        ),
        ({"model": "gpt-4o", "input": "x"}, "gpt-4o", "openai"),
        ({"model_name": "gpt-4o", "input": "x"}, "gpt-4o", "openai"),
        ({"model": "m1", "model_name": "m2", "gen_ai.request.model": "m3"}, "m3", None),
        ({"model": "m1", "genkit:name": "g", "genkit:metadata:subtype": "model"}, "m1", None),
    ],
)
def test_model_and_provider(attributes, model, provider):
    row = one(attributes)
    assert (row["model"], row["provider"]) == (model, provider)


def test_products_name_a_tool_by_its_span():
    for kind in ({"lmnr.span.type": "TOOL"}, {"langwatch.span.type": "tool"}):
        assert one(kind, span_name="f")["tool_name"] == "f"


@pytest.mark.parametrize(
    ("attributes", "nanos"),
    [
        ({"gen_ai.response.time_to_first_chunk": 0.5}, 500_000_000),
        ({"gen_ai.client.operation.time_to_first_chunk": 0.5}, 500_000_000),
        ({"gen_ai.response.time_to_first_chunk": 0.5, "gen_ai.client.operation.time_to_first_chunk": 0.7}, 500_000_000),
        ({"gen_ai.server.time_to_first_token": 0.5}, 500_000_000),
        ({"gen_ai.response.time_to_first_chunk": "0.5"}, 500_000_000),
        ({"gen_ai.response.time_to_first_chunk": -1.0}, None),
        ({"gen_ai.response.time_to_first_chunk": float("nan")}, None),
    ],
)
def test_first_token(attributes, nanos):
    assert one({**attributes, "gen_ai.operation.name": "chat"})["time_to_first_token_ns"] == nanos


def test_the_first_chunk_event():
    events = [
        {"name": "gen_ai.content.completion.chunk", "time_unix_nano": START_UNIX_NANO + 5, "attributes": {}},
        {"name": "gen_ai.content.completion.chunk", "time_unix_nano": START_UNIX_NANO + 9, "attributes": {}},
    ]
    assert one({"gen_ai.operation.name": "chat"}, events=events)["time_to_first_token_ns"] == 5
