"""Usage and money of stored rows, also where one call was seen twice.

Proves amounts to the last digit with decisions written by hand. Does not prove which row counts.
"""

import json
from collections import Counter
from decimal import Decimal

import pytest

from tests.model.stored.rows_kit import one, store

# counted once, money


USAGE = {
    "input_tokens": 10,
    "output_tokens": 5,
    "total_tokens": 15,
    "cache_read_tokens": 4,
    "usage": [("input", 6), ("input_cache_read", 4), ("output", 5)],
    "cost": [("input", 1_500_000), ("output", 3)],
    "input_cost": 1_500_000,
    "output_cost": 3,
    "total_cost": 1_500_003,
    "cost_source": "computed",
    "price_ref": "p",
    "provided_usage": '{"input":10}',
    "provided_cost": '{"total":1}',
    "usage_rule": "leaf",
}


def test_a_counted_row_tells_usage_and_exact_money():
    row = one(USAGE, {"usage_scope": "counted"})
    assert row["input_tokens"] == 10
    assert dict(row["usage"]) == {"input": 6, "input_cache_read": 4, "output": 5}
    assert row["total_cost"] == Decimal("0.000001500003")
    assert dict(row["cost"]) == {"input": Decimal("0.0000015"), "output": Decimal("0.000000000003")}
    assert (row["cost_source"], row["usage_rule"]) == ("computed", "leaf")


@pytest.mark.parametrize("scope", ["rollup", "duplicate", None])
def test_a_row_that_is_not_counted_keeps_only_what_was_sent(scope):
    row = one(USAGE, {"usage_scope": scope, "usage_rule": "wrapper"})
    assert row["usage_scope"] == scope
    assert row["usage_rule"] == "wrapper"
    for name in ("input_tokens", "total_tokens", "usage", "cost", "total_cost", "cost_source", "price_ref"):
        assert row[name] is None, name
    assert (row["provided_usage"], row["provided_cost"]) == ('{"input":10}', '{"total":1}')


def test_counted_and_other_rows_side_by_side():
    scopes = [{"usage_scope": s} for s in ("rollup", "counted", None, "counted")]
    rows = store([USAGE, USAGE, {}, {**USAGE, "usage": [("input", 1)], "cost": [("input", 7)]}], scopes)
    assert [r["usage"] and dict(r["usage"]) for r in rows] == [
        None,
        {"input": 6, "input_cache_read": 4, "output": 5},
        None,
        {"input": 1},
    ]
    assert dict(rows[3]["cost"]) == {"input": Decimal("0.000000000007")}


@pytest.mark.parametrize(
    ("picos", "dollars"),
    [
        (0, Decimal(0)),
        (-1, Decimal("-0.000000000001")),
        (10**18 - 1, Decimal("999999.999999999999")),
        (-(10**18) + 1, Decimal("-999999.999999999999")),
    ],
)
def test_money_is_exact_up_to_the_last_digit(picos, dollars):
    assert one({"total_cost": picos}, {"usage_scope": "counted"})["total_cost"] == dollars


@pytest.mark.parametrize("picos", [10**18, 2**63 - 1, -(2**63)])
def test_more_than_a_decimal_holds_is_null_and_counted(picos):
    faults = Counter()
    row = one({"total_cost": picos, "cost": [("input", picos)]}, {"usage_scope": "counted"}, faults=faults)
    assert row["total_cost"] is None
    assert dict(row["cost"]) == {"input": None}
    assert faults == {"cost": 1}


def test_what_the_decision_says_of_the_trace_stands_on_every_row():
    decision = {
        "trace_name": "checkout",
        "user_id": "u",
        "session_id": "s",
        "tags": ["a"],
        "sampled_by": "all",
        "adjusted_count": 4.0,
    }
    row = one({"user_id": "other", "trace_name": "other"}, decision)
    assert {name: row[name] for name in decision} == decision


# one call seen twice


def test_the_leaf_takes_what_only_the_duplicate_knew():
    duplicate = {
        "attributes": {
            "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]',
            "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"outer"}]}]',
            "gen_ai.request.temperature": 0.5,
        },
        "prompt_name": "greet",
        "total_cost": 7,
        "cost_source": "provided",
    }
    leaf = {
        "attributes": {"gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"own"}]}]'},
        "total_cost": 5,
        "cost_source": "computed",
    }
    decisions = [{"usage_scope": "duplicate"}, {"usage_scope": "counted", "inherit_from": 0}]
    outer, inner = store([duplicate, leaf], decisions)
    assert "hi" in inner["input"]
    assert "own" in inner["output"]
    assert json.loads(inner["model_parameters"]) == {"temperature": 0.5}
    assert inner["prompt_name"] == "greet"
    assert (inner["total_cost"], inner["cost_source"]) == (Decimal("0.000000000007"), "provided")
    assert outer["total_cost"] is None


def test_a_leaf_with_a_provided_cost_keeps_it():
    rows = [{"total_cost": 7, "cost_source": "provided"}, {"total_cost": 5, "cost_source": "provided"}]
    _, inner = store(rows, [{"usage_scope": "duplicate"}, {"usage_scope": "counted", "inherit_from": 0}])
    assert inner["total_cost"] == Decimal("0.000000000005")
