"""Facts of single spans, one row of the mapping at a time: dialect, type, level, name, role.

Proves them for one span at a time, sources in their order. Does not prove every row of the tables: the dialects'
tests do.
"""

import pytest

from collector.model import schema
from collector.model.facts import resolve
from collector.testing.builders import spans
from tests.model.facts.facts_kit import fact


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
