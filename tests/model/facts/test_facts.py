"""Facts of single spans, one row of the mapping at a time."""

import json

import pytest

from collector.model import schema
from collector.model.facts import resolve
from collector.testing.builders import START_UNIX_NANO, spans

LANGFUSE_5 = {"scope": ("langfuse-sdk", "5.0.4"), "resource": {"telemetry.sdk.language": "python"}}
LANGFUSE_3 = {"scope": ("langfuse-sdk", "3.15.0"), "resource": {"telemetry.sdk.language": "python"}}
LANGFUSE_JS = {"scope": ("langfuse-sdk", "5.11.1"), "resource": {"telemetry.sdk.language": "nodejs"}}


def fact(attributes=None, **row):
    """All facts of one span."""
    return resolve.resolve(spans([{"attributes": attributes or {}, **row}])).record_batch.to_pylist()[0]


def test_every_fact_column_is_there_in_its_type():
    batch = resolve.resolve(spans([{}]))
    assert [f.name for f in batch.record_batch.schema][-len(schema.FACTS) :] == schema.FACTS.names
    for field in schema.FACTS:
        assert batch.column(field.name).type == field.type, field.name


def test_a_span_that_says_nothing_has_neutral_facts():
    found = fact(span_name="GET /")
    assert found["dialect"] == "otel"
    assert (found["type"], found["level"], found["name"]) == ("span", "DEFAULT", "GET /")
    empty = set(schema.FACTS.names) - {
        "dialect", "type", "name", "level", "service_name", "scope_name", "scope_version", "tags_weak", "role",
    }  # fmt: skip
    assert {name: found[name] for name in empty if found[name] is not None} == {}


@pytest.mark.parametrize(
    ("dialect", "row"),
    [
        ("langfuse", {"attributes": {"langfuse.observation.type": "span"}}),
        ("langfuse", {"scope": ("langfuse-sdk", "5.0.4")}),
        ("langfuse", {"attributes": {"langfuse.trace.name": "x", "gen_ai.operation.name": "chat"}}),
        ("openinference", {"attributes": {"openinference.span.kind": "LLM"}}),
        ("openinference", {"scope": ("openinference.instrumentation.openai", "0.1")}),
        ("openinference", {"scope": ("@arizeai/openinference-instrumentation-openai", "4")}),
        ("vercel_ai", {"scope": ("ai", "")}),
        ("vercel_ai_v7", {"scope": ("gen_ai", ""), "attributes": {"gen_ai.operation.name": "chat"}}),
        ("pydantic_ai", {"scope": ("pydantic-ai", "2.68"), "attributes": {"gen_ai.operation.name": "chat"}}),
        ("traceloop", {"attributes": {"traceloop.span.kind": "task"}}),
        (
            "traceloop",
            {
                "scope": ("opentelemetry.instrumentation.openai.v1", "0.62"),
                "attributes": {"gen_ai.operation.name": "chat"},
            },
        ),
        (
            "otel_genai",
            {
                "scope": ("opentelemetry.instrumentation.genai.openai", "1.3"),
                "attributes": {"gen_ai.operation.name": "chat"},
            },
        ),
        ("openlit", {"scope": ("openlit.instrumentation.openai", "")}),
        ("langsmith", {"attributes": {"langsmith.span.kind": "llm"}}),
        ("litellm", {"scope": ("litellm", "")}),
        ("mlflow", {"attributes": {"mlflow.spanType": '"LLM"'}}),
        ("strands", {"scope": ("strands.telemetry.tracer", "")}),
        ("genkit", {"attributes": {"genkit:name": "x"}}),
        ("mastra", {"attributes": {"mastra.span.type": "agent_run"}}),
        ("google_adk", {"scope": ("gcp.vertex.agent", "")}),
        ("otel_genai", {"attributes": {"gen_ai.request.model": "m"}}),
        ("otel", {"attributes": {"http.method": "GET"}}),
    ],
)
def test_the_dialect_is_told_by_scope_and_keys(dialect, row):
    assert fact(row.pop("attributes", None), **row)["dialect"] == dialect


@pytest.mark.parametrize(
    ("attributes", "type_", "subtype"),
    [
        ({"langfuse.observation.type": "generation"}, "generation", None),
        ({"langfuse.observation.type": "EVALUATOR"}, "evaluator", None),
        ({"langfuse.observation.type": "span", "openinference.span.kind": "LLM"}, "span", None),
        ({"langfuse.observation.type": "nonsense", "openinference.span.kind": "TOOL"}, "tool", None),
        ({"openinference.span.kind": "RERANKER"}, "retriever", "reranker"),
        ({"openinference.span.kind": "PROMPT"}, "chain", "prompt"),
        ({"openinference.span.kind": "llm"}, "generation", None),
        ({"openinference.span.kind": "UNKNOWN", "gen_ai.request.model": "m"}, "span", None),
        ({"openinference.span.kind": "AGENT", "gen_ai.operation.name": "chat"}, "agent", None),
        ({"gen_ai.operation.name": "chat"}, "generation", None),
        ({"gen_ai.operation.name": "embeddings"}, "embedding", None),
        ({"gen_ai.operation.name": "execute_tool"}, "tool", None),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}, "agent", None),
        ({"gen_ai.operation.name": "invoke_workflow"}, "chain", "workflow"),
        ({"gen_ai.operation.name": "fetch_response", "gen_ai.response.model": "m"}, "span", None),
        ({"gen_ai.operation.name": "handoff"}, "tool", "handoff"),
        ({"gen_ai.operation.name": "RETRIEVER"}, "retriever", None),
        ({"gen_ai.operation.name": "model_chunk", "gen_ai.request.model": "m"}, "span", None),
        ({"gen_ai.operation.name": "search_memory"}, "retriever", "memory"),
        ({"traceloop.span.kind": "workflow", "gen_ai.operation.name": "invoke_agent"}, "chain", "workflow"),
        ({"traceloop.span.kind": "task", "gen_ai.operation.name": "execute_tool"}, "tool", None),
        ({"llm.request.type": "rerank"}, "retriever", "reranker"),
        ({"llm.request.type": "chat"}, "generation", None),
        ({"mlflow.spanType": '"CHAT_MODEL"'}, "generation", None),
        ({"langsmith.span.kind": "retriever", "gen_ai.operation.name": "embeddings"}, "retriever", None),
        ({"langsmith.span.kind": "prompt", "gen_ai.operation.name": "chat"}, "chain", "prompt"),
        ({"ai.operationId": "ai.streamText.doStream"}, "generation", None),
        ({"ai.operationId": "ai.generateText", "gen_ai.operation.name": "chat"}, "chain", None),
        ({"operation.name": "ai.embed.doEmbed my-fn"}, "embedding", None),
        ({"genkit:metadata:subtype": "flow"}, "chain", "flow"),
        ({"gen_ai.tool.name": "x"}, "tool", None),
        ({"mcp.method.name": "tools/call"}, "tool", None),
        ({"mcp.method.name": "tools/list"}, "span", None),
        ({"gen_ai.retrieval.query.text": "q"}, "retriever", None),
        ({"gen_ai.request.model": "gpt-4o"}, "generation", None),
        ({"gen_ai.input.messages": "[]"}, "generation", None),
        ({"gen_ai.output.messages": "[]"}, "span", None),
        ({"http.method": "GET"}, "span", None),
    ],
)
def test_type_of_observation(attributes, type_, subtype):
    found = fact(attributes)
    assert (found["type"], found["subtype"]) == (type_, subtype)


@pytest.mark.parametrize(("version", "type_"), [("3.3.0", "generation"), ("3.2.1", "generation"), ("3.3.1", "span")])
def test_old_langfuse_python_sdks_wrote_span_on_generations(version, type_):
    attributes = {"langfuse.observation.type": "span", "langfuse.observation.model.name": "gpt-4o"}
    row = {"scope": ("langfuse-sdk", version), "resource": {"telemetry.sdk.language": "python"}}
    assert fact(attributes, **row)["type"] == type_


EXCEPTION = [{"name": "exception", "attributes": {"exception.type": "ValueError"}}]


@pytest.mark.parametrize(
    ("level", "row"),
    [
        ("ERROR", {"attributes": {"langfuse.observation.level": "FATAL"}}),
        ("DEBUG", {"attributes": {"langfuse.observation.level": "verbose"}, "status_code": 2}),
        ("DEFAULT", {"attributes": {"langfuse.observation.level": "INFO"}}),
        ("WARNING", {"attributes": {"logfire.level_num": 13}}),
        ("ERROR", {"attributes": {"logfire.level_num": 9}, "status_code": 2}),
        ("ERROR", {"attributes": {"mlflow.spanLogLevel": "20"}, "status_code": 2}),
        ("ERROR", {"status_code": 2}),
        ("ERROR", {"attributes": {"error.type": "timeout"}}),
        ("ERROR", {"events": EXCEPTION}),
        ("WARNING", {"events": EXCEPTION, "status_code": 1}),
        ("DEFAULT", {"events": [{"name": "log"}], "status_code": 1}),
    ],
)
def test_level(level, row):
    assert fact(row.pop("attributes", None), **row)["level"] == level


def test_error_type_is_said_or_that_of_the_last_exception():
    first = {"name": "exception", "attributes": {"exception.type": "KeyError"}}
    assert fact({"error.type": "429"}, events=EXCEPTION)["error_type"] == "429"
    assert fact(events=[first, *EXCEPTION, {"name": "retry"}])["error_type"] == "ValueError"


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("get_weather", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_weather"}),
        ("span 0", {"gen_ai.operation.name": "chat", "gen_ai.tool.name": "get_weather"}),
        ("oai/gpt", {"genkit:name": "oai/gpt"}),
        ("chat with gpt", {"logfire.msg": "chat with gpt"}),
        ("plan", {"traceloop.entity.name": "plan"}),
        ("say-hi:ai.generateText", {"ai.telemetry.functionId": "say-hi", "ai.operationId": "ai.generateText"}),
        ("span 0", {"ai.operationId": "ai.generateText"}),
        ("search", {"openinference.span.kind": "TOOL", "tool.name": "search"}),
        ("span 0", {"openinference.span.kind": "LLM", "tool.name": "search"}),
    ],
)
def test_display_name(name, attributes):
    assert fact(attributes)["name"] == name


def test_a_run_name_of_langsmith_is_the_trace_name_on_the_root_only():
    assert fact({"langsmith.trace.name": "my-run"})["trace_name"] == "my-run"
    assert fact({"langsmith.trace.name": "my-run"}, parent_span_id=9)["trace_name"] is None
    assert fact({"langfuse.trace.name": "t", "traceloop.workflow.name": "w"}, parent_span_id=9)["trace_name"] == "t"


@pytest.mark.parametrize(
    ("user", "attributes"),
    [
        ("a", {"langfuse.user.id": "a", "user.id": "b"}),
        ("b", {"langfuse.user.id": "", "user.id": "b"}),
        ("b", {"langfuse.user.id": "  ", "user.id": "b"}),
        ("b", {"langfuse.user.id": ["list"], "user.id": "b"}),
        ("42", {"user.id": 42}),
        ("u", {"ai.telemetry.metadata.userId": "u"}),
        ("u", {"ai.settings.context.userId": "u"}),
        ("u", {"traceloop.association.properties.user_id": "u"}),
        ("u", {"traceloop.association.properties.userId": "u"}),
        ("u", {"gen_ai.user": "u"}),
        ("u", {"gen_ai.request.user": "", "llm.user": "u"}),
        ("u", {"enduser.id": "u"}),
        ("u", {"mlflow.trace.user": '"u"'}),
        ("u", {"langsmith.metadata.user_id": "u"}),
        ("u", {"metadata": '{"user_id": "u", "n": 1}'}),
        ("7", {"metadata": '{"user_id": 7}'}),
        (None, {"metadata": '{"user_id": {"x": 1}}'}),
        (None, {"metadata": "{'user_id"}),
        ("u", {"metadata": {"user_id": "u"}}),
        ("u", {"lmnr.association.properties.user_id": "u"}),
        ("u", {"langwatch.user.id": "u"}),
        ("u", {"mastra.metadata.userId": "u"}),
    ],
)
def test_user(user, attributes):
    assert fact(attributes)["user_id"] == user


@pytest.mark.parametrize(
    ("session", "attributes"),
    [
        ("a", {"langfuse.session.id": "a", "session.id": "b", "gen_ai.conversation.id": "c"}),
        ("b", {"session.id": "b", "gen_ai.conversation.id": "c"}),
        ("conv-1", {"gen_ai.conversation.id": "conv-1", "traceloop.association.properties.session_id": "s"}),
        ("th", {"langsmith.metadata.thread_id": "th", "langsmith.metadata.session_id": "s"}),
        (None, {"langsmith.trace.session_name": "project"}),
        (None, {"mcp.session.id": "transport"}),
        ("s", {"metadata": '{"sessionId": "s"}'}),
        ("x", {"ai.telemetry.metadata.threadId": "x"}),
        ("s", {"ai.telemetry.metadata.threadId": "x", "ai.telemetry.metadata.sessionId": "s"}),
    ],
)
def test_session(session, attributes):
    assert fact(attributes)["session_id"] == session


@pytest.mark.parametrize(
    ("row", "value"),
    [(LANGFUSE_5, '"user-7"'), (LANGFUSE_3, "user-7"), (LANGFUSE_JS, "user-7")],
    ids=["python 5", "python 3", "javascript"],
)
def test_langfuse_metadata_is_read_in_the_encoding_of_its_sdk(row, value):
    found = fact(
        {
            "langfuse.observation.metadata.langfuse_user_id": value,
            "langfuse.trace.metadata.langfuse_session_id": value,
            "langfuse.observation.metadata.langfuse_tags": '["a","b"]',
        },
        **row,
    )
    assert (found["user_id"], found["session_id"]) == ("user-7", "user-7")
    assert found["tags"] == ["a", "b"]


def test_quotes_that_an_sdk_did_not_add_belong_to_the_value():
    key = "langfuse.observation.metadata.langfuse_user_id"
    assert fact({key: '"q"'}, **LANGFUSE_3)["user_id"] == '"q"'


@pytest.mark.parametrize(
    ("tags", "value"),
    [
        (["beta", "eu"], ["beta", "eu"]),
        (["beta", "eu"], '["beta", "eu"]'),
        (["beta", "eu"], "beta, eu"),
        (["beta"], "beta"),
        (["beta"], ["beta", "beta", ""]),
        (["1", "true"], [1, True]),
        (["a"], '"a"'),
        (None, ""),
        (None, "[]"),
        (None, []),
        (None, {"k": "v"}),
        (None, 5),
    ],
)
def test_tags_come_in_many_shapes(tags, value):
    found = fact({"langfuse.trace.tags": value})
    assert found["tags"] == tags
    assert found["tags_weak"] is False


def test_run_tags_of_a_langchain_step_are_weak():
    found = fact({"langfuse.observation.metadata.tags": '["seq:step:1"]'})
    assert (found["tags"], found["tags_weak"]) == (["seq:step:1"], True)
    found = fact({"langfuse.observation.metadata.tags": '["x"]', "langfuse.trace.tags": ["x"]})
    assert (found["tags"], found["tags_weak"]) == (["x"], False)


@pytest.mark.parametrize(
    ("environment", "attributes", "resource"),
    [
        ("staging", {"langfuse.environment": "Staging"}, {"langfuse.environment": "other"}),
        ("other", {"deployment.environment.name": "x"}, {"langfuse.environment": "other"}),
        ("prod", {}, {"deployment.environment.name": "prod", "deployment.environment": "old"}),
        ("old", {}, {"deployment.environment": "old"}),
        ("eu-west-1", {"gen_ai.environment": "EU West/1"}, {}),
        ("e" * 40, {"langfuse.environment": "e" * 50}, {}),
        (None, {"langfuse.environment": "!!"}, {}),
        (None, {}, {"env": "test"}),
    ],
)
def test_environment(environment, attributes, resource):
    assert fact(attributes, resource=resource)["environment"] == environment


def test_release_version_and_service_come_from_span_then_resource():
    resource = {"service.name": "shop", "service.version": "1.2", "langfuse.release": "r1"}
    found = fact({}, resource=resource)
    assert (found["service_name"], found["version"], found["release"]) == ("shop", "1.2", "r1")
    found = fact({"langfuse.version": "gen-v2", "langfuse.release": "r2"}, resource=resource)
    assert (found["version"], found["release"]) == ("gen-v2", "r2")


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


@pytest.mark.parametrize(
    ("role", "attributes", "scope"),
    [
        (schema.ROLE_CALL, {"gen_ai.operation.name": "chat"}, ""),
        (schema.ROLE_CALL, {"langfuse.observation.type": "embedding"}, ""),
        (schema.ROLE_CALL, {"ai.operationId": "ai.generateText.doGenerate"}, "ai"),
        (schema.ROLE_WRAPPER, {"ai.operationId": "ai.generateText"}, "ai"),
        (schema.ROLE_WRAPPER, {"ai.operationId": "ai.embedMany"}, "ai"),
        (schema.ROLE_WRAPPER, {"gen_ai.operation.name": "invoke_agent"}, "gen_ai"),
        (schema.ROLE_WRAPPER, {"gen_ai.operation.name": "agent_step"}, "gen_ai"),
        (schema.ROLE_WRAPPER, {"openinference.span.kind": "CHAIN"}, ""),
        (schema.ROLE_WRAPPER, {"traceloop.span.kind": "workflow"}, ""),
        (schema.ROLE_WRAPPER, {"langsmith.span.kind": "llm", "langsmith.metadata.usage_scope": "agent_total"}, ""),
        (schema.ROLE_WRAPPER, {"gen_ai.request.model": "m", "gen_ai.aggregated_usage.input_tokens": 5}, ""),
        (
            schema.ROLE_PLACEHOLDER,
            {"logfire.span_type": "pending_span", "gen_ai.operation.name": "chat"},
            "pydantic-ai",
        ),
        (schema.ROLE_NEVER, {"gen_ai.operation.name": "fetch_response"}, ""),
        (schema.ROLE_NEVER, {"gen_ai.operation.name": "invoke_agent"}, "strands.telemetry.tracer"),
        (schema.ROLE_OTHER, {"gen_ai.operation.name": "execute_tool"}, ""),
        (schema.ROLE_OTHER, {}, ""),
    ],
)
def test_role_in_counting(role, attributes, scope):
    assert fact(attributes, scope=scope)["role"] == role


def test_litellms_raw_request_never_counts():
    assert (
        fact({"llm.openai.model": "gpt"}, span_name="raw_gen_ai_request", scope="litellm")["role"] == schema.ROLE_NEVER
    )


def test_a_repeated_key_counts_once_and_the_last_one_wins():
    batch = spans([{"attributes": {"user.id": "a", "x": "b"}}])
    column = batch.column("attributes").to_pylist()
    column[0][1]["key"] = "user.id"
    twice = batch.with_columns({"attributes": _attributes(column)})
    assert resolve.resolve(twice).column("user_id").to_pylist() == ["b"]


def _attributes(rows):
    import pyarrow as pa

    return pa.array(rows, schema.ATTRIBUTES)


@pytest.mark.parametrize("key", ["langfuse.trace.tags", "tag.tags", "gen_ai.response.finish_reasons"])
@pytest.mark.parametrize("text", ['["\\ud800x"]', '"\\uD800x"', "['\\ud800x']", "['\\U0000d800x']"])
def test_half_of_a_surrogate_pair_in_json_text_costs_its_character_only(key, text):
    found = fact({key: text, "session.id": "s"})
    assert found["session_id"] == "s"
    assert {"x" in t for t in (found["tags"] or []) + (found["finish_reasons"] or [])} == {True}


def test_half_of_a_surrogate_pair_in_a_usage_bucket_costs_its_character_only():
    found = fact({"langfuse.observation.usage_details": '{"input": 5, "\\ud800": 1}'}, scope=("langfuse-sdk", "3.0.0"))
    assert dict(found["usage"])["input"] == 5


def test_a_delay_beyond_all_numbers_is_no_time_and_no_warning():
    found = fact({"gen_ai.response.time_to_first_chunk": "1e308"})
    assert found["completion_start_unix_nano"] is None
