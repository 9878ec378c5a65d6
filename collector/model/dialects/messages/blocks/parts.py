"""The canonical message: a role and parts, as OpenTelemetry's GenAI conventions write them.

Source: the JSON schemas of ``gen_ai.input.messages`` and ``gen_ai.output.messages`` in
semantic-conventions-genai. Every function here returns plain JSON values; a member that has
nothing to say is left out.
"""

from __future__ import annotations

import base64
from typing import Any

from collector.model.attributes import dumps
from collector.model.dialects import message_words
from collector.model.fast_json import loads

Part = dict[str, Any]
Message = dict[str, Any]

ODD = (AttributeError, KeyError, TypeError, ValueError, AssertionError)
"""What reading a value of another shape than its name promises raises."""

_JSON_START = ("{", "[", '"')
_DATA_URL = "data:"
_MAX_ENTRIES = 10_001
_MODALITIES = ("image", "audio", "video")


def text(content: Any) -> Part:
    """A text part; a value that is no text is written as JSON."""
    return {"type": "text", "content": content if isinstance(content, str) else dumps(content)}


def reasoning(content: Any) -> Part:
    return {"type": "reasoning", "content": content if isinstance(content, str) else dumps(content)}


def tool_call(call_id: Any, name: Any, arguments: Any) -> Part:
    """A request to run a tool; arguments sent as JSON text become the JSON value."""
    part: Part = {"type": "tool_call"}
    if call_id:
        part["id"] = call_id
    part["name"] = name or ""
    if arguments is not None:
        part["arguments"] = json_value(arguments)
    return part


def tool_call_response(call_id: Any, response: Any) -> Part:
    """What a tool answered, as it came."""
    part: Part = {"type": "tool_call_response"}
    if call_id:
        part["id"] = call_id
    part["response"] = response
    return part


def media(source: Any, *, mime_type: Any = None, modality: str | None = None) -> Part:
    """A blob for base64 and data URLs, else a reference; ``source`` may be raw bytes too."""
    if isinstance(source, bytes):
        return blob(base64.b64encode(source).decode(), mime_type, modality)
    if isinstance(source, str) and source.startswith(_DATA_URL) and "," in source:
        header, data = source[len(_DATA_URL) :].split(",", 1)
        return blob(data, mime_type or header.split(";")[0] or None, modality)
    if isinstance(source, str) and ("://" in source[:64] or source.startswith("@@@") or not source):
        return reference("uri", source, mime_type, modality)
    return blob(source, mime_type, modality)


def blob(content: Any, mime_type: Any, modality: str | None) -> Part:
    part: Part = {"type": "blob"}
    if mime_type:
        part["mime_type"] = mime_type
    part["modality"] = modality or _modality(mime_type)
    part["content"] = content
    return part


def reference(kind: str, target: Any, mime_type: Any, modality: str | None) -> Part:
    """A ``uri`` or ``file`` part."""
    part: Part = {"type": kind}
    if mime_type:
        part["mime_type"] = mime_type
    part["modality"] = modality or _modality(mime_type)
    part["uri" if kind == "uri" else "file_id"] = target
    return part


def message(role: Any, parts: list[Part], *, name: Any = None, finish_reason: Any = None) -> Message:
    """One message; role and finish reason in their canonical spelling."""
    out: Message = {"role": message_words.role(role), "parts": parts}
    if name:
        out["name"] = name
    if isinstance(finish_reason, str) and finish_reason:
        out["finish_reason"] = message_words.finish_reason(finish_reason)
    return out


def json_value(value: Any) -> Any:
    """The value behind JSON text, unwrapped at most twice; anything else unchanged."""
    for _ in range(2):
        if not (isinstance(value, str) and value.lstrip()[:1] in _JSON_START):
            return value
        try:
            value = loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def entries(tree: Any) -> list[Any]:
    """The entries of an indexed list in numeric order; gaps close up, of a huge list the first 10,001."""
    if isinstance(tree, list):
        return tree
    if not isinstance(tree, dict):
        return []
    return [tree[index] for index in sorted(k for k in tree if isinstance(k, int))[:_MAX_ENTRIES]]


def _modality(mime_type: Any) -> str:
    family = str(mime_type or "").split("/", maxsplit=1)[0]
    return family if family in _MODALITIES else "document"


def any_json(text: str) -> Any:
    """The value of JSON text of any type; text that is none unchanged."""
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return text


def json_container(value: Any) -> Any:
    """The object or array behind JSON text; anything else, quoted text included, unchanged."""
    if not isinstance(value, str) or value.lstrip()[:1] not in {"{", "["}:
        return value
    inner = json_value(value)
    return inner if isinstance(inner, dict | list) else value
