"""Langfuse's LangChain handler: tool definitions among the messages.

It appends each tool a model may call as a message of role ``tool`` whose content is the definition.
"""

from __future__ import annotations

from typing import Any


def messages(value: Any) -> Any:
    """The value without definitions among its messages."""
    return [entry for entry in value if not _is_definition(entry)] if isinstance(value, list) else value


def definitions(value: Any) -> list[Any]:
    """The tool definitions among messages."""
    return [entry["content"] for entry in value if _is_definition(entry)] if isinstance(value, list) else []


def _is_definition(entry: Any) -> bool:
    match entry:
        case {"role": "tool", "content": {"type": "function", "function": {"name": str()}}}:
            return True
    return False
