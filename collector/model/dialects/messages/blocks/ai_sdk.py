"""Vercel AI SDK: prompt parts, and the response spread over several attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from collector.model.dialects.messages.blocks import parts
from collector.model.dialects.messages.blocks.parts import Message, Part

# An outcome's object is its text once more, parsed; its reasoning stands there twice.
_OUTCOME = frozenset(["text", "toolCalls", "reasoning", "reasoningText", "files", "sources", "warnings", "object"])


def call(block: dict[str, Any]) -> Part:
    """A tool call: ``input`` since version 5, ``args`` before."""
    return parts.tool_call(block.get("toolCallId"), block.get("toolName"), block.get("input", block.get("args")))


def result(block: dict[str, Any]) -> Part:
    """A tool result: ``output`` {type, value} since version 5, ``result`` before."""
    output = block.get("output", block.get("result"))
    if isinstance(output, dict) and set(output) == {"type", "value"}:
        output = output["value"]
    return parts.tool_call_response(block.get("toolCallId"), output)


def error(block: dict[str, Any]) -> Part:
    """A tool call that failed (version 5)."""
    return {**parts.tool_call_response(block.get("toolCallId"), block.get("error")), "is_error": True}


def redacted(block: dict[str, Any]) -> Part:
    return {"type": "reasoning", "content": "", "redacted": True, **({"data": d} if (d := block.get("data")) else {})}


def image(block: dict[str, Any]) -> Part:
    return parts.media(_bytes(block.get("image")), mime_type=_mime(block), modality="image")


def file(block: dict[str, Any]) -> Part:
    return parts.media(_bytes(block.get("data", block.get("url"))), mime_type=_mime(block))


def response(fields: Mapping[str, Any]) -> list[Message] | Any | None:
    """The answer of a call from its ``ai.response.*`` attributes: a message, else the object."""
    found: list[Part] = []
    if isinstance(fields.get("reasoning"), str) and fields["reasoning"]:
        found.append(parts.reasoning(fields["reasoning"]))
    if isinstance(fields.get("text"), str) and fields["text"]:
        found.append(parts.text(fields["text"]))
    calls = parts.json_value(fields.get("toolCalls"))
    found += [call(c) for c in calls if isinstance(c, dict)] if isinstance(calls, list) else []
    files = parts.json_value(fields.get("files"))
    found += [file(f) for f in files if isinstance(f, dict)] if isinstance(files, list) else []
    if found:
        return [parts.message("assistant", found, finish_reason=fields.get("finishReason"))]
    return fields.get("object") or None


def outcome(value: dict[str, Any]) -> list[Message] | None:
    """The message of a call's result as Mastra hands it on: ``{text, toolCalls, reasoning, sources, files}``."""
    if not isinstance(value.get("text"), str) or not set(value) <= _OUTCOME:
        return None
    thoughts = [thought for chunk in _listed(value.get("reasoning")) if (thought := _thought(chunk))]
    found = [
        *([parts.reasoning("".join(thoughts))] if thoughts else []),
        *([parts.text(value["text"])] if value["text"] else []),
        *map(call, _listed(value.get("toolCalls"))),
        *map(file, _listed(value.get("files"))),
        *({**source, "type": "source"} for source in _listed(value.get("sources"))),
    ]
    return [parts.message("assistant", found)] if found else None


def _thought(chunk: dict[str, Any]) -> str:
    """Reasoning comes as a text, or in chunks of a stream with a payload each."""
    inner = chunk.get("payload")
    text = (inner if isinstance(inner, dict) else chunk).get("text")
    return text if isinstance(text, str) else ""


def _listed(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _mime(block: dict[str, Any]) -> Any:
    return block.get("mediaType") or block.get("mimeType")


def _bytes(source: Any) -> Any:
    match source:
        case {"type": "Buffer", "data": list(octets)} if all(isinstance(o, int) and 0 <= o < 256 for o in octets):
            return bytes(octets)
        case {"type": "url", "url": str(inner)} | {"type": "data", "data": str(inner)}:
            return inner
    # A Uint8Array that went through JSON.stringify is an object of index to byte.
    if isinstance(source, dict) and source and all(k.isdigit() for k in source):
        octets = [source[k] for k in sorted(source, key=int)]
        if all(isinstance(o, int) and 0 <= o < 256 for o in octets):
            return bytes(octets)
    return source if source is not None else ""


BLOCKS: dict[str, Callable[[dict[str, Any]], Part | None]] = {
    "tool-call": call,
    "tool-result": result,
    "tool-error": error,
    "redacted-reasoning": redacted,
}
