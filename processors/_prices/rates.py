"""Rates: what a bucket of usage costs, exactly, and how a missing price falls back.

Money is integer pico-dollars (1e-12 USD). Most prices are a whole number of pico-dollars per token;
the rest (float noise in lists, fractions of a cent per page) keep their fraction until a bucket's
cost is rounded, half to even.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

PICO = 10**12
"""Pico-dollars per dollar."""

MAX_COST = 10**18 - 1
"""The largest amount decimal(18,12) holds, in pico-dollars."""

_MAX_BASE = 10**12  # so that the column kernel can work in int64; off by less than 1e-24 dollars per unit


@dataclass(frozen=True, slots=True)
class Rate:
    """Pico-dollars per unit: ``whole + part / base``, with ``0 <= part < base``."""

    whole: int
    part: int = 0
    base: int = 1

    @classmethod
    def of(cls, dollars: Decimal, per: int = 1) -> Rate:
        """The rate of a price of so many dollars per so many units."""
        exact = Fraction(dollars) * PICO / per
        if exact.denominator > _MAX_BASE:
            exact = exact.limit_denominator(_MAX_BASE)
        whole, part = divmod(exact.numerator, exact.denominator)
        return cls(whole, part, exact.denominator)

    def cost(self, units: int) -> int:
        """Pico-dollars of so many units, rounded half to even. The reference of the column kernel."""
        return round(units * (self.whole + Fraction(self.part, self.base)))


@dataclass(frozen=True, slots=True)
class Bucket:
    """What ``buckets.yaml`` says of one kind of usage."""

    name: str
    prices: tuple[str, ...] = ()
    litellm: tuple[str, ...] = ()
    parent: str | None = None
    side: str = ""
    context: bool = False


_UNKNOWN = Bucket("")


@dataclass(frozen=True, eq=False)
class PriceRow:
    """The prices that apply to a request: one model, service tier, price epoch and context tier."""

    ref: str
    """What was used, for ``price_ref``: table and version, provider, model, tier."""
    source: str
    """The kind of table, a label of the metric of priced calls."""
    rates: Mapping[str, Rate]
    """By bucket; those without an own price are absent."""
    request: int | None = None
    """Pico-dollars per request."""
    _found: dict[str, tuple[Rate | None, bool]] = field(default_factory=dict, init=False, repr=False)

    def find(self, bucket: str) -> tuple[Rate | None, bool]:
        """(rate of the bucket or None, whether a parent's price stands in)."""
        known = bucket_of(bucket)
        if known is _UNKNOWN:
            return self.rates.get(bucket), False
        if known.name not in self._found:
            self._found[known.name] = self._search(known)
        return self._found[known.name]

    def _search(self, bucket: Bucket) -> tuple[Rate | None, bool]:
        name: str | None = bucket.name
        while name is not None:
            if name in self.rates:
                return self.rates[name], name != bucket.name
            name = buckets()[name].parent
        return None, False


@dataclass(frozen=True, eq=False)
class Sheet:
    """The prices of one epoch: a row per context tier, the whole request at the row it reaches."""

    starts: tuple[int, ...]
    """Ascending thresholds: the row's position is the number of these below the input tokens."""
    rows: tuple[PriceRow, ...]


@dataclass(eq=False)
class Plan:
    """All prices of one model under one service tier, over time."""

    dates: tuple[int, ...]
    """Unix nanoseconds at which prices may change, ascending."""
    times: tuple[int, ...]
    """Nanoseconds of the (UTC) day at which prices may change, ascending."""
    make: Callable[[int], Sheet | None]
    """The sheet at a time in Unix nanoseconds, None when there is no price then; the same anywhere between two
    changes."""
    _sheets: dict[int, Sheet | None] = field(default_factory=dict, init=False, repr=False)

    def sheet(self, epoch: int, unix_nano: int) -> Sheet | None:
        """The sheet of an epoch, given any time in it."""
        if epoch not in self._sheets:
            self._sheets[epoch] = self.make(unix_nano)
        return self._sheets[epoch]


@functools.cache
def buckets() -> Mapping[str, Bucket]:
    """The known buckets by name."""
    return {
        name: Bucket(
            name,
            prices=tuple(entry.get("prices", ())),
            litellm=tuple(entry.get("litellm", ())),
            parent=entry.get("parent"),
            side=entry.get("side", ""),
            context=entry.get("context", False),
        )
        for name, entry in load_data("buckets.yaml")["buckets"].items()
    }


@functools.cache
def known_buckets() -> frozenset[str]:
    """The names that ``buckets.yaml`` has, other spellings included."""
    return frozenset(buckets()) | frozenset(_aliases())


@functools.cache
def _aliases() -> Mapping[str, str]:
    return load_data("buckets.yaml")["aliases"]  # type: ignore[no-any-return]


def bucket_of(name: str) -> Bucket:
    """The bucket a usage key stands for; a nameless one for a key nobody knows."""
    return buckets().get(_aliases().get(name, name), _UNKNOWN)


def side_of(name: str) -> str:
    """``input``, ``output`` or nothing: the side of the bill a usage key is on."""
    known = bucket_of(name)
    return name.partition("_")[0] if known is _UNKNOWN else known.side


def load_data(name: str) -> Any:
    """A YAML file of this package."""
    return YAML(typ="safe").load(resources.files(__package__).joinpath(name).read_text("utf-8"))
