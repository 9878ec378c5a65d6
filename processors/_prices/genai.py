"""The price table of genai-prices: its data and its matcher, never its per-call arithmetic.

The only module that knows that library; its own lookup caches are unbounded, so they are not used.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from processors._prices.call_names import Call, Name, Names, names, tier_note
from processors._prices.model_index import ModelIndex
from processors._prices.rates import Plan, PriceRow, Rate, Sheet, buckets

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, PriceVariant, Provider

SOURCE = "genai-prices"

_SECOND = 10**9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class GenaiPrices:
    """Finds plans in the data that comes with the installed genai-prices."""

    def __init__(self) -> None:
        # The import builds 2,330 models (a fifth of a second), so only a configured ``cost`` pays for it.
        from genai_prices.data import providers  # noqa: PLC0415 - see above
        from genai_prices.data_snapshot import find_provider_by_id  # noqa: PLC0415 - see above

        self._providers: list[Provider] = providers
        self._find_provider = find_provider_by_id
        self._indexes = {provider.id: ModelIndex(provider.models) for provider in providers}
        self._table = f"genai-prices {version('genai-prices')}"

    def find(self, call: Call, others: Callable[[Call], Plan | None]) -> Plan | None:
        """The prices of a call's model, or what the tables behind this one know."""
        known = names()
        label = (call.provider or "").strip().lower()
        if label in known.self_hosted:
            return others(call)
        seller = self._seller(label, known)
        for provider, name in self._candidates(call, label, seller, known):
            model = self._find_model(provider, name.text)
            if model is not None:
                return self._plan(provider, model, name, call.tier)
        return others(call)

    def _seller(self, label: str, known: Names) -> Provider | None:
        return self._find_provider(self._providers, known.seller(label)) if label else None

    def _candidates(
        self, call: Call, label: str, seller: Provider | None, known: Names
    ) -> Iterator[tuple[Provider, Name]]:
        """Whom to ask for which name: the seller, the provider in a routed name, the model's author."""
        if seller:
            for model in call.models:
                yield from ((seller, name) for name in known.forms(model))
        if label in known.closed or (seller and seller.id in known.closed):
            return
        for model in call.models:
            for route, rest in known.routed(model):
                provider = self._find_provider(self._providers, route) if route else None
                if provider:
                    yield from ((provider, name) for name in known.forms(rest))
        for model in call.models:
            for name in known.forms(model):
                author = self._author(name.text)
                if author:
                    yield author, name

    def _find_model(self, provider: Provider, name: str) -> ModelInfo | None:
        """A model of the provider, or else of those whose models it sells too."""
        for seller in (provider.id, *(provider.fallback_model_providers or ())):
            index = self._indexes.get(seller)
            model = index.find(name) if index else None
            if model is not None:
                return model
        return None

    def _author(self, model: str) -> Provider | None:
        return next((p for p in self._providers if p.model_match and p.model_match.is_match(model)), None)

    def _plan(self, provider: Provider, model: ModelInfo, name: Name, tier: str | None) -> Plan:
        # Another provider's model (Claude on Vertex) is sold at its standard price: no variants.
        own = any(model is m for m in provider.models)
        owner = provider if own else next(p for p in self._providers if any(model is m for m in p.models))
        seller = provider.id if own else f"{provider.id}>{owner.id}"
        ref = " ".join(filter(None, (f"{self._table}/{seller}:{model.id}", name.note)))
        context = names().context(tier)
        variants = [v for v in model.price_variants or () if own and v.when.items() <= context.items()]
        dates, times = _changes(model, variants)

        def make(unix_nano: int) -> Sheet:
            at = _EPOCH + timedelta(microseconds=unix_nano // 1000)
            active = any(v.constraint is None or v.constraint.active(at) for v in variants)
            prices = model.get_prices(at, context if own else None)
            sheet = _sheet(prices, ref + _tier_note(tier, context, active=active))
            return _free(sheet) if names().free.search(model.id) else sheet

        return Plan(dates, times, make)


def _changes(model: ModelInfo, variants: list[PriceVariant]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """When the model's prices may change: dates and times of day, in nanoseconds."""
    constraints: list[Any] = [c.constraint for c in model.prices] if isinstance(model.prices, list) else []
    constraints += [v.constraint for v in variants]
    dates = {_midnight(c.start_date) for c in constraints if hasattr(c, "start_date")}
    times = {_of_day(t) for c in constraints if hasattr(c, "start_time") for t in (c.start_time, c.end_time)}
    return tuple(sorted(dates)), tuple(sorted(times))


def _midnight(day: date) -> int:
    return (datetime.combine(day, time(), UTC) - _EPOCH) // timedelta(seconds=1) * _SECOND


def _of_day(clock: time) -> int:
    moment = datetime.combine(_EPOCH.date(), clock, clock.tzinfo or UTC)
    return int((moment - _EPOCH) // timedelta(seconds=1) % 86_400) * _SECOND


def _tier_note(tier: str | None, context: Mapping[str, str], *, active: bool) -> str:
    """What ``price_ref`` says of the service tier: nothing for the standard one."""
    if not context or context.get("service_tier") == "default":
        return ""
    return tier_note(tier, active=active)


def _sheet(prices: ModelPrice, ref: str) -> Sheet:
    tiered = [p for p in prices.__dict__.values() if hasattr(p, "tiers")]
    starts = tuple(sorted({tier.start for price in tiered for tier in price.tiers}))
    rows = [_row(prices, ref, None)] + [_row(prices, ref, start) for start in starts]
    return Sheet(starts, tuple(rows))


def _free(sheet: Sheet) -> Sheet:
    """The sheet at nothing per token, where it has no prices."""
    nothing = {"input": Rate(0), "output": Rate(0)}
    return Sheet(sheet.starts, tuple(row if row.rates else replace(row, rates=nothing) for row in sheet.rows))


def _row(prices: ModelPrice, ref: str, start: int | None) -> PriceRow:
    """The prices above ``start`` input tokens."""

    def rate(key: str) -> Rate | None:
        price = prices.__dict__.get(key)
        if price is None:
            return None
        if not isinstance(price, Decimal):
            reached = [t.price for t in price.tiers if start is not None and t.start <= start]
            price = reached[-1] if reached else price.base
        return Rate.of(price, _units_per()[key])

    rates: dict[str, Rate] = {}
    for bucket in buckets().values():
        own = next((r for r in map(rate, bucket.prices) if r is not None), None)
        if own is not None:
            rates[bucket.name] = own
    request = rate("requests_kcount")
    above = "" if start is None else f" context:>{start}"
    return PriceRow(ref + above, SOURCE, rates, request.cost(1) if request else None)


@functools.cache
def _units_per() -> dict[str, int]:
    """Price key → how many units its price is for."""
    from genai_prices.data_units import unit_data  # noqa: PLC0415 - see GenaiPrices

    return {unit.get("price_key", usage): unit["per"] for usage, unit in unit_data.items()}
