"""Content blocks of every provider to canonical parts.

Providers disagree in the names of block types but hardly reuse each other's, so one table finds
the function for a typed block and the untyped ones (Gemini, Bedrock, Genkit) are told apart by
the one member they have. A block nobody knows is kept as it came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collector.model.attributes import dumps
from collector.model.dialects.messages.blocks import (
    ai_sdk,
    anthropic,
    bedrock,
    gemini,
    genkit,
    openai,
    parts,
    pydantic_ai,
)
from collector.model.dialects.messages.blocks.parts import Part

Block = dict[str, Any]
_BY_TYPE: dict[str, Callable[[Block], Part | None]] = {
    **openai.BLOCKS,
    **anthropic.BLOCKS,
    **ai_sdk.BLOCKS,
    **bedrock.BLOCKS,
    **pydantic_ai.BLOCKS,
}
_BY_MEMBER: dict[str, Callable[[Block], Part | None]] = {**gemini.BLOCKS, **bedrock.MEMBERS, **genkit.BLOCKS}


def parts_of(content: Any) -> list[Part]:
    """The parts of a message's content: text, a list of blocks, or one block."""
    match content:
        case None | "":
            return []
        case str():
            return [parts.text(content)]
        case list():
            if all(map(_is_plain_text, content)):
                return [parts.text(block["content"]) for block in content]
            return [part for block in content for part in parts_of(block)]
        case dict():
            part = _kept(content)
            return [] if part is None else [part]
        case bytes():
            return [parts.media(content)]
    return [parts.text(content)]


def _is_plain_text(block: Any) -> bool:
    """Whether the block is a canonical text part: by far the most are."""
    if type(block) is not dict or len(block) != 2 or block.get("type") != "text":
        return False
    content = block.get("content")
    return isinstance(content, str) and content != ""


def _kept(block: Block) -> Part | None:
    """The part of a block; a block whose members are not what its kind has is kept as it came."""
    try:
        return _part(block)
    except parts.ODD:
        return {"type": "generic", **block}


def _part(block: Block) -> Part | None:
    kind = block.get("type")
    if isinstance(kind, str):
        if kind in _OWN:
            return _OWN[kind](block)
        if kind in _BY_TYPE:
            return _BY_TYPE[kind](block)
        if kind in block:  # Strands writes {"type": "text", ...} and {"type": "x", "x": {...}}
            return _by_member(block) or block
        return block
    return _by_member(block) or _untyped(block)


def _by_member(block: Block) -> Part | None:
    for member, convert in _BY_MEMBER.items():
        if block.get(member) is not None:
            return convert(block)
    return None


def _untyped(block: Block) -> Part | None:
    if "kind" in block and (known := pydantic_ai.by_kind(block)):
        return known
    if isinstance(block.get("text"), dict) and isinstance(block["text"].get("value"), str):  # Azure AI agents
        return parts.text(block["text"]["value"])
    if isinstance(block.get("text"), str):
        return parts.reasoning(block["text"]) if block.get("thought") else parts.text(block["text"])
    return {"type": "generic", **block} if block else None


def _text(block: Block) -> Part | None:
    content = block.get("text", block.get("content"))
    if isinstance(content, list):  # a text part holding blocks of its own
        inner = parts_of(content)
        if len(inner) == 1:
            return inner[0]
    return None if content is None or content == "" else parts.text(content)


def _reasoning(block: Block) -> Part | None:
    for member in ("text", "content", "thinking", "reasoning"):
        if isinstance(block.get(member), str):
            return parts.reasoning(joined_text(parts.json_value(block[member])))
    if block.get("thinking"):  # Mistral: blocks
        return parts.reasoning(joined_text(block["thinking"]))
    return openai.reasoning_item(block)


def _tool_call(block: Block) -> Part:
    part = parts.tool_call(block.get("id"), block.get("name"), block.get("arguments"))
    return {**part, **{k: v for k, v in block.items() if k not in {"id", "name", "arguments", "type"} and v}}


def _tool_call_response(block: Block) -> Part:
    response = block.get("response", block.get("result", block.get("content")))
    part = parts.tool_call_response(block.get("id"), anthropic.unwrapped(response))
    return {**part, "name": block["name"]} if block.get("name") else part


def _generic(block: Block) -> Part:
    return {key: value for key, value in block.items() if value is not None}


def _image(block: Block) -> Part:
    if isinstance(block.get("content"), dict):
        return bedrock.named_media(block)
    if isinstance(block.get("source"), dict):
        return anthropic.sourced(block) or block
    if "image" in block:
        return ai_sdk.image(block)
    return openai.image(block)


def _file(block: Block) -> Part:
    if "file_id" in block:
        return _generic(block)
    return ai_sdk.file(block) if "data" in block or "url" in block else openai.file(block)


_OWN: dict[str, Callable[[Block], Part | None]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "summary_text": _text,
    "reasoning": _reasoning,
    "thinking": lambda block: anthropic.thinking(block) or _reasoning(block),
    "tool_call": _tool_call,
    "toolCall": _tool_call,
    "tool_call_response": _tool_call_response,
    "blob": _generic,
    "uri": _generic,
    "image": _image,
    "file": _file,
}


def joined_text(content: Any) -> str:
    """The text of a string or of text blocks, one per line; other values as JSON."""
    if isinstance(content, str):
        return content
    texts = (
        [b.get("text", b.get("content")) for b in content if isinstance(b, dict)] if isinstance(content, list) else []
    )
    found = [t for t in texts if isinstance(t, str)]
    return "\n".join(found) if found and len(found) == len(texts) else dumps(content)
