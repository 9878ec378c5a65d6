"""Raw token counts of each span, by field, as its dialect reports them: attributes and JSON objects.

Counts are int64 arrays, one entry per row, ``MISSING`` where nothing was reported: zero is a number
that somebody said. Aliases of one field are never summed, the first by rank wins.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from collector.model import schema
from collector.model.dialects.compiled_tables import Rule
from collector.model.dialects.fields import COUNT_FIELDS
from collector.model.facts.convert import RefusedError, count, long_value
from collector.model.facts.lookup import Lookup
from collector.model.facts.usage_objects import FIELD, Objects, read_objects
from collector.model.facts.values import MISSING, Bools, Distinct, Entries, Ints
from collector.model.json_values import parse_json


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
    objects = _ObjectSources(lookup)
    explicit, inclusive, extras = objects.explicit()
    of: dict[str, Ints] = {name: _first_count(lookup, objects, name, explicit) for name in COUNT_FIELDS}
    return Counts(of, explicit, inclusive, extras)


def _first_count(lookup: Lookup, objects: _ObjectSources, name: str, closed: Bools) -> Ints:
    rules = lookup.rules(name)
    if not rules:
        return lookup.nothing
    out = lookup.nothing.copy()
    todo = np.ones(lookup.num_rows, np.bool_)
    for rule in rules:
        before = None if lookup.recorder is None else todo.copy()
        for rows, values in _counts_by_rule(lookup, objects, rule, name, todo if rule.explicit else todo & ~closed):
            some = values != MISSING
            out[rows[some]] = values[some]
            todo[rows[some]] = False
        if lookup.recorder is not None and before is not None:
            everything = _counts_by_rule(lookup, objects, rule, name, lookup.everything)
            lookup.recorder.heard(name, rule, everything, before & ~todo, np.ndarray.tolist)
    return out


def _counts_by_rule(
    lookup: Lookup, objects: _ObjectSources, rule: Rule, name: str, todo: Bools
) -> list[tuple[Ints, Ints]]:
    """Rows and counts that one rule yields."""
    if rule.usage_object:
        return [objects.column(rule, name, todo)]
    if rule.source.json_key:
        return [_json_counts(lookup, e, d) for e, d in lookup.json_values(rule, todo)]
    assert rule.source.key is not None
    groups = lookup.groups(rule, rule.source.key, todo)
    return [(e.rows, attribute_counts(lookup, e.positions)) for e in groups]


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
    written = (types == schema.STRING) | (types == schema.KVLIST)
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


@dataclass(frozen=True, slots=True)
class _Source:
    """One usage object source of the batch."""

    rows: Ints
    indices: npt.NDArray[np.int32]
    objects: Objects


class _ObjectSources:
    """The usage objects of a batch, each distinct one read once."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._read: dict[tuple[str | None, str | None], list[_Source]] = {}

    def column(self, rule: Rule, name: str, todo: Bools) -> tuple[Ints, Ints]:
        """Rows and counts of one field."""
        rows: list[Ints] = [np.empty(0, np.int64)]
        values: list[Ints] = [np.empty(0, np.int64)]
        for source in self._of(rule):
            keep = todo[source.rows]
            rows.append(source.rows[keep])
            values.append(source.objects.counts[source.indices[keep], FIELD[name]])
        return np.concatenate(rows), np.concatenate(values)

    def explicit(self) -> tuple[Bools, Bools, list[tuple[int, str, int]]]:
        """Rows with an explicit object that says something, which are inclusive, further buckets."""
        explicit = np.zeros(self._lookup.num_rows, np.bool_)
        inclusive = explicit.copy()
        extras: list[tuple[int, str, int]] = []
        for rule in self._lookup.rules(COUNT_FIELDS[0]):
            for source in self._of(rule) if rule.explicit else ():
                explicit[source.rows] |= source.objects.says_something[source.indices]
                inclusive[source.rows] |= source.objects.inclusive[source.indices]
                extras += _extras(source)
        return explicit, inclusive, extras

    def _of(self, rule: Rule) -> list[_Source]:
        key = (rule.source.json_key, rule.source.path)
        if key not in self._read:
            everything = np.ones(self._lookup.num_rows, np.bool_)
            found = self._lookup.json_values(rule, everything)
            read = functools.partial(_safe_count, self._lookup)
            self._read[key] = [_Source(e.rows, d.indices, read_objects(d.values, read)) for e, d in found]
        return self._read[key]


def _extras(source: _Source) -> list[tuple[int, str, int]]:
    of = source.objects.extras
    if not of:
        return []
    chosen = np.flatnonzero(np.isin(source.indices, list(of)))
    pairs = zip(source.rows[chosen].tolist(), source.indices[chosen].tolist(), strict=True)
    return [(row, name, value) for row, index in pairs for name, value in of[index]]
