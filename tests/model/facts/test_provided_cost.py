"""The cost that a span brings along.

Proves amounts, refusals and counts for one span. Does not prove computed prices, nor which of several spans counts.
"""

import json
from collections import Counter
from decimal import Decimal

import pytest

from tests.model.facts.usage_kit import USED, genai, langfuse, resolved


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
