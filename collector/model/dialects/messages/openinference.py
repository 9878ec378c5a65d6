"""OpenInference: messages, documents and tools spread over indexed attributes."""

from __future__ import annotations

from typing import Any

from collector.model.dialects.messages.blocks import blocks, parts
from collector.model.dialects.messages.blocks.parts import Message, Part


def message(entry: dict[str, Any]) -> Message:
    """One entry of ``llm.input_messages`` or ``llm.output_messages``."""
    inner = entry.get("message") if isinstance(entry.get("message"), dict) else entry
    assert isinstance(inner, dict)
    role = inner.get("role") or "assistant"
    found = _content(inner, role)
    calls = [tool_call(c) for c in parts.entries(inner.get("tool_calls"))]
    # Anthropic's tool_use blocks come twice: among the contents and among the tool calls.
    known = [(p.get("id"), p["name"]) for p in found if p["type"] == "tool_call"]
    found += [c for c in calls if (c.get("id"), c["name"]) not in known]
    if inner.get("function_call_name"):
        found.append(parts.tool_call(None, inner["function_call_name"], inner.get("function_call_arguments_json")))
    # No convention of OpenInference: a translation keeps each message's reason there.
    return parts.message(role, found, name=inner.get("name"), finish_reason=inner.get("finish_reason"))


def tool_call(entry: Any) -> Part:
    inner = entry.get("tool_call", entry) if isinstance(entry, dict) else {}
    function = inner.get("function") or {}
    return parts.tool_call(inner.get("id"), function.get("name"), function.get("arguments"))


def document(entry: dict[str, Any]) -> dict[str, Any]:
    """One entry of ``retrieval.documents`` or ``reranker.*_documents``."""
    inner = entry.get("document") if isinstance(entry.get("document"), dict) else entry
    assert isinstance(inner, dict)
    return {key: parts.json_value(value) if key == "metadata" else value for key, value in inner.items()}


def _content(inner: dict[str, Any], role: str) -> list[Part]:
    contents = [_entry(c) for c in parts.entries(inner.get("contents")) if isinstance(c, dict)]
    found = [part for part in contents if part]
    content, call_id = inner.get("content"), inner.get("tool_call_id")
    if role != "tool" and not call_id:
        return found or blocks.parts_of(content)
    if content is not None or role != "tool":  # an agent's answer and a tool's, in one message
        return [*(found if role != "tool" else ()), parts.tool_call_response(call_id, content)]
    return [parts.tool_call_response(call_id, found[0]["content"] if _is_text(found) else found)]


def _is_text(found: list[Part]) -> bool:
    return len(found) == 1 and found[0]["type"] == "text"


def _entry(entry: dict[str, Any]) -> Part:
    if isinstance(entry.get("tool_call"), dict):
        return tool_call(entry)
    return _block(entry.get("message_content", entry))


def _block(block: Any) -> Part:
    if not isinstance(block, dict):
        return {}
    kind = block.get("type")
    for modality in ("image", "audio", "video"):
        inner = block.get(modality)
        if isinstance(inner, dict):
            leaf = inner.get(modality, inner)
            source = leaf.get("url") if isinstance(leaf, dict) else leaf
            return parts.media(source or "", mime_type=_mime(leaf), modality=modality)
    if kind == "reasoning":
        return parts.reasoning(block.get("text") or "") if block.get("text") else {}
    if isinstance(block.get("text"), str):
        return parts.text(block["text"])
    return {k: v for k, v in block.items() if v is not None} if len(block) > 1 else {}


def _mime(leaf: Any) -> Any:
    return leaf.get("mime_type") if isinstance(leaf, dict) else None
