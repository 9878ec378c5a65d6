"""Attributes of a span that gave no field: what they are to the tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from collector.model.dialects.compiled_tables import compiled
from collector.model.dialects.messages import carriers
from collector.model.facts import known_keys
from collector.model.facts.recorder import SpanRecord


@dataclass(frozen=True, slots=True)
class Unread:
    """Attribute keys, sorted."""

    known_only: tuple[str, ...]
    read_in_vain: tuple[str, ...]
    unknown: tuple[str, ...]


def attributes(keys: Iterable[str], record: SpanRecord) -> Unread:
    """The keys that neither a fact nor the content of the span came from."""
    rules = [c.rule for field in record.fields.values() for c in field.candidates]
    read = {key for rule in rules for key in (rule.key, *rule.source.join) if key}
    rows = [choice.row for choice in record.choices if not choice.row.events]
    content = {name for row in rows for name in (row.name, row.system, row.has) if name}
    left: dict[str, list[str]] = {"known_only": [], "read_in_vain": [], "unknown": []}
    for key in sorted(keys):
        info, names = compiled().key_info(key), carriers.names_of(key)
        if info.name in read or info.usage or info.cost or not content.isdisjoint(names):
            continue
        if info.name is not None or names:
            left["read_in_vain"].append(key)
        else:
            left["known_only" if known_keys.is_known(key) else "unknown"].append(key)
    return Unread(**{name: tuple(found) for name, found in left.items()})
