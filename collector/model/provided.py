"""The cost an emitter gave itself (MAPPING 8).

Money is int64 pico-dollars (1e-12 USD), taken exactly from the decimal text of what was sent.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from collector.model.dialects.tables import COUNT_FIELDS, MONEY_FIELDS
from collector.model.facts_convert import MAX_MONEY, RefusedError, pico
from collector.model.facts_lookup import MISSING, Bools, Ints, Lookup, decoded, int_array, named
from collector.model.usage import INPUT_BUCKETS, OUTPUT_BUCKETS, Usage, bucket_map, nullable
from collector.model.usage_counts import object_keys

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
    buckets, total = _object_costs(lookup)
    of: dict[str, Ints] = {name: _money(lookup, name, total <= 0) for name in MONEY_FIELDS}
    attribute_buckets, attribute_total = _from_attributes(of)
    taken = (total > 0) | ((total == 0) & (attribute_total <= 0))
    for name, values in attribute_buckets.items():
        buckets[name] = np.where(taken, buckets.get(name, MISSING), values)
    total = np.where(taken, total, attribute_total)
    usable = (total > 0) | ((total == 0) & (cache_hits | (usage.present & (usage.tokens == 0))))
    usable &= ~foreign_currency
    alone = np.stack([values == MISSING for values in buckets.values()]).all(axis=0)
    buckets["total"] = np.where(alone, total, MISSING)
    return _columns(buckets, total, usable)


def _columns(buckets: dict[str, Ints], total: Ints, usable: Bools) -> Cost:
    input_cost, output_cost, total = (
        nullable(np.where(usable, values, MISSING))
        for values in (_side(buckets, "input"), _side(buckets, "output"), total)
    )
    return Cost(
        cost=bucket_map(buckets, [], usable),
        input_cost=input_cost,
        output_cost=output_cost,
        total_cost=total,
        cost_source=named(["provided"], np.where(usable, 0, MISSING)),
    )


def _side(buckets: dict[str, Ints], prefix: str) -> Ints:
    values = np.stack([values for name, values in buckets.items() if name.split("_")[0] == prefix])
    return np.where((values != MISSING).any(axis=0), np.maximum(values, 0).sum(axis=0), MISSING)


def _from_attributes(of: dict[str, Ints]) -> tuple[dict[str, Ints], Ints]:
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
    return buckets, total


def _money(lookup: Lookup, name: str, todo: Bools) -> Ints:
    out = np.full(lookup.num_rows, MISSING, np.int64)
    todo = todo.copy()
    for rule in lookup.rules(name):
        for rows, values in _amounts(lookup, rule, todo):
            # A zero may mean "unknown", so it only stands if nobody says more.
            some = values > out[rows]
            out[rows[some]] = values[some]
            todo[rows[values > 0]] = False
    return out


def _amounts(lookup: Lookup, rule: Any, todo: Bools) -> Iterator[tuple[Ints, Ints]]:
    if rule.source.json_key:
        for entries, distinct in lookup.json_values(rule, todo):
            yield entries.rows, distinct.spread([_pico(lookup, value) for value in distinct.values])
        return
    for entries in lookup.groups(rule, rule.source.key, todo):
        types, nums = lookup.flat.types[entries.positions], lookup.flat.nums[entries.positions]
        texts = lookup.flat.texts.take(int_array(entries.positions)).to_pylist()
        values = [
            _pico(lookup, decoded(kind, num, text))
            for kind, num, text in zip(types.tolist(), nums.tolist(), texts, strict=True)
        ]
        yield entries.rows, np.array(values, np.int64)


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


def _object_costs(lookup: Lookup) -> tuple[dict[str, Ints], Ints]:
    """Costs by bucket from JSON objects (Langfuse's cost_details, MLflow's)."""
    buckets = {name: np.full(lookup.num_rows, MISSING, np.int64) for name in _BUCKETS}
    total = np.full(lookup.num_rows, MISSING, np.int64)
    for rule in lookup.rules("cost_object"):
        for entries, distinct in lookup.json_values(rule, total == MISSING):
            parsed = [_parse_costs(lookup, value) for value in distinct.values]
            said = distinct.spread([p.get("total", MISSING) for p in parsed])
            total[entries.rows] = np.where(said != MISSING, said, total[entries.rows])
            for name in {name for p in parsed for name in p} - {"total"}:
                column = buckets.setdefault(name, np.full(lookup.num_rows, MISSING, np.int64))
                column[entries.rows] = distinct.spread([p.get(name, MISSING) for p in parsed])
    return buckets, total


def _parse_costs(lookup: Lookup, value: Any) -> dict[str, int]:
    """Bucket → pico-dollars of one cost object, with ``total`` filled in; empty if it says nothing."""
    if not isinstance(value, dict):
        return {}
    out: dict[str, int] = {}
    for key, amount in list(value.items())[:32]:
        found = _pico(lookup, amount)
        bucket = _cost_bucket(str(key))
        if found != MISSING and bucket not in out and len(bucket) <= 64:
            out[bucket] = found
    if out and "total" not in out:
        out["total"] = sum(out.values())
        if out["total"] >= MAX_MONEY:
            lookup.faults["cost_overflow"] += 1
            return {}
    return out


@functools.lru_cache(maxsize=1_024)
def _cost_bucket(key: str) -> str:
    """The bucket a member of a cost object is for: named as in usage objects, or its own name."""
    plain = key.removesuffix("_cost")
    place = object_keys().get(plain)
    return plain if place is None else _BUCKET_OF_FIELD.get(COUNT_FIELDS[place[0]], plain)
