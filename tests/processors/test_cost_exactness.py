"""Prices times tokens are exact, and equal to what genai-prices says.

Proves it for every model of the table and for amounts at the edges. Does not prove that genai-prices is right.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data import providers
from hypothesis import given, settings, strategies as st

from tests.processors.cost_kit import PICO, at, call, cost, one, price

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
