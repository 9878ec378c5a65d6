"""Words that messages are told by, whatever their dialect: roles, finish reasons, members of requests."""

from __future__ import annotations

from collections.abc import Mapping

from collector.model.dialects import aliases
from collector.model.dialects.row_base import Strict
from collector.model.dialects.table_files import load


class MetadataCondition(Strict):
    """Whose metadata values are JSON text whatever they hold."""

    scope: str
    """The instrumentation scope's name begins so."""
    language: str
    """``telemetry.sdk.language`` of the resource."""
    version: int
    """At least this major version of the scope."""


class MessageWords(Strict):
    """``message_words.yaml``."""

    request_members: frozenset[str]
    """Members that stand beside system and messages in a request: a value with others is no bare request."""
    response_members: frozenset[str]
    """The same beside the message of a response."""
    roles: Mapping[str, str]
    """Role in any spelling, lower case → its canonical spelling."""
    json_metadata: MetadataCondition


_WORDS = load(MessageWords, "message_words.yaml")

REQUEST_MEMBERS = _WORDS.request_members
RESPONSE_MEMBERS = _WORDS.response_members
ROLES = _WORDS.roles
KNOWN_ROLES = frozenset([*ROLES, *ROLES.values()])
"""Roles in any spelling, lower case."""
JSON_METADATA = _WORDS.json_metadata
_FINISH_REASONS = frozenset({"stop", "length", "content_filter", "tool_call", "error", "compaction"})
"""The spellings of the semantic conventions."""


def role(spelled: object) -> str:
    """A role in its canonical spelling; one nobody knows stays as sent."""
    return ROLES.get(spelled.lower(), spelled) if isinstance(spelled, str) else ""


def finish_reason(reason: str) -> str:
    """The semconv spelling of a finish reason; one nobody knows stays as sent."""
    found = aliases.finish_reason(reason)
    return found if found in _FINISH_REASONS else reason
