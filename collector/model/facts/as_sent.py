"""What an emitter said about usage or cost, in its own words: one JSON object text per span."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.model import schema
from collector.model.arrow_arrays import numpy_of
from collector.model.facts.lookup import Lookup
from collector.model.facts.values import MISSING, Ints, decoded, int_array, text_array

_OPEN, _CLOSE, _COMMA, _NOTHING = (pa.scalar(text, pa.string()) for text in ("{", "}", ",", ""))
_NO_STRICT_JSON = "NaN|Infinity|'"
"""What JSON parsers let pass and JSON does not know (or text that is rather Python's)."""


def as_sent(lookup: Lookup, *, cost: bool) -> pa.StringArray:
    """Per row a JSON object of the usage (or cost) attributes as they came; null without any.

    An object that says all by itself (Langfuse's) is handed on as it is.
    """
    whole = _whole_objects(lookup, cost=cost)
    chosen = lookup.keys.cost if cost else lookup.keys.usage
    positions = lookup.wanted[chosen[lookup.flat.key_codes[lookup.wanted]]]
    positions = positions[whole[lookup.flat.rows[positions]] == MISSING]
    column = _joined(lookup, positions, [] if cost else list(_members(lookup)))
    return column if whole is lookup.nothing else pc.coalesce(lookup.texts(whole), column)


def _joined(lookup: Lookup, positions: Ints, members: list[tuple[Ints, pa.StringArray]]) -> pa.StringArray:
    """Objects of the attributes at ``positions`` and of further (rows, pieces of JSON)."""
    if not len(positions) and not members:
        return pa.nulls(lookup.num_rows, pa.string())
    all_rows: list[Ints] = [lookup.flat.rows[positions].astype(np.int64), *(rows for rows, _ in members)]
    pieces = pa.concat_arrays([_pieces(lookup, positions), *(texts for _, texts in members)])
    rows = np.concatenate(all_rows)
    if members:
        order = np.argsort(rows, kind="stable")
        rows, pieces = rows[order], pieces.take(int_array(order))
    starts = np.concatenate([[0], (rows[1:] != rows[:-1]).nonzero()[0] + 1]) if len(rows) else rows
    lists = pa.ListArray.from_arrays(int_array(np.append(starts, len(rows)).astype(np.int32)), pieces)
    objects = pc.binary_join_element_wise(_OPEN, pc.binary_join(lists, _COMMA), _CLOSE, _NOTHING)
    if len(starts) == lookup.num_rows:
        return objects
    place = lookup.nothing.copy()
    place[rows[starts]] = np.arange(len(starts))
    return objects.take(int_array(place, place == MISSING))


def _pieces(lookup: Lookup, positions: Ints) -> pa.StringArray:
    """``"key":value`` of each attribute."""
    names = lookup.keys.members.take(int_array(lookup.flat.key_codes[positions]))
    return pc.binary_join_element_wise(names, _value_texts(lookup, positions), _NOTHING)


def _value_texts(lookup: Lookup, positions: Ints) -> pa.StringArray:
    """The JSON text of each attribute value."""
    types, nums = lookup.flat.types[positions], lookup.flat.nums[positions]
    texts = pc.cast(int_array(nums), pa.string())
    other = np.flatnonzero(types != schema.INT)
    if not len(other):
        return texts
    found: dict[tuple[int, int, str], int] = {}
    values = lookup.flat.texts.take(int_array(positions[other])).to_pylist()
    keys = zip(types[other].tolist(), nums[other].tolist(), values, strict=True)
    places = [found.setdefault(key, len(found)) for key in keys]
    made = text_array([_json_text(*key) for key in found]).take(pa.array(places, pa.int64()))
    mask = np.zeros(len(positions), np.bool_)
    mask[other] = True
    return pc.replace_with_mask(texts, pa.array(mask), made)


def _json_text(kind: int, number: int, text: str) -> str:
    value = text if kind in {schema.STRING, schema.BYTES} else decoded(kind, number, text)
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    try:
        return dumps(value)
    except (TypeError, ValueError, RecursionError):  # a NaN inside a list
        return dumps(text)


def dumps(value: Any) -> str:
    """Strict JSON text. Raises ``ValueError`` for what JSON has no number for."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _members(lookup: Lookup) -> Iterator[tuple[Ints, pa.StringArray]]:
    """Rows and pieces for usage objects that are a member of something larger."""
    everything = np.ones(lookup.num_rows, np.bool_)
    for rule in lookup.rules("input_total"):
        if not rule.usage_object or rule.source.path in {None, "."}:
            continue
        name = dumps(f"{rule.source.json_key}.{rule.source.path}") + ":"
        for entries, distinct in lookup.json_values(rule, everything):
            there = np.array([isinstance(value, dict) for value in distinct.values], np.bool_)[distinct.indices]
            texts = text_array([_member_text(name, value) for value in distinct.values])
            yield entries.rows[there], texts.take(int_array(distinct.indices[there]))


def _member_text(name: str, value: Any) -> str:
    try:
        return name + dumps(value)
    except (ValueError, RecursionError):
        return name + "null"


def _whole_objects(lookup: Lookup, *, cost: bool) -> Ints:
    """Codes of the texts of objects that are all there is to say, where they are strict JSON."""
    rules = [rule for rule in lookup.rules("cost_object" if cost else "input_total") if cost or rule.explicit]
    if not rules:
        return lookup.nothing
    out = lookup.nothing.copy()
    everything = np.ones(lookup.num_rows, np.bool_)
    for rule in rules:
        for entries, distinct in lookup.json_values(rule, everything):
            good = np.array([isinstance(value, dict) for value in distinct.values], np.bool_)[distinct.indices]
            good &= (lookup.flat.types[entries.positions] == schema.STRING) & (out[entries.rows] == MISSING)
            chosen = entries.where(good)
            chosen = chosen.where(_strict(lookup.flat.texts.take(int_array(chosen.positions))))
            out[chosen.rows] = chosen.positions
    return out


def _strict(texts: pa.StringArray) -> Any:
    """Per text whether it is JSON to the letter."""
    strict = ~numpy_of(pc.match_substring_regex(texts, _NO_STRICT_JSON))
    doubtful = np.flatnonzero(~strict)
    strict[doubtful] = [_is_strict(text) for text in texts.take(int_array(doubtful)).to_pylist()]
    return strict


@functools.lru_cache(maxsize=256)
def _is_strict(text: str) -> bool:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return True
