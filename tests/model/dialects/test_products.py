"""Genkit, Mastra, Laminar, LangWatch, VoltAgent, Flue, Claude Code, LiveKit and generic keys: each rule of the mapping."""

# ruff: noqa: E501 - a table reads best with one case per line
import json

import pytest

from collector.testing.builders import START_UNIX_NANO
from tests.model.dialects.observed import content, observed, one

LIVEKIT = {"scope": ("livekit-agents", "1.3.0")}
GENKIT = {"scope": ("genkit-tracer", "v1")}
CLAUDE = {"scope": ("com.anthropic.claude_code.tracing", "2.1.0")}
MASTRA = {"scope": ("@mastra/otel-exporter", "1.71.0")}
CHAT = [{"role": "user", "content": "hi"}]
HI = [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
YO = [{"role": "assistant", "parts": [{"type": "text", "content": "yo"}]}]


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


def test_claude_code_counts_exclude_the_cache():
    attributes = {
        "span.type": "claude_code.llm_request",
        "model": "claude-opus-5",
        "input_tokens": 5000,
        "output_tokens": 12,
        "cache_read_tokens": 100,
        "cache_creation_tokens": 10,
    }
    row = one(attributes)
    assert row["usage"] == {"input": 5000, "input_cache_read": 100, "input_cache_write": 10, "output": 12}
    assert (row["input_tokens"], row["total_tokens"]) == (5110, 5122)


def test_claude_code_counts_as_text():
    row = one(
        {
            "span.type": "claude_code.llm_request",
            "input_tokens": "5000",
            "output_tokens": "12",
            "cache_read_tokens": "100",
        },
        **CLAUDE,
    )
    assert row["usage"] == {"input": 5000, "input_cache_read": 100, "output": 12}


def test_claude_code_turns():
    rows = observed(
        [
            {
                **CLAUDE,
                "span_name": "claude_code.interaction",
                "attributes": {"span.type": "interaction", "user_prompt": "fix it", "session.id": "s", "user.id": "u"},
            },
            {
                **CLAUDE,
                "parent_span_id": 1,
                "span_name": "claude_code.llm_request",
                "attributes": {
                    "span.type": "llm_request",
                    "model": "claude-opus-5",
                    "gen_ai.system": "anthropic",
                    "input_tokens": 2,
                    "output_tokens": 12,
                    "cache_read_tokens": 84562,
                    "new_context": "c",
                    "response.model_output": "ok",
                    "ttft_ms": 250,
                    "stop_reason": "tool_use",
                    "request_id": "req_1",
                },
            },
            {
                **CLAUDE,
                "parent_span_id": 1,
                "span_name": "claude_code.tool",
                "attributes": {
                    "span.type": "tool",
                    "tool_name": "Bash",
                    "tool_use_id": "t1",
                    "tool_input": '{"command": "ls"}',
                },
                "events": [{"name": "tool.output", "attributes": {"output": "README.md"}}],
            },
        ]
    )
    assert [(row["type"], row["usage_scope"]) for row in rows] == [
        ("agent", None),
        ("generation", "counted"),
        ("tool", None),
    ]
    assert [content(row["input"]) for row in rows] == ["fix it", "c", {"command": "ls"}]
    assert [row["output"] for row in rows] == [None, "ok", "README.md"]
    assert rows[1]["time_to_first_token_ns"] == 250_000_000
    assert rows[1]["finish_reasons"] == ["tool_call"]
    assert (rows[2]["tool_name"], rows[2]["name"], rows[2]["tool_call_id"]) == ("Bash", "Bash", "t1")
    assert {(row["user_id"], row["session_id"]) for row in rows} == {("u", "s")}


CLAUDE_2_1 = {
    "gen_ai.usage.input_tokens": 3105, "gen_ai.usage.cache_read.input_tokens": 2048, "gen_ai.usage.cache_write.input_tokens": 1024,
    "gen_ai.usage.output_tokens": 27, "input_tokens": 33, "output_tokens": 27, "cache_read_tokens": 2048, "cache_creation_tokens": 1024,
}  # fmt: skip


def test_claude_code_counts_beside_those_of_the_conventions():
    row = one({"span.type": "llm_request", "gen_ai.operation.name": "chat", **CLAUDE_2_1}, **CLAUDE)
    assert row["usage"] == {"input": 33, "input_cache_read": 2048, "input_cache_write": 1024, "output": 27}


@pytest.mark.parametrize("kind", ["tool.execution", "tool.blocked_on_user", "hook"])
def test_claude_code_has_one_tool_per_call(kind):
    assert one({"span.type": kind, "gen_ai.tool.call.id": "t1"}, **CLAUDE)["type"] == "span"


@pytest.mark.parametrize(
    ("attributes", "given", "got"),
    [
        ({"full_command": "ls -l"}, "ls -l", None),
        ({"tool_input": '[TOOL INPUT: Bash]\n{"command": "ls"}', "full_command": "ls"}, {"command": "ls"}, None),
        ({"new_context": '[TOOL RESULT: Bash]\n{"stdout": "a"}'}, None, {"stdout": "a"}),
        ({"tool_input": "[TOOL INPUT"}, "[TOOL INPUT", None),
    ],
)
def test_claude_code_tool_content(attributes, given, got):
    row = one({"span.type": "tool", "tool_name": "Bash", **attributes}, **CLAUDE)
    assert (content(row["input"]), content(row["output"])) == (given, got)


def test_claude_code_ends_a_turn_with_a_log_record():
    turn = {**CLAUDE, "attributes": {"span.type": "interaction", "user_prompt": "hi"}}
    said = [
        {"trace_id": 1, "span_id": 1, "attributes": {"event.name": "assistant_response", "response": text}}
        for text in ["Let me look.", "It rains."]
    ]
    (row,) = observed([turn], logs=said)
    assert row["output"] == "It rains."


def test_claude_code_redacted_content_is_kept_as_it_came():
    row = one({"span.type": "claude_code.interaction", "user_prompt": "<REDACTED>"})
    assert row["input"] == "<REDACTED>"


def test_voltagent():
    agent = {
        "entity.type": "agent",
        "voltagent.operation_id": "o",
        "agent.messages": json.dumps(CHAT),
        "agent.state": "completed",
        "ai.model.name": "gpt-4o",
        "output": "yo",
        "usage.prompt_tokens": 60,
        "usage.completion_tokens": 12,
        "usage.total_tokens": 72,
        "usage.cached_tokens": 20,
        "usage.reasoning_tokens": 2,
    }
    llm = {
        "entity.type": "agent",
        "span.type": "llm",
        "llm.messages": json.dumps(CHAT),
        "output": "yo",
        "llm.usage.prompt_tokens": 30,
        "llm.usage.completion_tokens": 6,
        "llm.model": "openai/gpt-4o",
    }
    delegate = {"entity.type": "agent", "span.type": "tool", "tool.name": "delegate_task", "tool.call.id": "t"}
    rows = observed(
        [
            {"attributes": agent},
            {"parent_span_id": 1, "attributes": llm},
            {"parent_span_id": 1, "attributes": delegate},
            {"parent_span_id": 3, "attributes": agent},
        ]
    )
    # The model span holds the last step only; an agent called by another counts for itself.
    assert [(row["type"], row["usage_scope"]) for row in rows] == [
        ("agent", "counted"),
        ("generation", "rollup"),
        ("tool", None),
        ("agent", "counted"),
    ]
    assert [content(row["input"]) for row in rows] == [HI, HI, None, HI]
    assert [row["output"] for row in rows] == ["yo", "yo", None, "yo"]
    assert rows[0]["usage"] == {"input": 40, "input_cache_read": 20, "output": 10, "output_reasoning": 2}
    assert [row["model"] for row in rows[:2]] == ["gpt-4o", "openai/gpt-4o"]
    assert (rows[2]["tool_name"], rows[2]["tool_call_id"]) == ("delegate_task", "t")


def test_genkit_counts_the_model_action_and_not_the_util_around_it():
    usage = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "inputCharacters": 44}
    output = json.dumps(
        {"message": {"role": "model", "content": [{"text": "yo"}]}, "finishReason": "stop", "usage": usage}
    )
    request = json.dumps({"messages": [{"role": "user", "content": [{"text": "hi"}]}], "config": {"temperature": 0.5}})
    util = {"genkit:type": "util", "genkit:name": "generate", "genkit:input": request, "genkit:output": output}
    model = {
        "genkit:type": "action",
        "genkit:metadata:subtype": "model",
        "genkit:name": "googleai/gemini-2.5-flash",
        "genkit:input": request,
        "genkit:output": output,
    }
    rows = observed([{**GENKIT, "attributes": util}, {**GENKIT, "parent_span_id": 1, "attributes": model}])
    assert [(row["type"], row["usage_scope"]) for row in rows] == [("span", None), ("generation", "counted")]
    assert rows[1]["usage"] == {"input": 10, "output": 5}
    assert content(rows[1]["input"]) == HI
    assert content(rows[1]["output"]) == [{**YO[0], "finish_reason": "stop"}]
    assert content(rows[1]["model_parameters"]) == {"temperature": 0.5}


def test_genkit_gemini_thoughts_are_beside_the_output():
    output = {
        "usage": {
            "inputTokens": 10,
            "outputTokens": 30,
            "thoughtsTokens": 20,
            "totalTokens": 60,
            "cachedContentTokens": 4,
        }
    }
    row = one({"genkit:metadata:subtype": "model", "genkit:name": "googleai/g", "genkit:output": json.dumps(output)})
    assert row["usage"] == {"input": 6, "input_cache_read": 4, "output": 30, "output_reasoning": 20}


def test_genkit_parts():
    parts = [
        {"text": "see"},
        {"media": {"url": "data:image/png;base64,AAAA", "contentType": "image/png"}},
        {"media": {"url": "gs://b/v.mp4", "contentType": "video/mp4"}},
        {"toolRequest": {"ref": "1", "name": "f", "input": {"a": 1}}},
        {"toolResponse": {"ref": "1", "name": "f", "output": {"r": 2}}},
        {"reasoning": "hm", "metadata": {"thoughtSignature": "s"}},
        {"data": {"x": 1}},
        {"custom": {"executableCode": {"language": "PYTHON", "code": "1+1"}}},
    ]
    row = one(
        {
            "genkit:metadata:subtype": "model",
            "genkit:input": json.dumps({"messages": [{"role": "model", "content": parts}]}),
        }
    )
    assert content(row["input"]) == [
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "see"},
                {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AAAA"},
                {"type": "uri", "mime_type": "video/mp4", "modality": "video", "uri": "gs://b/v.mp4"},
                {"type": "tool_call", "id": "1", "name": "f", "arguments": {"a": 1}},
                {"type": "tool_call_response", "id": "1", "response": {"r": 2}, "name": "f"},
                {"type": "reasoning", "content": "hm"},
                {"type": "generic", "data": {"x": 1}},
                {"type": "generic", "custom": {"executableCode": {"language": "PYTHON", "code": "1+1"}}},
            ],
        }
    ]


def test_genkit_answers_of_plugins_that_wrap_them_in_candidates():
    raw = {"input_tokens": 33, "cache_read_input_tokens": 2048, "cache_creation_input_tokens": 1024}
    message = {"role": "model", "content": [{"text": "yo"}]}
    output = {
        "candidates": [{"index": 0, "finishReason": "stop", "message": message}],
        "usage": {"inputTokens": 33, "outputTokens": 27},
        "raw": {"usage": raw},
    }
    row = one({"genkit:metadata:subtype": "model", "genkit:name": "anthropic/c", "genkit:output": json.dumps(output)})
    assert row["usage"] == {"input": 33, "input_cache_read": 2048, "input_cache_write": 1024, "output": 27}
    assert row["finish_reasons"] == ["stop"]
    assert content(row["output"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "yo"}], "finish_reason": "stop"}
    ]


def test_genkit_cached_and_reasoning_tokens_of_openai():
    details = {"prompt_tokens_details": {"cached_tokens": 64}, "completion_tokens_details": {"reasoning_tokens": 16}}
    output = {
        "usage": {"inputTokens": 127, "outputTokens": 50, "totalTokens": 177},
        "raw": {"usage": {"prompt_tokens": 127, "completion_tokens": 50, "total_tokens": 177, **details}},
    }
    row = one({"genkit:metadata:subtype": "model", "genkit:name": "openai/g", "genkit:output": json.dumps(output)})
    assert row["usage"] == {"input": 63, "input_cache_read": 64, "output": 34, "output_reasoning": 16}


def test_genkit_vectors_are_no_content():
    output = json.dumps({"embeddings": [{"embedding": [0.1, 0.2]}]})
    row = one({"genkit:metadata:subtype": "embedder", "genkit:output": output})
    assert "0.1" not in (row["output"] or "")


def test_genkit_errors():
    row = one({"genkit:state": "error", "genkit:name": "f"}, **GENKIT)
    assert row["level"] == "ERROR"


def test_mastra_counts_inferences():
    outer = {
        "mastra.span.type": "model_generation",
        "gen_ai.operation.name": "model_generation",
        "gen_ai.usage.input_tokens": 282,
        "gen_ai.usage.output_tokens": 60,
    }
    inner = {
        "mastra.span.type": "model_inference",
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 141,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.provider.name": "openai.chat",
        "gen_ai.response.finish_reasons": '["stop"]',
        "mastra.completion_start_time": "2025-10-09T08:53:21Z",
    }
    step = {"mastra.span.type": "model_step", "gen_ai.operation.name": "agent_step"}
    rows = observed(
        [
            {**MASTRA, "attributes": outer},
            {**MASTRA, "parent_span_id": 1, "attributes": step},
            {**MASTRA, "parent_span_id": 2, "attributes": inner},
            {**MASTRA, "parent_span_id": 2, "attributes": inner},
        ]
    )
    assert [row["usage_scope"] for row in rows] == ["rollup", None, "counted", "counted"]
    assert (rows[2]["provider"], rows[2]["finish_reasons"]) == ("openai", ["stop"])
    assert rows[2]["completion_start_time"].isoformat() == "2025-10-09T08:53:21+00:00"


@pytest.mark.parametrize("kind", ["model_generation", "agent_run", "workflow_step"])
def test_mastra_content(kind):
    row = one(
        {
            "mastra.span.type": kind,
            f"mastra.{kind}.input": json.dumps({"messages": CHAT}),
            f"mastra.{kind}.output": json.dumps({"text": "yo"}),
        },
        **MASTRA,
    )
    assert content(row["input"]) == HI
    assert content(row["output"]) == {"text": "yo"}


def test_an_answer_that_is_tool_calls_alone():
    function = {"name": "f", "arguments": '{"a": 1}'}
    row = one({"langfuse.observation.output": json.dumps({"tool_calls": [{"function": function}]})})
    call = {"type": "tool_call", "name": "f", "arguments": {"a": 1}}
    assert content(row["output"]) == [{"role": "assistant", "parts": [call]}]


def test_a_node_of_a_graph_hands_on_messages():
    said = {"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", "AIMessage"], "kwargs": {"content": "yo"}}  # fmt: skip
    command = {"lg_name": "Command", "update": {"messages": [said]}}
    for output, found in [([command], [{"role": "assistant", "parts": [{"type": "text", "content": "yo"}]}]), ([command] * 2, None)]:  # fmt: skip
        row = one({"langfuse.observation.output": json.dumps({"output": output})})
        assert content(row["output"]) == (found or {"output": output})


def test_mastra_hands_on_a_call_s_result():
    thought = {"type": "reasoning", "runId": "r", "payload": {"id": "1", "text": "hm"}}
    result = {
        "text": "yo", "reasoning": [thought, {**thought, "payload": {"text": "!"}}], "reasoningText": "hm!", "warnings": [],
        "toolCalls": [{"toolCallId": "1", "toolName": "f", "args": {"a": 1}}], "object": {"is": "the text"},
        "files": [{"mimeType": "image/png", "data": "AAAA"}], "sources": [{"url": "https://a", "sourceType": "url"}],
    }  # fmt: skip
    row = one({"mastra.span.type": "model_generation", "mastra.model_generation.output": json.dumps(result)}, **MASTRA)
    parts = [
        {"type": "reasoning", "content": "hm!"},
        {"type": "text", "content": "yo"},
        {"type": "tool_call", "id": "1", "name": "f", "arguments": {"a": 1}},
        {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AAAA"},
        {"type": "source", "url": "https://a", "sourceType": "url"},
    ]
    assert content(row["output"]) == [{"role": "assistant", "parts": parts}]
    for other in ({**result, "unheard": 1}, {"text": "", "toolCalls": []}):
        row = one({"mastra.span.type": "model_step", "mastra.model_step.output": json.dumps(other)}, **MASTRA)
        assert content(row["output"]) == other


def test_laminar_content():
    row = one({"lmnr.span.type": "LLM", "lmnr.span.input": json.dumps(CHAT), "lmnr.span.output": '"yo"'})
    assert (content(row["input"]), row["output"]) == (HI, "yo")


def test_products_name_a_tool_by_its_span():
    for kind in ({"lmnr.span.type": "TOOL"}, {"langwatch.span.type": "tool"}):
        assert one(kind, span_name="f")["tool_name"] == "f"


def test_langwatch_on_langchain():
    answered = {"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", "ToolMessage"], "kwargs": {"content": "22", "tool_call_id": "c"}}  # fmt: skip
    attributes = {
        "langwatch.span.type": "tool",
        "langwatch.langgraph.user_id": "u",
        "langwatch.langgraph.thread_id": "s",
        "langwatch.output": json.dumps({"type": "json", "value": {"type": "text", "value": answered}}),
    }
    row = one(attributes)
    assert (row["user_id"], row["session_id"]) == ("u", "s")
    response = {"type": "tool_call_response", "id": "c", "response": "22"}
    assert content(row["output"]) == [{"role": "tool", "parts": [response]}]


def test_langwatch_wrappers_and_metrics():
    attributes = {
        "langwatch.span.type": "llm",
        "langwatch.input": json.dumps({"type": "chat_messages", "value": CHAT}),
        "langwatch.output": json.dumps({"type": "text", "value": "yo"}),
        "langwatch.metrics": json.dumps(
            {
                "type": "json",
                "value": {
                    "promptTokens": 10,
                    "completionTokens": 5,
                    "cost": 0.25,
                    "reasoningTokens": 2,
                    "cacheReadInputTokens": 3,
                },
            }
        ),
    }
    row = one(attributes)
    assert (content(row["input"]), row["output"]) == (HI, "yo")
    assert (row["input_tokens"], row["output_tokens"], row["reasoning_tokens"]) == (10, 5, 2)
    assert str(row["total_cost"]) == "0.250000000000"


def test_langwatch_lists_and_contexts():
    values = {"type": "list", "value": [{"type": "text", "value": "a"}, {"type": "json", "value": {"b": 1}}]}
    contexts = {"type": "json", "value": [{"document_id": "d", "chunk_id": "c", "content": "text"}]}
    row = one(
        {
            "langwatch.span.type": "rag",
            "langwatch.input": json.dumps(values),
            "langwatch.contexts": json.dumps(contexts),
        }
    )
    assert content(row["input"]) == ["a", {"b": 1}]
    assert content(row["output"]) == [{"document_id": "d", "chunk_id": "c", "content": "text"}]


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


def test_flue_content():
    request = {
        "systemPrompt": "be short",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "tools": [{"name": "f", "description": "d", "parameters": {"type": "object"}}],
    }
    answer = {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "yo"},
            {"type": "toolCall", "id": "c", "name": "f", "arguments": {"a": 1}},
        ],
    }
    row = one(
        {
            "flue.turn.input": json.dumps(request),
            "flue.turn.output": json.dumps(answer),
            "flue.turn.purpose": "agent",
            "gen_ai.operation.name": "chat",
        }
    )
    assert content(row["input"]) == [{"role": "system", "parts": [{"type": "text", "content": "be short"}]}, *HI]
    assert content(row["output"]) == [
        {
            "role": "assistant",
            "parts": [*YO[0]["parts"], {"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}],
        }
    ]
    assert content(row["tool_definitions"]) == [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
    ]


@pytest.mark.parametrize(
    ("attributes", "given", "got"),
    [
        ({"flue.tool.arguments": '{"a": 1}', "flue.tool.result": '{"r": 2}'}, {"a": 1}, {"r": 2}),
        ({"flue.task.prompt": "p", "flue.task.result": "r"}, "p", "r"),
        ({"flue.workflow.payload": '{"a": 1}', "flue.workflow.result": "r"}, {"a": 1}, "r"),
        ({"input.value": "a", "input": "b", "prompt": "c", "output.value": "d", "output": "e"}, "a", "d"),
        ({"input": "b", "prompt": "c", "output": "e"}, "b", "e"),
        ({"prompt": "c"}, "c", None),
        ({"input": json.dumps(CHAT), "output": "yo"}, HI, "yo"),
        (
            {"mcp.request.argument": "{}", "gen_ai.tool.call.arguments": '{"a": 1}', "mcp.method.name": "tools/call"},
            {"a": 1},
            None,
        ),
        ({"gen_ai.tool.input": "a", "gen_ai.tool.output": "b", "gen_ai.tool.name": "f"}, "a", "b"),
        ({"gen_ai.tool.args": '{"a": 1}', "gen_ai.tool.name": "f"}, {"a": 1}, None),
        ({"tool_arguments": '{"a": 1}', "tool_response": "r", "gen_ai.tool.name": "f"}, {"a": 1}, "r"),
    ],
)
def test_generic_content(attributes, given, got):
    row = one(attributes)
    assert (content(row["input"]), content(row["output"])) == (given, got)


def test_openrouter_broadcast():
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "openai/gpt-4o",
        "gen_ai.response.model": "openai/gpt-4o-2024-08-06",
        "gen_ai.provider.name": "OpenAI",
        "gen_ai.system": "openrouter",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.total_cost": 0.25,
        "trace.name": "t",
        "user.id": "u",
        "session.id": "s",
        "gen_ai.prompt": json.dumps({"messages": CHAT}),
        "gen_ai.completion": json.dumps({"completion": "yo"}),
    }
    row = one(attributes)
    assert (row["provider"], row["model"], row["user_id"], row["session_id"], str(row["total_cost"])) == (
        "openai",
        "openai/gpt-4o-2024-08-06",
        "u",
        "s",
        "0.250000000000",
    )
    assert content(row["input"]) == HI


def test_sentry_spellings():
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.input_tokens.cached": 60,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.output_tokens.reasoning": 5,
        "gen_ai.usage.total_tokens": 120,
        "gen_ai.request.messages": json.dumps(CHAT),
        "gen_ai.response.text": "yo",
        "gen_ai.request.available_tools": '[{"name": "f"}]',
    }
    row = one(attributes)
    assert row["usage"] == {"input": 40, "input_cache_read": 60, "output": 15, "output_reasoning": 5}
    assert (content(row["input"]), row["output"]) == (HI, "yo")


def test_langtrace_keys():
    attributes = {
        "langtrace.sdk.name": "langtrace-python-sdk",
        "gen_ai.operation.name": "chat",
        "llm.prompts": json.dumps(CHAT),
        "gen_ai.usage.prompt_tokens": 10,
        "gen_ai.usage.completion_tokens": 5,
    }
    events = [
        {
            "name": "gen_ai.content.completion",
            "attributes": {"gen_ai.completion": '[{"role": "assistant", "content": "yo"}]'},
        }
    ]
    row = one(attributes, events=events)
    assert (content(row["input"]), content(row["output"])) == (HI, YO)


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
