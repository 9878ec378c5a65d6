"""Sentences for what no single attribute decides: conditions, counting, inclusion, cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from collector.model.dialects import table_files
from collector.model.dialects.fact_tables import When
from collector.model.facts.recorder import SpanRecord

DEFAULTS = {
    "type": "no rule says more: span",
    "level": "no rule, and the status is not ERROR",
    "name": "the span's own name",
    "trace_name": "the name of the root span",
    "user_id": "from a log record of the trace",
    "session_id": "from a log record of the trace",
    "tags": "the tags of all spans of the trace",
    "model_parameters": "from service_tier",
    "service_name": "resource service.name",
    "status_message": "the span's status, or its exception",
    "sampled_by": "the policy that kept the trace",
    "sampling_trigger": "what made the trace due for its decision",
}

_SCOPE = {
    "leaf": "carries usage, and nothing below it does",
    "wrapper_without_calls": "a known wrapper, but nothing below it reports usage: it is the call",
    "descendant_has_usage": "the sum of what is counted below",
    "same_call_below": "the same call as the one counted span below it",
    "same_response_id": "the same response as another span of the trace",
    "never_counted": "a cumulative counter or a copy, by the role of the span",
    "ancestor_counted": "came late, below a row already written as counted",
    "no_assembly": "this pipeline sees no whole traces: only what the span says of itself",
    "native_call": "a provider SDK's own span, and no instrumentation reports the call",
    "same_response_id_elsewhere": "an instrumentation reports the same response in another trace",
}

_INCLUSION = {
    "no_cache": "no cached tokens are reported: nothing to decide",
    "exclusive:cache_exceeds_input": "more cached tokens than input: input cannot include them",
    "inclusive:total": "the total is input + output: input includes the cached tokens",
    "exclusive:total": "the total is input + output + cached: input excludes the cached tokens",
    "inclusive:default": "nothing says otherwise: input includes the cached tokens",
    "explicit:disjoint": "an object of disjoint buckets says all",
    "explicit:provider": "the object is a provider's own: totals include their parts",
    "explicit:exceeds_total": "the buckets add up to more than the total: parts are inside",
}

_ROW = "usage_scope"


def condition(when: When) -> str:
    """A condition in words; empty if there is none."""
    source = [
        ("scope", when.scope),
        ("scope is not", when.not_scope),
        ("scope version", when.version),
        ("language", when.language),
        ("sdk", when.sdk),
        ("has", when.has),
        ("has one of", when.any),
        ("lacks", when.lacks),
        ("type", when.type),
    ]
    parts = [f"{word} {value if isinstance(value, str) else ' | '.join(value)}" for word, value in source if value]
    places = [word for word, is_asked in (("root span", when.root), ("serves a request", when.served)) if is_asked]
    return "; ".join([*parts, *places])


def scope(row: Mapping[str, Any], trace: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Why a row counts or not, and which spans it was held against."""
    if row[_ROW] is None:
        return "no usage reported" if row["type"] in {"generation", "embedding"} else None
    rule = row["usage_rule"].split(", ")[0]
    others = _others(rule, row, trace, rows)
    named = ", ".join(f"{o['span_id']} {o['name']!r}" for o in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return f"{rule}: {_SCOPE.get(rule, rule)}{f': {named}{more}' if others else ''}"


def _others(
    rule: str, row: Mapping[str, Any], trace: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The counted rows that the rule is about."""
    counted = [r for r in trace if r[_ROW] == "counted" and r is not row]
    if rule in {"descendant_has_usage", "same_call_below"}:
        return [r for r in counted if _is_below(r, row, trace)]
    if rule == "ancestor_counted":
        return [r for r in counted if _is_below(row, r, trace)]
    if rule == "same_response_id":
        return [r for r in counted if r["response_id"] == row["response_id"]]
    if rule == "same_response_id_elsewhere":
        return [r for r in rows if r[_ROW] == "counted" and r["response_id"] == row["response_id"]]
    return []


def _is_below(row: Mapping[str, Any], other: Mapping[str, Any], trace: Sequence[Mapping[str, Any]]) -> bool:
    parents = {r["span_id"]: r["parent_span_id"] for r in trace}
    at, seen = row["parent_span_id"], set()
    while at is not None and at not in seen:
        if at == other["span_id"]:
            return True
        seen.add(at)
        if at not in parents:  # it never came: the span is below the root, whoever is in between
            return other["parent_span_id"] is None
        at = parents[at]
    return False


def usage_rule(value: str) -> str:
    """How cached tokens were taken, in words."""
    rule = value.rsplit(", ", maxsplit=1)[-1]
    if rule in _INCLUSION:
        return _INCLUSION[rule]
    name = rule.partition(":")[2]
    for file in table_files.files():
        for row in file.inclusion:
            if row.rule == name:
                who = f", provider {' | '.join(row.provider)}" if row.provider else ""
                inside = "includes" if row.includes_cache else "excludes"
                return f"{file.table} says that input {inside} the cached tokens ({condition(row.when)}{who})"
    return ""


def sides(name: str, row: Mapping[str, Any]) -> str | None:
    """The buckets that add up to a token count, where there are several."""
    side = {"input_tokens": "input", "output_tokens": "output"}[name]
    parts = {k: v for k, v in (row["usage"] or {}).items() if k.startswith(side) and v}
    return " + ".join(f"{k} {v}" for k, v in parts.items()) if len(parts) > 1 else None


def cost(name: str, value: str | None, record: SpanRecord) -> str | None:
    """Where the cost came from."""
    note = record.notes.get("cost")
    if name == "price_ref":
        return None
    source = {
        "provided": "sent with the span, see cost_* above",
        "computed": "usage × list price, see price_ref",
        "unpriced": "nobody has a price for the model",
    }
    return "; ".join(filter(None, (source.get(value or ""), note))) or None
