"""Content in OpenInference: flattened messages, documents, embeddings and tools beside plain values.

Every row gets ``input.value`` and ``output.value``, which lists of spans show. Parts OpenInference has no
attributes for stand among a message's contents as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from collector.model.attributes import dumps
from collector.model.dialects.messages.parts import Message, Part
from collector.model.forward.contents import RowContent, Value, function_tool
from collector.model.forward.outgoing import Outgoing

Pairs = Iterator[tuple[str, Any]]
_DOCUMENT_TEXT = ("content", "page_content", "text")
_MEDIA = ("image", "audio", "video")


def write(row: RowContent, out: Outgoing) -> None:
    """The attributes of one row's content."""
    for side, value, messages in (
        ("input", row.input, "llm.input_messages"),
        ("output", row.output, "llm.output_messages"),
    ):
        if value is None:
            continue
        out.put(row.number, f"{side}.value", value.text)
        out.put(row.number, f"{side}.mime_type", "text/plain" if value.json is None else "application/json")
        if row.type == "generation" and value.messages is not None:
            _put(row, out, _flattened(messages, value.messages))
    if row.type == "embedding" and row.input is not None:
        _put(row, out, _embedded(row.input))
    if row.type == "retriever" and row.output is not None:
        prefix = "reranker.output_documents" if row.subtype == "reranker" else "retrieval.documents"
        _put(row, out, _documents(prefix, row.output))
    for n, tool in enumerate(row.tools or ()):
        out.put(row.number, f"llm.tools.{n}.tool.json_schema", dumps(function_tool(tool)))


def _put(row: RowContent, out: Outgoing, pairs: Pairs) -> None:
    for key, value in pairs:
        out.put(row.number, key, value)


def _flattened(prefix: str, messages: list[Message]) -> Pairs:
    for n, message in enumerate(messages):
        for key, value in _message(message):
            yield f"{prefix}.{n}.message.{key}", value


def _message(message: Message) -> Pairs:
    yield "role", message["role"]
    for member in ("name", "finish_reason"):
        if member in message:
            yield member, message[member]
    parts = message["parts"]
    if message["role"] == "tool" and len(parts) == 1 and _is_plain_answer(parts[0]):
        yield "tool_call_id", parts[0].get("id")
        yield "content", parts[0]["response"]
        return
    calls = [part for part in parts if part.get("type") == "tool_call"]
    rest = [part for part in parts if part.get("type") != "tool_call"]
    in_place = parts != [*rest, *calls] or not all(map(_is_plain_call, calls))
    if in_place:
        calls, rest = [], parts
    if len(rest) == 1 and _is_text(rest[0]):
        yield "content", rest[0]["content"]
    else:
        for n, part in enumerate(rest):
            for key, value in _content(part):
                yield f"contents.{n}.message_content.{key}", value
    for n, call in enumerate(calls):
        for key, value in _tool_call(call):
            yield f"tool_calls.{n}.tool_call.{key}", value


def _content(part: Part) -> Pairs:
    kind, modality = part.get("type"), part.get("modality")
    if _is_text(part) or (kind == "reasoning" and part.keys() == {"type", "content"}):
        yield "type", kind
        yield "text", part["content"]
    elif kind in {"blob", "uri"} and modality in _MEDIA:
        mime = part.get("mime_type")
        yield "type", modality
        yield (
            f"{modality}.{modality}.url",
            part["uri"] if kind == "uri" else f"data:{mime or ''};base64,{part['content']}",
        )
        if kind == "uri" and mime:
            yield f"{modality}.{modality}.mime_type", mime
    else:
        yield from part.items()


def _tool_call(call: Part) -> Pairs:
    yield "id", call.get("id")
    yield "function.name", call["name"]
    if "arguments" in call:
        arguments = call["arguments"]
        yield "function.arguments", arguments if isinstance(arguments, str) else dumps(arguments)


def _is_text(part: Part) -> bool:
    return part.get("type") == "text" and part.keys() == {"type", "content"}


def _is_plain_call(call: Part) -> bool:
    return call.keys() <= {"type", "id", "name", "arguments"}


def _is_plain_answer(part: Part) -> bool:
    plain = part.get("type") == "tool_call_response" and part.keys() <= {"type", "id", "response"}
    return plain and isinstance(part.get("response"), str)


def _embedded(value: Value) -> Pairs:
    found = value.json if isinstance(value.json, list) else [value.text]
    for n, text in enumerate(found):
        if isinstance(text, str):
            yield f"embedding.embeddings.{n}.embedding.text", text


def _documents(prefix: str, value: Value) -> Pairs:
    for n, document in enumerate(value.json if isinstance(value.json, list) else ()):
        if not isinstance(document, dict):
            continue
        text = next((name for name in _DOCUMENT_TEXT if isinstance(document.get(name), str)), None)
        for name, member in document.items():
            plain = not isinstance(member, dict | list)
            yield f"{prefix}.{n}.document.{'content' if name == text else name}", member if plain else dumps(member)
