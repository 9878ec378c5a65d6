"""Reads a translated batch as the next Spanloom will, and adds what it would read otherwise.

A target lacks names for some facts, and a library's scope or a general attribute may say more than
the target's own. So the translation is read back with the very tables that a receiver uses: a value
that does not come out as it was goes along under ``spanloom.`` and the name of its column.
"""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from collector.model import schema
from collector.model.arrow_arrays import numpy_of
from collector.model.attributes import dumps
from collector.model.batch import SpanBatch
from collector.model.dialects.messages import carriers, choices
from collector.model.facts import resolve as facts_of
from collector.model.forward.outgoing import Outgoing
from collector.model.forward.scalars import Facts, full_types, iso_time, money_object
from collector.model.forward.target_tables import CARRIER

TEXTS = (
    "name", "trace_name", "level", "error_type", "environment", "release", "version", "user_id", "session_id",
    "provider", "request_model", "response_model", "model", "response_id", "agent_name", "tool_name",
    "tool_call_id", "prompt_name", "prompt_version",
)  # fmt: skip
LISTS = ("tags", "finish_reasons")
CONTENTS = ("input", "output", "tool_definitions", "model_parameters", "metadata", "status_message")
TOKENS = ("input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens",
          "reasoning_tokens")  # fmt: skip
_COSTS = ("total_cost", "input_cost", "output_cost")
_PICO = Decimal(10) ** 12
_JSON = ("{", "[")
_NOTHING = pa.scalar("", pa.string())


def carry(translated: SpanBatch, spans: SpanBatch, facts: Facts, out: Outgoing) -> bool:
    """Writes what is missing; False when nothing is. ``translated`` has the columns of ``schema.WIRE``."""
    known = out.count
    read = facts_of.resolve(translated)
    types = full_types(_plain(read.column("type")), _plain(read.column("subtype")))
    _texts("type", types, facts.full_types(), out)
    for name in TEXTS:
        _texts(name, _plain(read.column(name)), facts.column(name), out)
    _texts("service_tier", _plain(read.column("service_tier")), _plain(spans.column("service_tier")), out)
    for name in LISTS:
        _lists(name, read.column(name).to_pylist(), facts.column(name).to_pylist(), out)
    _first_tokens(read, spans, out)
    _calls(read, spans, facts, out)
    _usage(read, facts, out)
    _cost(read, facts, out)
    _contents(read, facts, out)
    return out.count > known


def _plain(column: Any) -> pa.StringArray:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _texts(name: str, found: pa.StringArray, wanted: pa.StringArray, out: Outgoing) -> None:
    differs = pc.not_equal(pc.fill_null(found, _NOTHING), pc.fill_null(wanted, _NOTHING))
    out.texts(CARRIER + name, wanted, numpy_of(differs))


def _lists(name: str, found: list[Any], wanted: list[Any], out: Outgoing) -> None:
    for row, (have, want) in enumerate(zip(found, wanted, strict=True)):
        if want and have != want:
            out.put(row, CARRIER + name, want)


def _first_tokens(read: SpanBatch, spans: SpanBatch, out: Outgoing) -> None:
    name = "completion_start_unix_nano"
    pairs = zip(read.column(name).to_pylist(), spans.column(name).to_pylist(), strict=True)
    for row, (found, wanted) in enumerate(pairs):
        if wanted is not None and found != wanted:
            out.put(row, CARRIER + "completion_start_time", iso_time(wanted))


def _calls(read: SpanBatch, spans: SpanBatch, facts: Facts, out: Outgoing) -> None:
    """Says so of a span that counts for itself where its type makes it a wrapper."""
    roles = zip(read.column("role").to_pylist(), spans.column("role").to_pylist(), strict=True)
    for row, (pair, scope) in enumerate(zip(roles, facts.column("usage_scope").to_pylist(), strict=True)):
        if scope == "counted" and pair == (schema.ROLE_WRAPPER, schema.ROLE_CALL):
            out.put(row, CARRIER + "usage_scope", scope)


def _usage(read: SpanBatch, facts: Facts, out: Outgoing) -> None:
    found, wanted = _joined(read, facts, ("usage", *TOKENS))
    for row, (have, want) in enumerate(zip(found, wanted, strict=True)):
        if want[0] and have != want:
            out.put(row, CARRIER + "usage", dumps(want[0]))


def _cost(read: SpanBatch, facts: Facts, out: Outgoing) -> None:
    found, wanted = _joined(read, facts, ("cost", *_COSTS))
    for row, (have, want) in enumerate(zip(found, wanted, strict=True)):
        if want[0] and have != want:
            amounts = {name: Decimal(pico) / _PICO for name, pico in want[0].items() if pico is not None}
            out.put(row, CARRIER + "cost", money_object(amounts))


def _joined(read: SpanBatch, facts: Facts, names: tuple[str, ...]) -> tuple[list[Any], list[Any]]:
    """Per row the values of these columns, as read back and as they should be."""
    found = zip(*(_values(read.column(name)) for name in names), strict=True)
    wanted = zip(*(_values(facts.column(name)) for name in names), strict=True)
    return list(found), list(wanted)


def _values(column: pa.Array) -> list[Any]:
    """Python values; maps as dictionaries, money as pico-dollars."""
    if column.null_count == len(column):
        return [None] * len(column)
    if pa.types.is_map(column.type):
        return [None if pairs is None else {k: _amount(v) for k, v in pairs} for pairs in column.to_pylist()]
    return [_amount(value) for value in column.to_pylist()]


def _amount(value: Any) -> Any:
    return int(value * _PICO) if isinstance(value, Decimal) else value


def _contents(read: SpanBatch, facts: Facts, out: Outgoing) -> None:
    wanted = zip(*(facts.column(name).to_pylist() for name in CONTENTS), strict=True)
    sent = read.column("status_message").to_pylist()
    faults: Counter[str] = Counter()
    for row, (content, row_wanted) in enumerate(zip(carriers.contents(read, None), wanted, strict=True)):
        found = dict(zip(choices.KINDS, choices.texts(content, faults), strict=True))
        said = (found["status_message"], sent[row], found["error_message"], choices.raised_message(content))
        found["status_message"] = next((text for text in said if text), None)
        for name, want in zip(CONTENTS, row_wanted, strict=True):
            if want is not None and not _same(found[name], want):
                out.put(row, CARRIER + name, want)


def _same(found: str | None, wanted: str) -> bool:
    """Whether two stored texts say the same: equal, or JSON that differs in the order of members only."""
    if found == wanted or found is None:
        return found == wanted
    if found[:1] != wanted[:1] or found[:1] not in _JSON:
        return False
    try:
        return _sorted(found) == _sorted(wanted)
    except (ValueError, RecursionError):
        return False


def _sorted(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True)
