"""Amazon Bedrock Converse: content blocks, as Strands writes them too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collector.model.dialects.messages.blocks import parts
from collector.model.dialects.messages.blocks.anthropic import unwrapped
from collector.model.dialects.messages.blocks.parts import Part


def tool_use(block: dict[str, Any]) -> Part:
    inner = block.get("toolUse") if isinstance(block.get("toolUse"), dict) else block
    assert isinstance(inner, dict)
    return parts.tool_call(inner.get("toolUseId"), inner.get("name"), inner.get("input"))


def tool_result(block: dict[str, Any]) -> Part:
    inner = block.get("toolResult") if isinstance(block.get("toolResult"), dict) else block
    assert isinstance(inner, dict)
    part = parts.tool_call_response(inner.get("toolUseId"), unwrapped(inner.get("content")))
    return {**part, "is_error": True} if inner.get("status") == "error" else part


def reasoning_content(block: dict[str, Any]) -> Part | None:
    inner = block.get("reasoningContent", block.get("content"))
    if isinstance(inner, dict) and inner.get("redactedContent"):
        return {"type": "reasoning", "content": "", "redacted": True, "data": inner["redactedContent"]}
    text = inner.get("reasoningText", inner.get("text")) if isinstance(inner, dict) else inner
    if isinstance(text, dict):
        text = text.get("text")
    return parts.reasoning(text) if text else None


def media(block: dict[str, Any]) -> Part:
    """An image, document or video block: ``{image: {format, source: {bytes}}}``."""
    modality = next(
        (kind for kind in ("image", "document", "video", "audio") if isinstance(block.get(kind), dict)), None
    )
    if modality is None:
        return {"type": "generic", **block}
    inner = block[modality]
    return _media(inner, modality)


def named_media(block: dict[str, Any]) -> Part:
    """The same as Strands' newer spans have it: ``{type: image, content: {format, source: {bytes}}}``."""
    return _media(block["content"], block["type"])


def _media(inner: dict[str, Any], modality: str) -> Part:
    source = inner.get("source") or {}
    mime_type = (
        f"{'application' if modality == 'document' else modality}/{inner['format']}" if inner.get("format") else None
    )
    if isinstance(source, dict) and isinstance(source.get("s3Location"), dict):
        return parts.reference("uri", source["s3Location"].get("uri"), mime_type, modality)
    if isinstance(source, dict) and isinstance(source.get("text"), str):
        return parts.text(source["text"])
    if isinstance(source, dict) and source.get("bytes") is None:
        raise ValueError(modality)  # held in a way nobody knows
    return parts.blob(source.get("bytes") if isinstance(source, dict) else source, mime_type, modality)


BLOCKS: dict[str, Callable[[dict[str, Any]], Part | None]] = {
    "toolUse": tool_use,
    "toolResult": tool_result,
    "reasoningContent": reasoning_content,
}

MEMBERS: dict[str, Callable[[dict[str, Any]], Part | None]] = {
    "toolUse": tool_use,
    "toolResult": tool_result,
    "reasoningContent": reasoning_content,
    "image": media,
    "document": media,
    "video": media,
    "audio": media,
    "cachePoint": lambda _block: None,
}
