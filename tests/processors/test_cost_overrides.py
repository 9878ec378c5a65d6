"""Prices of one's own: overrides, aliases and price files.

Proves precedence, history and refusals. Does not prove files in other people's formats (``test_cost_files``).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from processors.cost import Config
from tests.processors.cost_kit import at, call, cost, one, price


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
