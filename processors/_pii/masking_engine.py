r"""Finds and replaces values in texts: one cheap pass over a column, exact work on what it hits.

The pass is all patterns as one RE2 alternation through Arrow, without the GIL. The exact work looks
at the text with JSON's escapes resolved, and at every other way to read it, finds what each pattern of
a family that is there matches, lets its check decide, and puts replacements in so that JSON stays JSON.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from processors._pii.entities import Mode, Writer
from processors._pii.finds import Found, kept_beside, merged
from processors._pii.many import MANY, HyperscanSet, is_installed
from processors._pii.masked.json_masker import quoted_number
from processors._pii.patterns import Pattern, compiled, compiled_set, is_quoted_address
from processors._pii.scan import Text, resolve
from processors._pii.views.readings import Reading, readings
from processors._pii.views.triggers import triggers
from spanloom import numpy_of

_SHORTEST = 6
"""Bytes of the shortest text that a built-in pattern can match (``a@b.cd``)."""

_CALL_COSTS = 200
"""Bytes that RE2 looks through, or Arrow copies, in the time it takes to ask about one text."""

_FEW_TEXTS = 1_000
_SMALL = 128 * 1024
"""Bytes below which compiling the patterns costs Arrow more than looking."""

_ANY_ESCAPE = r'\\[nrtbfu"/]'


_Member = tuple[int, Pattern]
"""A pattern with its rank: of two that overlap the first gives the name."""

_MAX_ROUNDS = 8
_APART = b" \t\r\n\"'<>()[]{},;=:/@&?|!#*$"

# A text made of beginnings of keys would be read for minutes: it is given up on, and replaced.
_REJECTED_PER_TEXT = 1_000
_BYTES_PER_REJECTED = 1_000

_QUOTED_AT = re.compile(rb"=(?:3D)*40")
_WORD = re.compile(rb"[A-Za-z0-9]*")
_TOKENS = "key"
_FEW = 2
"""Asking so few patterns one by one costs no more than asking for all of them first."""
_MANY = 2
"""More than so many are asked as a set."""


@dataclass(frozen=True, slots=True)
class _Family:
    """Patterns that are asked together."""

    search: Any
    """Finds the first place where one of them may match; None: each is asked for itself."""
    members: list[_Member]
    is_tokens: bool
    """They match single tokens, of which none begins inside another."""
    which: Callable[[bytes], Sequence[int]] | None = None
    """Says in one pass which of them match somewhere, for families too large to ask each."""


class Engine:
    """Compiled patterns with what to do about them. Holds no state: safe to share."""

    def __init__(
        self,
        patterns: Sequence[Pattern],
        write: Writer,
        is_allowed: Callable[[str], bool] | None = None,
        also: Sequence[str] = (),
    ) -> None:
        """``also``: further RE2 expressions that make a text a candidate."""
        own = [p.regex for p in patterns if p.family is None]
        self._many = HyperscanSet(own) if len(own) > MANY and is_installed() else None
        asked_apart = {own[i] for i in self._many.known} if self._many is not None else frozenset()
        self._families = _families(patterns, self._many)
        self._write = write
        self._is_allowed = is_allowed
        self._has_own = bool(own)
        asked = dict.fromkeys(p.prefilter for p in patterns if p.family is not None or p.regex not in asked_apart)
        # Hyperscan is given texts with their escapes resolved; a pattern in the prefilter sees the raw ones.
        is_raw = self._has_own and (self._many is None or bool(self._many.others))
        parts = [*asked, *also, *([_ANY_ESCAPE] if is_raw else [])]
        self._prefilter = _any_of([*parts, triggers()])
        # A user's pattern may ask for the beginning or the end of a text, so those cannot be joined.
        self._joined = None if self._has_own else compiled(self._prefilter)
        self._plain = None if self._has_own else compiled(_any_of(asked))
        self._triggers = compiled(triggers())
        self._shortest = 1 if self._has_own else _SHORTEST

    def candidates(self, texts: pa.StringArray) -> npt.NDArray[np.int64]:
        """Positions of the texts that may hold something."""
        if not len(texts):
            return np.empty(0, np.int64)
        if self._joined is not None and texts.nbytes < _SMALL and len(texts) < _FEW_TEXTS and not texts.null_count:
            return _hits_joined(self._joined, texts)
        long_enough = pc.greater_equal(pc.binary_length(texts), self._shortest).fill_null(False)
        short = len(texts) - long_enough.true_count
        if short * _CALL_COSTS > texts.nbytes:
            positions = np.flatnonzero(numpy_of(long_enough))
            return positions[self._hits(texts.take(pa.array(positions)))]
        return np.flatnonzero(self._hits(texts))

    def _hits(self, texts: pa.StringArray) -> npt.NDArray[np.bool_]:
        hits = pc.match_substring_regex(texts, self._prefilter).fill_null(False)
        found: npt.NDArray[np.bool_] = numpy_of(hits)
        if self._many is None:
            return found
        found = found.copy()
        for position in np.flatnonzero(~found):
            text = texts[position].as_py()
            found[position] = bool(text) and bool(self._many.known_in(resolve(text.encode()).scan))
        return found

    def mask(self, raw: bytes, tally: Counter[str], without: Collection[str] = ()) -> bytes | None:
        """The text with everything found replaced; None: it must be dropped as a whole.

        The very same object when nothing was found. ``without`` names entities to leave alone.
        """
        for _ in range(_MAX_ROUNDS):
            found = self._found(raw, without)
            if not found:
                return raw
            for item in found:
                tally[item.entity.name] += 1
                if item.entity.mode is Mode.DROP:
                    return None
            before, raw = raw, self._replaced(raw, found)
            if not any(_touches_more(before, item) for item in found):
                return raw
        raise OverflowError("masking uncovers something new each time")

    def find(self, raw: bytes) -> list[Found]:
        """Everything there is in a text, in order, without overlaps."""
        return self._found(raw, ())

    def _found(self, raw: bytes, without: Collection[str]) -> list[Found]:
        if self._triggers.search(raw) is None:
            return merged(self._find(resolve(raw), without))
        found = self._find(resolve(raw), without) if self._may_hold(raw) else []
        read = [item for reading in readings(raw) for item in self._read(raw, reading, without)]
        return merged([*kept_beside(found, read), *read])

    def _may_hold(self, raw: bytes) -> bool:
        return self._plain is None or self._plain.search(raw) is not None

    def _read(self, raw: bytes, reading: Reading, without: Collection[str]) -> Iterator[Found]:
        """What is found in a text as it reads, at its place in the original."""
        if not self._may_hold(reading.read):
            return
        for item in self._find(resolve(reading.read), without):
            start, end = reading.span(item.start, item.end)
            value = _value(reading.read[item.start : item.end])
            if item.entity.name != "email" or not _QUOTED_AT.search(raw, start, end) or is_quoted_address(value):
                yield Found(start, end, item.rank, item.entity, value)

    def _find(self, text: Text, without: Collection[str]) -> list[Found]:
        found: list[Found] = []
        for family in self._families:
            members = family.members
            if family.which is not None:
                members = [members[i] for i in family.which(text.scan)]
            if without:
                members = [m for m in members if m[1].entity.name not in without]
            if family.search is None:
                found += self._everywhere(text, members, 0)
            elif (first := family.search(text.scan)) is not None:
                found += (
                    self._along(text, family, first, members)
                    if family.is_tokens
                    else self._everywhere(text, members, first.start())
                )
        return found

    def _everywhere(self, text: Text, members: list[_Member], start: int) -> Iterator[Found]:
        """What each pattern finds by itself from ``start`` on."""
        for rank, pattern in members:
            for match in pattern.finder.finditer(text.scan, start) if pattern.is_possible(text.scan) else ():
                yield from self._checked(text, rank, pattern, match)

    def _along(self, text: Text, family: _Family, match: Any, members: list[_Member]) -> Iterator[Found]:
        """What the patterns find where the family is found: one pass for all, for families of many."""
        budget = _REJECTED_PER_TEXT + len(text.scan) // _BYTES_PER_REJECTED
        while match is not None:
            position = _word_end(text.scan, match.start())
            for rank, pattern in members:
                own = pattern.finder.match(text.scan, match.start())
                found = list(self._checked(text, rank, pattern, own)) if own is not None else ()
                if found:
                    yield from found
                    position = max(position, text.to_scan(found[-1].end))
                    break
            else:
                budget -= 1
                if budget < 0:
                    raise OverflowError("too many beginnings of keys that are none")
            match = family.search(text.scan, position)

    def _checked(self, text: Text, rank: int, pattern: Pattern, match: Any) -> Iterator[Found]:
        for start, end in pattern.check(text, *match.span()):
            if not self._is_allowed or not self._is_allowed(_value(text.raw[start:end]).decode("utf-8", "replace")):
                yield Found(start, end, rank, pattern.entity)

    def _replaced(self, raw: bytes, found: list[Found]) -> bytes:
        text = Text(raw, raw)
        pieces: list[bytes] = []
        done = 0
        for item in found:
            value = item.read if item.read is not None else _value(raw[item.start : item.end])
            replacement = self._write(item.entity, value)
            start, end = item.start, item.end
            number = quoted_number(text, start, end)
            if number is not None and number[0] >= done:
                start, end, quote = number
                replacement = quote + replacement + quote
            pieces += (raw[done:start], replacement)
            done = end
        pieces.append(raw[done:])
        masked = b"".join(pieces)
        may_reach_over = self._has_own or any(item.read is not None for item in found)
        if may_reach_over and _is_json(raw) and not _is_json(masked):
            # A user's pattern, or an escaped quotation mark, reached over one: nothing is safe to keep.
            return json.dumps(found[0].entity.redacted).encode()
        return masked


def _hits_joined(prefilter: Any, texts: pa.StringArray) -> npt.NDArray[np.int64]:
    """Positions of the texts with a hit, by one call for all and no compilation: Arrow compiles at each call."""
    joined = "\n".join(texts.to_pylist()).encode()
    spans = [match.span() for match in prefilter.finditer(joined)]
    if not spans:
        return np.empty(0, np.int64)
    lengths = numpy_of(pc.binary_length(texts))
    starts = np.cumsum(lengths + 1, dtype=np.int64) - lengths - 1
    # A hit may begin in one text and end in another, and hide one of the other's: both are taken.
    touched = np.searchsorted(starts, np.array(spans) - (0, 1), side="right") - 1
    return np.unique(np.concatenate([np.arange(first, last + 1) for first, last in touched]))


def _any_of(expressions: Collection[str]) -> str:
    return "|".join(f"(?:{each})" for each in expressions)


def _touches_more(raw: bytes, item: Found) -> bool:
    """Whether something stands right beside it that may be found once it is gone."""
    before, after = raw[max(0, item.start - 1) : item.start], raw[item.end : item.end + 1]
    return bool(before.strip(_APART) or after.strip(_APART))


def _word_end(scan: bytes, start: int) -> int:
    """Where looking goes on: no token begins inside a word, and a long word must not be looked at twice."""
    word = _WORD.match(scan, start)
    return max(start + 1, word.end() if word else 0)


def _families(patterns: Sequence[Pattern], many: HyperscanSet | None) -> list[_Family]:
    members: dict[str | None, list[_Member]] = {}
    for rank, pattern in enumerate(patterns):
        members.setdefault(pattern.family, []).append((rank, pattern))
    return [_family(name, group, many) for name, group in members.items()]


def _family(name: str | None, group: list[_Member], many: HyperscanSet | None) -> _Family:
    expressions = [p.regex for _, p in group]
    if name is None:
        # No RE2 set: a user's patterns may need more memory than it has, and it would only say that nothing matches.
        return _Family(None, group, is_tokens=False, which=many.matching if many is not None else None)
    if len(group) > _MANY and name != _TOKENS:
        return _Family(None, group, is_tokens=False, which=compiled_set(expressions))
    if len(group) <= _FEW:
        return _Family(None, group, is_tokens=name == _TOKENS)
    return _Family(compiled("|".join(f"(?:{e})" for e in expressions)).search, group, is_tokens=name == _TOKENS)


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
