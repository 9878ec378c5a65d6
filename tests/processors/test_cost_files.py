"""Prices people bring in files: their own, Langfuse's shape, LiteLLM's format; and files that change.

Proves reading, refusals and reloading of each format. Does not prove files larger than those kept here.
"""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import ValidationError

from collector.component.base import ComponentId, Settings
from collector.telemetry import Telemetry
from processors._prices.call_names import Call
from processors._prices.litellm import LiteLlmPrices, read_litellm
from processors._prices.user import PriceEntry
from processors.cost import Config, factory
from tests.processors.cost_kit import PRICES, call, cost, one, price

LITELLM = PRICES / "litellm.json"
"""An excerpt of the prices in LiteLLM 1.109.1 (MIT licence)."""


def rates(entry: dict[str, Any], tier: str | None = None, *, context: int = 0) -> dict[str, Decimal]:
    """USD per million units that an entry of a LiteLLM file comes to."""
    entries = json.loads(json.dumps({"m": {"litellm_provider": "acme", **entry}}), parse_float=Decimal)
    plan = LiteLlmPrices(entries, "litellm").find(Call("acme", ("m",), tier), lambda _: None)
    assert plan is not None
    sheet = plan.make(0)
    assert sheet is not None
    row = sheet.rows[sum(start < context for start in sheet.starts)]
    return {name: Decimal(rate.cost(10**6)) / 10**12 for name, rate in row.rates.items()}


def test_a_litellm_file_is_asked_for_what_the_built_in_prices_do_not_know() -> None:
    with_file = cost(litellm_prices=LITELLM)
    known, new = price(call(), call("dashscope/qwen-flash", "dashscope"), by=with_file)

    assert known["price_ref"].startswith("genai-prices ")
    assert new["price_ref"].startswith("litellm litellm.json ")
    assert new["total_cost"] == 1000 * 50_000 + 100 * 400_000


def test_with_litellms_prices_nearly_all_models_people_use_are_priced() -> None:
    pairs = json.loads((PRICES / "pairs.json").read_text())
    rows = price(*(call(p["model"], p["provider"]) for p in pairs), by=cost(litellm_prices=LITELLM))

    assert len(rows) == 68
    assert sum(row["total_cost"] is not None for row in rows) >= 64


@pytest.mark.parametrize(
    ("tier", "context", "expected"),
    [
        (None, 0, "1"),
        ("default", 0, "1"),
        ("batch", 0, "0.5"),
        ("priority", 0, "2"),
        (None, 200_001, "3"),
        ("priority", 200_001, "4"),
        ("batch", 200_001, "0.5"),
        ("flex", 0, "1"),
    ],
)
def test_endings_of_a_key_say_service_tier_and_context(tier: str | None, context: int, expected: str) -> None:
    entry = {
        "input_cost_per_token": 1e-6,
        "input_cost_per_token_batches": 5e-7,
        "input_cost_per_token_priority": 2e-6,
        "input_cost_per_token_above_200k_tokens": 3e-6,
        "input_cost_per_token_above_200k_tokens_priority": 4e-6,
    }
    assert rates(entry, tier, context=context)["input"] == Decimal(expected)


def test_cache_writes_have_prices_by_lifetime_and_ranges_are_context_tiers() -> None:
    entry = {
        "tiered_pricing": [
            {"range": [0, 1000.0], "input_cost_per_token": 1e-6},
            {"range": [1000.0, 9000.0], "input_cost_per_token": 2e-6},
        ],
        "cache_creation_input_token_cost": 1.25e-6,
        "cache_creation_input_token_cost_above_1hr": 2e-6,
    }
    assert rates(entry)["input"] == 1
    assert rates(entry, context=1001)["input"] == 2
    assert (rates(entry)["input_cache_write"], rates(entry)["input_cache_write_1h"]) == (Decimal("1.25"), 2)


def test_what_is_no_price_counts_as_none() -> None:
    entry = {"input_cost_per_token": 1e-6, "output_cost_per_token": "free", "cache_read_input_token_cost": -1.0}
    assert rates(entry) == {"input": 1}


def test_a_price_that_is_lower_at_other_hours_is_named() -> None:
    entries = {"m": {"litellm_provider": "acme", "input_cost_per_token": 1, "off_peak_pricing": {}}}
    plan = LiteLlmPrices(entries, "litellm").find(Call("acme", ("m",)), lambda _: None)
    assert plan is not None
    sheet = plan.make(0)
    assert sheet is not None
    assert sheet.rows[0].ref == "litellm/acme:m no-off-peak"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "no price file in LiteLLM's format"),
        ('{"m": {"input_cost_per_token": 1}}', "no price file in LiteLLM's format"),
        ("{", "cannot read LiteLLM's price file"),
        ('{"m": {"litellm_provider": "x", "input_cost_per_token": NaN}}', "NaN is no price"),
    ],
)
def test_a_wrong_litellm_file_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)

    with pytest.raises(ValidationError, match=rf"(?s){message}.*list\.json|list\.json.*{message}"):
        Config(litellm_prices=path)


def test_every_entry_of_the_file_yields_prices_or_nothing() -> None:
    entries, name = read_litellm(LITELLM)
    table = LiteLlmPrices(entries, name)
    for key, entry in entries.items():
        plan = table.find(Call(str(entry["litellm_provider"]), (key,)), lambda _: None)
        if plan is not None and "input_cost_per_token" in entry:
            sheet = plan.make(0)
            assert sheet is not None
            assert "input" in sheet.rows[0].rates


LANGFUSE_MODEL = {
    "modelName": "acme-large",
    "matchPattern": r"(?i)^(acme/)?(acme-large)(@\d+)?$",
    "unit": "TOKENS",
    "pricingTiers": [
        {
            "name": "Standard",
            "isDefault": True,
            "priority": 0,
            "conditions": [],
            "prices": {"input": 1e-06, "input_cached_tokens": 1e-07, "output": 2e-06},
        },
        {
            "name": "Large",
            "isDefault": False,
            "priority": 1,
            "conditions": [{"usageDetailPattern": "(input|prompt|cached)", "operator": "gt", "value": 2000}],
            "prices": {"input": 2e-06, "input_cached_tokens": 2e-07, "output": 4e-06},
        },
    ],
}


def price_file(folder: Path, *entries: Any) -> Path:
    path = folder / "prices.json"
    path.write_text(json.dumps(entries))
    return path


def test_models_in_langfuses_shape_are_prices_of_ones_own(tmp_path: Path) -> None:
    by = cost(prices_file=price_file(tmp_path, LANGFUSE_MODEL))
    usage = {"input": 1000, "input_cache_read": 1000, "output": 10}
    low, high = price(
        call("ACME/acme-large@1", None, usage=usage), call("acme-large", None, usage=usage | {"input": 1001}), by=by
    )

    assert low["total_cost"] == 1000 * 10**6 + 1000 * 10**5 + 10 * 2 * 10**6
    assert high["total_cost"] == 1001 * 2 * 10**6 + 1000 * 2 * 10**5 + 10 * 4 * 10**6
    assert low["price_ref"].endswith("/*:acme-large")
    assert one("not-acme-large-x", None, by=by)["cost_source"] == "unpriced"


def test_the_older_langfuse_shape_and_a_start_date_are_understood(tmp_path: Path) -> None:
    old = {"modelName": "m", "matchPattern": "^m$", "startDate": "2030-01-01", "inputPrice": 1e-06, "outputPrice": 0}
    by = cost(prices_file=price_file(tmp_path, old, {**old, "startDate": None, "inputPrice": 5e-06}))

    assert one("m", None, by=by)["input_cost"] == 1000 * 5 * 10**6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pricingTiers": [{"name": "x", "prices": {"input": 1}}]}, "none of them is the default"),
        ({"matchPattern": "("}, "no RE2 expression"),
        ({"colour": 1}, "colour: no key of a Langfuse model"),
        ({"pricingTiers": [{"isDefault": True, "prices": {}}]}, "no prices"),
        (
            {
                "pricingTiers": [
                    LANGFUSE_MODEL["pricingTiers"][0],
                    {
                        "name": "Odd",
                        "conditions": [{"usageDetailPattern": "output", "operator": "gt", "value": 1}],
                        "prices": {"input": 1},
                    },
                ]
            },
            "'Odd'.*only conditions on the input tokens",
        ),
    ],
)
def test_what_cannot_be_carried_over_from_langfuse_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = price_file(tmp_path, {"model": "a", "per_request": 1}, {**LANGFUSE_MODEL, **change})
    with pytest.raises(ValidationError, match=rf"prices\.json is wrong: entry 2: .*{message}"):
        Config(prices_file=path)


def test_a_changed_file_is_read_again_and_a_wrong_one_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    telemetry = Telemetry()
    _write(path, "- {model: m, per_request: 1}", 1)
    by = factory.create(
        Config(prices_file=path), Settings(ComponentId("cost"), telemetry, structlog.get_logger(), tmp_path)
    )
    totals = [one("m", None, by=by)["total_cost"]]
    for number, text in enumerate(["- {model: m, per_request: 2}", "- {model: m", "- {model: m, per_request: 3}"], 2):
        _write(path, text, number)
        totals.append(one("m", None, by=by)["total_cost"])
    path.unlink()
    totals.append(one("m", None, by=by)["total_cost"])

    assert totals == [10**12, 2 * 10**12, 2 * 10**12, 3 * 10**12, 3 * 10**12]
    count = telemetry.registry.get_sample_value
    assert count("spanloom_cost_price_reloads_total", {"outcome": "done"}) == 2
    assert count("spanloom_cost_price_reloads_total", {"outcome": "failed"}) == 2


def _write(path: Path, text: str, time: int) -> None:
    path.write_text(text)
    os.utime(path, (time, time))  # two writes may fall into one tick of the file system's clock


def test_a_slip_in_the_name_of_a_bucket_is_told() -> None:
    for name, near in (("inputs", "input"), ("outptu", "output"), ("input_cache_reed", "input_cache_read")):
        with pytest.raises(ValidationError, match=f"'{name}' is no usage bucket: did you mean '{near}'"):
            PriceEntry.model_validate({"model": "m", "per_million": {name: 1}})
    assert PriceEntry.model_validate({"model": "m", "per_million": {"input": 1, "gpu_seconds": 2}}).per_million
