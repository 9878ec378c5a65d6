"""What one source gave for a field: the value, the place it stood, the rule that read it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from collector.model.dialects.compiled_tables import Rule, compiled
from collector.model.dialects.fact_tables import Source
from collector.model.dialects.fields import TYPES
from collector.model.dialects.messages.choices import Choice
from collector.model.facts.recorder import Candidate, SpanRecord
from collector.model.facts.usage_objects import member_of
from collector.model.json_values import at_path, parse_json
from collector.offline.explain import reasons
from collector.offline.explain.decisive import held_by, unmet

CONTENT = "content"
NO_CONDITION = "condition does not hold"


@dataclass(frozen=True, slots=True)
class SourceValue:
    """What one source gave."""

    value: Any
    """After conversion; none: the source gave nothing."""
    origin: str
    """The attribute key, or what else it came from."""
    sent: Any
    """What stood there, where the value says it otherwise."""
    table: str
    """The dialect table the row stands in, or ``content``."""
    rank: int
    """The row's place among those of its field or kind of content, from 1; money is counted together."""
    reading: str
    """The row's conversion or shape."""
    when: str
    """The row's conditions."""
    why_not: str | None = None
    """Why it gave nothing; none on a source that lost by its rank."""
    decided_by: str = ""
    """What made the conditions hold, or the part of them that does not."""

    @property
    def rule(self) -> str:
        """The row, in words."""
        return f"content row {self.rank}, {self.reading}" if self.table == CONTENT else f"{self.table} rank {self.rank}"

    @property
    def is_for_other_types(self) -> bool:
        """Whether the rule is not meant for spans of this type at all."""
        return self.why_not == NO_CONDITION and self.when.startswith("type ")


def of_candidate(candidate: Candidate, attributes: Mapping[str, Any]) -> SourceValue:
    """What a row of the dialect tables said."""
    rule, value = candidate.rule, candidate.value
    sent = _sent(rule.source, attributes)
    same = value is None or sent is None or str(sent) == str(value)
    origin = _member(rule, attributes) if rule.usage_object else _origin(rule.source, attributes)
    return SourceValue(value, origin, None if same else sent, *_row(rule), None, held_by(rule.row.when, attributes))


def _member(rule: Rule, attributes: Mapping[str, Any]) -> str:
    """The member of a usage object that a count was read from."""
    source, sent = rule.source, attributes.get(rule.source.json_key or "")
    value = parse_json(sent) if isinstance(sent, str) else sent
    member = member_of(at_path(value, source.path or "."), rule.row.field)
    return " → ".join(filter(None, (_origin(source, attributes), member)))


def of_choice(choice: Choice, attributes: Mapping[str, Any], why_not: str | None = None) -> SourceValue:
    """What a content row said; the value is the column's own."""
    row = choice.row
    place = {"key": row.name, "indexed": f"{row.name}.N.…", "prefix": f"{row.name}…"}.get(row.source, "")
    carried = {"attribute": "", "event": "span event", "log": "log record"}[choice.carrier]
    if row.source == "key" and "*" in row.name and not row.events:
        place = next((key for key in attributes if fnmatch.fnmatchcase(key, row.name)), place)
    origin = " ".join(filter(None, (carried, ", ".join(choice.events), place)))
    sent = attributes.get(row.name) if row.source == "key" and not row.events else None
    when = ", ".join(filter(None, (_types(row.types), f"beside {row.has}" if row.has else "")))
    return SourceValue(None, origin, sent, CONTENT, row.rank, row.shape, when, why_not)


def passed_over(field: str, record: SpanRecord, attributes: Mapping[str, Any]) -> list[SourceValue]:
    """Rules of a field whose attribute is on the span and that had nothing to say."""
    heard = {c.rule.id for c in record.fields[field].candidates} if field in record.fields else set()
    return list(_passed_over(field, record, attributes, heard))


def _passed_over(
    field: str, record: SpanRecord, attributes: Mapping[str, Any], heard: set[int]
) -> Iterator[SourceValue]:
    for rule in compiled().by_field.get(field, ()):
        key = rule.source.key
        if rule.id in heard or key is None or (actual := _actual(key, attributes)) is None:
            continue
        why, when = _why(rule, record, attributes[actual]), rule.row.when
        part = unmet(when, record.context.origin, attributes, _type(record)) if why == NO_CONDITION else ""
        yield SourceValue(None, actual, attributes[actual], *_row(rule), why, part)


def _why(rule: Rule, record: SpanRecord, sent: Any) -> str:
    """Why a rule whose attribute is there had nothing to say."""
    types = rule.row.when.type
    if not record.context.holds[rule.id] or (types and _type(record) not in types):
        return NO_CONDITION
    if sent == "":
        return "it is empty"
    if rule.row.convert.startswith("provider"):
        return "that is no provider"
    return "none of the row's values" if rule.row.values is not None else "nothing usable in it"


def _type(record: SpanRecord) -> str | None:
    kind = record.fields["type"].chosen if "type" in record.fields else None
    return None if kind is None else str(kind.value).split("/")[0]


def _row(rule: Rule) -> tuple[str, int, str, str]:
    """Table, rank, conversion and conditions."""
    return rule.table, rule.rank, rule.row.convert, reasons.condition(rule.row.when)


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
