"""From the names telemetry uses to names a price table may know; the facts are in ``call_names.yaml``."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from processors._prices.rates import load_data

MAX_NAME = 200
"""Longer model names are nobody's: they are not looked up."""


@dataclass(frozen=True, slots=True)
class Call:
    """What identifies the price of a request, as its span names it."""

    provider: str | None
    models: tuple[str, ...]
    """Names to try, best first: response model, request model, model."""
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """One form of a model name, lower case."""

    text: str
    lossy: bool = False
    """The rewriting may have led to a neighbouring model."""
    note: str = ""
    """What ``price_ref`` must say about the rewriting."""


@dataclass(frozen=True, slots=True)
class _Rewrite:
    pattern: re.Pattern[str]
    replace: str
    lossy: bool
    note: str


@dataclass(frozen=True)
class Names:
    """The contents of ``call_names.yaml``."""

    providers: Mapping[str, str]
    self_hosted: frozenset[str]
    closed: frozenset[str]
    routes: Mapping[str, str | None]
    rewrites: tuple[_Rewrite, ...]
    service_tiers: Mapping[str, Mapping[str, str]]
    litellm_tiers: Mapping[str, str]
    free: re.Pattern[str]

    def forms(self, model: str) -> Iterator[Name]:
        """The name as it is, then without routes, regions, versions, ...; each form once."""
        if len(model) > MAX_NAME:
            return
        name = Name(model.strip().lower())
        seen = {name.text, ""}
        if name.text:
            yield name
        for form in self._rewritten(name):
            if form.text not in seen:
                seen.add(form.text)
                yield form

    def _rewritten(self, name: Name) -> Iterator[Name]:
        for _, rest in self.routed(name.text):
            name = Name(rest)
            yield name
        for rewrite in self.rewrites:
            text = rewrite.pattern.sub(rewrite.replace, name.text)
            if text != name.text:
                name = Name(text, name.lossy or rewrite.lossy, name.note or rewrite.note)
                yield name

    def routed(self, model: str) -> Iterator[tuple[str | None, str]]:
        """(provider, rest) for each leading route segment, outermost first."""
        head, slash, rest = model.strip().lower().partition("/")
        while slash and head in self.routes:
            yield self.routes[head], rest
            head, slash, rest = rest.partition("/")

    def context(self, tier: str | None) -> dict[str, str]:
        """The request conditions of a service tier."""
        if not tier:
            return {}
        tier = tier.strip().lower()
        return dict(self.service_tiers.get(tier, {"service_tier": tier}))

    def seller(self, label: str) -> str:
        """The id under which tables know a provider label."""
        folded = label.strip().lower()
        return self.providers.get(folded, folded)


@functools.cache
def names() -> Names:
    """The names that come with this package."""
    data = load_data("call_names.yaml")
    return Names(
        providers=data["providers"],
        self_hosted=frozenset(data["self_hosted"]),
        closed=frozenset(data["closed"]),
        routes=data["routes"],
        rewrites=tuple(
            _Rewrite(re.compile(r["pattern"]), r["replace"], r.get("lossy", False), r.get("note", ""))
            for r in data["rewrites"]
        ),
        service_tiers=data["service_tiers"],
        litellm_tiers=data["litellm_tiers"],
        free=re.compile(data["free"]),
    )


def tier_note(tier: str | None, *, active: bool) -> str:
    """What ``price_ref`` says of a service tier other than the standard one."""
    shown = "".join((tier or "").lower().split())[:32]
    return f" tier:{shown}" if active else f" no-tier:{shown}"
