"""Pydantic AI: media in its first formats, where ``kind`` or ``type`` names the class of content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collector.model.dialects.messages.blocks import parts
from collector.model.dialects.messages.blocks.parts import Part

_MODALITIES = {"image-url": "image", "audio-url": "audio", "video-url": "video", "document-url": "document"}


def media_url(block: dict[str, Any]) -> Part:
    modality = _MODALITIES[block.get("type") or block["kind"]]
    return parts.media(block["url"], mime_type=block.get("media_type"), modality=modality)


def binary(block: dict[str, Any]) -> Part:
    member = next((m for m in ("content", "binary_content") if m in block), "data")
    return parts.blob(block[member], block.get("media_type"), None)


def by_kind(block: dict[str, Any]) -> Part | None:
    """A block of format 1; none if its kind is not known."""
    kind = block.get("kind")
    if kind in {"text", "thinking"} and isinstance(block.get("text"), str):
        return parts.text(block["text"]) if kind == "text" else parts.reasoning(block["text"])
    known = BLOCKS.get(kind) if isinstance(kind, str) else None
    return None if known is None else known(block)


BLOCKS: dict[str, Callable[[dict[str, Any]], Part | None]] = {**dict.fromkeys(_MODALITIES, media_url), "binary": binary}
