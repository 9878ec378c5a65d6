"""Costs of calls bucket by bucket, what is left alone, and what is counted.

Proves amounts and counts on hand-made calls. Does not prove that list prices are today's, nor which rows count once.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings, strategies as st

from collector.model import schema
from collector.model.batch import SpanBatch
from collector.testing.builders import spans
from collector.testing.laws import check_processor
from tests.processors.cost_kit import COST, call, cost, one, price


def test_each_bucket_costs_its_tokens_times_the_list_price() -> None:
    row = one(usage={"input": 1000, "input_cache_read": 200, "output": 100})

    assert dict(row["cost"]) == {"input": 150_000_000, "input_cache_read": 15_000_000, "output": 60_000_000}
    assert (row["input_cost"], row["output_cost"], row["total_cost"]) == (165_000_000, 60_000_000, 225_000_000)
    assert row["cost_source"] == "computed"
    assert row["price_ref"].endswith("/openai:gpt-4o-mini")


def test_a_bucket_without_a_price_of_its_own_has_its_parents_and_is_named() -> None:
    row = one(usage={"input": 10, "output": 5, "output_reasoning": 7, "input_image": 3})

    assert dict(row["cost"])["output_reasoning"] == 7 * 600_000
    assert dict(row["cost"])["input_image"] == 3 * 150_000
    assert row["price_ref"].endswith("/openai:gpt-4o-mini fallback:input_image,output_reasoning")


def test_a_bucket_nobody_prices_is_left_out_of_the_total_and_named() -> None:
    row = one("text-embedding-3-small", usage={"input": 1000, "output": 5})

    assert dict(row["cost"]) == {"input": 20_000_000}
    assert row["total_cost"] == 20_000_000
    assert row["output_cost"] is None
    assert row["price_ref"].endswith(" unpriced:output")


def test_no_units_of_a_bucket_without_a_price_are_not_worth_a_word() -> None:
    assert one("text-embedding-3-small", usage={"input": 1, "output": 0})["price_ref"].endswith("3-small")


def test_a_fee_per_request_is_a_bucket_of_its_own_and_part_of_the_total() -> None:
    row = one("sonar-pro", "perplexity", usage={"input": 1000, "output": 1000})

    assert dict(row["cost"]) == {"input": 3 * 10**9, "output": 15 * 10**9, "request": 14 * 10**9}
    assert row["total_cost"] == 32 * 10**9
    assert row["input_cost"] + row["output_cost"] == 18 * 10**9


def test_a_model_that_is_free_costs_nothing_and_one_nobody_knows_has_no_cost() -> None:
    free, unknown = price(call("deepseek/deepseek-chat-v3-0324:free", "openrouter"), call("my-own-model", "ollama"))

    assert (free["total_cost"], free["cost_source"]) == (0, "computed")
    assert (unknown["total_cost"], unknown["cost"], unknown["cost_source"]) == (None, None, "unpriced")
    assert unknown["price_ref"] is None


def test_cost_that_came_with_the_span_is_kept() -> None:
    provided = call(cost=[("total", 7)], total_cost=7, cost_source="provided", price_ref=None)
    kept, computed = price(provided, call())

    assert (kept["total_cost"], kept["cost"], kept["cost_source"]) == (7, [("total", 7)], "provided")
    assert computed["total_cost"] == 210_000_000


def test_rows_without_usage_and_placeholders_get_no_cost_at_all() -> None:
    silent, never = price({"model": "gpt-4o-mini", "usage": None}, call(role=schema.ROLE_NEVER))

    assert silent["cost_source"] is None
    assert never["cost_source"] is None
    assert never["total_cost"] is None


def test_wrappers_are_priced_because_they_may_turn_out_to_be_the_call() -> None:
    assert one(role=schema.ROLE_WRAPPER)["total_cost"] == 210_000_000


def test_pricing_again_changes_nothing() -> None:
    batch = spans([call(), call("nobody", None), {"usage": None}])
    once = COST.process(batch)

    assert COST.process(once).record_batch.to_pylist() == once.record_batch.to_pylist()


def test_negative_usage_costs_nothing_known() -> None:
    assert one(usage={"input": -5, "output": 10})["total_cost"] is None


def test_unpriced_calls_are_counted_by_model_and_the_labels_are_bounded() -> None:
    by = cost()
    price(*(call(f"unknown-{n}", "acme") for n in range(300)), call("s p\u2028am", "acme"), call(), by=by)
    sample = by._telemetry.registry.get_sample_value

    assert sample("spanloom_cost_unpriced_calls_total", {"provider": "acme", "model": "unknown-0"}) == 1
    assert sample("spanloom_cost_unpriced_calls_total", {"provider": "other", "model": "other"}) == 45
    assert sample("spanloom_cost_priced_calls_total", {"source": "genai-prices"}) == 1


def test_unpriced_buckets_of_priced_calls_are_counted_by_model_and_bucket() -> None:
    by = cost()
    usage = {"input": 1, "output": 2, "made up": 3}
    price(call("text-embedding-3-small", usage=usage), call("nobody", "acme", usage=usage), by=by)
    sample = by._telemetry.registry.get_sample_value
    labels = {"provider": "openai", "model": "text-embedding-3-small"}

    assert sample("spanloom_cost_unpriced_buckets_total", {**labels, "bucket": "output"}) == 1
    assert sample("spanloom_cost_unpriced_buckets_total", {**labels, "bucket": "other"}) == 1
    assert sample("spanloom_cost_unpriced_calls_total", labels) is None


def test_wrappers_are_not_counted_as_calls() -> None:
    by = cost()
    price(call(role=schema.ROLE_WRAPPER), call("nobody", role=schema.ROLE_WRAPPER), by=by)

    assert by._telemetry.registry.get_sample_value("spanloom_cost_priced_calls_total", {"source": "genai-prices"}) == 0
    assert (
        by._telemetry.registry.get_sample_value(
            "spanloom_cost_unpriced_calls_total", {"provider": "openai", "model": "nobody"}
        )
        is None
    )


_MODELS = st.sampled_from([None, "gpt-4o-mini", "claude-sonnet-4-5", "sonar-pro", "deepseek-chat", "nobody", "ü", ""])
_BUCKETS = st.sampled_from(["input", "output", "input_cache_read", "output_reasoning", "web_search_queries", "made_up"])
_ROWS = st.fixed_dictionaries(
    {
        "provider": st.sampled_from([None, "openai", "anthropic", "perplexity", "deepseek", "ollama"]),
        "model": _MODELS,
        "request_model": _MODELS,
        "response_model": _MODELS,
        "service_tier": st.sampled_from([None, "batch", "default", "odd"]),
        "role": st.integers(0, 3),
        "start_unix_nano": st.integers(-(2**63), 2**63 - 1),
        "end_unix_nano": st.just(0),
        "usage": st.none() | st.dictionaries(_BUCKETS, st.integers(-1, 2**63 - 1)).map(lambda d: list(d.items())),
        "cost_source": st.sampled_from([None, "provided", "unpriced"]),
        "total_cost": st.none() | st.integers(0, 10**6),
        "cost": st.none() | st.just([("total", 3)]),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_ROWS, max_size=12))
def test_cost_keeps_the_laws_of_processors(rows: list[dict[str, Any]]) -> None:
    check_processor(COST, [spans(rows, facts=True)])


def test_a_slice_of_a_batch_is_priced_as_the_rows_it_shows() -> None:
    batch = spans([call("gpt-4o"), call("nobody"), call("sonar-pro", "perplexity"), call()])
    expected = COST.process(batch).record_batch.to_pylist()

    assert COST.process(SpanBatch(batch.record_batch.slice(1, 2))).record_batch.to_pylist() == expected[1:3]
