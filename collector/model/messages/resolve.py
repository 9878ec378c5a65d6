"""Applies the content rows to one span: first row that yields something wins.

Nothing here raises: a value that a shape cannot take is kept as it came and counted, so that one
odd span costs no other one its content.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from collector.model.messages import carriers, parts, tables
from collector.model.messages.events import Event
from collector.model.messages.shapes import SHAPES, Content
from collector.model.messages.tables import Row

KINDS = ("input", "output", "tool_definitions", "model_parameters", "status_message", "error_message")
_ROWS = {kind: tuple((row, SHAPES[row.shape]) for row in tables.ROWS if row.content == kind) for kind in KINDS}
_METADATA = tuple((row, SHAPES[row.shape]) for row in tables.ROWS if row.content == "metadata")


def text_of(content: Content, kind: str, faults: Counter[str]) -> str | None:
    """The stored text of one kind of content: JSON, or plain text; None when there is none."""
    for row, shape in _ROWS[kind]:
        value = _source(row, content)
        if value is None:
            continue
        system = content.keys.get(row.system) if row.system else None
        if row.system and system is None:
            system = _in_events(content, row.events, row.system)
        try:
            found = _less(shape(value, system, content), row.drop)
            if found not in (None, "", [], {}):
                return as_text(found)
        except Exception:
            faults[kind] += 1
            return as_text(value) if isinstance(value, str) else _last_resort(value)
    return _system_alone(content) if kind == "input" else None


def metadata(content: Content, faults: Counter[str]) -> str | None:
    """The merged metadata as a JSON object; None when there is none."""
    merged: dict[str, Any] = {}
    for row, shape in _METADATA:
        value = _source(row, content)
        if value is None:
            continue
        try:
            for key, member in (_less(shape(value, None, content), row.drop) or {}).items():
                merged.setdefault(key, member)
        except Exception:
            faults["metadata"] += 1
    try:
        return as_text(merged) if merged else None
    except Exception:
        faults["metadata"] += 1
        return None


def raised_message(content: Content) -> str | None:
    """The message of the last exception that an event or log record of the span tells of."""
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
    try:
        written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_default)
    except ValueError:  # NaN and the infinities become text
        plain = json.loads(json.dumps(value, default=_default), parse_constant=str)
        written = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return written if _is_utf8(written) else json.dumps(json.loads(written), separators=(",", ":"))


def _source(row: Row, content: Content) -> Any:
    if row.types and content.type not in row.types:
        return None
    if row.has and row.has not in content.keys:
        return None
    if row.source == "events":
        return _events(content, row.events) or None
    if row.events:
        return _in_events(content, row.events, row.name)
    if row.source == "key":
        return content.keys.get(row.name)
    if row.source == "indexed":
        found = content.indexed.get(row.name)
        return parts.entries(found) if found else None
    return content.prefixed.get(row.name)


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


def _system_alone(content: Content) -> str | None:
    system = content.keys.get("gen_ai.system_instructions")
    if system is None:
        return None
    found = SHAPES["messages"](None, system, content)
    return as_text(found) if found else None


def _last_resort(value: Any) -> str | None:
    try:
        return as_text(value)
    except Exception:
        return None


def _default(value: Any) -> Any:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case Event():
            return {"name": value.name, "attributes": value.attributes, "body": value.body}
    return str(value)


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
