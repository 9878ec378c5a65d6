"""Messages sent one by one as events: span events or log records, in their order.

The old GenAI conventions put a message into each of ``gen_ai.{system,user,assistant,tool}.message``
and ``gen_ai.choice``: in the body of a log record, or in the attributes of a span event (Strands,
Azure), there as JSON text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from collector.model.dialects.messages import chat
from collector.model.dialects.messages.blocks import anthropic, parts
from collector.model.dialects.messages.blocks.parts import Message

CHOICE = "gen_ai.choice"
_SUFFIX = ".message"
_PREFIX = "gen_ai."
_MEMBERS = {"role", "content", "message", "tool_calls"}


@dataclass(frozen=True, slots=True)
class Event:
    """A span event or a log record of one span."""

    name: str
    attributes: dict[str, Any]
    body: Any = None


def inputs(events: Sequence[Event]) -> list[Message] | None:
    """The conversation that went in."""
    return chat.read_all([_message(e) for e in events if e.name.endswith(_SUFFIX)])


def outputs(events: Sequence[Event]) -> list[Message] | None:
    """The choices that came out, and the tool results that a choice carries (Strands)."""
    found: list[dict[str, Any]] = []
    for event in events:
        if event.name == CHOICE:
            found.append(_choice(event))
            results = parts.json_value(event.attributes.get("tool.result"))
            found += [{"role": "tool", "content": results}] if results else []
    return chat.read_all(found)


def tool_input(events: Sequence[Event]) -> Any:
    """Arguments of a tool span: the content of its tool message."""
    return next((_fields(e).get("content") for e in events if e.name.endswith(_SUFFIX)), None)


def tool_output(events: Sequence[Event]) -> Any:
    """Result of a tool span: the message of its choice."""
    for event in events:
        if event.name == CHOICE:
            return anthropic.unwrapped(parts.json_value(_fields(event).get("message")))
    return None


def _fields(event: Event) -> dict[str, Any]:
    """The members of the message, wherever the emitter put them."""
    packed = parts.json_value(event.attributes.get("gen_ai.event.content"))
    if isinstance(packed, dict):
        return packed
    body = parts.json_value(event.body)
    if isinstance(body, dict) and (isinstance(event.body, dict) or _MEMBERS & body.keys()):  # Semantic Kernel: as JSON
        return body or event.attributes
    return {"content": event.body} if event.body else event.attributes


def _message(event: Event) -> dict[str, Any]:
    fields = dict(_fields(event))
    fields.setdefault("role", event.name[len(_PREFIX) : -len(_SUFFIX)])
    return {**fields, "content": parts.json_value(fields.get("content")) if _blocks(fields) else fields.get("content")}


def _blocks(fields: dict[str, Any]) -> bool:
    content = fields.get("content")
    return isinstance(content, str) and content.lstrip()[:1] == "["


def _choice(event: Event) -> dict[str, Any]:
    fields = _fields(event)
    message = parts.json_value(fields.get("message"))
    if isinstance(message, dict):
        inner = message
    elif message is not None:
        inner = {"content": message}
    else:
        inner = {k: v for k, v in fields.items() if k in {"role", "content", "tool_calls"}}
    return {"role": "assistant", **inner, "finish_reason": fields.get("finish_reason")}
