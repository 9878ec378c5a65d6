# ruff: noqa: E501 - a table reads best with one case per line
"""Langfuse SDKs by version: what MAPPING says of each key, one row at a time.

Proves values by hand-written spans of each version. Does not prove that SDKs send them: ``e2e/test_langfuse`` runs
real ones.
"""

import json

import pytest

from tests.model.dialects.rows import answer, call, fact, message, stored, text

GENERATION = {"langfuse.observation.type": "generation"}


def sdk(version, language="python"):
    return {"scope": ("langfuse-sdk", version), "resource": {"telemetry.sdk.language": language}}


PYTHON_3, PYTHON_4, PYTHON_5, JS_5 = sdk("3.15.0"), sdk("4.2.0"), sdk("5.0.4"), sdk("5.11.1", "nodejs")


@pytest.mark.parametrize(
    ("version", "key", "type_"),
    [
        ("3.2.7", "langfuse.observation.model.name", "generation"),
        ("3.3.0", "langfuse.observation.usage_details", "generation"),
        ("3.3.0", "langfuse.observation.cost_details", "generation"),
        ("3.3.0", "langfuse.observation.prompt.name", "generation"),
        ("3.3.0", "langfuse.observation.prompt.version", "generation"),
        ("3.3.0", "langfuse.observation.model.parameters", "generation"),
        ("3.3.0", "langfuse.observation.input", "span"),
        ("3.3.1", "langfuse.observation.model.name", "span"),
        ("3.10.0", "langfuse.observation.model.name", "span"),
    ],
)
def test_old_python_sdks_called_generations_spans(version, key, type_):
    assert fact({"langfuse.observation.type": "span", key: "{}"}, **sdk(version))["type"] == type_
    assert fact({"langfuse.observation.type": "span", key: "{}"}, **sdk(version, "nodejs"))["type"] == "span"


@pytest.mark.parametrize(
    "kind",
    ["span", "generation", "event", "embedding", "agent", "tool", "chain", "retriever", "guardrail", "evaluator"],
)
def test_type(kind):
    assert fact({"langfuse.observation.type": kind, "gen_ai.operation.name": "chat"})["type"] == kind
    assert fact({"langfuse.observation.type": kind.upper()})["type"] == kind


@pytest.mark.parametrize("kind", ["user_id", "session_id"])
@pytest.mark.parametrize(
    ("sdk_", "sent", "value"),
    [
        (PYTHON_3, "42", "42"),
        (PYTHON_3, 42, "42"),
        (PYTHON_3, '"42"', '"42"'),
        (PYTHON_4, '"42"', "42"),
        (PYTHON_5, '"42"', "42"),
        (PYTHON_5, "42", "42"),
        (JS_5, "42", "42"),
        (PYTHON_5, '""', None),
        (PYTHON_5, "null", None),
        (PYTHON_3, "", None),
    ],
)
def test_identity_in_metadata_by_version(kind, sdk_, sent, value):
    camel = {"user_id": "userId", "session_id": "sessionId"}[kind]
    for key in (
        f"observation.metadata.langfuse_{kind}",
        f"trace.metadata.langfuse_{kind}",
        f"observation.metadata.{camel}",
    ):
        assert fact({**GENERATION, f"langfuse.{key}": sent}, **sdk_)[kind] == value, key


@pytest.mark.parametrize("kind", ["user", "session"])
def test_precedence_of_identity(kind):
    keys = [
        f"langfuse.{kind}.id",
        f"{kind}.id",
        f"langfuse.observation.metadata.langfuse_{kind}_id",
        f"langfuse.trace.metadata.langfuse_{kind}_id",
        f"ai.telemetry.metadata.{kind}Id",
        f"langfuse.observation.metadata.{kind}Id",
    ]
    while keys:
        assert fact({key: key for key in reversed(keys)})[f"{kind}_id"] == keys[0]
        keys.pop(0)


@pytest.mark.parametrize(
    ("attributes", "tags", "weak"),
    [
        ({"langfuse.trace.tags": ["a", "b"]}, ["a", "b"], False),
        ({"langfuse.trace.tags": '["a", "b"]'}, ["a", "b"], False),
        ({"langfuse.trace.tags": "a,b"}, ["a", "b"], False),
        ({"langfuse.trace.tags": "a"}, ["a"], False),
        ({"langfuse.trace.tags": ["a"], "langfuse.tags": ["b"]}, ["a"], False),
        ({"langfuse.tags": ["b"], "langfuse.observation.metadata.langfuse_tags": '["c"]'}, ["b"], False),
        (
            {"langfuse.observation.metadata.langfuse_tags": '["c"]', "langfuse.trace.metadata.langfuse_tags": '["d"]'},
            ["c"],
            False,
        ),
        (
            {"langfuse.trace.metadata.langfuse_tags": '["d"]', "langfuse.observation.metadata.tags": '["e"]'},
            ["d"],
            False,
        ),
        ({"langfuse.observation.metadata.tags": '["e"]'}, ["e"], True),
        ({"langfuse.trace.tags": []}, None, False),
        ({"langfuse.trace.tags": "[]", "langfuse.tags": ["b"]}, ["b"], False),
        ({"langfuse.trace.tags": {"a": 1}, "langfuse.tags": ["b"]}, ["b"], False),
    ],
)
def test_tags(attributes, tags, weak):
    found = fact(attributes)
    assert (found["tags"], found["tags_weak"]) == (tags, weak)


@pytest.mark.parametrize(
    ("attributes", "resource", "field", "value"),
    [
        ({"langfuse.environment": "Prod EU"}, {}, "environment", "prod-eu"),
        ({"langfuse.environment": "a", "deployment.environment.name": "b"}, {"langfuse.environment": "c"}, "environment", "a"),
        ({"deployment.environment.name": "b"}, {"langfuse.environment": "c"}, "environment", "c"),
        ({"deployment.environment": "x"}, {"deployment.environment.name": "b"}, "environment", "b"),
        ({"gen_ai.environment": "x"}, {}, "environment", "x"),
        ({"langfuse.environment": "langfuse-eval"}, {}, "environment", "eval"),
        ({"langfuse.environment": "x" * 60}, {}, "environment", "x" * 40),
        ({"langfuse.release": "r1"}, {"langfuse.release": "r2"}, "release", "r1"),
        ({}, {"langfuse.release": "r2"}, "release", "r2"),
        ({"langfuse.version": "v1"}, {"service.version": "v2"}, "version", "v1"),
        ({}, {"service.version": "v2"}, "version", "v2"),
        ({"langfuse.trace.name": "t", "langsmith.trace.name": "u", "traceloop.workflow.name": "w"}, {}, "trace_name", "t"),
        ({"langfuse.observation.model.name": "m", "gen_ai.response.model": "r"}, {}, "model", "m"),
        ({**GENERATION, "langfuse.observation.prompt.name": "p", "langfuse.prompt.name": "q"}, {}, "prompt_name", "p"),
        ({**GENERATION, "langfuse.prompt.name": "q", "gen_ai.prompt.name": "z"}, {}, "prompt_name", "q"),
        ({**GENERATION, "langfuse.observation.prompt.version": 7}, {}, "prompt_version", "7"),
        ({"langfuse.observation.type": "span", "langfuse.observation.prompt.name": "p"}, {}, "prompt_name", None),
        ({**GENERATION, "langfuse.observation.model.parameters": '{"service_tier": "flex"}'}, {}, "service_tier", "flex"),
        ({**GENERATION, "langfuse.observation.metadata.ls_provider": '"openai"'}, {}, "provider", "openai"),
    ],
)  # fmt: skip
def test_fields(attributes, resource, field, value):
    assert fact(attributes, resource=resource)[field] == value


def test_the_sdks_name_a_tool_by_its_span():
    tool = {"langfuse.observation.type": "tool"}
    named = fact(tool, span_name="f", scope=("langfuse-sdk", "5.11.1"))
    assert (named["tool_name"], fact(tool, span_name="f", scope=("my-app", ""))["tool_name"]) == ("f", None)


@pytest.mark.parametrize(
    ("said", "level"),
    [("TRACE", "DEBUG"), ("VERBOSE", "DEBUG"), ("DEBUG", "DEBUG"), ("INFO", "DEFAULT"), ("LOG", "DEFAULT"), ("NOTICE", "DEFAULT"), ("OK", "DEFAULT"), ("SUCCESS", "DEFAULT"), ("DEFAULT", "DEFAULT"), ("warn", "WARNING"), ("WARNING", "WARNING"), ("FATAL", "ERROR"), ("CRITICAL", "ERROR"), ("ERROR", "ERROR")],
)  # fmt: skip
def test_level_is_what_was_said(said, level):
    assert fact({"langfuse.observation.level": said})["level"] == level
    assert fact({"langfuse.observation.level": "DEFAULT"}, status_code=2)["level"] == "DEFAULT"
    assert fact({"langfuse.observation.level": "odd"}, status_code=2)["level"] == "ERROR"


@pytest.mark.parametrize(
    "time",
    [
        "2025-10-09T08:53:20.500Z",
        '"2025-10-09T08:53:20.500Z"',
        '"\\"2025-10-09T08:53:20.500Z\\""',
        "2025-10-09T10:53:20.5+02:00",
    ],
)
def test_first_token(time):
    found = fact({"langfuse.observation.completion_start_time": time, "gen_ai.response.time_to_first_chunk": 3.0})
    assert found["completion_start_unix_nano"] - found["start_unix_nano"] == 500_000_000


OPENAI = {
    "prompt_tokens": 1130,
    "completion_tokens": 84,
    "total_tokens": 1214,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 64, "audio_tokens": 0},
}
RESPONSES = {
    "input_tokens": 1130,
    "output_tokens": 84,
    "total_tokens": 1214,
    "input_tokens_details": {"cached_tokens": 1024},
    "output_tokens_details": {"reasoning_tokens": 64},
}
ANTHROPIC = {
    "input_tokens": 31,
    "output_tokens": 42,
    "cache_read_input_tokens": 20,
    "cache_creation_input_tokens": 10,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 0},
    "service_tier": "standard",
}
GEMINI = {
    "promptTokenCount": 1200,
    "cachedContentTokenCount": 1024,
    "candidatesTokenCount": 100,
    "thoughtsTokenCount": 64,
    "totalTokenCount": 1364,
}
DISJOINT = {"input": 106, "input_cache_read": 1024, "output": 20, "output_reasoning": 64}


@pytest.mark.parametrize(
    ("usage", "buckets", "total"),
    [
        ({"input": 106, "output": 20, "total": 1150, "input_cache_read": 1024, "input_audio": 0}, {"input": 106, "input_cache_read": 1024, "output": 20}, 1150),
        ({"input": 63, "output": 34, "total": 177, "input_cached_tokens": 64, "output_reasoning_tokens": 16}, {"input": 63, "input_cache_read": 64, "output": 34, "output_reasoning": 16}, 177),
        # the sum is more than the total: input was inclusive after all
        ({"input": 1130, "output": 20, "total": 1150, "input_cache_read": 1024}, {"input": 106, "input_cache_read": 1024, "output": 20}, 1150),
        ({"input": 1130, "output": 84, "total": 1214, "input_cache_read": 1024, "output_reasoning": 64}, DISJOINT, 1214),
        (OPENAI, DISJOINT, 1214),
        (RESPONSES, DISJOINT, 1214),
        (ANTHROPIC, {"input": 31, "input_cache_read": 20, "input_cache_write_5m": 10, "output": 42}, 103),
        (GEMINI, {"input": 176, "input_cache_read": 1024, "output": 100, "output_reasoning": 64}, 1364),
        ({"promptTokens": 5, "completionTokens": 6, "totalTokens": 11}, {"input": 5, "output": 6}, 11),
        ({"input": "5", "output": 6.0}, {"input": 5, "output": 6}, 11),
        ({"input": 5, "output": -6}, {"input": 5}, 5),
        ({"input": {"low": 5, "high": 0, "unsigned": False}, "output": 6}, {"input": 5, "output": 6}, 11),
        ({"total": 11}, {"total": 11}, 11),
        ({"input": 5, "output": None}, {"input": 5}, 5),
        ({"input": 10, "output": 5, "images": 2}, {"input": 10, "output": 5, "images": 2}, 15),
    ],
)  # fmt: skip
def test_explicit_usage(usage, buckets, total):
    found = fact({**GENERATION, "langfuse.observation.usage_details": json.dumps(usage)})
    assert {name: count for name, count in found["usage"].items() if count or name in buckets} == buckets
    assert found["total_tokens"] == total
    assert found["usage_rule"].startswith(("explicit:", "exclusive:"))


def test_explicit_usage_is_all_there_is_and_an_empty_one_says_nothing():
    other = {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 9, "gen_ai.usage.cache_read.input_tokens": 3}
    assert fact({"langfuse.observation.usage_details": '{"input": 1}', **other})["usage"] == {"input": 1}
    for nothing in ("{}", "[]", "null", "oops", '{"input": null}'):
        assert fact({"langfuse.observation.usage_details": nothing, **other})["usage"] == {
            "input": 6,
            "input_cache_read": 3,
            "output": 9,
        }


@pytest.mark.parametrize(
    ("costs", "total", "cost_source"),
    [
        ({"input": 0.25, "output": 0.5, "total": 0.75}, 750_000_000_000, "provided"),
        ({"input": 0.25, "output": "0.5"}, 750_000_000_000, "provided"),
        ({"total": 0.1}, 100_000_000_000, "provided"),
        ({"input": 0, "output": 0, "total": 0}, None, None),
        ({"total": -1}, None, None),
        ({}, None, None),
    ],
)
def test_cost(costs, total, cost_source):
    attributes = {
        **GENERATION,
        "langfuse.observation.cost_details": json.dumps(costs),
        "langfuse.observation.usage_details": '{"input": 1}',
    }
    found = fact(attributes)
    assert (found["total_cost"], found["cost_source"]) == (total, cost_source)
    assert fact({**attributes, "gen_ai.usage.cost": 9.0})["total_cost"] == (total or 9_000_000_000_000)


@pytest.mark.parametrize(
    ("sdk_", "sent", "metadata"),
    [
        (PYTHON_3, {"plan": "pro", "n": 5, "ok": True, "o": '{"a": 1}'}, {"plan": "pro", "n": 5, "ok": True, "o": {"a": 1}}),
        (PYTHON_3, {"zip": "01234"}, {"zip": "01234"}),
        (PYTHON_5, {"plan": '"pro"', "n": "5", "ok": "true", "zip": '"01234"'}, {"plan": "pro", "n": 5, "ok": True, "zip": "01234"}),
        (PYTHON_4, {"plan": '"pro"', "n": "5"}, {"plan": "pro", "n": 5}),
        (PYTHON_5, {"odd": "not json"}, {"odd": "not json"}),
        (JS_5, {"plan": "pro", "n": "5", "o": '{"a": 1}'}, {"plan": "pro", "n": "5", "o": {"a": 1}}),
    ],
)  # fmt: skip
def test_metadata_by_version(sdk_, sent, metadata):
    for prefix in ("langfuse.observation.metadata.", "langfuse.trace.metadata."):
        assert stored({**GENERATION, **{prefix + k: v for k, v in sent.items()}}, **sdk_)["metadata"] == metadata


@pytest.mark.parametrize(
    ("sent", "content"),
    [
        ("hello", "hello"),
        ("3", 3),  # as stored: the text 3
        ('[{"role": "user", "content": "hi"}]', [message("user", text("hi"))]),
        ('{"messages": [{"role": "user", "content": "hi"}], "tools": []}', [message("user", text("hi"))]),
        ('{"input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}], "instructions": "s"}', [message("system", text("s")), message("user", text("hi"))]),
        ('[{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}, {"type": "function_call_output", "call_id": "c", "output": "r"}]', [message("assistant", call("f", {}, "c")), message("tool", answer("r", "c"))]),
        ('[{"role": "get_weather", "content": "18", "tool_call_id": "c"}]', [message("tool", answer("18", "c"), name="get_weather")]),
        ('[["system", "s"], ["human", "hi"]]', [message("system", text("s")), message("user", text("hi"))]),
        ('{"system": "s", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}', [message("system", text("s")), message("user", text("hi"))]),
        ('{"args": ["x"], "kwargs": {}}', {"args": ["x"], "kwargs": {}}),
        ('{"question": "x", "messages": [{"role": "user", "content": "hi"}]}', {"question": "x", "messages": [{"role": "user", "content": "hi"}]}),
        ('[["a", "b"], ["c", "d"]]', [["a", "b"], ["c", "d"]]),
        ("{broken", "{broken"),
    ],
)  # fmt: skip
def test_declared_content(sent, content):
    found = stored({**GENERATION, "langfuse.observation.input": sent, "langfuse.observation.output": sent}, **PYTHON_5)
    assert (found["input"], found["output"]) == (content, content)


def test_steps_of_a_responses_answer_are_server_tools():
    items = [
        {"type": "web_search_call", "id": "w", "status": "completed"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]},
    ]
    found = stored({**GENERATION, "langfuse.observation.output": json.dumps(items)}, **PYTHON_5)["output"]
    step = {
        "type": "server_tool_call",
        "id": "w",
        "name": "web_search",
        "server_tool_call": {"type": "web_search_call", "status": "completed"},
    }
    assert found == [message("assistant", step), message("assistant", text("hi"))]


def test_observation_content_comes_before_the_trace_s():
    assert stored({"langfuse.trace.input": "t"})["input"] == "t"
    assert stored({"langfuse.trace.input": "t", "langfuse.observation.input": "o"})["input"] == "o"
