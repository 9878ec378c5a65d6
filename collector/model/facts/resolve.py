"""Facts: what each span says about itself, in the terms of the LLM trace model.

``resolve`` fills the columns of ``schema.FACTS`` from the dialect tables (``collector.model.dialects``).
It is a pure function of the batch: rows do not see each other, so splitting a batch and joining the
results changes nothing. What only the trace can tell (which usage counts) is decided later.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.model import schema
from collector.model.arrow_arrays import numpy_of
from collector.model.batch import SpanBatch
from collector.model.dialects.fact_tables import LEVELS, ROLES, TYPES
from collector.model.dialects.rules import Rule
from collector.model.facts.as_sent import as_sent
from collector.model.facts.convert import finish_reasons, flat_texts, iso_time, texts
from collector.model.facts.lookup import Lookup
from collector.model.facts.provided_cost import cost
from collector.model.facts.recorder import Recorder
from collector.model.facts.unmapped import Unmapped
from collector.model.facts.usage import usage
from collector.model.facts.values import MISSING, Bools, Distinct, Ints, decoded, int_array, named

_UNSET, _OK, _ERROR = range(3)
_TEXTS = ("error_type", "user_id", "session_id", "response_id", "agent_name", "tool_name", "tool_call_id",
          "prompt_name", "prompt_version", "trace_name")  # fmt: skip
_NAMES = ("environment", "release", "version", "request_model", "response_model", "model", "provider", "service_tier")
_MAX_NANOS = 2**62
_USUAL_TIME = r"^20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(\.\d{1,9})?Z$"


def resolve(
    batch: SpanBatch,
    faults: Counter[str] | None = None,
    recorder: Recorder | None = None,
    unmapped: Unmapped | None = None,
) -> SpanBatch:
    """The batch with every column of ``schema.FACTS`` added or replaced.

    ``faults`` counts values that had to be refused: ``usage_refused``, ``cost_refused`` (negative,
    NaN, absurd) and ``cost_overflow``; they stay in ``provided_usage`` and ``provided_cost``.
    ``recorder`` is told what every rule says and which one is believed, ``unmapped`` what no table knows.
    """
    lookup = Lookup(batch, Counter() if faults is None else faults, recorder)
    columns: dict[str, pa.Array] = {}
    types, typed = _types(lookup, columns)
    if unmapped is not None:
        unmapped.look(lookup, typed)
    codes: dict[str, Ints] = {}
    for field in (*_NAMES, *_TEXTS, "name"):
        codes[field] = lookup.text_codes(field, codes)
    columns |= {field: lookup.name_column(codes[field]) for field in _NAMES}
    columns |= {field: lookup.texts(codes[field]) for field in _TEXTS}
    columns["name"] = _or_else(lookup, codes["name"], batch.column("span_name"))
    levels = _levels(lookup)
    columns["level"] = _enum(levels, LEVELS)
    columns |= _origin_columns(lookup)
    columns |= _lists(lookup)
    columns["completion_start_unix_nano"] = _completion_start(lookup)
    columns["role"] = _roles(lookup, types)
    columns |= _usage_columns(lookup, types, levels == LEVELS.index("ERROR"), codes["provider"])
    return _with_facts(batch, columns)


def _with_facts(batch: SpanBatch, columns: dict[str, pa.Array]) -> SpanBatch:
    """The batch with all fact columns at once: replaced where they were, appended where not."""
    old = batch.record_batch.schema
    if old.equals(schema.WIRE, check_metadata=True):  # as decoded
        arrays = [*batch.record_batch.columns, *(columns[name] for name in schema.FACTS.names)]
        return SpanBatch(pa.RecordBatch.from_arrays(arrays, schema=schema.SPANS))
    fields = [schema.FACTS.field(f.name) if f.name in columns else f for f in old]
    fields += [f for f in schema.FACTS if f.name not in old.names]
    arrays = [columns[f.name] if f.name in columns else batch.column(f.name) for f in fields]
    return SpanBatch(pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields, old.metadata)))


def _or_else(lookup: Lookup, codes: Ints, other: pa.StringArray) -> pa.StringArray:
    return other if codes is lookup.nothing else pc.coalesce(lookup.texts(codes), other)


def _types(lookup: Lookup, columns: dict[str, pa.Array]) -> tuple[Ints, Bools]:
    """Per row the index of its type in ``TYPES``, and whether a rule told it."""
    codes = lookup.text_codes("type", {})
    found = lookup.distinct(codes)
    types = found.spread([TYPES.index(meaning.split("/")[0]) for meaning in found.values])
    types = np.where(types == MISSING, TYPES.index("span"), types)
    subtypes = [meaning.partition("/")[2] for meaning in found.values]
    lookup.types_of_rows = types
    columns["type"] = _enum(types, TYPES)
    names = [name for name in dict.fromkeys(subtypes) if name]
    columns["subtype"] = named(names, found.spread([names.index(s) if s else MISSING for s in subtypes]))
    return types, codes != MISSING


def _levels(lookup: Lookup) -> Ints:
    """Said levels first, then the status, ``error.type`` and exception events, then what is usual for the span."""
    said = lookup.meanings("level", LEVELS.index)
    status = numpy_of(lookup.batch.column("status_code"))
    failed = (status == _ERROR) | _has_error_type(lookup)
    excepted = lookup.events.has_exception
    default, warning, error = (LEVELS.index(level) for level in ("DEFAULT", "WARNING", "ERROR"))
    derived = np.where(failed | (excepted & (status != _OK)), error, np.where(excepted, warning, default))
    if lookup.recorder is not None:
        lookup.recorder.note("level", "status is ERROR, or error.type is set", failed)
        lookup.recorder.note("level", "an exception event, and the status is not ERROR", excepted & ~failed)
    usual = lookup.meanings("usual_level", LEVELS.index)
    derived = np.where((derived == default) & (usual != MISSING), usual, derived)
    return np.where(said != MISSING, said, derived)


def _has_error_type(lookup: Lookup) -> Bools:
    said: Bools = lookup.by_row("error.type") != MISSING
    return said


def _roles(lookup: Lookup, types: Ints) -> pa.Array:
    said = lookup.meanings("role", ROLES.index)
    calls = (types == TYPES.index("generation")) | (types == TYPES.index("embedding"))
    derived = np.where(calls, schema.ROLE_CALL, schema.ROLE_OTHER)
    if lookup.recorder is not None:
        lookup.recorder.note("role", "a call, by its type", calls)
    return int_array(np.where(said != MISSING, said, derived).astype(np.uint8))


def _enum(values: Ints, names: tuple[str, ...]) -> pa.DictionaryArray:
    return named(names, values)


def _origin_columns(lookup: Lookup) -> dict[str, pa.Array]:
    services = [resource.get("service.name", "") for resource in lookup.resources]
    return {
        "dialect": _per_code([context.dialect for context in lookup.distinct_contexts], lookup.contexts),
        "service_name": _per_code(services, lookup.resource_codes),
        "scope_name": _per_code([name for name, _ in lookup.scopes], lookup.scope_codes),
        "scope_version": _per_code([version for _, version in lookup.scopes], lookup.scope_codes),
    }


def _per_code(values: list[str], codes: Ints) -> pa.DictionaryArray:
    distinct = list(dict.fromkeys(values))
    number = np.array([distinct.index(value) for value in values] or [0], np.int32)
    return named(distinct, number[codes])


def _lists(lookup: Lookup) -> dict[str, pa.Array]:
    weak: set[int] = set()
    tags, lists = _list_codes(lookup, "tags", weak)
    rows_weak = np.isin(tags, np.array(sorted(weak), np.int64)) if weak else np.zeros(len(tags), np.bool_)
    reasons, reason_lists = _list_codes(lookup, "finish_reasons", set())
    return {
        "tags": _list_column(tags, lists),
        "tags_weak": pa.array(rows_weak),
        "finish_reasons": _list_column(reasons, reason_lists),
    }


def _list_codes(lookup: Lookup, field: str, weak: set[int]) -> tuple[Ints, list[tuple[str, ...]]]:
    """Per row the number of its list; ``weak`` takes up the numbers that weak rules gave."""
    lists: list[tuple[str, ...]] = []
    numbers: dict[tuple[bool, tuple[str, ...]], int] = {}

    def number(rule: Rule, values: tuple[str, ...]) -> int:
        if not values:
            return MISSING
        code = numbers.setdefault((rule.row.weak, values), len(lists))
        if code == len(lists):
            lists.append(values)
        if rule.row.weak:
            weak.add(code)
        return code

    def values_of(rule: Rule, todo: Bools) -> Iterator[tuple[Ints, Ints]]:
        for rows, found in _lists_by_rule(lookup, rule, todo):
            yield rows, found.spread([number(rule, values) for values in found.values])

    return lookup.first(field, values_of, lambda codes: [lists[code] for code in codes]), lists


def _lists_by_rule(lookup: Lookup, rule: Rule, todo: Bools) -> Iterator[tuple[Ints, Distinct]]:
    source = rule.source
    read: Callable[[int, str], tuple[str, ...]] = _read_reasons if rule.row.convert == "finish_reasons" else read_list
    if source.json_key:
        for entries, distinct in lookup.json_values(rule, todo):
            values = [flat_texts(v if isinstance(v, list) else [v]) for v in distinct.values]
            yield entries.rows, Distinct([_as(rule, v) for v in values], distinct.indices)
        return
    assert source.key is not None
    for entries in lookup.groups(rule, source.key, todo):
        kinds = lookup.flat.types[entries.positions]
        for kind in (schema.STRING, schema.ARRAY):
            chosen = entries.where(kinds == kind)
            if len(chosen.rows):
                codes = lookup.plain_codes(chosen.positions) if kind == schema.STRING else chosen.positions
                found = lookup.distinct(codes)
                yield chosen.rows, Distinct([read(kind, text) for text in found.values], found.indices)


def _as(rule: Rule, values: tuple[str, ...]) -> tuple[str, ...]:
    return finish_reasons(values) if rule.row.convert == "finish_reasons" else values


@functools.lru_cache(maxsize=4_096)
def read_list(kind: int, text: str) -> tuple[str, ...]:
    """The texts of a list attribute: OTLP array, JSON array, comma list or a single text."""
    if kind == schema.STRING:
        return texts(text)
    value = decoded(kind, 0, text)
    return flat_texts(value) if isinstance(value, list) else ()


@functools.lru_cache(maxsize=4_096)
def _read_reasons(kind: int, text: str) -> tuple[str, ...]:
    return finish_reasons(read_list(kind, text))


def _list_column(codes: Ints, lists: list[tuple[str, ...]]) -> pa.ListArray:
    if not lists:
        return pa.nulls(len(codes), pa.list_(pa.string()))
    distinct = pa.array([list(values) for values in lists], pa.list_(pa.string()))
    return distinct.take(int_array(codes, codes == MISSING))


def _completion_start(lookup: Lookup) -> pa.Array:
    starts = numpy_of(lookup.batch.column("start_unix_nano"))
    field = "completion_start_unix_nano"
    found = lookup.first(field, lambda rule, todo: _first_tokens(lookup, rule, todo, starts), np.ndarray.tolist)
    return pa.nulls(lookup.num_rows, pa.int64()) if found is lookup.nothing else int_array(found, found <= 0)


def _first_tokens(lookup: Lookup, rule: Rule, todo: Bools, starts: Ints) -> Iterator[tuple[Ints, Ints]]:
    source = rule.source
    if source.event_time:
        if not len(lookup.events):
            return
        times = lookup.events.first_time(source.event_time)
        rows = np.flatnonzero(todo & (times > 0))
        keep = lookup.allowed(rule, rows)
        yield rows[keep], _not_before(times[rows[keep]], starts[rows[keep]])
        return
    assert source.key is not None
    for entries in lookup.groups(rule, source.key, todo):
        start = starts[entries.rows]
        if rule.row.convert == "iso_time":
            times = _iso_times(lookup, entries.positions)
            yield entries.rows, _not_before(times, start)
        else:
            unit = 1e9 if rule.row.convert == "seconds_after_start" else 1e6
            yield entries.rows, _after(lookup, entries.positions, start, unit)


def _iso_times(lookup: Lookup, positions: Ints) -> Ints:
    """Unix nanoseconds of ISO 8601 texts; the usual form in one cast, others one by one."""
    texts_ = pc.utf8_trim(lookup.flat.texts.take(int_array(positions)), characters='" ')
    usual = numpy_of(pc.match_substring_regex(texts_, _USUAL_TIME))
    out = np.full(len(positions), MISSING, np.int64)
    try:
        moments = texts_.filter(pa.array(usual)).cast(pa.timestamp("ns", "UTC"))
        out[usual] = numpy_of(moments.cast(pa.int64()))
    except pa.ArrowInvalid:  # a day or an hour that does not exist
        usual[:] = False
    rest = np.flatnonzero(~usual)
    times = (iso_time(text) for text in lookup.flat.texts.take(int_array(positions[rest])).to_pylist())
    out[rest] = [MISSING if time is None else time for time in times]
    return out


def _not_before(times: Ints, starts: Ints) -> Ints:
    return np.where(times >= starts, times, MISSING)


def _after(lookup: Lookup, positions: Ints, starts: Ints, unit: float) -> Ints:
    types, nums = lookup.flat.types[positions], lookup.flat.nums[positions]
    numbers = np.where(types == schema.DOUBLE, nums.view(np.float64), nums.astype(np.float64))
    nanos = np.full(len(positions), np.nan)
    usable = np.isin(types, (schema.INT, schema.DOUBLE))
    with np.errstate(over="ignore", invalid="ignore"):
        nanos[usable] = numbers[usable] * unit
    written = types == schema.STRING
    if written.any():
        found = lookup.distinct(positions[written])
        with np.errstate(over="ignore"):
            nanos[written] = np.append([_seconds(text) for text in found.values], np.nan)[found.indices] * unit
    usable = np.isfinite(nanos) & (nanos >= 0) & (nanos < 1e18) & (starts > 0) & (starts < _MAX_NANOS)
    return np.where(usable, starts + np.where(usable, np.rint(nanos), 0).astype(np.int64), MISSING)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _usage_columns(lookup: Lookup, types: Ints, errors: Bools, providers: Ints) -> dict[str, pa.Array]:
    found = usage(lookup, providers, types == TYPES.index("embedding"), errors)
    hits = lookup.text_codes("cache_hit", {}) != MISSING
    foreign = lookup.meanings("currency", lambda text: int(text.strip().upper() != "USD")) == 1
    money = cost(lookup, found, hits, foreign)
    return {
        "input_tokens": found.input_tokens,
        "output_tokens": found.output_tokens,
        "total_tokens": found.total_tokens,
        "cache_read_tokens": found.cache_read_tokens,
        "cache_write_tokens": found.cache_write_tokens,
        "reasoning_tokens": found.reasoning_tokens,
        "usage": found.usage,
        "usage_rule": found.usage_rule,
        "provided_usage": as_sent(lookup, cost=False),
        "provided_cost": as_sent(lookup, cost=True),
        "cost": money.cost,
        "input_cost": money.input_cost,
        "output_cost": money.output_cost,
        "total_cost": money.total_cost,
        "cost_source": money.cost_source,
        "price_ref": pa.nulls(lookup.num_rows, schema.NAME),
    }
