"""Applies the content rows to one span: first row that yields something wins.

Nothing here raises: a value that a shape cannot take is kept as it came and counted, so that one
odd span costs no other one its content.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from collector.model import fast_json
from collector.model.dialects.kept import kept
from collector.model.dialects.messages import carriers, content_tables
from collector.model.dialects.messages.blocks import parts
from collector.model.dialects.messages.content_tables import Row
from collector.model.dialects.messages.event_messages import Event
from collector.model.dialects.messages.shapes import SHAPES
from collector.model.dialects.messages.span_content import Content, Shape

METADATA = "metadata"
KINDS = ("input", "output", "tool_definitions", "model_parameters", "status_message", "error_message", METADATA)

_Rows = tuple[tuple[Row, Shape], ...]
_Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A content row that could find something on a span."""

    kind: str
    row: Row
    carrier: str
    """``attribute``, ``event`` or ``log``."""
    events: tuple[str, ...]
    """The names of the events or log records it was read from."""
    chosen: bool


def texts(content: Content, faults: Counter[str], choices: list[Choice] | None = None) -> list[str | None]:
    """The stored texts of a span, one per entry of ``KINDS``: JSON or plain text, None for nothing.

    ``metadata`` is a JSON object merged from all its rows, of a key said twice the first row's value.
    ``choices`` takes up which rows were there and which one gave the text.
    """
    names = tuple([e.name for e in (*content.events, *content.logs)])
    found: list[str | None] = [None] * len(KINDS)
    for n, kind, rows in _applicable(
        content.type, tuple(content.keys), tuple(content.prefixed), tuple(content.indexed), names
    ):
        if kind == METADATA:
            found[n], used = _metadata(content, rows, faults), len(rows)
        else:
            found[n], used = _first(content, kind, rows, faults)
        if choices is not None:
            choices += _choices(content, kind, rows, chosen=range(len(rows)) if kind == METADATA else [used])
    return found


def _choices(content: Content, kind: str, rows: _Rows, *, chosen: Sequence[int]) -> list[Choice]:
    there = [(n, row) for n, (row, _) in enumerate(rows) if _value(row, content) is not None]
    return [Choice(kind, row, *_carrier(row, content), n in chosen) for n, row in there]


def _carrier(row: Row, content: Content) -> tuple[str, tuple[str, ...]]:
    read = _events(content, row.events)
    carrier = "attribute" if not row.events else "event" if read and read[0] in content.events else "log"
    return carrier, tuple(dict.fromkeys(event.name for event in read))


@kept(4_096)
def _applicable(
    span_type: str, keys: _Names, prefixed: _Names, indexed: _Names, events: _Names
) -> tuple[tuple[int, str, _Rows], ...]:
    """Per kind (and its place in ``KINDS``) the rows that can find something on spans with these names.

    Few spans differ in their names, and one SDK writes them in one order.
    """
    present = {"key": frozenset(keys), "prefix": frozenset(prefixed), "indexed": frozenset(indexed)}
    happened = frozenset(events)

    def finds(row: Row) -> bool:
        carried = bool(row.events & happened) if row.events else row.name in present[row.source]
        return carried and (not row.types or span_type in row.types) and (row.has is None or row.has in present["key"])

    rows = [
        (kind, tuple((r, SHAPES[r.shape]) for r in content_tables.rows() if r.content == kind and finds(r)))
        for kind in KINDS
    ]
    return tuple((n, kind, of_kind) for n, (kind, of_kind) in enumerate(rows) if of_kind)


def _first(content: Content, kind: str, rows: _Rows, faults: Counter[str]) -> tuple[str | None, int]:
    """The text of the first row that yields one, and that row's place (-1: none)."""
    for n, (row, shape) in enumerate(rows):
        value = _value(row, content)
        if value is None:
            continue
        try:
            found = shape(value, None if row.system is None else _system(row, content), content)
            if row.drop:
                found = _less(found, row.drop)
            if found not in (None, "", [], {}):
                return as_text(found), n
        except Exception:
            faults[kind] += 1
            return (as_text(value) if isinstance(value, str) else _last_resort(value)), n
    return None, -1


def _metadata(content: Content, rows: _Rows, faults: Counter[str]) -> str | None:
    merged: dict[str, Any] = {}
    for row, shape in rows:
        try:
            for key, member in (_less(shape(_value(row, content), None, content), row.drop) or {}).items():
                merged.setdefault(key, member)
        except Exception:
            faults[METADATA] += 1
    try:
        return as_text(merged) if merged else None
    except Exception:
        faults[METADATA] += 1
        return None


def raised_message(content: Content) -> str | None:
    """The message of the last exception that an event or log record of the span tells of."""
    if not content.events and not content.logs:
        return None
    for found in (content.events, content.logs):
        names = carriers.EXCEPTION if found is content.events else carriers.CLIENT_EXCEPTION
        for event in reversed(found):
            message = event.attributes.get("exception.message")
            if event.name == names and isinstance(message, str) and message:
                return message
    return None


def as_text(value: Any) -> str:
    """Stored text: a string as it is, anything else as JSON; always valid UTF-8 and valid JSON."""
    if isinstance(value, str):
        return value if _is_utf8(value) else value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = fast_json.dumps(value)
    if text is not None:
        return text
    try:
        written = _ENCODER.encode(value)
    except ValueError:  # NaN and the infinities become text
        plain = json.loads(json.dumps(value, default=_json_default), parse_constant=str)
        written = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return written if _is_utf8(written) else json.dumps(json.loads(written), separators=(",", ":"))


def _value(row: Row, content: Content) -> Any:
    if row.source == "events":
        return _events(content, row.events)
    if row.events:
        return _in_events(content, row.events, row.name)
    if row.source == "key":
        return content.keys[row.name]
    if row.source == "indexed":
        return parts.entries(content.indexed[row.name])
    return content.prefixed[row.name]


def _system(row: Row, content: Content) -> Any:
    if row.system is None:
        return None
    found = content.keys.get(row.system)
    return found if found is not None or not row.events else _in_events(content, row.events, row.system)


def _less(value: Any, drop: frozenset[str]) -> Any:
    if not drop or not isinstance(value, dict):
        return value
    return {k: v for k, v in value.items() if k not in drop}


def _events(content: Content, names: frozenset[str]) -> Sequence[Event]:
    # The same messages may be sent both ways; one carrier is read, the span's own first.
    return [e for e in content.events if e.name in names] or [e for e in content.logs if e.name in names]


def _in_events(content: Content, names: frozenset[str], key: str) -> Any:
    """The key's value in these events; lists that came in several events are joined."""
    found: list[Any] = []
    for event in _events(content, names):
        value = event.attributes.get(key)
        if value is not None and value != "" and value not in found:
            found.append(value)
    if len(found) < 2:
        return found[0] if found else None
    lists = [parts.json_value(value) for value in found]
    return [entry for value in lists for entry in value] if all(isinstance(v, list) for v in lists) else found[0]


def _last_resort(value: Any) -> str | None:
    try:
        return as_text(value)
    except Exception:
        return None


def _json_default(value: Any) -> Any:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case Event():
            return {"name": value.name, "attributes": value.attributes, "body": value.body}
    return str(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_json_default)


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
