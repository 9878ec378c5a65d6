"""Calls, and what the processor ``cost`` makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collector.component.base import ComponentId, Settings
from collector.model import schema
from collector.telemetry import Telemetry
from collector.testing.builders import spans
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
