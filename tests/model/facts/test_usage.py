"""Token counts of single spans.

Proves disjoint buckets and the rule that made them, for one span. Does not prove which spans of a trace count
(``engine/traces/test_counting``).
"""

import json
from collections import Counter

import pytest

from collector.model import schema
from collector.model.facts import resolve
from collector.testing.builders import spans
from tests.model.facts.usage_kit import USED, genai, langfuse, resolved, tokens


def test_counts_become_disjoint_buckets():
    found = resolved(
        {
            **genai(input_tokens=1130, output_tokens=84),
            "gen_ai.usage.cache_read.input_tokens": 1024,
            "gen_ai.usage.reasoning.output_tokens": 64,
        }
    )
    assert found["usage"] == {"input": 106, "input_cache_read": 1024, "output": 20, "output_reasoning": 64}
    assert tokens(found) == [1130, 84, 1214, 1024, None, 64]


def test_nothing_reported_is_not_zero():
    found = resolved({"gen_ai.operation.name": "chat"})
    assert found["usage"] is None
    assert tokens(found) == [None] * 6
    assert (found["usage_rule"], found["provided_usage"]) == (None, None)
    found = resolved(genai(output_tokens=5))
    assert found["usage"] == {"output": 5}
    assert tokens(found) == [None, 5, 5, None, None, None]


def test_a_reported_zero_is_kept_unless_the_call_failed():
    attributes = genai(input_tokens=0, output_tokens=0)
    assert resolved(attributes)["usage"] == {"input": 0, "output": 0}
    failed = resolved(attributes, status_code=2)
    assert (failed["usage"], failed["input_tokens"], failed["usage_rule"]) == (None, None, None)
    assert failed["provided_usage"] is not None


def test_aliases_are_never_summed():
    attributes = {
        **genai(input_tokens=10, prompt_tokens=10, output_tokens=5, completion_tokens=5),
        "llm.token_count.prompt": 10,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.cache_read_input_tokens": 4,
    }
    assert resolved(attributes)["usage"] == {"input": 6, "input_cache_read": 4, "output": 5}


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 20,
         "gen_ai.usage.cache_read.input_tokens": 900, "gen_ai.usage.cache_write.input_tokens": 50},
        {"gen_ai.usage.prompt_tokens": 1000, "gen_ai.usage.completion_tokens": 20,
         "gen_ai.usage.cache_read_input_tokens": 900, "gen_ai.usage.cache_creation_input_tokens": 50},
        {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 20,
         "gen_ai.usage.details.cache_read_tokens": 900, "gen_ai.usage.details.cache_write_tokens": 50},
        {"llm.token_count.prompt": 1000, "llm.token_count.completion": 20,
         "llm.token_count.prompt_details.cache_read": 900, "llm.token_count.prompt_details.cache_write": 50},
        {"ai.usage.inputTokens": 1000, "ai.usage.outputTokens": 20, "ai.usage.inputTokenDetails.cacheReadTokens": 900,
         "ai.usage.inputTokenDetails.cacheWriteTokens": 50},
        {"mlflow.chat.tokenUsage": json.dumps({"input_tokens": 1000, "output_tokens": 20, "total_tokens": 1020,
         "cache_read_input_tokens": 900, "cache_creation_input_tokens": 50})},
        {"langsmith.usage_metadata": json.dumps({"input_tokens": 1000, "output_tokens": 20, "total_tokens": 1020,
         "input_token_details": {"cache_read": 900, "cache_creation": 50}})},
        {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 20,
         "gen_ai.usage.input_token_details": "{'audio': 0, 'cache_read': 900, 'cache_creation': 50}"},
        {"genkit:metadata:subtype": "model", "genkit:output": json.dumps({"usage": {"inputTokens": 1000,
         "outputTokens": 20, "cacheReadInputTokens": 900, "cacheWriteInputTokens": 50}, "message": {}})},
        {"langfuse.observation.usage_details": json.dumps({"input": 50, "output": 20, "total": 1020,
         "input_cache_read": 900, "input_cache_creation": 50})},
        {"langfuse.observation.usage_details": json.dumps({"prompt_tokens": 1000, "completion_tokens": 20,
         "total_tokens": 1020, "prompt_tokens_details": {"cached_tokens": 900, "cache_creation_tokens": 50}})},
        {"langfuse.observation.usage_details": json.dumps({"input_tokens": 50, "output_tokens": 20,
         "cache_read_input_tokens": 900, "cache_creation_input_tokens": 50})},
    ],
)  # fmt: skip
def test_every_dialect_says_the_same(attributes):
    found = resolved(attributes)
    assert found["usage"] == {"input": 50, "input_cache_read": 900, "input_cache_write": 50, "output": 20}
    assert tokens(found) == [1000, 20, 1020, 900, 50, None]


@pytest.mark.parametrize(
    ("rule", "input_tokens", "row"),
    [
        ("no_cache", 100, {"attributes": genai(input_tokens=100)}),
        ("no_cache", 100, {"attributes": {**genai(input_tokens=100), "gen_ai.usage.cache_read.input_tokens": 0}}),
        (
            "exclusive:cache_exceeds_input",
            2379,
            {
                "attributes": {
                    **genai(input_tokens=31),
                    "gen_ai.usage.cache_read.input_tokens": 2048,
                    "gen_ai.usage.cache_write.input_tokens": 300,
                }
            },
        ),
        (
            "inclusive:total",
            100,
            {
                "attributes": {
                    **genai(input_tokens=100, output_tokens=10, total_tokens=110),
                    "gen_ai.usage.cache_read.input_tokens": 60,
                }
            },
        ),
        (
            "exclusive:total",
            160,
            {
                "attributes": {
                    **genai(input_tokens=100, output_tokens=10, total_tokens=170),
                    "gen_ai.usage.cache_read.input_tokens": 60,
                }
            },
        ),
        (
            "inclusive:default",
            100,
            {"attributes": {**genai(input_tokens=100), "gen_ai.usage.cache_read.input_tokens": 60}},
        ),
        (
            "exclusive:openlit_anthropic",
            160,
            {
                "attributes": {**genai(input_tokens=100), "gen_ai.usage.cache_read.input_tokens": 60},
                "scope": "openlit.instrumentation.anthropic",
            },
        ),
        (
            "exclusive:traceloop_js_anthropic",
            160,
            {
                "attributes": {
                    **genai(input_tokens=100, output_tokens=10, total_tokens=110),
                    "gen_ai.usage.cache_read.input_tokens": 60,
                },
                "scope": "@traceloop/instrumentation-anthropic",
            },
        ),
        (
            "exclusive:vercel_ai_5_raw",
            160,
            {
                "attributes": {
                    "ai.operationId": "ai.generateText.doGenerate",
                    "ai.model.provider": "anthropic.messages",
                    "ai.usage.inputTokens": 100,
                    "ai.usage.cachedInputTokens": 60,
                },
                "scope": "ai",
            },
        ),
        (
            "inclusive:vercel_ai_details",
            100,
            {
                "attributes": {
                    "ai.operationId": "ai.generateText.doGenerate",
                    "ai.model.provider": "anthropic.messages",
                    "ai.usage.inputTokens": 100,
                    "ai.usage.inputTokenDetails.cacheReadTokens": 60,
                },
                "scope": "ai",
            },
        ),
        ("explicit:disjoint", 160, {"attributes": langfuse({"input": 100, "input_cache_read": 60})}),
        (
            "explicit:exceeds_total",
            120,
            {"attributes": langfuse({"input": 120, "output": 42, "total": 162, "input_cached_tokens": 64})},
        ),
        (
            "explicit:provider",
            100,
            {"attributes": langfuse({"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 60}})},
        ),
    ],
)
def test_the_rule_that_decided_cache_inclusion_is_named(rule, input_tokens, row):
    found = resolved(row.pop("attributes"), **row)
    assert (found["usage_rule"], found["input_tokens"]) == (rule, input_tokens)
    inputs = {name: value for name, value in found["usage"].items() if name.startswith("input")}
    assert sum(inputs.values()) == input_tokens


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input": 63, "output": 18, "output_reasoning": 16, "total": 97}, (63, 34, 97)),
        ({"input": 120, "output": 42, "total": 162, "input_cached_tokens": 64, "output_reasoning_tokens": 16},
         (120, 42, 162)),
        ({"input": 63, "input_cached_tokens": 64, "output": 50, "output_reasoning_tokens": 16, "total": 177},
         (127, 50, 177)),
        ({"promptTokens": 7, "completionTokens": 3, "totalTokens": 10}, (7, 3, 10)),
        ({"total": 12}, (None, None, 12)),
        ({"input": 5, "output": 5, "output_prediction": 2}, (5, 7, 12)),
        ({"input": 5, "web_search_queries": 2}, (5, None, 5)),
    ],
)  # fmt: skip
def test_explicit_usage_is_taken_at_its_word_unless_it_exceeds_its_total(usage, expected):
    found = resolved(langfuse(usage))
    assert (found["input_tokens"], found["output_tokens"], found["total_tokens"]) == expected
    assert found["provided_usage"] == json.dumps(usage)


def test_buckets_an_explicit_object_invents_are_kept():
    assert resolved(langfuse({"input": 5, "web_search_queries": 2}))["usage"] == {"input": 5, "web_search_queries": 2}


def test_explicit_usage_closes_the_other_sources():
    found = resolved(langfuse({"input": 5}, **genai(input_tokens=99, output_tokens=9)))
    assert found["usage"] == {"input": 5}
    found = resolved(langfuse({}, **genai(input_tokens=99, output_tokens=9)))
    assert found["usage"] == {"input": 99, "output": 9}
    found = resolved({"langfuse.observation.usage_details": "{broken", **genai(input_tokens=99)})
    assert found["usage"] == {"input": 99}


def test_reasoning_beyond_the_output_comes_on_top():
    found = resolved({**genai(input_tokens=1, output_tokens=20), "gen_ai.usage.reasoning_tokens": 64})
    assert found["usage"] == {"input": 1, "output": 20, "output_reasoning": 64}
    assert found["output_tokens"] == 84


def test_modalities_are_subsets_and_their_cached_part_counts_once():
    found = resolved(
        {
            **genai(input_tokens=1000, output_tokens=100),
            "gen_ai.usage.cache_read.input_tokens": 200,
            "gen_ai.usage.audio.input_tokens": 100,
            "gen_ai.usage.audio.cache_read.input_tokens": 60,
            "gen_ai.usage.text.input_tokens": 900,
            "gen_ai.usage.image.output_tokens": 30,
        }
    )
    assert found["usage"] == {
        "input": 760, "input_cache_read": 200, "input_audio": 40, "output": 70, "output_image": 30,
    }  # fmt: skip
    assert found["input_tokens"] == 1000
    audio_only = resolved({**genai(input_tokens=10), "gen_ai.usage.audio.input_tokens": 50})
    assert audio_only["usage"] == {"input": 0, "input_audio": 10}


def test_cache_writes_are_split_by_lifetime():
    attributes = {
        **genai(input_tokens=3105),
        "gen_ai.usage.cache_write.input_tokens": 1024,
        "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 1000,
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 24,
    }
    found = resolved(attributes)
    assert found["usage"] == {"input": 2081, "input_cache_write_5m": 1000, "input_cache_write_1h": 24}
    assert found["cache_write_tokens"] == 1024
    partial = resolved({**attributes, "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 0})
    assert partial["usage"] == {"input": 2081, "input_cache_write": 24, "input_cache_write_5m": 1000}


def test_a_lone_total_is_input_for_embeddings_only():
    total = {"llm.token_count.total": 12}
    assert resolved({**total, "openinference.span.kind": "EMBEDDING"})["usage"] == {"input": 12}
    found = resolved({**total, "openinference.span.kind": "LLM"})
    assert (found["usage"], found["total_tokens"], found["input_tokens"]) == ({"total": 12}, 12, None)


@pytest.mark.parametrize("value", [7, 7.0, "7", " 7 ", "7.0", '"7"', {"low": 7, "high": 0, "unsigned": False}])
def test_counts_come_in_many_types(value):
    assert resolved({"gen_ai.usage.input_tokens": value})["input_tokens"] == 7


@pytest.mark.parametrize("value", [True, "", "seven", [7], {"a": 7}, None, b"7", "1e999x"])
def test_a_wrong_type_is_a_miss_of_that_alias(value):
    faults = Counter()
    found = resolved({"gen_ai.usage.input_tokens": value, "gen_ai.usage.prompt_tokens": 7}, faults)
    assert found["input_tokens"] == 7
    assert not faults


@pytest.mark.parametrize(
    "value", [-1, -0.5, float("nan"), float("inf"), 1e300, 2**62, "-3", "NaN", "Infinity", {"low": 0, "high": 2**30}]
)
def test_impossible_counts_are_refused_counted_and_kept_as_sent(value):
    faults = Counter()
    found = resolved({"gen_ai.usage.input_tokens": value, "gen_ai.usage.output_tokens": 5}, faults)
    assert found["usage"] == {"output": 5}
    assert faults == {"usage_refused": 1}
    assert "gen_ai.usage.input_tokens" in json.loads(found["provided_usage"])


def test_counts_inside_json_are_checked_too():
    faults = Counter()
    found = resolved(langfuse({"input": -5, "output": "12", "total": float("nan")}), faults)
    assert found["usage"] == {"output": 12}
    assert faults == {"usage_refused": 2}


def test_rolled_up_usage_of_pydantic_ai_is_only_shown():
    found = resolved({"gen_ai.aggregated_usage.input_tokens": 50, "gen_ai.operation.name": "invoke_agent"})
    assert found["usage"] is None
    assert json.loads(found["provided_usage"]) == {"gen_ai.aggregated_usage.input_tokens": 50}


def test_what_was_sent_is_kept_exactly():
    attributes = {
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": "6",
        "gen_ai.usage.cost": 0.25,
        "gen_ai.usage.raw": '{"a": "ü"}',
        "gen_ai.usage.list": [1, "x"],
        "user.id": "u",
    }
    found = resolved(attributes)
    assert json.loads(found["provided_usage"]) == {
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": "6",
        "gen_ai.usage.raw": '{"a": "ü"}',
        "gen_ai.usage.list": [1, "x"],
    }
    assert "ü" in found["provided_usage"]
    assert json.loads(found["provided_cost"]) == {"gen_ai.usage.cost": 0.25}


def test_what_was_sent_is_strict_json_whatever_came():
    broken = resolved({"langfuse.observation.usage_details": "{broken"})
    assert json.loads(broken["provided_usage"]) == {"langfuse.observation.usage_details": "{broken"}
    text = '{"input": NaN, "output": 3}'
    odd = resolved({"langfuse.observation.usage_details": text})
    assert json.loads(odd["provided_usage"]) == {"langfuse.observation.usage_details": text}
    quoted = '{"input": 1, "it\'s": 2}'
    assert resolved({"langfuse.observation.usage_details": quoted})["provided_usage"] == quoted
    nan = resolved({"gen_ai.usage.input_tokens": float("nan"), "gen_ai.usage.list": [float("nan")]})
    assert json.loads(nan["provided_usage"])["gen_ai.usage.input_tokens"] == "nan"


def test_usage_inside_a_larger_json_text_is_shown_alone():
    output = json.dumps({"message": "secret", "usage": {"inputTokens": 5}})
    found = resolved({"genkit:metadata:subtype": "model", "genkit:output": output})
    assert json.loads(found["provided_usage"]) == {"genkit:output.usage": {"inputTokens": 5}}


def test_columns_are_integers_of_the_schema():
    batch = resolve.resolve(spans([{"attributes": {**USED, "gen_ai.usage.cost": 0.5}}, {}]))
    for name in ("usage", "cost", "total_cost", "input_tokens"):
        assert batch.column(name).type == schema.FACTS.field(name).type
        assert batch.column(name).null_count == 1
