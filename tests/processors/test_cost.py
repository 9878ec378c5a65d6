from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data import providers
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from collector.component.base import ComponentId, Settings
from collector.model import schema
from collector.model.batch import SpanBatch
from collector.telemetry import Telemetry
from collector.testing.builders import spans
from collector.testing.laws import check_processor
from processors._prices.model_index import ModelIndex
from processors.cost import Config, Cost, factory

PRICES = Path(__file__).parents[1] / "fixtures" / "prices"
PICO = 10**12


def cost(**config: Any) -> Cost:
    return factory.create(Config(**config), _settings())


def _settings() -> Settings:
    return Settings(ComponentId("cost"), Telemetry(), None, Path("unused"))  # type: ignore[arg-type]


COST = cost()


def call(model: str | None = "gpt-4o-mini", provider: str | None = "openai", **row: Any) -> dict[str, Any]:
    usage = row.pop("usage", {"input": 1000, "output": 100})
    return {"model": model, "provider": provider, "role": schema.ROLE_CALL, "usage": list(usage.items()), **row}


def price(*rows: Mapping[str, Any], by: Cost = COST) -> list[dict[str, Any]]:
    return by.process(spans(rows)).record_batch.to_pylist()


def one(*args: Any, by: Cost = COST, **row: Any) -> dict[str, Any]:
    return price(call(*args, **row), by=by)[0]


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


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


def test_the_response_model_decides_before_the_request_model() -> None:
    row = one("gpt-4o", request_model="gpt-4o", response_model="gpt-4o-mini-2024-07-18")

    assert row["price_ref"].endswith(":gpt-4o-mini")


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("x_ai", "grok-4", "x-ai:grok-4-0709"),
        ("azure.ai.openai", "gpt-4o", "azure>openai:gpt-4o"),
        ("azure.ai.inference", "gpt-4o", "azure>openai:gpt-4o"),
        ("gcp.gen_ai", "gemini-2.5-flash", "google:gemini-2.5-flash"),
        ("gcp.gemini", "models/gemini-2.5-pro", "google:gemini-2.5-pro"),
        (
            "gcp.vertex_ai",
            "projects/p/locations/us/publishers/google/models/gemini-2.5-flash",
            "google:gemini-2.5-flash",
        ),
        ("aws.bedrock", "us.amazon.nova-pro-v1:0", "aws:amazon.nova-pro-v1:0"),
        (None, "openrouter/anthropic/claude-3.5-sonnet", "openrouter:anthropic/claude-3.5-sonnet"),
        (
            "litellm",
            "bedrock/anthropic.claude-3-haiku-20240307-v1:0",
            "aws:regional.anthropic.claude-3-haiku-20240307-v1:0",
        ),
        ("langchain", "gpt-4o-mini", "openai:gpt-4o-mini"),
        ("openai", "anthropic/claude-3-5-haiku-latest", "anthropic:claude-3-5-haiku-latest"),
        ("Anthropic", "claude-sonnet-4-5[1m]", "anthropic:claude-sonnet-4-5"),
        ("openai", "ft:gpt-4.1-nano-2025-04-14:acme::x", "openai:gpt-4.1-nano fine-tune-as-base"),
        ("groq", "groq/openai/gpt-oss-120b", "groq:openai/gpt-oss-120b"),
    ],
)
def test_names_as_telemetry_has_them_find_their_model(provider: str | None, model: str, expected: str) -> None:
    assert one(model, provider)["price_ref"].partition("/")[2] == expected


@pytest.mark.parametrize(
    ("provider", "model"),
    [("ollama", "gpt-4o"), ("vllm", "deepseek-chat"), ("azure", "my-deployment"), ("openai", "x" * 5000), (None, None)],
)
def test_a_model_whose_seller_is_not_known_to_sell_it_is_unpriced(provider: str | None, model: str | None) -> None:
    assert one(model, provider)["cost_source"] == "unpriced"


def test_most_of_the_models_people_use_are_priced() -> None:
    pairs = json.loads((PRICES / "pairs.json").read_text())
    rows = price(*(call(pair["model"], pair["provider"]) for pair in pairs))

    assert len(rows) == 68
    assert sum(row["total_cost"] is not None for row in rows) >= 60


def test_the_index_finds_the_model_that_trying_every_clause_finds() -> None:
    suffixes = ("", "-2025-01-01", ":free", "-x")
    everywhere = sorted({model.id.lower() + suffix for p in providers for model in p.models for suffix in suffixes})
    for provider in providers:
        index = ModelIndex(provider.models)
        own = [model.id.lower() + suffix for model in provider.models[:100] for suffix in suffixes]
        for name in [*own, *everywhere[::97], "", "a", "claude", "gpt-"]:
            assert index.find(name) is next((m for m in provider.models if m.is_match(name)), None)


def test_a_long_context_re_rates_the_whole_request_counting_cached_tokens() -> None:
    short, long = price(
        call("claude-sonnet-4-5", "anthropic", usage={"input": 100_000, "input_cache_read": 100_000, "output": 10}),
        call("claude-sonnet-4-5", "anthropic", usage={"input": 100_000, "input_cache_read": 100_001, "output": 10}),
    )

    assert dict(short["cost"])["output"] == 10 * 15_000_000
    assert dict(long["cost"])["output"] == 10 * 22_500_000
    assert dict(long["cost"])["input"] == 100_000 * 6_000_000
    assert long["price_ref"].endswith(" context:>200000")


@pytest.mark.parametrize(
    ("tier", "output", "note"),
    [
        (None, 8_000_000, ""),
        ("default", 8_000_000, ""),
        ("batch", 4_000_000, " tier:batch"),
        ("priority", 14_000_000, " tier:priority"),
        ("turbo", 8_000_000, " no-tier:turbo"),
    ],
)
def test_the_service_tier_selects_the_prices(tier: str | None, output: int, note: str) -> None:
    row = one("gpt-4.1", service_tier=tier, usage={"output": 1}, start_unix_nano=at("2026-11-01"))

    assert row["output_cost"] == output
    assert row["price_ref"].endswith("openai:gpt-4.1" + note)


def test_prices_depend_on_the_time_of_day_the_request_started() -> None:
    night, day, later = price(
        *(
            call("deepseek-chat", "deepseek", usage={"output": 1}, start_unix_nano=at(f"2025-06-01T{time}"))
            for time in ("00:29:59", "00:30:00", "16:30:00")
        )
    )

    assert (night["total_cost"], day["total_cost"], later["total_cost"]) == (550_000, 1_100_000, 550_000)


def test_prices_depend_on_the_date_the_request_started() -> None:
    before, after = price(
        *(
            call("deepseek-v4-flash", "deepseek", usage={"output": 1}, start_unix_nano=at(day))
            for day in ("2026-08-16T23:59:59", "2026-08-17T00:00:00")
        )
    )

    assert (before["total_cost"], after["total_cost"]) == (280_000, 660_000)


_KNOWN = [
    ("openai", "gpt-4o"), ("openai", "gpt-5"), ("openai", "gpt-4.1"), ("openai", "gpt-4o-audio-preview"),
    ("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-opus-4-5"), ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"), ("openrouter", "google/gemini-2.5-flash"), ("deepseek", "deepseek-v4-flash"),
    ("huggingface_together", "meta-llama/Llama-3.3-70B-Instruct"), ("perplexity", "sonar-pro"),
    ("mistral", "mistral-large"),
]  # fmt: skip
_TOKENS = st.integers(0, 3_000_000)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(_KNOWN), _TOKENS, _TOKENS, _TOKENS, _TOKENS, st.integers(at("2024-01-01"), at("2026-12-31"))
        ),
        min_size=1,
        max_size=20,
    )
)
def test_amounts_equal_the_decimal_arithmetic_of_genai_prices(calls: list[Any]) -> None:
    rows = price(
        *(
            call(model, provider, start_unix_nano=start,
                 usage={"input": fresh, "input_cache_read": read, "input_cache_write": write, "output": out})
            for (provider, model), fresh, read, write, out, start in calls
        )
    )  # fmt: skip
    for ((provider, model), fresh, read, write, out, start), row in zip(calls, rows, strict=True):
        usage = Usage(
            input_tokens=fresh + read + write, cache_read_tokens=read, cache_write_tokens=write, output_tokens=out
        )
        moment = datetime.fromtimestamp(start // 10**9, UTC)
        expected = calc_price(usage, model, provider_id=provider, genai_request_timestamp=moment)
        assert row["total_cost"] == sum(amount for _, amount in row["cost"])
        assert abs(row["total_cost"] - expected.total_price * PICO) <= 2  # half a pico-dollar per bucket


_CONTEXTS = {None: None, "batch": {"processing": "batch"}, "priority": {"service_tier": "priority"}}


def test_every_model_of_the_table_costs_what_genai_prices_says() -> None:
    random = Random(1)
    rows, expected = [], []
    for provider, model in ((p, m) for p in providers for m in p.models):
        if provider.find_model(model.id, all_providers=providers) is not model:
            continue  # another model of the provider takes its name
        tier = random.choice(list(_CONTEXTS))
        start = random.randrange(at("2024-01-01"), at("2026-12-31"))
        fresh, read, write, hour, audio, out, thought = (
            random.choice([0, random.randrange(300_000)]) for _ in range(7)
        )
        usage = {
            "input": fresh, "input_cache_read": read, "input_cache_write": write, "input_cache_write_1h": hour,
            "input_audio": audio, "output": out, "output_reasoning": thought,
        }  # fmt: skip
        inclusive = Usage(
            input_tokens=fresh + read + write + hour + audio, cache_read_tokens=read, cache_write_tokens=write + hour,
            cache_write_1h_tokens=hour, input_audio_tokens=audio, output_tokens=out + thought,
            output_reasoning_tokens=thought,
        )  # fmt: skip
        moment = datetime.fromtimestamp(start // 10**9, UTC)
        try:
            known = model.calc_price(inclusive, provider, genai_request_timestamp=moment, price_context=_CONTEXTS[tier])
        except ValueError:
            continue  # cached audio, which it wants split further
        rows.append(call(model.id, provider.id, usage=usage, service_tier=tier, start_unix_nano=start))
        expected.append((provider.id, model.id, known.total_price))

    assert len(rows) > 2000
    for row, (provider_id, model_id, total) in zip(price(*rows), expected, strict=True):
        # Where it says 0 for want of any price, there is none here.
        assert abs((row["total_cost"] or 0) - total * PICO) <= 4, (provider_id, model_id)


def test_a_price_with_more_decimals_than_a_pico_dollar_is_rounded_once_half_to_even() -> None:
    by = cost(overrides=[{"model": "m", "per_million": {"input": "0.0000005", "output": "0.0000015"}}])
    rows = price(*(call("m", usage={"input": n, "output": n}) for n in (1, 2, 3, 5)), by=by)

    assert [dict(row["cost"])["input"] for row in rows] == [0, 1, 2, 2]  # 0.5, 1, 1.5, 2.5
    assert [dict(row["cost"])["output"] for row in rows] == [2, 3, 4, 8]  # 1.5, 3, 4.5, 7.5


@pytest.mark.parametrize("tokens", [6 * 10**11, 10**15, 2**63 - 1])
def test_large_amounts_are_exact_until_they_cannot_be_stored(tokens: int) -> None:
    by = cost(overrides=[{"model": "m", "per_million": {"input": "1.0000000000007"}}])
    row = one("m", usage={"input": tokens}, by=by)
    exact = round(tokens * Decimal("1.0000000000007") * 1_000_000)

    assert row["total_cost"] == (exact if exact < 10**18 else None)
    assert row["price_ref"].endswith(" out-of-range") == (exact >= 10**18)


def test_a_total_that_cannot_be_stored_is_null_and_counted_though_its_buckets_could() -> None:
    by = cost(overrides=[{"model": "m", "per_million": {"input": 1, "output": 1}}])
    row, other = price(
        call("m", usage={"input": 6 * 10**11, "output": 6 * 10**11}), call("m", usage={"input": 1}), by=by
    )

    assert (row["total_cost"], row["input_cost"], row["cost"], row["cost_source"]) == (None, None, None, "unpriced")
    assert other["total_cost"] == 1_000_000
    assert by._telemetry.registry.get_sample_value("spanloom_model_faults_total", {"field": "cost"}) == 1


def test_negative_usage_costs_nothing_known() -> None:
    assert one(usage={"input": -5, "output": 10})["total_cost"] is None


def test_an_override_comes_before_the_list_price() -> None:
    by = cost(overrides=[{"model": "GPT-4o-mini", "provider": "openai", "per_million": {"input": 1, "output": 2}}])
    mine, other_provider = price(call(), call(provider="azure"), by=by)

    assert mine["total_cost"] == 1000 * 1_000_000 + 100 * 2_000_000
    assert mine["price_ref"] == "overrides/openai:GPT-4o-mini"
    assert other_provider["price_ref"].startswith("genai-prices ")


def test_a_deployment_name_stands_for_a_model() -> None:
    by = cost(overrides=[{"model": "my-gpt4o-prod", "provider": "azure.ai.openai", "same_as": "azure:gpt-4o"}])

    assert one("my-gpt4o-prod", "azure.ai.openai", by=by)["price_ref"].endswith("/azure>openai:gpt-4o")


def test_overrides_form_a_history_and_before_it_list_prices_count() -> None:
    by = cost(
        overrides=[
            {"match": "gpt-4o-.*", "start_date": "2026-02-01", "per_million": {"input": 3}},
            {"match": "gpt-4o-.*", "start_date": "2026-01-01", "per_million": {"input": 2}},
        ]
    )
    days = ("2025-12-31", "2026-01-01", "2026-01-31", "2026-02-01")
    rows = price(*(call(usage={"input": 1}, start_unix_nano=at(day)) for day in days), by=by)

    assert [row["total_cost"] for row in rows] == [150_000, 2_000_000, 2_000_000, 3_000_000]


def test_overrides_have_context_and_service_tiers() -> None:
    by = cost(
        overrides=[
            {"model": "m", "service_tier": "batch", "per_million": {"input": 1}},
            {"model": "m", "per_million": {"input": 2, "input_cache_read": 1}, "above": {1000: {"input": 4}}},
        ]
    )
    batch, low, high = price(
        call("m", service_tier="batch", usage={"input": 5000}),
        call("m", usage={"input": 1000}),
        call("m", usage={"input": 500, "input_cache_read": 501}),
        by=by,
    )

    assert (batch["total_cost"], low["total_cost"]) == (5000 * 10**6, 1000 * 2 * 10**6)
    assert high["total_cost"] == 500 * 4 * 10**6 + 501 * 10**6


def test_a_price_file_is_read_and_named_with_its_contents(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("prices:\n- {model: m, per_million: {input: 0.1, output: 0.3}, per_request: 0.01}\n")
    row = one("m", None, by=cost(prices_file=path))

    assert row["total_cost"] == 1000 * 100_000 + 100 * 300_000 + 10**10
    assert row["price_ref"].startswith("prices.yaml ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {model: m}", "entry 1: .*give either prices"),
        ("- {model: m, per_million: {input: -1}}", "entry 1: per_million.input: .*greater than or equal to 0"),
        ("- {model: m, per_milion: {input: 1}}", "entry 1: per_milion: Extra inputs"),
        ("- {match: '(', per_million: {input: 1}}", "entry 1: match: .*no RE2 expression"),
        ("model: m", "not a list of prices"),
        ("[", "cannot read the price file"),
    ],
)
def test_a_wrong_price_file_is_refused_with_file_and_entry(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)

    with pytest.raises(ValidationError, match=rf"(?s)prices\.yaml.*{message}|{message}.*prices\.yaml"):
        Config(prices_file=path)


@pytest.mark.parametrize(
    ("entries", "line"),
    [
        ("- {model: m, per_million: {input: 1}}\n- model: n\n  per_million:\n    output: 2\n    input: -1\n", 5),
        ("# prices\nprices:\n- model: m\n  per_milion: {}\n", 4),
        ("prices: [\n  {model: m, per_request: 1},\n  {model: n,\n   per_request: x}]\n", 4),
        ('- {model: m, per_request: 1}\n- {modelName: x, matchPattern: "x", prices: 3}\n', 2),
    ],
)
def test_a_wrong_price_is_named_with_its_line(tmp_path: Path, entries: str, line: int) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(entries)

    with pytest.raises(ValidationError, match=rf"entry [12]: .* \(line {line}\)"):
        Config(prices_file=path)


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
