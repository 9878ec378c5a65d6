"""The content tables, read once from ``content.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

from collector.model.dialects import aliases


@dataclass(frozen=True, slots=True)
class Row:
    """One row of ``contents``: where a piece of content stands and how it is read."""

    content: str
    shape: str
    source: str
    """``key``, ``indexed``, ``prefix`` or ``events``."""
    name: str
    """The key, pattern or prefix; for ``events`` empty."""
    events: frozenset[str]
    """Names of the events: the carriers of ``events``, or of a key inside an event."""
    system: str | None
    types: frozenset[str]
    """Types of observation the row is for; empty: all."""
    has: str | None
    drop: frozenset[str]


def _row(entry: Mapping[str, Any]) -> Row:
    origin, when = entry["from"], entry.get("when", {})
    source = next(kind for kind in ("key", "indexed", "prefix", "events") if kind in origin)
    types = when.get("type", [])
    return Row(
        content=entry["content"],
        shape=entry["shape"],
        source=source,
        name="" if source == "events" else origin[source],
        events=frozenset(origin["events"] if source == "events" else [origin["event"]] if "event" in origin else []),
        system=entry.get("system"),
        types=frozenset([types] if isinstance(types, str) else types),
        has=when.get("has"),
        drop=frozenset(entry.get("drop", [])),
    )


def _read() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("content.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = YAML(typ="safe").load(text)
    return loaded


_TABLES = _read()

ROWS = tuple(_row(entry) for entry in _TABLES["contents"])
REQUEST_MEMBERS = frozenset(_TABLES["request_members"])
RESPONSE_MEMBERS = frozenset(_TABLES["response_members"])
ROLES: Mapping[str, str] = _TABLES["roles"]
KNOWN_ROLES = frozenset([*ROLES, *ROLES.values()])
"""Roles in any spelling, lower case."""
JSON_METADATA: Mapping[str, Any] = _TABLES["json_metadata"]
_FINISH_REASONS = frozenset({"stop", "length", "content_filter", "tool_call", "error", "compaction"})
"""The spellings of the semantic conventions."""


def role(spelled: object) -> str:
    """A role in its canonical spelling; one nobody knows stays as sent."""
    return ROLES.get(spelled.lower(), spelled) if isinstance(spelled, str) else ""


def finish_reason(reason: str) -> str:
    """The semconv spelling of a finish reason; one nobody knows stays as sent."""
    found = aliases.finish_reason(reason)
    return found if found in _FINISH_REASONS else reason
