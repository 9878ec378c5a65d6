"""Which price a call has: by its model, provider, size, tier and time.

Proves the choice by names as telemetry has them. Does not prove models that appear after the table was made.
"""

from __future__ import annotations

import json

import pytest
from genai_prices.data import providers

from processors._prices.model_index import ModelIndex
from tests.processors.cost_kit import PRICES, at, call, one, price


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
