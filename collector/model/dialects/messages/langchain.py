"""LangChain: messages by class or type, and the serialised constructor form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from collector.model.dialects import message_words

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


def from_pair(value: Any) -> Any:
    """The message that a ``(role, text)`` pair stands for; other values as they are."""
    match value:
        case [str(role_), str(content)] if role_ in _ROLES or message_words.ROLES.get(role_, role_) in _ROLES.values():
            return {"role": _ROLES.get(role_, role_), "content": content}
    return value


def prompt_value(value: dict[str, Any]) -> Any:
    """The messages of a serialised ``ChatPromptValue``, the text of a ``StringPromptValue``; None: it is neither."""
    match value:
        case {"lc": _, "id": [*_, "ChatPromptValue"], "kwargs": {"messages": list(messages)}}:
            return messages
        case {"lc": _, "id": [*_, "StringPromptValue"], "kwargs": {"text": str(text)}}:
            return [{"role": "user", "content": text}]
    return None


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
    role_ = role(str(inner.get("type"))) or inner.get("role") or "assistant"
    return {**inner, "role": role_, "finish_reason": reason or finish_reason(inner)}


def finish_reason(message: dict[str, Any]) -> Any:
    """Why the model stopped, as its provider's package notes it in a message's metadata."""
    metadata = message.get("response_metadata")
    if not isinstance(metadata, dict):
        return None
    names = ("finish_reason", "stop_reason", "finishReason", "stopReason")
    return next((metadata[name] for name in names if metadata.get(name)), None)
