"""The closed list of shapes: how the value a content row found becomes canonical content.

A shape returns messages or another JSON value, plain text or JSON text (a string is stored as it
is), or None: nothing here, try the next row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from collector.model.dialects.messages import chat, event_messages, langfuse, openinference, traceloop
from collector.model.dialects.messages.blocks import ai_sdk, parts
from collector.model.dialects.messages.event_messages import Event
from collector.model.dialects.messages.object_shapes import (
    genkit_config,
    json_object,
    langfuse_metadata,
    members,
    metadata_object,
    metadata_values,
    request_parameters,
    semconv_parameters,
)
from collector.model.dialects.messages.span_content import Content, Shape
from collector.model.dialects.messages.tool_shapes import (
    openinference_tools,
    pydantic_tools,
    request_tools,
    tool_definitions,
)
from collector.model.json_values import parse_json

_LABEL = re.compile(r"\[[A-Z ]+(?:: [^\]\n]*)?\]\n")
_PLACEHOLDERS = {"{}", "N/A", "null", '""', "[]"}
_VECTOR_MEMBERS = {"embedding", "embeddings", "vector", "vectors"}


def messages(value: Any, system: Any, _content: Content) -> Any:
    """``gen_ai.input.messages`` and its kin: role and parts, or whatever an emitter put there."""
    inner = parts.json_value(value)
    if isinstance(inner, str) and isinstance(literal := parse_json(inner), dict | list):  # the text of a Python list
        inner = literal
    if isinstance(inner, dict):
        inner = inner.get("messages") if isinstance(inner.get("messages"), list) else [inner]
    if isinstance(inner, list) and inner and not all(isinstance(m, dict) for m in inner):
        return inner
    if isinstance(inner, list):
        return chat.with_system(system, chat.read_all(inner))
    if inner is not None and inner != "":
        found = chat.with_system(system, [parts.message("user", [parts.text(inner)])]) if system else None
        return found or inner
    return chat.with_system(system, None)


def instructions(value: Any, _system: Any, _content: Content) -> Any:
    """System instructions that nothing else came with."""
    return chat.with_system(value, None)


def declared(value: Any, _system: Any, _content: Content) -> Any:
    """A value the user set: messages are made canonical, anything else stays as it was sent."""
    return chat.recognise(langfuse.messages(parts.json_container(value))) or value


def value(value: Any, _system: Any, _content: Content) -> Any:
    """A value whose shape nobody declared: messages if it holds some, JSON-quoted text unwrapped."""
    inner = parts.json_value(value)
    found = chat.recognise(inner)
    if found:
        return found
    # JSON text of a container stays as it was written, unless it was quoted as text once more.
    written = isinstance(value, str) and not isinstance(inner, str) and value.lstrip()[:1] != '"'
    return value if written else inner


def ai_sdk_prompt(value_: Any, system: Any, content: Content) -> Any:
    """``ai.prompt``: ``{system?, prompt}`` or ``{system?, messages}``."""
    inner = parts.json_value(value_)
    if isinstance(inner, dict):
        asked = inner.get("messages") or inner.get("prompt")
        messages_ = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        if isinstance(messages_, list) and all(isinstance(m, dict) for m in messages_):
            return chat.with_system(inner.get("system"), chat.read_all(messages_))
    return value(value_, system, content)


def value_or_placeholder(value_: Any, system: Any, content: Content) -> Any:
    return None if isinstance(value_, str) and value_.strip() in _PLACEHOLDERS else value(value_, system, content)


def text(value: Any, _system: Any, _content: Content) -> Any:
    return value


def adk_response(value_: Any, system: Any, content: Content) -> Any:
    """ADK's LlmResponse: a Gemini content with its finish reason."""
    inner = parts.json_value(value_)
    if isinstance(inner, dict) and isinstance(inner.get("content"), dict):
        found = chat.read_all([{**inner["content"], "finish_reason": inner.get("finish_reason")}])
        if found:
            return found
    return value_or_placeholder(value_, system, content)


def openinference_messages(entries: list[Any], _system: Any, _content: Content) -> Any:
    found = [openinference.message(e) for e in entries if isinstance(e, dict)]
    return found if any(m["parts"] for m in found) else None


def openinference_inputs(entries: list[Any], system: Any, content: Content) -> Any:
    """Its messages; the whole request if some of them lost theirs (LangChain.js: content in blocks)."""
    found = openinference_messages(entries, system, content)
    if found and not all(m["parts"] for m in found):
        whole = chat.recognise(parts.json_value(content.keys.get("input.value")))
        return whole if whole and len(whole) == len(found) and all(m["parts"] for m in whole) else found
    return found


def traceloop_prompts(entries: list[Any], _system: Any, _content: Content) -> Any:
    return traceloop.messages(entries, role="user")


def traceloop_completions(entries: list[Any], _system: Any, _content: Content) -> Any:
    return traceloop.messages(entries, role="assistant")


def event_inputs(found: Sequence[Event], _system: Any, _content: Content) -> Any:
    return event_messages.inputs(found)


def event_outputs(found: Sequence[Event], _system: Any, _content: Content) -> Any:
    return event_messages.outputs(found)


def tool_event_input(found: Sequence[Event], system: Any, content: Content) -> Any:
    return value(event_messages.tool_input(found), system, content)


def tool_event_output(found: Sequence[Event], system: Any, content: Content) -> Any:
    return value(event_messages.tool_output(found), system, content)


def message_events(value: Any, _system: Any, _content: Content) -> Any:
    """A JSON array of events in one attribute (Pydantic AI 1)."""
    return event_messages.inputs(_listed_events(value))


def choice_events(value: Any, _system: Any, _content: Content) -> Any:
    return event_messages.outputs(_listed_events(value))


def _listed_events(value: Any) -> list[Event]:
    entries = parts.json_value(value)
    entries = entries if isinstance(entries, list) else []
    return [Event(str(e.get("event.name") or ""), e) for e in entries if isinstance(e, dict)]


def ai_sdk_response(fields: dict[str, Any], _system: Any, content: Content) -> Any:
    found = ai_sdk.response(fields)
    # OpenLLMetry rewrites text and tool calls as gen_ai.output.messages and leaves the reasoning where it was.
    rewritten = parts.json_value(content.keys.get("gen_ai.output.messages"))
    if fields.keys() & {"text", "toolCalls", "object"} or not (found and rewritten):
        return found
    answer = chat.recognise(rewritten)
    return [{**answer[0], "parts": [*found[0]["parts"], *answer[0]["parts"]]}, *answer[1:]] if answer else found


def labelled(value_: Any, system: Any, content: Content) -> Any:
    """A value under a line that says what it is: ``[TOOL INPUT: Bash]``, in Claude Code."""
    if isinstance(value_, str) and (found := _LABEL.match(value_)):
        value_ = value_[found.end() :]
    return value(value_, system, content)


def last_response(found: Sequence[Event], _system: Any, _content: Content) -> Any:
    """What a turn of Claude Code ended with."""
    said = [event.attributes.get("response") for event in found]
    return next((text for text in reversed(said) if isinstance(text, str) and text), None)


def texts(value: Any, _system: Any, _content: Content) -> Any:
    """A list of texts; a single one stands alone."""
    inner = parts.json_value(value)
    return inner[0] if isinstance(inner, list) and len(inner) == 1 and isinstance(inner[0], str) else inner or None


def values(value: Any, system: Any, content: Content) -> Any:
    """A list whose entries are JSON text each."""
    inner = parts.json_value(value)
    return texts([parts.json_value(v) for v in inner], system, content) if isinstance(inner, list) else inner


def openinference_prompts(entries: list[Any], system: Any, content: Content) -> Any:
    return texts([_leaf(e, "prompt", "text") for e in entries], system, content)


def openinference_completions(entries: list[Any], system: Any, content: Content) -> Any:
    return texts([_leaf(e, "completion", "text") for e in entries], system, content)


def openinference_embedded(entries: list[Any], system: Any, content: Content) -> Any:
    found = [_leaf(e, "embedding", "text") for e in entries]
    return texts([t for t in found if t is not None], system, content)


def documents(entries: list[Any], _system: Any, _content: Content) -> Any:
    return [openinference.document(e) for e in entries if isinstance(e, dict)] or None


def database_results(found: Sequence[Event], _system: Any, _content: Content) -> Any:
    """OpenLLMetry's ``db.query.result`` events as documents."""
    prefix = "db.query.result."
    rows = [{k.removeprefix(prefix): v for k, v in e.attributes.items() if v is not None} for e in found]
    return [{k: parts.json_value(v) for k, v in row.items() if k not in _VECTOR_MEMBERS} for row in rows] or None


def langwatch(value_: Any, system: Any, content: Content) -> Any:
    """``{"type": ..., "value": ...}``, in lists too."""
    inner = parts.json_value(value_)
    if not (isinstance(inner, dict) and {"type", "value"} <= inner.keys()):
        return value(value_, system, content)
    held = inner["value"]
    if inner["type"] == "list" and isinstance(held, list):
        held = [langwatch(entry, system, content) for entry in held]
    elif isinstance(held, dict) and held.keys() == {"type", "value"}:  # what a LangChain tool answered
        return langwatch(held, system, content)
    return value(held, system, content)


def livekit_context(value_: Any, system: Any, content: Content) -> Any:
    """LiveKit's chat context: ``{items: [...]}`` of messages, tool calls, their outputs and handovers."""
    inner = parts.json_value(value_)
    items = inner.get("items") if isinstance(inner, dict) else inner
    if isinstance(items, list) and items and all(isinstance(item, dict) for item in items):
        return chat.read_items(items)
    return value(value_, system, content)


def without_vectors(value_: Any, _system: Any, _content: Content) -> Any:
    """The value less its embedding vectors; None when nothing else is left."""
    inner = parts.json_value(value_)
    if isinstance(inner, str):
        return inner
    pruned = _pruned(inner)
    return None if pruned in ({}, [], None) else pruned


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _pruned(v) for k, v in value.items() if not (k in _VECTOR_MEMBERS and _is_vector(v))}
    if isinstance(value, list):
        return None if _is_vector(value) else [_pruned(v) for v in value]
    return value


def _is_vector(value: Any) -> bool:
    if isinstance(value, str):  # base64 of float32, as OpenAI's SDK asks for
        return len(value) > 64 and " " not in value
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(v, int | float) for v in value) or all(_is_vector(v) for v in value)


def arguments_not_schema(value_: Any, system: Any, content: Content) -> Any:
    """Tool arguments, unless the value is the tool's JSON schema."""
    inner = parts.json_value(value_)
    if isinstance(inner, dict) and ("properties" in inner or inner.get("type") == "object"):
        return None
    return value(value_, system, content)


def _leaf(entry: Any, *path: str) -> Any:
    for member in path:
        if isinstance(entry, dict) and member in entry:
            entry = entry[member]
    return entry if isinstance(entry, str) else None


def request_prompt(value: Any, _system: Any, _content: Content) -> Any:
    """The prompt inside a request's body, as a message of the user."""
    inner = parts.json_container(value)
    asked = (inner.get("inputText") or inner.get("prompt")) if isinstance(inner, dict) else None
    return chat.read_all([{"role": "user", "content": asked}]) if asked else None


SHAPES: dict[str, Shape] = {
    shape.__name__: shape
    for shape in (
        messages, instructions, declared, value, ai_sdk_prompt, value_or_placeholder, text, adk_response,
        openinference_messages, openinference_inputs,
        traceloop_prompts, traceloop_completions, event_inputs, event_outputs, tool_event_input, tool_event_output,
        message_events, choice_events, ai_sdk_response, texts, values, openinference_prompts,
        openinference_completions, openinference_embedded, documents, database_results, langwatch, livekit_context,
        without_vectors, request_prompt,
        arguments_not_schema, labelled, last_response, tool_definitions, openinference_tools, request_tools,
        pydantic_tools, members,
        semconv_parameters, request_parameters, genkit_config, json_object, metadata_object, metadata_values,
        langfuse_metadata,
    )
}  # fmt: skip
