"""Token counts of each span alone: aliases, cache inclusion, disjoint buckets (MAPPING 7).

Counts are int64 arrays, one entry per row, ``MISSING`` where nothing was reported: zero is a number
that somebody said. Which spans count in a trace is decided later, on the trace.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.model import schema
from collector.model.dialects import tables
from collector.model.dialects.rules import Rule
from collector.model.dialects.tables import COUNT_FIELDS
from collector.model.facts_convert import Refused, count, long_value, parse_json
from collector.model.facts_lookup import MISSING, Bools, Distinct, Entries, Ints, Lookup, int_array, named, text_array

_FIELD = {name: index for index, name in enumerate(COUNT_FIELDS)}
_MAX_EXTRAS = 32
_MAX_EXTRA_NAME = 64

INPUT_BUCKETS = ("input", "input_cache_read", "input_cache_write", "input_cache_write_5m", "input_cache_write_1h",
                 "input_audio", "input_image")  # fmt: skip
OUTPUT_BUCKETS = ("output", "output_reasoning", "output_audio", "output_image")


@dataclass(slots=True)
class Usage:
    """The usage columns of a batch."""

    input_tokens: pa.Array
    output_tokens: pa.Array
    total_tokens: pa.Array
    cache_read_tokens: pa.Array
    cache_write_tokens: pa.Array
    reasoning_tokens: pa.Array
    usage: pa.MapArray
    usage_rule: pa.DictionaryArray
    present: Bools
    """Rows that report any usage."""
    tokens: Ints
    """Total tokens, 0 where there are none."""


@dataclass(slots=True)
class _Counts:
    """Raw counts by field, before they are made disjoint."""

    of: dict[str, Ints]
    explicit: Bools
    inclusive: Bools
    """Explicit rows whose object is a provider's own (nested details): totals include the parts."""
    extras: list[tuple[int, str, int]] = field(default_factory=list)
    """(row, bucket, count) of further buckets an explicit object names."""


def usage(lookup: Lookup, providers: Ints, embeddings: Bools, errors: Bools) -> Usage:
    """The usage of each span. ``providers``: text codes; ``errors``: rows of level ERROR."""
    counts = _counts(lookup)
    rules = np.zeros(lookup.num_rows, np.int64)
    names = ["no_cache"]
    includes = _inclusion(lookup, counts, providers, rules, names)
    buckets = _buckets(counts, includes, embeddings)
    extras = _drop_empty(buckets, counts, errors)
    return _columns(counts, buckets, extras, rules, names)


# ---- raw counts ----


def _counts(lookup: Lookup) -> _Counts:
    size = lookup.num_rows
    objects = _Objects(lookup)
    explicit, inclusive, extras = objects.explicit()
    of = {name: _first_count(lookup, objects, name, explicit) for name in COUNT_FIELDS}
    assert all(len(values) == size for values in of.values())
    return _Counts(of, explicit, inclusive, extras)


def _first_count(lookup: Lookup, objects: _Objects, name: str, closed: Bools) -> Ints:
    out = np.full(lookup.num_rows, MISSING, np.int64)
    todo = np.ones(lookup.num_rows, np.bool_)
    for rule in lookup.rules(name):
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
    except Refused:
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
        self._read: dict[tuple[str, str], list[tuple[Ints, npt.NDArray[np.integer[Any]], Ints, list[_Parsed]]]] = {}

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

    def _of(self, rule: Rule) -> list[tuple[Ints, npt.NDArray[np.integer[Any]], Ints, list[_Parsed]]]:
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
    counts = [MISSING] * len(COUNT_FIELDS)
    ranks = [1_000] * len(COUNT_FIELDS)
    inclusive, extras = False, []
    known = _object_keys()
    for key, number in _leaves(value):
        place = known.get(key)
        if place is None:
            inclusive = inclusive or bool(_inclusive_keys().match(key))
            if not _ignored_keys().match(key) and len(extras) < _MAX_EXTRAS and len(key) <= _MAX_EXTRA_NAME:
                extra = _safe_count(lookup, number)
                extras += [(key, extra)] if extra > 0 else []
            continue
        index, rank, says_inclusive = place
        found = _safe_count(lookup, number)
        if found != MISSING:
            inclusive = inclusive or says_inclusive
            if rank < ranks[index]:
                counts[index], ranks[index] = found, rank
    return _Parsed(counts, inclusive, tuple(extras))


def _leaves(value: dict[str, Any]) -> list[tuple[str, Any]]:
    """Members, those of nested objects under dotted keys."""
    out: list[tuple[str, Any]] = []
    for key, member in value.items():
        if isinstance(member, dict) and "low" not in member:
            out += [(f"{key}.{inner}", leaf) for inner, leaf in member.items()]
        elif member is not None:
            out.append((str(key), member))
    return out


@functools.cache
def _object_keys() -> dict[str, tuple[int, int, bool]]:
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


# ---- inclusive or exclusive (MAPPING 7.2) ----


@dataclass(slots=True)
class _Includes:
    cache: Bools
    """Input includes cached tokens (and audio and image tokens)."""
    reasoning: Bools
    """Output includes reasoning (and audio and image tokens)."""


def _inclusion(lookup: Lookup, counts: _Counts, providers: Ints, rules: Ints, names: list[str]) -> _Includes:
    of = counts.of
    cached = _cached(of)
    includes = np.ones(lookup.num_rows, np.bool_)
    open_rows = (cached > 0) & ~counts.explicit

    def decide(which: Bools, name: str, *, inclusive: bool) -> None:
        nonlocal open_rows
        if which.any():
            includes[which] = inclusive
            rules[which] = len(names)
            names.append(name)
            open_rows = open_rows & ~which

    exceeds = cached > np.maximum(of["input_total"], 0)
    decide(open_rows & exceeds & (of["input_total"] != MISSING), "exclusive:cache_exceeds_input", inclusive=False)
    _by_table(lookup, providers, decide, lambda: open_rows, certain=True)
    fits, fits_exclusive = _total_fits(of, cached)
    decide(open_rows & fits & ~fits_exclusive, "inclusive:total", inclusive=True)
    decide(open_rows & fits_exclusive, "exclusive:total", inclusive=False)
    _by_table(lookup, providers, decide, lambda: open_rows, certain=False)
    decide(open_rows, "inclusive:default", inclusive=True)
    reasoning = of["reasoning"] <= np.maximum(of["output_total"], 0)
    _explicit_inclusion(counts, cached, includes, reasoning, decide)
    return _Includes(includes, reasoning)


def _cached(of: dict[str, Ints]) -> Ints:
    return np.maximum(of["cache_read"], 0) + _written(of)


def _written(of: dict[str, Ints]) -> Ints:
    split = np.maximum(of["cache_write_5m"], 0) + np.maximum(of["cache_write_1h"], 0)
    return np.maximum(np.maximum(of["cache_write"], 0), split)


def _total_fits(of: dict[str, Ints], cached: Ints) -> tuple[Bools, Bools]:
    """Whether the reported total is the sum without the cache, or rather the sum with it."""
    known = (of["total"] != MISSING) & (of["input_total"] != MISSING)
    plain = of["input_total"] + np.maximum(of["output_total"], 0)
    off, off_exclusive = np.abs(of["total"] - plain), np.abs(of["total"] - plain - cached)
    slack = of["total"] * 0.01 + 1
    closer = off_exclusive < off
    return known & (off <= slack) & ~closer, known & (off_exclusive <= slack) & closer


def _by_table(lookup: Lookup, providers: Ints, decide: Any, open_rows: Any, *, certain: bool) -> None:
    for index, (inclusion, _) in enumerate(lookup.tables.inclusions):
        if inclusion.certain != certain or not open_rows().any():
            continue
        holds = np.array([c.inclusions[index] for c in lookup.distinct_contexts], np.bool_)
        which = open_rows() & holds[lookup.contexts]
        if inclusion.provider and which.any():
            rows = np.flatnonzero(which)
            distinct = lookup.distinct(providers[rows])
            which[rows] = distinct.spread([p in inclusion.provider for p in distinct.values]) > 0
        side = "inclusive" if inclusion.includes_cache else "exclusive"
        decide(which, f"{side}:{inclusion.rule}", inclusive=inclusion.includes_cache)


def _explicit_inclusion(counts: _Counts, cached: Ints, includes: Bools, reasoning: Bools, decide: Any) -> None:
    """An explicit object is disjoint, unless it is a provider's own or adds up to more than its total."""
    of, explicit = counts.of, counts.explicit
    if not explicit.any():
        return
    decide(explicit, "explicit:disjoint", inclusive=False)
    reasoning[explicit] = False
    nested = explicit & counts.inclusive
    decide(nested, "explicit:provider", inclusive=True)
    reasoning[nested] = of["reasoning"][nested] <= np.maximum(of["output_total"][nested], 0)
    inside = [cached + np.maximum(of["input_audio"], 0) + np.maximum(of["input_image"], 0),
              sum(np.maximum(of[name], 0) for name in ("reasoning", "output_audio", "output_image"))]  # fmt: skip
    excess = _explicit_sum(counts) - of["total"]
    over = explicit & ~nested & (of["total"] != MISSING) & (excess > of["total"] * 0.01 + 1)
    if over.any():
        choices = np.stack([inside[0], inside[1], inside[0] + inside[1]])
        best = np.argmin(np.abs(choices - excess), axis=0)
        decide(over, "explicit:exceeds_total", inclusive=False)
        includes[over] = (best != 1)[over] & (inside[0] <= np.maximum(of["input_total"], 0))[over]
        reasoning[over] = (best != 0)[over] & (inside[1] <= np.maximum(of["output_total"], 0))[over]
    contradicted = explicit & includes & (cached > np.maximum(of["input_total"], 0))
    decide(contradicted, "exclusive:cache_exceeds_input", inclusive=False)


def _explicit_sum(counts: _Counts) -> Ints:
    of = counts.of
    parts = ("input_total", "output_total", "cache_read", "reasoning", "input_audio", "input_image", "output_audio",
             "output_image")  # fmt: skip
    total: Ints = sum((np.maximum(of[name], 0) for name in parts), _written(of))
    for row, _, value in counts.extras:
        total[row] += value
    return total


# ---- disjoint buckets ----


def _buckets(counts: _Counts, includes: _Includes, embeddings: Bools) -> dict[str, Ints]:
    """Bucket → count; ``MISSING`` where the bucket was not reported."""
    of = {name: values.copy() for name, values in counts.of.items()}
    alone = (of["total"] != MISSING) & (of["input_total"] == MISSING) & (of["output_total"] == MISSING)
    of["input_total"] = np.where(alone & embeddings, of["total"], of["input_total"])
    cached = _cached(of)
    audio, image = _modalities(of, ("input_audio", "input_image"), of["input_total"] - cached, includes.cache)
    inside = np.where(includes.cache, cached + audio + image, 0)
    out: dict[str, Ints] = {
        "input": _rest(of["input_total"], inside),
        "input_cache_read": of["cache_read"],
        **_write_buckets(of),
        "input_audio": _some(audio),
        "input_image": _some(image),
    }
    reasoning = np.maximum(of["reasoning"], 0)
    names = ("output_audio", "output_image")
    audio, image = _modalities(of, names, of["output_total"] - reasoning, includes.reasoning)
    inside = np.where(includes.reasoning, reasoning, 0)
    inside = inside + np.where(includes.reasoning | ~counts.explicit, audio + image, 0)
    out["output"] = _rest(of["output_total"], inside)
    out["output_reasoning"] = of["reasoning"]
    out["output_audio"], out["output_image"] = _some(audio), _some(image)
    known = np.stack([values != MISSING for values in out.values()]).any(axis=0)
    out["total"] = np.where(known, MISSING, of["total"])
    return out


def _rest(total: Ints, inside: Ints) -> Ints:
    return np.where(total == MISSING, MISSING, np.maximum(total - inside, 0))


def _some(values: Ints) -> Ints:
    return np.where(values > 0, values, MISSING)


def _modalities(of: dict[str, Ints], names: tuple[str, str], room: Ints, subset: Bools) -> tuple[Ints, Ints]:
    """Audio and image tokens without their cached part, cut to the room they can be a subset of."""
    found = []
    for name in names:
        cached = of.get(f"{name}_cached", np.full(len(room), MISSING, np.int64))
        count_ = np.maximum(np.maximum(of[name], 0) - np.maximum(cached, 0), 0)
        count_ = np.where(subset, np.minimum(count_, np.maximum(room, 0)), count_)
        room = room - count_
        found.append(count_)
    return found[0], found[1]


def _write_buckets(of: dict[str, Ints]) -> dict[str, Ints]:
    """Cache writes by lifetime where that is known, the remainder without."""
    five, hour = np.maximum(of["cache_write_5m"], 0), np.maximum(of["cache_write_1h"], 0)
    remainder = _written(of) - five - hour
    reported = (of["cache_write"] != MISSING) | (of["cache_write_5m"] != MISSING) | (of["cache_write_1h"] != MISSING)
    show = reported & ((remainder > 0) | (five + hour == 0))
    return {
        "input_cache_write": np.where(show, remainder, MISSING),
        "input_cache_write_5m": _some(five),
        "input_cache_write_1h": _some(hour),
    }


def _drop_empty(buckets: dict[str, Ints], counts: _Counts, errors: Bools) -> list[tuple[int, str, int]]:
    """Takes away the zeros that failed calls report; gives the extra buckets that remain."""
    values = np.stack(list(buckets.values()))
    extra_rows = np.zeros(len(errors), np.bool_)
    extra_rows[[row for row, _, _ in counts.extras]] = True
    empty = errors & (np.maximum(values, 0).sum(axis=0) == 0) & ~extra_rows
    for name in buckets:
        buckets[name] = np.where(empty, MISSING, buckets[name])
    for name in ("total", "cache_read", "cache_write", "reasoning"):
        counts.of[name] = np.where(empty, MISSING, counts.of[name])
    return counts.extras


def _columns(
    counts: _Counts, buckets: dict[str, Ints], extras: list[tuple[int, str, int]], rules: Ints, names: list[str]
) -> Usage:
    input_tokens = _sum(buckets, INPUT_BUCKETS)
    output_tokens = _sum(buckets, OUTPUT_BUCKETS)
    for row, name, value in extras:
        side = input_tokens if name.startswith("input") else output_tokens if name.startswith("output") else None
        if side is not None:
            side[row] = max(int(side[row]), 0) + value
    both = (input_tokens != MISSING) & (output_tokens != MISSING)
    known = np.maximum(input_tokens, 0) + np.maximum(output_tokens, 0)
    some = (input_tokens != MISSING) | (output_tokens != MISSING)
    total = np.where(both, known, np.maximum(counts.of["total"], np.where(some, known, MISSING)))
    present = np.stack([values != MISSING for values in buckets.values()]).any(axis=0)
    present[[row for row, _, _ in extras]] = True
    written = np.where(_reported_writes(counts), _written(counts.of), MISSING)
    return Usage(
        *(nullable(values) for values in (input_tokens, output_tokens, total)),
        *(nullable(np.where(present, v, MISSING)) for v in (counts.of["cache_read"], written, counts.of["reasoning"])),
        usage=bucket_map(buckets, extras, present),
        usage_rule=_rule_column(np.where(present, rules, MISSING), names),
        present=present,
        tokens=np.maximum(total, 0),
    )


def _reported_writes(counts: _Counts) -> Bools:
    fields = ("cache_write", "cache_write_5m", "cache_write_1h")
    return np.stack([counts.of[name] != MISSING for name in fields]).any(axis=0)


def _sum(buckets: dict[str, Ints], names: tuple[str, ...]) -> Ints:
    values = np.stack([buckets[name] for name in names])
    return np.where((values != MISSING).any(axis=0), np.maximum(values, 0).sum(axis=0), MISSING)


def nullable(values: Ints) -> pa.Int64Array:
    """Int64 with nulls where the value is ``MISSING`` (or otherwise negative)."""
    return int_array(values, values < 0)


def bucket_map(buckets: dict[str, Ints], extras: list[tuple[int, str, int]], present: Bools) -> pa.MapArray:
    """A map column of the buckets that are there, in their order; null on rows not ``present``."""
    names = list(dict.fromkeys([*buckets, *(name for _, name, _ in extras)]))
    rows = [np.flatnonzero((values >= 0) & present) for values in buckets.values()]
    keys = [np.full(len(found), index) for index, found in enumerate(rows)]
    values = [column[found] for column, found in zip(buckets.values(), rows, strict=True)]
    if extras:
        rows.append(np.array([row for row, _, _ in extras]))
        keys.append(np.array([names.index(name) for _, name, _ in extras]))
        values.append(np.array([value for _, _, value in extras], np.int64))
    all_rows = np.concatenate(rows) if rows else np.empty(0, np.int64)
    order = np.argsort(all_rows, kind="stable")
    offsets = np.zeros(len(present) + 1, np.int32)
    np.cumsum(np.bincount(all_rows, minlength=len(present)), out=offsets[1:])
    key_array = text_array(names).take(int_array(np.concatenate(keys)[order]))
    value_array = int_array(np.concatenate(values)[order])
    nulls = int_array(offsets, np.append(~present, [False]))
    return pa.MapArray.from_arrays(nulls, key_array, value_array)


def _rule_column(rules: Ints, names: list[str]) -> pa.DictionaryArray:
    distinct = list(dict.fromkeys(names))
    number = np.array([distinct.index(name) for name in names], np.int32)
    indices = np.where(rules >= 0, number[np.maximum(rules, 0)], 0)
    return named(distinct, np.where(rules >= 0, indices, MISSING))
