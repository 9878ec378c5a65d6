"""Microsoft's frameworks, Spring AI and MCP, and what all agent frameworks share.

Proves type, counting, provider and content, row by row of the mapping. Does not prove that the frameworks really send
this: attributes are written by hand.
"""

# ruff: noqa: E501 - a table reads best with one case per line

import pytest

from tests.model.dialects.observed import content, observed, one
from tests.model.dialects.products.agents_kit import ADK, AGENT_FRAMEWORK, STRANDS, USAGE, message


@pytest.mark.parametrize(
    ("dialect", "row"),
    [
        ("google_adk", {"attributes": {"gcp.vertex.agent.event_id": "e"}}),
        ("google_adk", {**ADK, "attributes": {"gen_ai.operation.name": "invoke_agent"}}),
        ("strands", {**STRANDS, "attributes": {"gen_ai.operation.name": "chat"}}),
        ("strands", {"scope": ("strands-agents", ""), "attributes": {"gen_ai.operation.name": "chat"}}),
        ("strands", {"attributes": {"event_loop.cycle_id": "c", "gen_ai.operation.name": "execute_event_loop_cycle"}}),
        (
            "strands",
            {"attributes": {"gen_ai.event.start_time": "2026-01-01T00:00:00Z", "gen_ai.operation.name": "chat"}},
        ),
        ("langfuse", {**STRANDS, "attributes": {"langfuse.observation.type": "span"}}),
        ("agent_framework", {**AGENT_FRAMEWORK, "attributes": {"gen_ai.operation.name": "chat"}}),
        ("agent_framework", {"attributes": {"workflow.id": "w", "executor.id": "e"}}),
        ("agent_framework", {"attributes": {"workflow.name": "w"}}),
        ("agent_framework", {"attributes": {"edge_group.type": "e"}}),
        ("azure_agents", {"attributes": {"az.namespace": "Microsoft.CognitiveServices"}}),
        ("azure_agents", {"attributes": {"gen_ai.thread.id": "t"}}),
        ("azure_agents", {"attributes": {"gen_ai.system": "az.ai.agents"}}),
        ("azure_agents", {"attributes": {"gen_ai.system": "az.ai.inference", "gen_ai.operation.name": "chat"}}),
        (
            "azure_agents",
            {"attributes": {"gen_ai.provider.name": "microsoft.foundry", "gen_ai.operation.name": "chat"}},
        ),
    ],
)
def test_dialect(dialect, row):
    assert one(**row)["dialect"] == dialect


@pytest.mark.parametrize(
    ("key", "value", "provider"),
    [
        ("gen_ai.system", "gcp.vertex.agent", "gcp.vertex_ai"),
        ("gen_ai.system", "gemini", "gcp.gemini"),
        ("gen_ai.system", "vertex_ai", "gcp.vertex_ai"),
        ("gen_ai.system", "strands-agents", None),
        ("gen_ai.provider.name", "strands-agents", None),
        ("gen_ai.provider.name", "microsoft.agent_framework", None),
        ("gen_ai.provider.name", "microsoft.foundry", None),
        ("gen_ai.system", "az.ai.agents", None),
        ("gen_ai.system", "autogen", None),
        ("gen_ai.system", "az.ai.inference", "azure.ai.inference"),
        ("gen_ai.system", "az.ai.openai", "azure.ai.openai"),
        ("gen_ai.system", "azure_openai", "azure.ai.openai"),
        ("gen_ai.system", "xai", "x_ai"),
        ("gen_ai.system", "MistralAI", "mistral_ai"),
        ("gen_ai.system", "AWS.Bedrock", "aws.bedrock"),
        ("gen_ai.system", "google_adk", None),
        ("gen_ai.system", "langgraph", None),
        ("gen_ai.system", "elastic", None),
    ],
)
def test_framework_names_are_no_providers(key, value, provider):
    assert one({key: value, "gen_ai.operation.name": "chat"})["provider"] == provider


def test_a_framework_name_leaves_the_provider_to_the_model():
    strands = {"gen_ai.system": "strands-agents", "gen_ai.request.model": "us.anthropic.claude-sonnet-4-20250514-v1:0"}
    assert one({**strands, "gen_ai.operation.name": "chat"}, **STRANDS)["provider"] == "aws.bedrock"


def test_agent_framework_sums_yield_to_calls_and_a_remote_agent_counts():
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "microsoft.agent_framework", **USAGE}
    chat = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        **USAGE,
    }
    rows = observed(
        [{**AGENT_FRAMEWORK, "attributes": agent}, {**AGENT_FRAMEWORK, "parent_span_id": 1, "attributes": chat}]
    )
    assert [row["usage_scope"] for row in rows] == ["rollup", "counted"]
    alone = one(agent, **AGENT_FRAMEWORK)
    assert (alone["type"], alone["usage_scope"], alone["input_tokens"]) == ("agent", "counted", 100)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("workflow.run", ("chain", "workflow")),
        ("executor.process writer", ("chain", None)),
        ("edge_group.process SingleEdgeGroup", ("span", None)),
        ("workflow.build", ("span", None)),
        ("message.send", ("span", None)),
    ],
)
def test_agent_framework_workflows(name, kind):
    row = one({"workflow.id": "w"}, span_name=name, **AGENT_FRAMEWORK)
    assert (row["type"], row["subtype"]) == kind


def test_finish_reasons_as_json_text_and_as_a_python_enum():
    row = one({"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": '["tool_calls"]'}, **AGENT_FRAMEWORK)
    assert row["finish_reasons"] == ["tool_call"]
    row = one(
        {
            "gen_ai.operation.name": "chat.completions",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.finish_reason": "FinishReason.TOOL_CALLS",
        },
        scope=("semantic_kernel.utils.telemetry.model_diagnostics.decorators", ""),
    )
    assert (row["finish_reasons"], row["type"]) == (["tool_call"], "generation")


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("chat.completions", "generation"),
        ("text.completions", "generation"),
        ("chat", "generation"),
        ("embeddings", "embedding"),
        ("Chat", "generation"),
        ("execute_tool", "tool"),
        ("AutoFunctionInvocationLoop", "span"),
    ],
)
def test_semantic_kernel_operations(operation, kind):
    model = {} if kind == "span" else {"gen_ai.request.model": "gpt-4o"}
    assert (
        one({"gen_ai.operation.name": operation, **model}, scope=("Microsoft.SemanticKernel.Diagnostics", ""))["type"]
        == kind
    )


def test_a_span_event_of_a_whole_prompt_holds_messages():
    events = [
        {"name": "gen_ai.content.prompt", "attributes": {"gen_ai.prompt": '[{"role": "user", "content": "hi"}]'}},
        {
            "name": "gen_ai.content.completion",
            "attributes": {
                "gen_ai.completion": '[{"role": "Assistant", "content": "yo", "tool_calls": [], "finish_reason": "stop"}]'
            },
        },
    ]
    row = one({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}, events=events)
    assert content(row["input"]) == [message("user", "hi")]
    assert content(row["output"]) == [{**message("assistant", "yo"), "finish_reason": "stop"}]


def test_spring_ai_events_carry_lists_of_texts():
    events = [
        {"name": "gen_ai.content.prompt", "attributes": {"gen_ai.prompt": ["be short", "hi"]}},
        {"name": "gen_ai.content.completion", "attributes": {"gen_ai.completion": ["yo"]}},
    ]
    row = one(
        {"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o"},
        events=events,
        scope=("org.springframework.boot", "3"),
    )
    assert content(row["input"]) == ["be short", "hi"]
    assert content(row["output"]) == ["yo"]


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"spring.ai.kind": "chat_client", "gen_ai.operation.name": "framework"}, "chain"),
        (
            {
                "gen_ai.operation.name": "framework",
                "spring.ai.kind": "tool_call",
                "spring.ai.tool.definition.name": "f",
            },
            "tool",
        ),
        ({"gen_ai.operation.name": "framework", "spring.ai.kind": "advisor"}, "chain"),
        ({"spring.ai.kind": "vector_store", "db.operation.name": "query"}, "retriever"),
    ],
)
def test_spring_ai_kinds(attributes, kind):
    assert one(attributes)["type"] == kind


def test_azure_events_are_json_in_one_attribute():
    events = [
        {
            "name": "gen_ai.system.message",
            "attributes": {"gen_ai.system": "az.ai.agents", "gen_ai.event.content": '{"content": "be short"}'},
        },
        {
            "name": "gen_ai.user.message",
            "attributes": {"gen_ai.event.content": '{"content": "hi", "role": "user"}', "gen_ai.thread.id": "t"},
        },
        {
            "name": "gen_ai.assistant.message",
            "attributes": {"gen_ai.event.content": '{"content": {"text": {"value": "yo"}}, "role": "assistant"}'},
        },
        {
            "name": "gen_ai.choice",
            "attributes": {
                "gen_ai.event.content": '{"message": {"content": "", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\\"a\\": 1}"}}]}, "finish_reason": "tool_calls", "index": 0}'
            },
        },
    ]
    row = one(
        {"az.namespace": "Microsoft.CognitiveServices", "gen_ai.operation.name": "chat", "gen_ai.thread.id": "t"},
        events=events,
    )
    assert content(row["input"]) == [message("system", "be short"), message("user", "hi"), message("assistant", "yo")]
    assert content(row["output"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}],
            "finish_reason": "tool_call",
        }
    ]
    assert row["session_id"] == "t"


@pytest.mark.parametrize(
    ("attributes", "session"),
    [
        ({"gen_ai.thread.id": "t", "gen_ai.session.id": "s"}, "t"),
        ({"gen_ai.thread.id": "t", "gen_ai.conversation.id": "c"}, "c"),
        ({"gen_ai.session.id": "s", "gcp.vertex.agent.session_id": "a"}, "s"),
        ({"gcp.vertex.agent.session_id": "a", "voltagent.conversation_id": "v"}, "a"),
        ({"voltagent.conversation_id": "v", "lk.room_name": "r"}, "v"),
        ({"lk.room_name": "r", "mcp.session.id": "m"}, "r"),
        ({"mcp.session.id": "m"}, None),
        ({"session.id": "x", "gen_ai.conversation.id": "c", "gen_ai.thread.id": "t"}, "x"),
    ],
)
def test_session(attributes, session):
    assert one(attributes)["session_id"] == session


def test_an_mcp_call_seen_by_client_and_server_is_one_tool():
    call = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "f", "mcp.session.id": "m"}
    rows = observed(
        [
            {
                "attributes": {
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": "f",
                    "gen_ai.tool.call.arguments": '{"a": 1}',
                }
            },
            {
                "parent_span_id": 1,
                "kind": 3,
                "span_name": "tools/call f",
                "attributes": {**call, "mcp.request.argument": '{"a": 1}', "mcp.response.value": '"42"'},
            },
            {
                "parent_span_id": 2,
                "kind": 2,
                "span_name": "tools/call f",
                "attributes": {"mcp.method.name": "tools/call", "mcp.session.id": "m"},
            },
            {
                "parent_span_id": 1,
                "kind": 3,
                "span_name": "tools/list",
                "attributes": {"mcp.method.name": "tools/list"},
            },
        ]
    )
    assert [row["type"] for row in rows] == ["tool", "tool", "span", "span"]
    assert (content(rows[1]["input"]), rows[1]["output"]) == ({"a": 1}, "42")
