"""Prices from a file in LiteLLM's format (``model_prices_and_context_window.json``): one entry per model.

A key is a model name, often behind its provider (``azure/gpt-4o``). Prices are USD per unit; a key's endings say
for which lifetime, above how many thousand input tokens and under which service tier a price counts:
``cache_creation_input_token_cost_above_1hr_above_200k_tokens_priority``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from processors._prices.call_names import Call, Name, names, tier_note
from processors._prices.rates import MAX_COST, PICO, Plan, PriceRow, Rate, Sheet, buckets

SOURCE = "litellm"

Entry = Mapping[str, Any]

_ABOVE = re.compile(r"_above_(\d{1,4})k_tokens")
_REQUEST = ("input_cost_per_request", "input_cost_per_query")
_MAX_PRICE = Decimal(MAX_COST) / PICO


@dataclass(frozen=True, slots=True)
class _Model:
    """One entry of the file."""

    key: str
    seller: str
    entry: Entry


class LiteLlmPrices:
    """Finds plans in the entries of a file; ``name`` stands for the file in ``price_ref``."""

    def __init__(self, entries: Mapping[str, Entry], name: str) -> None:
        self._name = name
        self._sold: dict[tuple[str, str], _Model] = {}
        self._bare: dict[str, _Model] = {}
        for key, entry in entries.items():
            self._add(key, entry)

    def _add(self, key: str, entry: Entry) -> None:
        label = str(entry.get("litellm_provider", "")).partition("-")[0]
        model = _Model(key, names().routes.get(label) or names().seller(label), entry)
        text = key.strip().lower()
        rests = [rest for _, rest in names().routed(text)]
        for name in (text, *rests):
            self._sold.setdefault((model.seller, name), model)
        if not rests:
            self._bare.setdefault(text, model)

    def find(self, call: Call, others: Callable[[Call], Plan | None]) -> Plan | None:
        """The prices of a call's model, or what the tables behind this one know."""
        label = (call.provider or "").strip().lower()
        if label in names().self_hosted:
            return others(call)
        for model, name in self._candidates(call, label):
            if model is not None and (sheet := self._sheet(model, name, call.tier)) is not None:
                return _constant(sheet)
        return others(call)

    def _candidates(self, call: Call, label: str) -> Iterator[tuple[_Model | None, Name]]:
        """What the seller lists, then the provider in a routed name, then the name alone."""
        known, seller = names(), names().seller(label)
        for text in call.models if label else ():
            yield from ((self._sold.get((seller, name.text)), name) for name in known.forms(text))
        if label in known.closed or seller in known.closed:
            return
        for text in call.models:
            for route, rest in known.routed(text):
                if route:
                    yield from ((self._sold.get((route, name.text)), name) for name in known.forms(rest))
        for text in call.models:
            yield from ((self._bare.get(name.text), name) for name in known.forms(text))

    def _sheet(self, model: _Model, name: Name, tier: str | None) -> Sheet | None:
        ending = _ending(tier)
        active = any(key.endswith(f"_{ending}") for key in model.entry) if ending else False
        ref = f"{self._name}/{model.seller}:{''.join(model.key.split())}"
        ref += f" {name.note}" if name.note else ""
        ref += tier_note(tier, active=active) if ending else ""
        # The list prices are those of peak hours.
        ref += " no-off-peak" if "off_peak_pricing" in model.entry else ""
        rows = [
            _row(_Prices(entry, reached, ending), ref + (f" context:>{reached[0]}" if reached else ""))
            for reached, entry in _steps(model.entry)
        ]
        starts = tuple(reached[0] for reached, _ in _steps(model.entry) if reached)
        return Sheet(starts, tuple(rows)) if rows[0].rates or rows[0].request else None


def _constant(sheet: Sheet) -> Plan:
    return Plan((), (), lambda _: sheet)


def _ending(tier: str | None) -> str:
    if not tier:
        return ""
    folded = tier.strip().lower()
    return names().litellm_tiers.get(folded, folded)


def _steps(entry: Entry) -> list[tuple[tuple[int, ...], Entry]]:
    """The context tiers of an entry: (thresholds reached, highest first; the entry with its prices there)."""
    ranges = dict(_ranges(entry.get("tiered_pricing")))
    starts = {int(found[1]) * 1_000 for key in entry if (found := _ABOVE.search(key))} | set(ranges) | {0}
    steps: list[tuple[tuple[int, ...], Entry]] = []
    for start in sorted(starts):
        reached = tuple(sorted((s for s in starts if 0 < s <= start), reverse=True))
        own = next((ranges[s] for s in (*reached, 0) if s in ranges), {})
        steps.append((reached, {**entry, **own}))
    return steps


def _ranges(steps: Any) -> Iterator[tuple[int, Entry]]:
    """(lower bound, prices) of a ``tiered_pricing`` list."""
    for step in steps if isinstance(steps, list) else ():
        bounds = step.get("range") if isinstance(step, dict) else None
        if isinstance(bounds, list) and bounds and isinstance(bounds[0], int | Decimal):
            yield int(bounds[0]), step


@dataclass(frozen=True, slots=True)
class _Prices:
    """An entry as read at one context tier and one service tier."""

    entry: Entry
    reached: Sequence[int]
    ending: str

    def rate(self, key: str) -> Rate | None:
        """The price under a key: the service tier's before the standard one, the higher context before the lower."""
        above = [f"_above_{start // 1_000}k_tokens" for start in self.reached]
        for ending in (f"_{self.ending}", "") if self.ending else ("",):
            for part in (*above, ""):
                price = _price(self.entry, f"{key}{part}{ending}")
                if price is not None:
                    return Rate.of(price)
        return None


def _price(entry: Entry, key: str) -> Decimal | None:
    value: Any = entry
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value) if 0 <= value <= _MAX_PRICE else None


def _row(prices: _Prices, ref: str) -> PriceRow:
    rates: dict[str, Rate] = {}
    for bucket in buckets().values():
        own = next((rate for rate in map(prices.rate, bucket.litellm) if rate is not None), None)
        if own is not None:
            rates[bucket.name] = own
    request = next((rate for rate in map(prices.rate, _REQUEST) if rate is not None), None)
    return PriceRow(ref, SOURCE, rates, request.cost(1) if request else None)


def read_litellm(path: Path) -> tuple[dict[str, Entry], str]:
    """(entries of a file in LiteLLM's format, name of its contents for ``price_ref``).

    Raises ``ValueError`` naming the file when it is none.
    """
    try:
        data = path.read_bytes()
        document = json.loads(data, parse_float=Decimal, parse_constant=_no_number)
    except (OSError, ValueError, RecursionError) as e:
        raise ValueError(f"cannot read LiteLLM's price file {path}: {e}") from e
    entries: dict[str, Entry] = {}
    if isinstance(document, dict):
        entries = {k: v for k, v in document.items() if isinstance(v, dict) and k != "sample_spec"}
    if not any("litellm_provider" in entry for entry in entries.values()):
        raise ValueError(f"{path} is no price file in LiteLLM's format: a map of model names to prices per token")
    return entries, f"{path.name.replace(' ', '_')} {sha256(data).hexdigest()[:8]}"


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no price")
