"""The cost an emitter gave itself.

Money is int64 pico-dollars (1e-12 USD), taken exactly from the decimal text of what was sent.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from collector.model import schema
from collector.model.dialects.fields import COUNT_FIELDS, MONEY_FIELDS
from collector.model.facts.convert import EXACT_BELOW, MAX_MONEY, PICO, RefusedError, pico
from collector.model.facts.lookup import Lookup
from collector.model.facts.usage import BUCKETS, INPUT_BUCKETS, OUTPUT_BUCKETS, Usage, bucket_map, nullable
from collector.model.facts.usage_objects import object_keys
from collector.model.facts.values import MISSING, Bools, Ints, decoded, int_array, named

_BUCKET_OF_FIELD = {
    "input_total": "input",
    "output_total": "output",
    "total": "total",
    "cache_read": "input_cache_read",
    "cache_write": "input_cache_write",
    "cache_write_5m": "input_cache_write_5m",
    "cache_write_1h": "input_cache_write_1h",
    "reasoning": "output_reasoning",
}
_BUCKETS = (*INPUT_BUCKETS, *OUTPUT_BUCKETS)
_NAMED = frozenset({*_BUCKETS, "total"})
_MAX_BUCKETS = 32
_MAX_NAME = 64
_LAST = 1_000_000
"""Behind the rank of every row of the tables."""


@dataclass(slots=True)
class Cost:
    """The cost columns of a batch, as provided."""

    cost: pa.MapArray
    input_cost: pa.Array
    output_cost: pa.Array
    total_cost: pa.Array
    cost_source: pa.DictionaryArray


def cost(lookup: Lookup, usage: Usage, cache_hits: Bools, foreign_currency: Bools) -> Cost:
    """Provided cost. ``cache_hits``: rows whose cost may be 0; ``foreign_currency``: not in USD."""
    if not lookup.any_rules(("cost_object", *MONEY_FIELDS)):
        return _no_cost(lookup.num_rows)
    objects = _object_costs(lookup)
    first = min((rule.rank for name in MONEY_FIELDS for rule in lookup.rules(name)), default=0)
    todo = (objects.total <= 0) | (objects.rank > first)
    sent: dict[str, _Amounts] = {name: _money(lookup, name, todo) for name in MONEY_FIELDS}
    attribute_buckets, attribute_total = _from_attributes(lookup, _of_one_source(sent))
    rank = np.minimum.reduce([amounts.rank for amounts in sent.values()])
    taken = (objects.total >= 0) & ((attribute_total <= 0) | ((objects.total > 0) & (objects.rank < rank)))
    buckets = {
        name: np.where(taken, values, attribute_buckets.get(name, lookup.nothing))
        for name, values in objects.buckets.items()
    }
    total = np.where(taken, objects.total, attribute_total)
    usable = (total > 0) | ((total == 0) & (cache_hits | (usage.present & (usage.tokens == 0))))
    usable &= ~foreign_currency
    if lookup.recorder is not None:
        lookup.recorder.note("cost", "from an object of costs", taken & usable)
        lookup.recorder.note(
            "cost", "reported in another currency than USD: not taken", (total >= 0) & foreign_currency
        )
        lookup.recorder.note(
            "cost", "a cost of 0 with tokens means that nobody knew it: not taken", (total == 0) & ~usable
        )
    extras = [extra for extra in objects.extras if usable[extra[0]] and taken[extra[0]]]
    return _columns(buckets, extras, total, usable)


def _no_cost(num_rows: int) -> Cost:
    """The columns of a batch of which no span reports any cost."""
    money = pa.nulls(num_rows, pa.int64())
    return Cost(
        cost=pa.nulls(num_rows, BUCKETS),
        input_cost=money,
        output_cost=money,
        total_cost=money,
        cost_source=pa.nulls(num_rows, schema.NAME),
    )


def _columns(buckets: dict[str, Ints], extras: list[tuple[int, str, int]], total: Ints, usable: Bools) -> Cost:
    alone: Bools = (np.array(list(buckets.values())) == MISSING).all(axis=0)
    alone[[row for row, _, _ in extras]] = False
    buckets["total"] = np.where(alone, total, MISSING)
    sides = [_side(buckets, extras, "input"), _side(buckets, extras, "output")]
    input_cost, output_cost, total_cost = (nullable(np.where(usable, v, MISSING)) for v in (*sides, total))
    return Cost(
        cost=bucket_map(buckets, extras, usable),
        input_cost=input_cost,
        output_cost=output_cost,
        total_cost=total_cost,
        cost_source=named(["provided"], np.where(usable, 0, MISSING)),
    )


def _side(buckets: dict[str, Ints], extras: list[tuple[int, str, int]], side: str) -> Ints:
    values = np.array([values for name, values in buckets.items() if name.startswith(side)])
    summed: Ints = np.where((values != MISSING).any(axis=0), np.maximum(values, 0).sum(axis=0), MISSING)
    for row, name, amount in extras:
        if name.startswith(side):
            summed[row] = max(int(summed[row]), 0) + amount
    return summed


def _from_attributes(lookup: Lookup, of: dict[str, Ints]) -> tuple[dict[str, Ints], Ints]:
    """Disjoint buckets and the total: cached and reasoning cost are parts of input and output."""
    read, write, reasoning = of["cost_cache_read"], of["cost_cache_write"], of["cost_reasoning"]
    parts = np.maximum(read, 0) + np.maximum(write, 0)
    split_in = (of["cost_input"] != MISSING) & (parts <= of["cost_input"])
    split_out = (of["cost_output"] != MISSING) & (np.maximum(reasoning, 0) <= of["cost_output"])
    buckets = {
        "input": np.where(split_in, of["cost_input"] - parts, of["cost_input"]),
        "input_cache_read": np.where(split_in & (read > 0), read, MISSING),
        "input_cache_write": np.where(split_in & (write > 0), write, MISSING),
        "output": np.where(split_out, of["cost_output"] - np.maximum(reasoning, 0), of["cost_output"]),
        "output_reasoning": np.where(split_out & (reasoning > 0), reasoning, MISSING),
    }
    known = (of["cost_input"] != MISSING) | (of["cost_output"] != MISSING)
    summed = np.maximum(of["cost_input"], 0) + np.maximum(of["cost_output"], 0)
    total = np.where(of["cost_total"] != MISSING, of["cost_total"], np.where(known, summed, MISSING))
    over = (total >= MAX_MONEY) | (summed >= MAX_MONEY)
    if over.any():
        lookup.faults["cost_overflow"] += int(over.sum())
    return buckets, np.where(over, MISSING, total)


@dataclass(slots=True)
class _Amounts:
    """What attributes say of one field of money."""

    pico: Ints
    rank: Ints
    """Of the row of the tables that was believed; ``_LAST`` where none was."""
    report: Ints
    """The bill that row is part of; ``MISSING`` where none was believed."""


def _of_one_source(sent: dict[str, _Amounts]) -> dict[str, Ints]:
    """Amounts by field, without the parts that another source than that of the total reports."""
    total = sent["cost_total"]
    summed = np.maximum(sent["cost_input"].pico, 0) + np.maximum(sent["cost_output"].pico, 0)
    agrees = (total.pico <= 0) | (summed == total.pico)
    return {name: np.where(agrees | (a.report == total.report), a.pico, MISSING) for name, a in sent.items()}


def _money(lookup: Lookup, name: str, todo: Bools) -> _Amounts:
    rules = lookup.rules(name)
    rank = np.full(lookup.num_rows, _LAST, np.int64)
    if not rules:
        return _Amounts(lookup.nothing, rank, lookup.nothing)
    out, report = lookup.nothing.copy(), lookup.nothing.copy()
    todo = todo.copy()
    for rule in rules:
        before = None if lookup.recorder is None else out.copy()
        for rows, values in _amounts(lookup, rule, todo):
            # A zero may mean "unknown", so it only stands if nobody says more.
            some = values > out[rows]
            out[rows[some]] = values[some]
            rank[rows[some]], report[rows[some]] = rule.rank, rule.report
            todo[rows[values > 0]] = False
        if lookup.recorder is not None and before is not None:
            lookup.recorder.heard(name, rule, _amounts(lookup, rule, lookup.everything), out != before, _dollars)
    return _Amounts(out, rank, report)


def _dollars(amounts: Ints) -> list[Decimal]:
    return [Decimal(amount) / PICO for amount in amounts.tolist()]


def _amounts(lookup: Lookup, rule: Any, todo: Bools) -> Iterator[tuple[Ints, Ints]]:
    if rule.source.json_key:
        for entries, distinct in lookup.json_values(rule, todo):
            yield entries.rows, distinct.spread([_pico(lookup, value) for value in distinct.values])
        return
    for entries in lookup.groups(rule, rule.source.key, todo):
        yield entries.rows, _attribute_amounts(lookup, entries.positions)


def _attribute_amounts(lookup: Lookup, positions: Ints) -> Ints:
    types, nums = lookup.flat.types[positions], lookup.flat.nums[positions]
    doubles = np.where(types == schema.DOUBLE, nums, 0).view(np.float64)
    plain = (types == schema.DOUBLE) & (doubles >= 0) & (doubles < EXACT_BELOW)
    out = np.where(plain, np.rint(np.where(plain, doubles, 0) * 1e12).astype(np.int64), MISSING)
    other = np.flatnonzero(~plain)
    if len(other):
        texts = lookup.flat.texts.take(int_array(positions[other])).to_pylist()
        values = zip(types[other].tolist(), nums[other].tolist(), texts, strict=True)
        out[other] = [_pico(lookup, decoded(*value)) for value in values]
    return out


def _pico(lookup: Lookup, value: Any) -> int:
    try:
        found = pico(value)
    except RefusedError:
        lookup.faults["cost_refused"] += 1
        return MISSING
    except OverflowError:
        lookup.faults["cost_overflow"] += 1
        return MISSING
    return MISSING if found is None else found


@dataclass(slots=True)
class _ObjectCosts:
    """Costs by bucket from JSON objects (Langfuse's cost_details, MLflow's)."""

    buckets: dict[str, Ints]
    total: Ints
    rank: Ints
    """Of the object that was believed; ``_LAST`` where there is none."""
    extras: list[tuple[int, str, int]] = field(default_factory=list)
    """(row, bucket, pico-dollars) of buckets that no table names."""


def _object_costs(lookup: Lookup) -> _ObjectCosts:
    rules = lookup.rules("cost_object")
    rank = np.full(lookup.num_rows, _LAST, np.int64)
    if not rules:
        return _ObjectCosts(dict.fromkeys(_BUCKETS, lookup.nothing), lookup.nothing, rank)
    out = _ObjectCosts({name: lookup.nothing.copy() for name in _BUCKETS}, lookup.nothing.copy(), rank)
    for rule in rules:
        todo = out.total == MISSING
        for entries, distinct in lookup.json_values(rule, todo):
            parsed = [_parse_costs(lookup, value) for value in distinct.values]
            given = {name for p in parsed for name in p}
            for name, column in [*out.buckets.items(), ("total", out.total)]:
                if name in given:
                    column[entries.rows] = distinct.spread([p.get(name, MISSING) for p in parsed])
            if given - _NAMED:
                others = [[(name, cost) for name, cost in p.items() if name not in _NAMED] for p in parsed]
                pairs = zip(entries.rows.tolist(), distinct.indices.tolist(), strict=True)
                out.extras += [(row, name, cost) for row, index in pairs for name, cost in others[index]]
        rank[todo & (out.total != MISSING)] = rule.rank
        if lookup.recorder is not None:
            heard = (
                (
                    entries.rows,
                    distinct.spread([_parse_costs(lookup, value).get("total", MISSING) for value in distinct.values]),
                )
                for entries, distinct in lookup.json_values(rule, lookup.everything)
            )
            lookup.recorder.heard("cost_object", rule, heard, todo & (out.total != MISSING), _dollars)
    return out


def _parse_costs(lookup: Lookup, value: Any) -> dict[str, int]:
    """Bucket → pico-dollars of one cost object, with ``total`` filled in; empty if it says nothing."""
    if not isinstance(value, dict):
        return {}
    out: dict[str, int] = {}
    for key, amount in value.items() if len(value) <= _MAX_BUCKETS else list(value.items())[:_MAX_BUCKETS]:
        # The exact type keeps booleans out; nearly every amount is a small float.
        if type(amount) is float and 0 <= amount < EXACT_BELOW:
            found = round(amount * 1e12)
        else:
            found = _pico(lookup, amount)
        bucket = _cost_bucket(str(key))
        if found != MISSING and bucket not in out and len(bucket) <= _MAX_NAME:
            out[bucket] = found
    summed = sum(cost for name, cost in out.items() if name != "total")
    if summed >= MAX_MONEY:
        lookup.faults["cost_overflow"] += 1
        return {}
    return {"total": summed, **out} if out else out


@functools.lru_cache(maxsize=1_024)
def _cost_bucket(key: str) -> str:
    """The bucket a member of a cost object is for: named as in usage objects, or its own name."""
    plain = key.removesuffix("_cost")
    place = object_keys().get(plain)
    return plain if place is None else _BUCKET_OF_FIELD.get(COUNT_FIELDS[place.field], plain)
