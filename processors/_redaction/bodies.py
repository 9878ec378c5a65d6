"""Bodies of log records, redacted: texts, and maps and lists all the way down; once per distinct body."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList

from processors._redaction.rules import Fate, Rules
from spanloom import ValueColumns, attribute_text, set_columns, to_columns


@dataclass
class Redacted:
    """A body and what was done in it."""

    value: ValueColumns
    keys: dict[Fate, list[str]] = field(default_factory=lambda: {fate: [] for fate in Fate})


def redacted(value: ValueColumns, rules: Rules) -> Redacted:
    """The body without what the rules take away; keys are paths, ``user.name`` and ``[0].id``."""
    message = AnyValue()
    set_columns(message, *value)
    done = Redacted(value)
    match message.WhichOneof("value"):
        case "kvlist_value":
            _map(message.kvlist_value, "", rules, done)
        case "array_value":
            for at, entry in enumerate(message.array_value.values):
                _value(entry, f"[{at}]", rules, done)
        case _:
            _plain(message, "body", rules, done)
            # As the Collector has it: of a body that may stay as it is nothing is said.
            done.keys[Fate.ALLOWED].clear()
    if done.keys[Fate.REDACTED] or done.keys[Fate.MASKED]:
        done.value = to_columns(message)
    return done


def _map(entries: KeyValueList, path: str, rules: Rules, done: Redacted) -> None:
    gone: list[str] = []
    for entry in entries.values:
        key = f"{path}.{entry.key}" if path else entry.key
        match rules.of_key(entry.key):
            case Fate.IGNORED:
                done.keys[Fate.IGNORED].append(key)
            case Fate.REDACTED:
                gone.append(entry.key)
                done.keys[Fate.REDACTED].append(key)
            case Fate.MASKED:
                done.keys[Fate.MASKED].append(key)
                text = entry.value.string_value
                entry.value.Clear()
                entry.value.string_value = rules.whole(text)
            case Fate.LEFT:
                _value(entry.value, key, rules, done)
    if gone:
        left = list(_others(entries, frozenset(gone)))
        del entries.values[:]
        entries.values.extend(left)


def _others(entries: KeyValueList, gone: frozenset[str]) -> Iterator[KeyValue]:
    return (entry for entry in entries.values if entry.key not in gone)


def _value(value: AnyValue, path: str, rules: Rules, done: Redacted) -> None:
    match value.WhichOneof("value"):
        case "kvlist_value":
            _map(value.kvlist_value, path, rules, done)
        case "array_value":
            for at, entry in enumerate(value.array_value.values):
                _value(entry, f"{path}.[{at}]", rules, done)
        case _:
            _plain(value, path, rules, done)


def _plain(value: AnyValue, path: str, rules: Rules, done: Redacted) -> None:
    text = attribute_text(to_columns(value))
    if rules.allows(text):
        done.keys[Fate.ALLOWED].append(path)
        return
    masked = rules.masked(text)
    if masked != text:
        done.keys[Fate.MASKED].append(path)
        value.Clear()
        value.string_value = masked
