"""What one rule said about a field: the value, the place it stood, the rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from collector.explain import reasons
from collector.model.dialects.rules import Rule, compiled
from collector.model.dialects.tables import TYPES, Source
from collector.model.facts_recorder import Candidate, SpanRecord
from collector.model.messages import tables as content_tables
from collector.model.messages.resolve import Choice


@dataclass(frozen=True, slots=True)
class Said:
    """One source's word."""

    value: Any
    """After conversion; none: the source gave nothing."""
    origin: str
    """The attribute key, or what else it came from."""
    sent: Any
    """What stood there, where the value says it otherwise."""
    rule: str
    """Table and rank of the row, or the content row."""
    when: str
    """The row's conditions."""
    why_not: str | None = None
    """Why it gave nothing; none on a source that lost by its rank."""


def of_candidate(candidate: Candidate, attributes: Mapping[str, Any]) -> Said:
    """What a row of the dialect tables said."""
    rule, value = candidate.rule, candidate.value
    sent = _sent(rule.source, attributes)
    same = value is None or sent is None or str(sent) == str(value)
    return Said(value, _origin(rule.source, attributes), None if same else sent, _name(rule), _when(rule))


def of_choice(choice: Choice, attributes: Mapping[str, Any], why_not: str | None = None) -> Said:
    """What a content row said; the value is the column's own."""
    row = choice.row
    place = {"key": row.name, "indexed": f"{row.name}.N.…", "prefix": f"{row.name}…"}.get(row.source, "")
    carried = {"attribute": "", "event": "span event", "log": "log record"}[choice.carrier]
    origin = " ".join(filter(None, (carried, "/".join(sorted(row.events)), place)))
    sent = attributes.get(row.name) if row.source == "key" and not row.events else None
    when = ", ".join(filter(None, (_types(row.types), f"beside {row.has}" if row.has else "")))
    number = content_tables.ROWS.index(row) + 1
    return Said(None, origin, sent, f"content row {number}, {row.shape}", when, why_not)


def passed_over(field: str, record: SpanRecord, attributes: Mapping[str, Any]) -> list[Said]:
    """Rules of a field whose attribute is on the span and that had nothing to say."""
    heard = {c.rule.id for c in record.fields[field].candidates} if field in record.fields else set()
    return list(_passed_over(field, record, attributes, heard))


def _passed_over(field: str, record: SpanRecord, attributes: Mapping[str, Any], heard: set[int]) -> Iterator[Said]:
    for rule in compiled().by_field.get(field, ()):
        key = rule.source.key
        if rule.id in heard or key is None or (actual := _actual(key, attributes)) is None:
            continue
        if record.context.holds[rule.id] and not rule.row.when.type:
            why = "none of the row's values" if rule.row.values is not None else "nothing usable"
        else:
            why = "condition does not hold"
        yield Said(None, actual, attributes[actual], _name(rule), _when(rule), why)


def _name(rule: Rule) -> str:
    return f"{rule.table} rank {rule.row.rank}"


def _when(rule: Rule) -> str:
    return reasons.condition(rule.row.when)


def _types(types: frozenset[str]) -> str:
    return f"type {'/'.join(t for t in TYPES if t in types)}" if types else ""


def _origin(source: Source, attributes: Mapping[str, Any]) -> str:
    if source.key:
        return _actual(source.key, attributes) or source.key
    if source.json_key:
        return source.json_key if source.path in {None, "."} else f"{source.json_key} → {source.path}"
    return (
        (f"resource {source.resource}" if source.resource else "")
        or " + ".join(source.join)
        or (f"field {source.field}" if source.field else "")
        or (f"exception event {source.event}" if source.event else "")
        or (f"time of event {'/'.join(source.event_time)}" if source.event_time else "span name")
    )


def _actual(key: str, attributes: Mapping[str, Any]) -> str | None:
    """The attribute a rule's key stands for; of indexed ones the lowest."""
    if "*" not in key:
        return key if key in attributes else None
    found = [(info.index, name) for name in attributes if (info := compiled().key_info(name)).name == key]
    return min(found)[1] if found else None


def _sent(source: Source, attributes: Mapping[str, Any]) -> Any:
    if source.key and (actual := _actual(source.key, attributes)) is not None:
        return attributes[actual]
    return None
