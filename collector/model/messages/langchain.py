"""LangChain: messages by class or type, and the serialised constructor form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_ROLES = {
    "human": "user",
    "HumanMessage": "user",
    "HumanMessageChunk": "user",
    "ai": "assistant",
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "system": "system",
    "SystemMessage": "system",
    "tool": "tool",
    "ToolMessage": "tool",
    "function": "tool",
    "FunctionMessage": "tool",
}


def unwrapped(value: dict[str, Any]) -> dict[str, Any]:
    """A message behind ``{lc, type: constructor, id: [..., class], kwargs}`` or ``{type, data}``."""
    if "kwargs" not in value and "data" not in value:
        return value
    match value:
        case {"lc": _, "kwargs": dict(kwargs), "id": [*_, str(name)]} if name in _ROLES:
            return {**kwargs, "type": name}
        case {"type": str(kind), "data": dict(data)} if kind in _ROLES and "content" in data:
            return {**data, "type": kind}
    return value


def is_message(value: dict[str, Any]) -> bool:
    kind = value.get("type")
    return isinstance(kind, str) and kind in _ROLES and "content" in value and "role" not in value


def role(kind: str) -> str | None:
    """The role of a message's type or class; None if it is neither."""
    return _ROLES.get(kind)


def generations(batches: list[Any]) -> Iterator[dict[str, Any]]:
    """The messages of an LLMResult: one list of generations per prompt."""
    for batch in batches:
        for generation in batch if isinstance(batch, list) else [batch]:
            if isinstance(generation, dict):
                yield _generation(generation)


def _generation(generation: dict[str, Any]) -> dict[str, Any]:
    info = generation.get("generation_info") or {}
    reason = info.get("finish_reason") if isinstance(info, dict) else None
    message = generation.get("message")
    if not isinstance(message, dict):
        return {"role": "assistant", "content": generation.get("text"), "finish_reason": reason}
    inner = unwrapped(message)
    return {**inner, "role": role(str(inner.get("type"))) or inner.get("role") or "assistant", "finish_reason": reason}
