"""Anthropic: content blocks of the Messages API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collector.model.dialects.messages.blocks import parts
from collector.model.dialects.messages.blocks.parts import Part


def tool_use(block: dict[str, Any]) -> Part:
    return parts.tool_call(block.get("id"), block.get("name"), block.get("input"))


def tool_result(block: dict[str, Any]) -> Part:
    part = parts.tool_call_response(block.get("tool_use_id"), unwrapped(block.get("content")))
    return {**part, "is_error": True} if block.get("is_error") else part


def thinking(block: dict[str, Any]) -> Part | None:
    return parts.reasoning(block["thinking"]) if isinstance(block.get("thinking"), str) else None


def redacted(block: dict[str, Any]) -> Part:
    return {
        "type": "reasoning",
        "content": "",
        "redacted": True,
        **({"data": block["data"]} if block.get("data") else {}),
    }


def sourced(block: dict[str, Any]) -> Part | None:
    """An image or document by its ``source``: base64, url or file."""
    source = block.get("source")
    if not isinstance(source, dict):
        return None
    if not any(source.get(member) for member in ("file_id", "url", "data")):  # a document made of blocks
        return None
    modality = "image" if block.get("type") == "image" else None
    if source.get("file_id"):
        return parts.reference("file", source["file_id"], source.get("media_type"), modality)
    if source.get("url"):
        return parts.media(source["url"], mime_type=source.get("media_type"), modality=modality)
    if source.get("type") == "text":
        return parts.text(source.get("data") or "")
    return parts.blob(source.get("data"), source.get("media_type"), modality)


def server_tool_use(block: dict[str, Any]) -> Part:
    call = {"type": block.get("name") or "", "input": block.get("input")}
    return {
        "type": "server_tool_call",
        "id": block.get("id"),
        "name": block.get("name") or "",
        "server_tool_call": call,
    }


def server_tool_result(block: dict[str, Any]) -> Part:
    answer = {"type": block["type"], "content": block.get("content")}
    return {"type": "server_tool_call_response", "id": block.get("tool_use_id"), "server_tool_call_response": answer}


def unwrapped(content: Any) -> Any:
    """The text of a single text block; any other content as it came."""
    match content:
        case [{"text": str() as only, **rest}] if set(rest) <= {"type", "citations"}:
            return only
        case [{"json": only}]:
            return only
    return content


BLOCKS: dict[str, Callable[[dict[str, Any]], Part | None]] = {
    "tool_use": tool_use,
    "tool_result": tool_result,
    "redacted_thinking": redacted,
    "document": lambda block: sourced(block) or block,
    "server_tool_use": server_tool_use,
    "web_search_tool_result": server_tool_result,
    "web_fetch_tool_result": server_tool_result,
    "code_execution_tool_result": server_tool_result,
    "bash_code_execution_tool_result": server_tool_result,
    "text_editor_code_execution_tool_result": server_tool_result,
    "tool_search_tool_result": server_tool_result,
    "container_upload": lambda block: parts.reference("file", block["file_id"], None, None),
    "mcp_tool_use": tool_use,
    "mcp_tool_result": tool_result,
}
