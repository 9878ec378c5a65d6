"""Langfuse's shape of a model's prices, read as entries of our own.

``{modelName, matchPattern, startDate?, pricingTiers: [{isDefault, priority, conditions, prices}]}``, or the older
``inputPrice`` and ``outputPrice``; prices are USD per unit. A tier's condition on the sum of input usage becomes a
context tier. What has no equal here is refused, never approximated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import re2

_MILLION = 10**6
_OLD_PRICES = {"inputPrice": "input", "outputPrice": "output", "totalPrice": "total"}
_KNOWN = frozenset(
    {"id", "modelName", "matchPattern", "startDate", "unit", "pricingTiers", "createdAt", "updatedAt", "projectId",
     "tokenizerId", "tokenizerConfig", "isLangfuseManaged", "prices", *_OLD_PRICES}
)  # fmt: skip
_OUTPUTS = ("output", "output_tokens", "completion_tokens", "output_reasoning_tokens")


def is_langfuse(entry: Any) -> bool:
    """Whether an entry of a price file is in Langfuse's shape."""
    return isinstance(entry, Mapping) and "matchPattern" in entry


def own_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry as ``user.PriceEntry`` takes it. Raises ``ValueError`` for what cannot be carried over."""
    unknown = sorted(set(entry) - _KNOWN)
    if unknown:
        raise ValueError(f"{unknown[0]}: no key of a Langfuse model")
    out: dict[str, Any] = {"name": entry.get("modelName"), "match": _pattern(entry["matchPattern"])}
    if entry.get("startDate"):
        out["start_date"] = str(entry["startDate"])[:10]
    tiers = entry.get("pricingTiers")
    if not tiers:
        out["per_million"] = _per_million(_old_prices(entry))
        return out
    default = next((tier for tier in tiers if tier.get("isDefault")), None)
    if default is None:
        raise ValueError("pricingTiers: none of them is the default")
    out["per_million"] = _per_million(_prices(default))
    above = dict(_thresholds([tier for tier in tiers if tier is not default]))
    return {**out, "above": above} if above else out


def _pattern(text: Any) -> str:
    """Langfuse looks for the pattern anywhere in the name, ours are for the whole name."""
    if not isinstance(text, str) or not text:
        raise ValueError("matchPattern: must be a text")
    return f"(?s:.*)(?:{text})(?s:.*)"


def _old_prices(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    if entry.get("prices"):
        return _prices(entry)
    return {bucket: entry[key] for key, bucket in _OLD_PRICES.items() if entry.get(key) is not None}


def _prices(tier: Mapping[str, Any]) -> Mapping[str, Any]:
    """Usage type → price, from a map or from a list of ``{usageType, price}``."""
    prices = tier.get("prices")
    if isinstance(prices, list):
        return {str(price["usageType"]): price["price"] for price in prices}
    if not isinstance(prices, Mapping):
        raise ValueError("prices: a map of usage types to prices is expected")
    return {key: price["price"] if isinstance(price, Mapping) else price for key, price in prices.items()}


def _per_million(prices: Mapping[str, Any]) -> dict[str, Decimal]:
    if not prices:
        raise ValueError("there are no prices in it")
    return {usage: Decimal(str(price)) * _MILLION for usage, price in prices.items()}


def _thresholds(tiers: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, dict[str, Decimal]]]:
    """(input tokens above which a tier's prices count, these prices)."""
    for tier in tiers:
        conditions = tier.get("conditions") or []
        if len(conditions) != 1:
            raise ValueError(f"pricingTiers: {tier.get('name')!r} must have exactly one condition")
        condition = conditions[0]
        operator = condition.get("operator")
        if operator not in {"gt", "gte"} or not _means_input(condition.get("usageDetailPattern")):
            raise ValueError(
                f"pricingTiers: {tier.get('name')!r}: only conditions on the input tokens (usageDetailPattern 'input', "
                "operator gt or gte) can be carried over; write it as an entry with 'above' or 'service_tier'"
            )
        yield int(condition["value"]) - (operator == "gte"), _per_million(_prices(tier))


def _means_input(pattern: Any) -> bool:
    """Whether a pattern on usage types takes input tokens and nothing of the output."""
    try:
        found = re2.compile(f"(?i){pattern}")
    except re2.error:
        return False
    return found.search("input") is not None and not any(found.search(usage) for usage in _OUTPUTS)
