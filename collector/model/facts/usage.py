"""Token counts of each span alone: aliases, cache inclusion, disjoint buckets.

Counts are int64 arrays, one entry per row, ``MISSING`` where nothing was reported: zero is a number
that somebody said. Which spans count in a trace is decided later, on the trace.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from collector.model import schema
from collector.model.dialects.fields import COUNT_FIELDS
from collector.model.facts import usage_counts
from collector.model.facts.lookup import Lookup
from collector.model.facts.usage_counts import Counts
from collector.model.facts.values import MISSING, Bools, Ints, int_array, named, text_array

INPUT_BUCKETS = ("input", "input_cache_read", "input_cache_write", "input_cache_write_5m", "input_cache_write_1h",
                 "input_audio", "input_image")  # fmt: skip
OUTPUT_BUCKETS = ("output", "output_reasoning", "output_audio", "output_image")
BUCKETS = pa.map_(pa.string(), pa.int64())
_WRITES = ("cache_write", "cache_write_5m", "cache_write_1h")


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


def usage(lookup: Lookup, providers: Ints, embeddings: Bools, errors: Bools) -> Usage:
    """The usage of each span.

    ``providers``: text codes of canonical providers; ``embeddings``: rows of that type; ``errors``:
    rows of level ERROR, whose zeros are no usage.
    """
    if not lookup.any_rules(COUNT_FIELDS):
        return _no_usage(lookup)
    counts = usage_counts.counts(lookup)
    verdicts = _verdicts(lookup, counts, providers)
    buckets = _buckets(counts, verdicts, embeddings)
    _drop_empty(buckets, counts, errors)
    return _columns(counts, buckets, verdicts)


def _no_usage(lookup: Lookup) -> Usage:
    """The columns of a batch of which no span reports any usage."""
    count = pa.nulls(lookup.num_rows, pa.int64())
    return Usage(
        input_tokens=count,
        output_tokens=count,
        total_tokens=count,
        cache_read_tokens=count,
        cache_write_tokens=count,
        reasoning_tokens=count,
        usage=pa.nulls(lookup.num_rows, BUCKETS),
        usage_rule=pa.nulls(lookup.num_rows, schema.NAME),
        present=np.zeros(lookup.num_rows, np.bool_),
        tokens=np.zeros(lookup.num_rows, np.int64),
    )


@dataclass(slots=True)
class _Verdicts:
    """Per row, what the reported totals include, and the rule that decided it."""

    input_includes: Bools
    """Input includes cached tokens."""
    output_includes: Bools
    """Output includes reasoning tokens."""
    rules: Ints
    names: list[str] = field(default_factory=lambda: ["no_cache"])

    def decide(self, rows: Bools, rule: str, *, inclusive: bool) -> None:
        """Settles the input side of these rows."""
        if np.count_nonzero(rows):
            self.input_includes[rows] = inclusive
            self.rules[rows] = len(self.names)
            self.names.append(rule)

    @property
    def open(self) -> Bools:
        """Rows nothing has decided yet."""
        undecided: Bools = self.rules == 0
        return undecided


def _verdicts(lookup: Lookup, counts: Counts, providers: Ints) -> _Verdicts:
    of = counts.of
    cached = cached_tokens(of)
    ones = np.ones(lookup.num_rows, np.bool_)
    inside = _at_most(of["reasoning"], of["output_total"]) & ~_adds_reasoning(of)
    verdicts = _Verdicts(ones, inside, np.zeros(lookup.num_rows, np.int64))
    _explicit_verdicts(counts, cached, verdicts)
    asked = (cached > 0) & ~counts.explicit
    exceeds = asked & (of["input_total"] != MISSING) & (cached > of["input_total"])
    verdicts.decide(exceeds, "exclusive:cache_exceeds_input", inclusive=False)
    _by_table(lookup, providers, verdicts, asked, certain=True)
    fits, fits_exclusive = _total_fits(of, cached)
    verdicts.decide(asked & verdicts.open & fits, "inclusive:total", inclusive=True)
    verdicts.decide(asked & verdicts.open & fits_exclusive, "exclusive:total", inclusive=False)
    _by_table(lookup, providers, verdicts, asked, certain=False)
    verdicts.decide(asked & verdicts.open, "inclusive:default", inclusive=True)
    verdicts.output_includes &= ~_reasoning_apart(of, cached, verdicts)
    return verdicts


def _reasoning_apart(of: dict[str, Ints], cached: Ints, verdicts: _Verdicts) -> Bools:
    """Whether the total is just what it would be with reasoning beside the output, as Gemini counts."""
    known = (of["total"] != MISSING) & (of["input_total"] != MISSING) & (of["output_total"] != MISSING)
    beside = of["input_total"] + np.where(verdicts.input_includes, 0, cached) + of["output_total"] + of["reasoning"]
    apart: Bools = known & (of["reasoning"] > 0) & (of["total"] == beside)
    return apart


def cached_tokens(of: dict[str, Ints]) -> Ints:
    """Cached input tokens, read and written, 0 where none are reported."""
    return _stated_count(of, "cache_read") + _written(of)


def _written(of: dict[str, Ints]) -> Ints:
    split: Ints = _stated_count(of, "cache_write_5m") + _stated_count(of, "cache_write_1h")
    return np.maximum(_stated_count(of, "cache_write"), split)


def _at_most(part: Ints, whole: Ints) -> Bools:
    """Whether a reported part can be inside the whole."""
    fits: Bools = part <= np.maximum(whole, 0)
    return fits


def _adds_reasoning(of: dict[str, Ints]) -> Bools:
    """Whether the reported total is exactly the sum with reasoning beside the output, as Gemini counts."""
    known = (of["total"] != MISSING) & (of["input_total"] != MISSING) & (of["output_total"] != MISSING)
    summed: Bools = of["total"] == of["input_total"] + of["output_total"] + of["reasoning"]
    beside: Bools = known & (of["reasoning"] > 0) & summed
    return beside


def _total_fits(of: dict[str, Ints], cached: Ints) -> tuple[Bools, Bools]:
    """Whether the reported total is the sum without the cache, or rather the sum with it."""
    known = (of["total"] != MISSING) & (of["input_total"] != MISSING)
    plain = of["input_total"] + np.maximum(of["output_total"], 0) + np.where(_adds_reasoning(of), of["reasoning"], 0)
    off, off_exclusive = np.abs(of["total"] - plain), np.abs(of["total"] - plain - cached)
    slack = of["total"] * 0.01 + 1
    closer = off_exclusive < off
    return known & (off <= slack) & ~closer, known & (off_exclusive <= slack) & closer


def _by_table(lookup: Lookup, providers: Ints, verdicts: _Verdicts, asked: Bools, *, certain: bool) -> None:
    for inclusion, holds in lookup.plan.inclusions:
        if inclusion.certain != certain:
            continue
        which = asked & verdicts.open & holds[lookup.contexts]
        if inclusion.provider and np.count_nonzero(which):
            rows = which.nonzero()[0]
            distinct = lookup.distinct(providers[rows])
            which[rows] = distinct.spread([p in inclusion.provider for p in distinct.values]) > 0
        side = "inclusive" if inclusion.includes_cache else "exclusive"
        verdicts.decide(which, f"{side}:{inclusion.rule}", inclusive=inclusion.includes_cache)


def _explicit_verdicts(counts: Counts, cached: Ints, verdicts: _Verdicts) -> None:
    """An explicit object is disjoint, unless it is a provider's own or adds up to more than its total."""
    of, explicit = counts.of, counts.explicit
    if not explicit.any():
        return
    nested = explicit & counts.inclusive
    verdicts.decide(explicit, "explicit:disjoint", inclusive=False)
    verdicts.decide(nested, "explicit:provider", inclusive=True)
    verdicts.output_includes &= ~explicit | nested
    inside_input = cached + _stated_count(of, "input_audio") + _stated_count(of, "input_image")
    inside_output = (
        _stated_count(of, "reasoning") + _stated_count(of, "output_audio") + _stated_count(of, "output_image")
    )
    excess = _explicit_sum(counts, inside_input + inside_output) - of["total"]
    over = explicit & ~nested & (of["total"] != MISSING) & (excess > of["total"] * 0.01 + 1)
    # The parts that are counted twice are those whose sum is nearest to the excess.
    choices = np.stack([inside_input, inside_output, inside_input + inside_output])
    best = np.argmin(np.abs(choices - excess), axis=0)
    verdicts.decide(over & (best != 1), "explicit:exceeds_total", inclusive=True)
    verdicts.output_includes |= over & (best != 0) & _at_most(inside_output, of["output_total"])
    contradicted = explicit & verdicts.input_includes & (cached > 0) & ~_at_most(cached, of["input_total"])
    verdicts.decide(contradicted, "exclusive:cache_exceeds_input", inclusive=False)


def _stated_count(of: dict[str, Ints], name: str) -> Ints:
    return np.maximum(of[name], 0)


def _explicit_sum(counts: Counts, parts: Ints) -> Ints:
    total = _stated_count(counts.of, "input_total") + _stated_count(counts.of, "output_total") + parts
    for row, _, value in counts.extras:
        total[row] += value
    return total


def _buckets(counts: Counts, verdicts: _Verdicts, embeddings: Bools) -> dict[str, Ints]:
    """Bucket → count; ``MISSING`` where the bucket was not reported."""
    of = dict(counts.of)
    # An embedding has no output, though some emitters say so with a zero.
    alone = (of["total"] != MISSING) & (of["input_total"] == MISSING) & (of["output_total"] <= 0)
    of["input_total"] = np.where(alone & embeddings, of["total"], of["input_total"])
    subset = ~counts.explicit
    cached = np.where(verdicts.input_includes, cached_tokens(of), 0)
    subset_in = subset | verdicts.input_includes
    audio, image = _modalities(of, "input", of["input_total"] - cached, subset_in)
    out = {
        "input": _rest(of["input_total"], cached + np.where(subset_in, audio + image, 0)),
        "input_cache_read": of["cache_read"],
        **_write_buckets(of),
        "input_audio": _some(audio),
        "input_image": _some(image),
    }
    reasoning = np.where(verdicts.output_includes, _stated_count(of, "reasoning"), 0)
    subset_out = subset | verdicts.output_includes
    for name in ("output_audio", "output_image"):  # like reasoning: more than the whole stands beside it
        subset_out = subset_out & _at_most(of[name], of["output_total"])
    audio, image = _modalities(of, "output", of["output_total"] - reasoning, subset_out)
    out["output"] = _rest(of["output_total"], reasoning + np.where(subset_out, audio + image, 0))
    out |= {"output_reasoning": of["reasoning"], "output_audio": _some(audio), "output_image": _some(image)}
    out["total"] = np.where(_reported(out.values()), MISSING, of["total"])
    return out


def _reported(columns: Iterable[Ints]) -> Bools:
    """Rows on which any of the columns says something."""
    found: Bools = (np.array(list(columns)) != MISSING).any(axis=0)
    return found


def _rest(total: Ints, inside: Ints) -> Ints:
    return np.where(total == MISSING, MISSING, np.maximum(total - inside, 0))


def _some(values: Ints) -> Ints:
    return np.where(values > 0, values, MISSING)


def _modalities(of: dict[str, Ints], side: str, room: Ints, subset: Bools) -> tuple[Ints, Ints]:
    """Audio and image tokens of a side, cut to the room there is where they are a subset.

    The cached part of a modality is in ``cache_read`` and comes out of the modality.
    """
    found = []
    for name in (f"{side}_audio", f"{side}_image"):
        cached = _stated_count(of, f"{name}_cached") if f"{name}_cached" in of else 0
        tokens = np.maximum(_stated_count(of, name) - cached, 0)
        tokens = np.where(subset, np.minimum(tokens, np.maximum(room, 0)), tokens)
        room = room - tokens
        found.append(tokens)
    return found[0], found[1]


def _write_buckets(of: dict[str, Ints]) -> dict[str, Ints]:
    """Cache writes by lifetime where that is known, the remainder without."""
    five, hour = _stated_count(of, "cache_write_5m"), _stated_count(of, "cache_write_1h")
    remainder = _written(of) - five - hour
    shown = _reported(of[name] for name in _WRITES) & ((remainder > 0) | (five + hour == 0))
    return {
        "input_cache_write": np.where(shown, remainder, MISSING),
        "input_cache_write_5m": _some(five),
        "input_cache_write_1h": _some(hour),
    }


def _drop_empty(buckets: dict[str, Ints], counts: Counts, errors: Bools) -> None:
    """Takes away the zeros that failed calls report."""
    if not np.count_nonzero(errors):
        return
    empty = errors & (np.maximum(np.stack(list(buckets.values())), 0).sum(axis=0) == 0)
    empty[[row for row, _, _ in counts.extras]] = False
    if not empty.any():
        return
    for name, values in buckets.items():
        buckets[name] = np.where(empty, MISSING, values)
    for name, values in counts.of.items():
        counts.of[name] = np.where(empty, MISSING, values)


def _columns(counts: Counts, buckets: dict[str, Ints], verdicts: _Verdicts) -> Usage:
    of, extras = counts.of, counts.extras
    input_tokens, output_tokens = _sum(buckets, INPUT_BUCKETS), _sum(buckets, OUTPUT_BUCKETS)
    for row, name, value in extras:
        side = input_tokens if name.startswith("input") else output_tokens if name.startswith("output") else None
        if side is not None:
            side[row] = max(int(side[row]), 0) + value
    present = _reported(buckets.values())
    present[[row for row, _, _ in extras]] = True
    total = _total(input_tokens, output_tokens, of["total"])
    written = np.where(_reported(of[name] for name in _WRITES), _written(of), MISSING)
    return Usage(
        input_tokens=nullable(input_tokens),
        output_tokens=nullable(output_tokens),
        total_tokens=nullable(total),
        cache_read_tokens=nullable(of["cache_read"]),
        cache_write_tokens=nullable(written),
        reasoning_tokens=nullable(of["reasoning"]),
        usage=bucket_map(buckets, extras, present),
        usage_rule=_rule_column(np.where(present, verdicts.rules, MISSING), verdicts.names),
        present=present,
        tokens=np.maximum(total, 0),
    )


def _sum(buckets: dict[str, Ints], names: tuple[str, ...]) -> Ints:
    values = np.array([buckets[name] for name in names])
    return np.where((values != MISSING).any(axis=0), np.maximum(values, 0).sum(axis=0), MISSING)


def _total(input_tokens: Ints, output_tokens: Ints, reported: Ints) -> Ints:
    """The sum where both sides are known, else what was said, if that is not less than one side."""
    both = (input_tokens != MISSING) & (output_tokens != MISSING)
    known = np.maximum(input_tokens, 0) + np.maximum(output_tokens, 0)
    some = np.where((input_tokens != MISSING) | (output_tokens != MISSING), known, MISSING)
    return np.where(both, known, np.maximum(reported, some))


def nullable(values: Ints) -> pa.Int64Array:
    """Int64 with nulls where the value is ``MISSING``."""
    return int_array(values, values < 0)


def bucket_map(buckets: dict[str, Ints], extras: list[tuple[int, str, int]], present: Bools) -> pa.MapArray:
    """A map column of the buckets that are there, in their order; null on rows not ``present``.

    ``extras``: further (row, bucket, value).
    """
    names = list(dict.fromkeys([*buckets, *(name for _, name, _ in extras)]))
    places = {name: index for index, name in enumerate(names)}
    columns = np.array(list(buckets.values())).T
    found = (columns >= 0) & present[:, None]
    rows, keys = found.nonzero()
    values = columns[found]
    if extras:
        rows = np.concatenate([rows, [row for row, _, _ in extras]])
        order = rows.argsort(kind="stable")
        rows = rows[order]
        keys = np.concatenate([keys, [places[name] for _, name, _ in extras]])[order]
        values = np.concatenate([values, np.array([value for _, _, value in extras], np.int64)])[order]
    offsets = np.zeros(len(present) + 1, np.int32)
    np.bincount(rows, minlength=len(present)).cumsum(out=offsets[1:])
    absent = np.zeros(len(offsets), np.bool_)
    np.logical_not(present, out=absent[:-1])
    return pa.MapArray.from_arrays(
        int_array(offsets, absent), text_array(names).take(int_array(keys)), int_array(values)
    )


def _rule_column(rules: Ints, names: list[str]) -> pa.DictionaryArray:
    distinct = list(dict.fromkeys(names))
    number = np.array([*(distinct.index(name) for name in names), MISSING])
    return named(distinct, number[rules])
