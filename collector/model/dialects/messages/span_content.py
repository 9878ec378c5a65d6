"""What one span carries, as far as content rows look at it, and what a shape is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from collector.model.dialects.messages.event_messages import Event


@dataclass(slots=True)
class Content:
    """What one span carries, as far as content rows look at it."""

    type: str
    keys: dict[str, Any] = field(default_factory=dict)
    indexed: dict[str, dict[Any, Any]] = field(default_factory=dict)
    prefixed: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    """Span events, in order."""
    logs: list[Event] = field(default_factory=list)
    """Log records of the span, by time."""
    json_metadata: bool = False
    """Whether metadata values are JSON text whatever they hold."""


Shape = Callable[[Any, Any, Content], Any]
"""(value, system instructions, everything the span carries) → content."""
