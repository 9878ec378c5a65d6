"""Raw token counts of each span, by field, as its dialect reports them: attributes and JSON objects.

Counts are int64 arrays, one entry per row, ``MISSING`` where nothing was reported: zero is a number
that somebody said. Aliases of one field are never summed, the first by rank wins.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from collector.model import schema
from collector.model.dialects import tables
from collector.model.dialects.rules import Rule
from collector.model.dialects.tables import COUNT_FIELDS
from collector.model.facts_convert import MAX_COUNT, RefusedError, count, long_value, parse_json
from collector.model.facts_lookup import MISSING, Bools, Distinct, Entries, Ints, Lookup

_FIELD: dict[str, int] = {name: index for index, name in enumerate(COUNT_FIELDS)}
_MAX_EXTRAS = 32
_LAST = 1_000
_MAX_EXTRA_NAME = 64


@dataclass(slots=True)
class Counts:
    """Raw counts by field, before they are made disjoint."""

    of: dict[str, Ints]
    explicit: Bools
    inclusive: Bools
    """Explicit rows whose object is a provider's own (nested details): totals include the parts."""
    extras: list[tuple[int, str, int]] = field(default_factory=list)
    """(row, bucket, count) of further buckets an explicit object names."""


def counts(lookup: Lookup) -> Counts:
    """What each span reports, before any of it is related to the rest."""
    objects = _Objects(lookup)
    explicit, inclusive, extras = objects.explicit()
    of: dict[str, Ints] = {name: _first_count(lookup, objects, name, explicit) for name in COUNT_FIELDS}
    return Counts(of, explicit, inclusive, extras)


def _first_count(lookup: Lookup, objects: _Objects, name: str, closed: Bools) -> Ints:
    out = np.full(lookup.num_rows, MISSING, np.int64)
    rules = lookup.rules(name)
    todo = np.ones(lookup.num_rows if rules else 0, np.bool_)
    for rule in rules:
        open_rows = todo if rule.explicit else todo & ~closed
        if rule.usage_object:
            found = [objects.column(rule, name, open_rows)]
        elif rule.source.json_key:
            found = [_json_counts(lookup, e, d) for e, d in lookup.json_values(rule, open_rows)]
        else:
            assert rule.source.key is not None
            groups = lookup.groups(rule, rule.source.key, open_rows)
            found = [(e.rows, attribute_counts(lookup, e.positions)) for e in groups]
        for rows, values in found:
            some = values != MISSING
            out[rows[some]] = values[some]
            todo[rows[some]] = False
    return out


def _json_counts(lookup: Lookup, entries: Entries, distinct: Distinct) -> tuple[Ints, Ints]:
    return entries.rows, distinct.spread([_safe_count(lookup, value) for value in distinct.values])


def attribute_counts(lookup: Lookup, positions: Ints) -> Ints:
    """Counts of attributes of any type; ``MISSING`` for what is none."""
    types, nums = lookup.flat.types[positions], lookup.flat.nums[positions]
    out = np.full(len(positions), MISSING, np.int64)
    whole = types == schema.INT
    out[whole] = nums[whole]
    doubles = types == schema.DOUBLE
    if doubles.any():
        numbers = nums[doubles].view(np.float64)
        usable = np.isfinite(numbers) & (numbers >= 0) & (numbers <= 2.0**53)
        out[doubles] = np.where(usable, np.where(usable, numbers, 0).astype(np.int64), -2)
    refused = (out < 0) & (whole | doubles) | (out > 2**53)
    if refused.any():
        lookup.faults["usage_refused"] += int(refused.sum())
        out[refused] = MISSING
    written = np.isin(types, (schema.STRING, schema.KVLIST))
    if written.any():
        texts = lookup.distinct(positions[written])
        out[written] = texts.spread([_safe_count(lookup, _long_text(text)) for text in texts.values])
    return out


def _long_text(text: str) -> Any:
    """The text, or the number inside a Long object written as JSON (plain or OTLP's)."""
    if not text.startswith("{"):
        return text
    value = parse_json(text)
    if isinstance(value, dict) and isinstance(members := value.get("values"), list):
        entries = [m for m in members if isinstance(m, dict)]
        value = {m.get("key"): _otlp_int(m.get("value")) for m in entries if isinstance(m.get("key"), str)}
    return long_value(value)


def _otlp_int(value: Any) -> int | None:
    try:
        return int(value["intValue"])
    except (KeyError, TypeError, ValueError):
        return None


def _safe_count(lookup: Lookup, value: Any) -> int:
    try:
        found = count(long_value(value))
    except RefusedError:
        lookup.faults["usage_refused"] += 1
        return MISSING
    except TypeError:  # a list or an object: no hash, no number
        return MISSING
    return MISSING if found is None else found


# ---- usage objects (JSON) ----


@dataclass(frozen=True, slots=True)
class _Parsed:
    """One distinct usage object."""

    counts: list[int]
    inclusive: bool
    extras: tuple[tuple[str, int], ...]


_NOTHING = _Parsed([MISSING] * len(COUNT_FIELDS), inclusive=False, extras=())


class _Objects:
    """The usage objects of a batch, each distinct one read once."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._read: dict[tuple[str, str], list[tuple[Ints, npt.NDArray[np.int32], Ints, list[_Parsed]]]] = {}

    def column(self, rule: Rule, name: str, todo: Bools) -> tuple[Ints, Ints]:
        """Rows and counts of one field."""
        rows: list[Ints] = [np.empty(0, np.int64)]
        values: list[Ints] = [np.empty(0, np.int64)]
        for all_rows, indices, matrix, _ in self._of(rule):
            keep = todo[all_rows]
            rows.append(all_rows[keep])
            values.append(matrix[indices[keep], _FIELD[name]])
        return np.concatenate(rows), np.concatenate(values)

    def explicit(self) -> tuple[Bools, Bools, list[tuple[int, str, int]]]:
        """Rows with an explicit object that says something, which are inclusive, further buckets."""
        explicit = np.zeros(self._lookup.num_rows, np.bool_)
        inclusive = explicit.copy()
        extras: list[tuple[int, str, int]] = []
        for rule in self._lookup.rules(COUNT_FIELDS[0]):
            for rows, indices, matrix, parsed in self._of(rule) if rule.explicit else ():
                some = np.array([bool(p.extras) for p in parsed], np.bool_) | (matrix != MISSING).any(axis=1)
                explicit[rows] |= some[indices]
                inclusive[rows] |= np.array([p.inclusive for p in parsed], np.bool_)[indices]
                with_extras = np.array([bool(p.extras) for p in parsed], np.bool_)[indices]
                for row, index in zip(rows[with_extras].tolist(), indices[with_extras].tolist(), strict=True):
                    extras += [(row, name, value) for name, value in parsed[index].extras]
        return explicit, inclusive, extras

    def _of(self, rule: Rule) -> list[tuple[Ints, npt.NDArray[np.int32], Ints, list[_Parsed]]]:
        key = (rule.source.json_key or "", rule.source.path or "")
        if key not in self._read:
            everything = np.ones(self._lookup.num_rows, np.bool_)
            found = []
            for entries, distinct in self._lookup.json_values(rule, everything):
                parsed = [_parse_object(self._lookup, value) for value in distinct.values]
                matrix = np.array([p.counts for p in parsed], np.int64).reshape(-1, len(COUNT_FIELDS))
                found.append((entries.rows, distinct.indices, matrix, parsed))
            self._read[key] = found
        return self._read[key]


def _parse_object(lookup: Lookup, value: Any) -> _Parsed:
    if not isinstance(value, dict) or not value:
        return _NOTHING
    counts = list(_NOTHING.counts)
    ranks = [_LAST] * len(counts)
    inclusive = False
    extras: list[tuple[str, int]] = []
    known = object_keys()
    for key, number in _leaves(value):
        # The exact type keeps booleans out; nearly every member is a plain int.
        plain = type(number) is int and 0 <= number <= MAX_COUNT
        found = number if plain else _safe_count(lookup, number)
        if found == MISSING:
            continue
        place = known.get(key)
        if place is None:
            inclusive = inclusive or bool(_inclusive_keys().match(key))
            if found and len(extras) < _MAX_EXTRAS and _is_bucket(key):
                extras.append((key, found))
        else:
            index, rank, says_inclusive = place
            inclusive = inclusive or says_inclusive
            if rank < ranks[index]:
                counts[index], ranks[index] = found, rank
    return _Parsed(counts, inclusive, tuple(extras))


@functools.lru_cache(maxsize=1_024)
def _is_bucket(key: str) -> bool:
    """Whether an unknown member stands for a bucket of its own."""
    return len(key) <= _MAX_EXTRA_NAME and not _ignored_keys().match(key)


def _leaves(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Members, those of nested objects under dotted keys."""
    for key, member in value.items():
        if isinstance(member, dict) and "low" not in member:
            for inner, leaf in member.items():
                if leaf is not None:
                    yield f"{key}.{inner}", leaf
        elif member is not None:
            yield str(key), member


@functools.cache
def object_keys() -> dict[str, tuple[int, int, bool]]:
    """Key of a usage object → (field, rank, says that totals include the parts)."""
    inclusive = _inclusive_keys()
    return {
        key: (_FIELD[entry.field], rank, bool(inclusive.match(key)))
        for entry in tables.usage_keys().counts
        for rank, key in enumerate(entry.keys)
    }


@functools.cache
def _inclusive_keys() -> re.Pattern[str]:
    return tables.matcher(tables.usage_keys().inclusive)


@functools.cache
def _ignored_keys() -> re.Pattern[str]:
    return tables.matcher(tables.usage_keys().ignore)
