r"""Finds and replaces values in texts: one cheap pass over a column, exact work on what it hits.

The pass is all patterns as one RE2 alternation through Arrow, without the GIL. The exact work
resolves escapes, finds what each pattern of a family that is there matches, lets its check decide,
and puts replacements in so that JSON stays JSON.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from processors._pii.actions import Entity, Mode, Writer
from processors._pii.json_text import quoted_number
from processors._pii.patterns import Pattern, compiled
from processors._pii.scan import Text, resolve

_SHORTEST = 6
"""Bytes of the shortest text that a built-in pattern can match (``a@b.cd``)."""

# Escapes of ASCII and of its look-alikes, and wide letters and digits themselves: such a text is
# read in full, because what it says is not what it looks like.
_DISGUISED = (
    r"\\u(?:00[2-7aA]|20(?:1[0-3]|2[fF])|[fF]{2}[0-5])"
    r"|\x{FF20}|[\x{FF10}-\x{FF19}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}]{3}"
)
_ANY_ESCAPE = r'\\[nrtbfu"/]'


@dataclass(slots=True)
class _Found:
    start: int
    end: int
    rank: int
    entity: Entity


_Member = tuple[int, Pattern]
"""A pattern with its rank: of two that overlap the first gives the name."""

_TOKENS = "key"


@dataclass(frozen=True, slots=True)
class _Family:
    """Patterns that are asked together."""

    search: Any
    """Finds the first place where one of them may match; None: a user's own, each asked for itself."""
    members: list[_Member]
    is_tokens: bool
    """They match single tokens, of which none begins inside another."""


class Engine:
    """Compiled patterns with what to do about them. Holds no state: safe to share."""

    def __init__(
        self, patterns: Sequence[Pattern], write: Writer, is_allowed: Callable[[str], bool] | None = None
    ) -> None:
        self._families = _families(patterns)
        self._write = write
        self._is_allowed = is_allowed
        self._has_own = any(p.family is None for p in patterns)
        parts = [p.prefilter for p in patterns] + [_ANY_ESCAPE if self._has_own else _DISGUISED]
        self._prefilter = "|".join(f"(?:{part})" for part in parts)
        self._shortest = 1 if self._has_own else _SHORTEST

    def candidates(self, texts: pa.StringArray) -> npt.NDArray[np.int64]:
        """Positions of the texts that may hold something."""
        long_enough = pc.greater_equal(pc.binary_length(texts), self._shortest)
        positions = np.flatnonzero(long_enough.fill_null(False).to_numpy(zero_copy_only=False))
        if not len(positions):
            return positions
        selected = texts if len(positions) == len(texts) else texts.take(pa.array(positions))
        hits = pc.match_substring_regex(selected, self._prefilter).to_numpy(zero_copy_only=False)
        return positions[hits.astype(bool)]

    def mask(self, raw: bytes, tally: Counter[str], without: Collection[str] = ()) -> bytes | None:
        """The text with everything found replaced; None: it must be dropped as a whole.

        The very same object when nothing was found. ``without`` names entities to leave alone.
        """
        text = resolve(raw)
        found = self._merged(self._find(text, without))
        if not found:
            return raw
        tally.update(f.entity.name for f in found)
        if any(f.entity.mode is Mode.DROP for f in found):
            return None
        return self._replaced(text, found)

    def _find(self, text: Text, without: Collection[str]) -> list[_Found]:
        found: list[_Found] = []
        for family in self._families:
            members = family.members
            if without:
                members = [m for m in members if m[1].entity.name not in without]
            if family.search is None:
                found += self._everywhere(text, members)
            elif (first := family.search(text.scan)) is not None:
                found += (
                    self._along(text, family, first, members) if family.is_tokens else self._everywhere(text, members)
                )
        return found

    def _everywhere(self, text: Text, members: list[_Member]) -> Iterator[_Found]:
        """What each pattern finds by itself."""
        for rank, pattern in members:
            for match in pattern.finder.finditer(text.scan):
                yield from self._checked(text, rank, pattern, match)

    def _along(self, text: Text, family: _Family, match: Any, members: list[_Member]) -> Iterator[_Found]:
        """What the patterns find where the family is found: one pass for all, for families of many."""
        while match is not None:
            position = match.start() + 1
            for rank, pattern in members:
                own = pattern.finder.match(text.scan, match.start())
                for item in () if own is None else self._checked(text, rank, pattern, own):
                    position = max(position, text.to_scan(item.end))
                    yield item
            match = family.search(text.scan, position)

    def _checked(self, text: Text, rank: int, pattern: Pattern, match: Any) -> Iterator[_Found]:
        for start, end in pattern.check(text, *match.span()):
            if not self._is_allowed or not self._is_allowed(_value(text.raw[start:end]).decode("utf-8", "replace")):
                yield _Found(start, end, rank, pattern.entity)

    def _merged(self, found: list[_Found]) -> list[_Found]:
        """Sorted, without overlaps: two that overlap become one, named after the first pattern."""
        if len(found) < 2:
            return found
        credentials = [f for f in found if f.entity.name == "url_credentials"]
        merged: list[_Found] = []
        for item in sorted(found, key=lambda f: (f.start, -f.end)):
            if (
                credentials
                and item.entity.name == "email"
                and any(c.start < item.end and item.start < c.end for c in credentials)
            ):
                continue  # "password@host" of a URL is no address
            last = merged[-1] if merged else None
            if last is None or item.start >= last.end:
                merged.append(item)
                continue
            last.end = max(last.end, item.end)
            if item.rank < last.rank:
                last.rank, last.entity = item.rank, item.entity
        return merged

    def _replaced(self, text: Text, found: list[_Found]) -> bytes:
        raw = text.raw
        pieces: list[bytes] = []
        done = 0
        for item in found:
            replacement = self._write(item.entity, _value(raw[item.start : item.end]))
            start, end = item.start, item.end
            number = quoted_number(text, start, end)
            if number is not None and number[0] >= done:
                start, end, quote = number
                replacement = quote + replacement + quote
            pieces += (raw[done:start], replacement)
            done = end
        pieces.append(raw[done:])
        masked = b"".join(pieces)
        if self._has_own and _is_json(raw) and not _is_json(masked):
            # A user's pattern reached over a quotation mark: nothing of the text is safe to keep.
            return json.dumps(found[0].entity.redacted).encode()
        return masked


def _families(patterns: Sequence[Pattern]) -> list[_Family]:
    members: dict[str | None, list[_Member]] = {}
    for rank, pattern in enumerate(patterns):
        members.setdefault(pattern.family, []).append((rank, pattern))
    return [
        _Family(
            None if name is None else compiled("|".join(f"(?:{p.regex})" for _, p in group)).search,
            group,
            is_tokens=name == _TOKENS,
        )
        for name, group in members.items()
    ]


def _value(raw: bytes) -> bytes:
    """A match as it reads, with its escapes resolved."""
    return raw if raw.isascii() and b"\\" not in raw else resolve(raw).scan


def _is_json(text: bytes) -> bool:
    if text.lstrip()[:1] not in {b"{", b"["}:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
