"""Token counts and provided cost of single spans."""

import json
from collections import Counter
from decimal import Decimal

import pytest

from collector.model import schema
from collector.model.facts import resolve
from collector.testing.builders import spans


def resolved(attributes, faults=None, **row):
    """The facts of one span, maps as dicts."""
    found = resolve.resolve(spans([{"attributes": attributes, **row}]), faults).record_batch.to_pylist()[0]
    for name in ("usage", "cost"):
        found[name] = None if found[name] is None else dict(found[name])
    return found


def tokens(found):
    names = ("input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens")
    return [found[name] for name in (*names, "reasoning_tokens")]


def genai(**counts):
    return {f"gen_ai.usage.{name}": value for name, value in counts.items()}


def langfuse(usage, **more):
    return {"langfuse.observation.usage_details": json.dumps(usage), **more}


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


USED = genai(input_tokens=10, output_tokens=5)


def usd(found, name="total_cost"):
    return None if found[name] is None else Decimal(found[name]) / 10**12


@pytest.mark.parametrize(
    ("total", "attributes"),
    [
        ("0.25", {"gen_ai.usage.cost": 0.25}),
        ("0.0024624", {"gen_ai.usage.cost": "0.0024624"}),
        ("0.000000000001", {"gen_ai.usage.cost": 1e-12}),
        ("12345.678901234567", {"gen_ai.usage.cost": "12345.678901234567"}),
        ("3", {"gen_ai.usage.cost": 3}),
        ("0.5", {"gen_ai.usage.cost": 0, "llm.cost.total": 0.5, "operation.cost": 0.7}),
        ("0.5", {"langfuse.observation.cost_details": '{"total": 0}', "gen_ai.usage.cost": 0.5}),
        ("0.1", {"gen_ai.usage.cost.amount": 0.1, "gen_ai.usage.cost.currency": "USD"}),
        ("0.1", {"litellm.cost.total": 0.1}),
        ("0.3", {"llm.cost.prompt": 0.1, "llm.cost.completion": 0.2}),
        ("0.7", {"mlflow.llm.cost": '{"input_cost": 0.3, "output_cost": 0.4, "total_cost": 0.7}'}),
        ("0.2", {"langfuse.observation.cost_details": '{"total": 0.2}', "gen_ai.usage.cost": 9}),
        ("0.30", {"langfuse.observation.cost_details": '{"input": "0.10", "output": 0.2}'}),
        ("0.1", {"mlflow.llm.cost": '{"total_cost": 0.7}', "llm.cost.total": 0.1}),
        ("0.7", {"mlflow.llm.cost": '{"total_cost": 0.7}', "operation.cost": 0.1}),
        ("0.1", {"gen_ai.usage.cost": 0.1, "llm.cost.prompt": 0.5, "llm.cost.completion": 0.2}),
        ("0.7", {"gen_ai.usage.cost": 0.7, "llm.cost.prompt": 0.5, "llm.cost.completion": 0.2}),
    ],
)
def test_provided_cost(total, attributes):
    found = resolved({**USED, **attributes})
    assert usd(found) == Decimal(total)
    assert found["cost_source"] == "provided"
    assert sum(found["cost"].values()) == found["total_cost"]


def test_sides_and_buckets_of_a_provided_cost():
    found = resolved(
        {
            **USED,
            "gen_ai.cost.input_cost": 0.0018324,
            "gen_ai.cost.cache_read_cost": 0.0006144,
            "gen_ai.cost.cache_creation_cost": 0.001125,
            "gen_ai.cost.output_cost": 0.00063,
            "gen_ai.cost.total_cost": 0.0024624,
        }
    )
    assert (usd(found, "input_cost"), usd(found, "output_cost")) == (Decimal("0.0018324"), Decimal("0.00063"))
    assert found["cost"] == {
        "input": 93_000_000, "input_cache_read": 614_400_000, "input_cache_write": 1_125_000_000, "output": 630_000_000,
    }  # fmt: skip
    details = {"input": 0.1, "input_cached_tokens": 0.02, "output": 0.3, "total": 0.42}
    found = resolved(langfuse({"input": 1}, **{"langfuse.observation.cost_details": json.dumps(details)}))
    assert (usd(found, "input_cost"), usd(found)) == (Decimal("0.12"), Decimal("0.42"))
    assert set(found["cost"]) == {"input", "input_cache_read", "output"}


@pytest.mark.parametrize(
    ("attributes", "total"),
    [
        ({**USED, "gen_ai.usage.cost": 0}, None),
        ({**USED, "gen_ai.usage.cost": 0, "litellm.cache_hit": True}, 0),
        ({**USED, "gen_ai.usage.cost": 0, "litellm.cache_hit": "false"}, None),
        ({"gen_ai.usage.cost": 0}, None),
        ({"langfuse.observation.cost_details": '{"input":0,"output":0,"total":0}'}, None),
        ({**genai(input_tokens=0, output_tokens=0), "gen_ai.usage.cost": 0}, 0),
    ],
)
def test_a_cost_of_zero_is_believed_only_with_a_reason(attributes, total):
    found = resolved(attributes)
    assert found["total_cost"] == total
    assert found["cost_source"] == (None if total is None else "provided")
    assert found["provided_cost"] is not None


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (-0.1, "cost_refused"),
        (float("nan"), "cost_refused"),
        ("Infinity", "cost_refused"),
        (1e6, "cost_overflow"),
        ("1e300", "cost_overflow"),
        (1e300, "cost_overflow"),
    ],
)
def test_impossible_costs_are_refused_and_counted(value, fault):
    faults = Counter()
    found = resolved({**USED, "gen_ai.usage.cost": value}, faults)
    assert (found["total_cost"], found["cost"], found["cost_source"]) == (None, None, None)
    assert faults == {fault: 1}


@pytest.mark.parametrize("value", ["a lot", True, [0.1], "", None])
def test_a_cost_that_is_no_number_is_a_miss(value):
    assert usd(resolved({**USED, "gen_ai.usage.cost": value, "operation.cost": 0.5})) == Decimal("0.5")


def test_buckets_a_cost_object_invents_are_kept():
    details = {"input": 0.1, "web_search": 0.05, "input_special": 0.01}
    found = resolved(langfuse({"input": 1}, **{"langfuse.observation.cost_details": json.dumps(details)}))
    assert found["cost"] == {"input": 10**11, "web_search": 5 * 10**10, "input_special": 10**10}
    assert (usd(found), usd(found, "input_cost")) == (Decimal("0.16"), Decimal("0.11"))


def test_a_sum_of_costs_that_does_not_fit_is_no_cost():
    faults = Counter()
    details = json.dumps({"input": 600_000, "output": 600_000})
    found = resolved(langfuse({"input": 1}, **{"langfuse.observation.cost_details": details}), faults)
    assert (found["total_cost"], found["cost"]) == (None, None)
    sides = resolved({**USED, "llm.cost.prompt": 600_000, "llm.cost.completion": 600_000}, faults)
    assert (sides["total_cost"], sides["input_cost"]) == (None, None)
    assert faults == {"cost_overflow": 2}


def test_a_cost_in_another_currency_is_only_shown():
    found = resolved({**USED, "gen_ai.usage.cost.amount": 0.1, "gen_ai.usage.cost.currency": "EUR"})
    assert (found["total_cost"], found["cost_source"]) == (None, None)
    assert "EUR" in found["provided_cost"]


def test_columns_are_integers_of_the_schema():
    batch = resolve.resolve(spans([{"attributes": {**USED, "gen_ai.usage.cost": 0.5}}, {}]))
    for name in ("usage", "cost", "total_cost", "input_tokens"):
        assert batch.column(name).type == schema.FACTS.field(name).type
        assert batch.column(name).null_count == 1
