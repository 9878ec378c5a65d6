"""Google ADK, Strands, Microsoft's frameworks, Spring AI and MCP: what each rule of the mapping makes of their spans."""

# ruff: noqa: E501 - a table reads best with one case per line
import json

import pytest

from tests.model.dialects.observed import content, observed, one

ADK = {"scope": ("gcp.vertex.agent", "2.13.0")}
STRANDS = {"scope": ("strands.telemetry.tracer", "1.62.0")}
AGENT_FRAMEWORK = {"scope": ("agent_framework", "1.23.0")}
TEXT = '[{"text": "hi"}]'


def message(role, text):
    return {"role": role, "parts": [{"type": "text", "content": text}]}


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


USAGE = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20}


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


def test_adk_request_and_response_are_messages():
    request = {
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
    row = one(
        {
            "gcp.vertex.agent.llm_request": json.dumps(request),
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
