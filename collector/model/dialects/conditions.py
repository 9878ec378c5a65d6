"""What conditions of the tables ask of a span: its sender, and which keys it carries.

A *marker* is a set of keys of which one is on the span: a bit. A span's bits are one whole number; in columns they
are words of 64 bits, as many as the tables need.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from collector.errors import ConfigError
from collector.model.dialects.fact_tables import When
from collector.model.dialects.table_files import matcher

ROOT_BIT, SERVED_BIT = 1, 2
"""Bits of the first word that no keys are behind: the span has no parent; it serves a request of its trace."""
_FIRST_MARKER = 2
WORD = 64


@dataclass(frozen=True, slots=True)
class Origin:
    """What conditions may ask about the sender; interned, so equal origins are few."""

    scope: str
    version: str
    language: str
    sdk: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A ``When`` over an origin and marker bits."""

    when: When
    scopes: re.Pattern[str]
    not_scopes: re.Pattern[str]
    bounds: tuple[tuple[Callable[[Any, Any], bool], tuple[int, ...]], ...]
    all_bits: int
    no_bits: int

    def holds(self, origin: Origin, bits: int) -> bool:
        """Whether the condition holds (types of observation left aside)."""
        when = self.when
        return (
            bits & self.all_bits == self.all_bits
            and not bits & self.no_bits
            and (not when.scope or bool(self.scopes.match(origin.scope)))
            and (not when.not_scope or not self.not_scopes.match(origin.scope))
            and (when.language is None or when.language == origin.language)
            and (when.sdk is None or when.sdk == origin.sdk)
            and self._version_fits(origin.version)
        )

    def _version_fits(self, text: str) -> bool:
        if not self.bounds:
            return True
        version = parse_version(text)
        return bool(version) and all(compare(_pad(version), _pad(bound)) for compare, bound in self.bounds)


@dataclass(slots=True)
class Markers:
    """The sets of keys that conditions ask for, each with a bit of its own."""

    places: dict[tuple[str, ...], int] = field(default_factory=dict)

    def bit(self, keys: Sequence[str]) -> int:
        """The bit of a set of keys, as a number."""
        return 1 << self.places.setdefault(tuple(sorted(keys)), len(self.places) + _FIRST_MARKER)

    @property
    def words(self) -> int:
        """How many words of 64 bits hold them all."""
        return (len(self.places) + _FIRST_MARKER - 1) // WORD + 1

    def __iter__(self) -> Iterator[str]:
        """All keys, in any order; ``KEY=TEXT`` among them."""
        return (key for keys in self.places for key in keys)

    def patterns(self) -> list[tuple[re.Pattern[str], int]]:
        """Per set a matcher of its keys, and its bit."""
        return [(matcher(keys), 1 << place) for keys, place in self.places.items()]

    def condition(self, when: When) -> Condition:
        """``when`` over markers. Raises ``ConfigError`` for bounds on the version that are none."""
        required = [(key,) for key in when.has] + ([when.any] if when.any else [])
        bits = sum({self.bit(keys) for keys in required})
        bits |= (ROOT_BIT if when.root else 0) | (SERVED_BIT if when.served else 0)
        return Condition(
            when,
            matcher(when.scope),
            matcher(when.not_scope),
            tuple(_bound(part) for part in (when.version or "").split(",") if part.strip()),
            bits,
            self.bit(when.lacks) if when.lacks else 0,
        )


def in_words(bits: int, words: int) -> list[int]:
    """A number's words of 64 bits, the lowest first."""
    return [bits >> (WORD * n) & (2**WORD - 1) for n in range(words)]


def parse_version(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: ``"3.15.0rc1"`` → (3, 15, 0); empty if there are none."""
    match = re.match(r"v?(\d{1,9}(?:\.\d{1,9}){0,3})", text)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def _pad(version: tuple[int, ...]) -> tuple[int, ...]:
    return (*version, 0, 0, 0, 0)[:4]


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


def _bound(text: str) -> tuple[Callable[[Any, Any], bool], tuple[int, ...]]:
    match = re.fullmatch(r"\s*(>=|<=|==|>|<)\s*([\d.]+)\s*", text)
    if not match:
        raise ConfigError(f"dialect tables: {text!r} is no bound on a version")
    return _COMPARE[match[1]], parse_version(match[2])
