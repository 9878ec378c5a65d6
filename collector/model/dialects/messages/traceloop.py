"""OpenLLMetry's indexed attributes: ``gen_ai.prompt.N.*`` and ``gen_ai.completion.N.*``."""

from __future__ import annotations

from typing import Any

from collector.model.dialects.messages import chat
from collector.model.dialects.messages.blocks import parts
from collector.model.dialects.messages.blocks.parts import Message


def messages(entries: list[Any], *, role: str) -> list[Message] | None:
    """Canonical messages of the entries; ``role`` is that of an entry without one."""
    return chat.read_all([_message(e, role) for e in entries if isinstance(e, dict)])


def _message(entry: dict[str, Any], role: str) -> dict[str, Any]:
    calls = parts.entries(entry.get("tool_calls"))
    old = {"content": entry["user"]} if "content" not in entry and isinstance(entry.get("user"), str) else {}  # Bedrock
    return {**entry, **old, "role": entry.get("role") or role, "tool_calls": calls}
