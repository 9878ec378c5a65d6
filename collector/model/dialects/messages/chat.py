"""Messages of chat APIs to canonical messages, and how to tell that a value is made of them.

One reader serves OpenAI, Anthropic, Gemini, Bedrock, the AI SDK, Genkit, LangChain and the parts
form itself: they agree in "a role and some content" and differ in their blocks (``blocks``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from collector.model.dialects import message_words
from collector.model.dialects.messages import langchain
from collector.model.dialects.messages.blocks import ai_sdk, anthropic, blocks, openai, parts
from collector.model.dialects.messages.blocks.parts import Message

_ITEM_ROLES = {
    "function_call": "assistant", "custom_tool_call": "assistant", "reasoning": "assistant",
    "function_call_output": "tool", "custom_tool_call_output": "tool", **dict.fromkeys(openai.SERVER_ANSWERS, "tool"),
}  # fmt: skip
"""Items of OpenAI's Responses API that are messages without saying so."""

_ANSWERS = frozenset({"text", "blob", "uri", "file", "generic"})
"""Parts that a tool answers with."""

_CANONICAL = frozenset({"role", "parts", "name", "finish_reason"})
"""Members of the parts form; of a message without others only the parts are to be read."""

_REQUEST_MESSAGES = ("messages", "input", "contents", "prompt")
_REQUEST_SYSTEM = ("system", "systemInstruction", "system_instruction", "instructions", "systemPrompt")


def read(value: dict[str, Any]) -> Message:
    """One canonical message of any chat message."""
    if value.keys() <= _CANONICAL and value.get("role") != "tool":
        found = blocks.parts_of(value.get("parts"))
        return parts.message(value.get("role"), found, name=value.get("name"), finish_reason=value.get("finish_reason"))
    value = langchain.unwrapped(value)
    kind = _kind(value)
    role = value.get("role") or _ITEM_ROLES.get(kind) or langchain.role(kind) or ""
    if _is_step(value):
        return parts.message("assistant", [openai.server_call(value)])
    if kind in _ITEM_ROLES:
        return parts.message(role, blocks.parts_of(value))
    found = blocks.parts_of(value.get("parts"))
    content = value.get("content", value.get("message") if isinstance(value.get("message"), str) else None)  # Cohere 1
    if message_words.role(role) == "tool" or value.get("tool_call_id"):
        found += _answer(value, content, already=found)
    else:
        thoughts = value.get("reasoning_content") or value.get("reasoning")
        found += [parts.reasoning(thoughts)] if isinstance(thoughts, str) and thoughts else []
        found += blocks.parts_of(parts.json_value(content) if _holds_blocks(content) else content)
    found += [call for call in openai.calls(value) if not _has(found, call)]
    found += blocks.parts_of(value.get("refusal")) + openai.spoken(value.get("audio"))
    reason = value.get("finish_reason") or value.get("stop_reason") or langchain.finish_reason(value)
    name = value.get("name")
    if (
        value.get("tool_call_id") and str(role).lower() not in message_words.KNOWN_ROLES
    ):  # Langfuse writes the tool's name there
        role, name = "tool", name or role
    return parts.message(role, found, name=name, finish_reason=reason)


_ENDS = {"finish_reason", "index", "logprobs"}
"""Members of what only says how an answer ended."""


def read_all(values: Iterable[Any]) -> list[Message] | None:
    """The messages that say something; None when none does (content capture was off)."""
    found = [_kept(v) if isinstance(v, dict) else parts.message("user", blocks.parts_of(v)) for v in values]
    found = [m for m in found if m["parts"] or m.get("finish_reason")]
    return found if any(m["parts"] for m in found) else None


def read_items(values: list[dict[str, Any]]) -> list[Message] | None:
    """Messages among other things: what is no message is kept as a part of its own."""
    return read_all(v if _is_message(v) else {"role": "", "parts": [{"type": "generic", **v}]} for v in values)


def _kept(value: dict[str, Any]) -> Message:
    if "role" not in value and isinstance(value.get("message"), dict):
        value = _choice(value)  # of OpenAI's answer, where messages belong (Laminar)
    try:
        found = read(value)
    except parts.ODD:  # not a message after all: nothing of it is lost
        return parts.message(value.get("role"), [{"type": "generic", **value}])
    if found["parts"] or found["role"] or set(value) <= _ENDS:
        return found
    return parts.message("", blocks.parts_of(value))


def with_system(system: Any, messages: list[Message] | None) -> list[Message] | None:
    """Messages with the system instructions first, unless they already stand among them."""
    found = blocks.parts_of(parts.json_value(system))
    if not found:
        return messages
    first = parts.message("system", found)
    if messages and any(m["role"] == "system" and m["parts"] == found for m in messages):
        return messages
    return [first, *(messages or [])]


def recognise(value: Any) -> list[Message] | None:
    """The messages in a value whose shape nobody declared; None when it is not made of messages.

    Knows a list of messages, one message, a request around messages and a response around choices;
    an object with members that would be lost is not taken.
    """
    match value:
        case list():
            return _recognise_list(value)
        case dict() if _is_message(langchain.unwrapped(value)):
            return read_all([value])
        case {"lc": _} if (prompt := langchain.prompt_value(value)) is not None:
            return _recognise_list(prompt)
        case dict():
            return _recognise_request(value) or _recognise_response(value)
    return None


def _recognise_list(values: list[Any]) -> list[Message] | None:
    if len(values) == 1 and isinstance(values[0], list) and langchain.from_pair(values[0]) is values[0]:
        values = values[0]  # LangChain batches: one list of messages per prompt
    if not values:
        return None
    values = [langchain.from_pair(v) for v in values]
    if not all(isinstance(v, dict) and (_is_message(langchain.unwrapped(v)) or _is_step(v)) for v in values):
        return None
    if all(_is_step(v) for v in values):
        return None
    return read_all(values)


def _is_step(value: dict[str, Any]) -> bool:
    """Whether the value is what a provider's own tool did, among the items of a Responses API answer."""
    return "role" not in value and _kind(value) in openai.SERVER_ITEMS


def _is_message(value: dict[str, Any]) -> bool:
    if _kind(value) in _ITEM_ROLES and ("name" in value or "call_id" in value or "summary" in value):
        return True
    if langchain.is_message(value):
        return True
    role = value.get("role")
    if not isinstance(role, str) or not role:
        return False
    if any(member in value for member in ("parts", "tool_calls", "tool_call_id", "function_call")):
        return True
    return "content" in value and isinstance(value["content"], str | list | None)


def _kind(value: dict[str, Any]) -> str:
    kind = value.get("type")
    return kind if isinstance(kind, str) else ""


def _recognise_request(value: dict[str, Any]) -> list[Message] | None:
    held = [member for member in _REQUEST_MESSAGES if member in value]
    if len(held) != 1 or not set(value) <= message_words.REQUEST_MEMBERS:
        return None
    inner = value[held[0]]
    config = value.get("config")  # Gemini's Python SDK, Google ADK
    beside = {**config, **value} if isinstance(config, dict) else value
    system = next((beside[m] for m in _REQUEST_SYSTEM if beside.get(m)), None)
    if isinstance(system, dict) and "parts" in system:  # Gemini: a content of its own
        system = system["parts"]
    if isinstance(inner, str):
        if system is None and held[0] != "messages" and not set(value) & {"model", "system"}:
            return None
        return with_system(system, [parts.message("user", blocks.parts_of(inner))])
    messages = recognise(inner) if isinstance(inner, list) else None
    return with_system(system, messages) if messages else None


def _recognise_response(value: dict[str, Any]) -> list[Message] | None:
    match value:
        case {"choices": [*choices]} if choices:
            return read_all(_choice(c) for c in choices if isinstance(c, dict))
        case {"candidates": [*candidates]} if candidates:
            return read_all(_candidate(c) for c in candidates if isinstance(c, dict))
        case {"output": [*items], **rest} if items and "model" in rest:
            return read_all(items) if all(isinstance(i, dict) for i in items) else None
        case {"output": {"message": dict(message)}}:
            return read_all([{**message, "finish_reason": value.get("stopReason")}])
        case {"output": dict(inner)} if len(value) == 1 and "message" not in inner:
            return recognise(inner)
        case {"combined_chunk_content": str(text)} if set(value) <= {"combined_chunk_content", "chunk_count"}:
            return read_all([{"role": "assistant", "content": text}])
        case {"generations": [*_]}:
            return read_all(langchain.generations(value["generations"]))
        case {"message": dict(message)} if _is_message(message) and set(value) <= message_words.RESPONSE_MEMBERS:
            return read_all([{**message, "finish_reason": value.get("finishReason", value.get("finish_reason"))}])
    return _recognise_answer(value)


def _recognise_answer(value: dict[str, Any]) -> list[Message] | None:
    """What a model or a node of a graph answered, without a role."""
    match value:
        case {"output": [{"lg_name": "Command", "update": dict(update)}]}:  # LangGraph in JavaScript
            return recognise(update)
        case {"text": str(), "toolCalls": [*_]} | {"text": str(), "reasoning": [*_]}:
            return ai_sdk.outcome(value)
        case {"tool_calls": [{}, *_]} if set(value) <= {"tool_calls", "content"}:  # Langfuse of OpenAI's streams
            return read_all([{"role": "assistant", **value}])
    return None


def tools_in(value: Any) -> Any:
    """The tool definitions inside a request; None when it carries none."""
    if not isinstance(value, dict):
        return None
    config = value.get("config")
    nested = config.get("tools") if isinstance(config, dict) else None
    return value.get("tools") or value.get("functions") or nested or None


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    message = choice.get("message") or choice.get("delta")
    if not isinstance(message, dict):
        message = {"role": "assistant", "content": choice.get("text")}
    return {"role": "assistant", **message, "finish_reason": choice.get("finish_reason")}


def _candidate(candidate: dict[str, Any]) -> dict[str, Any]:
    content = candidate.get("content", candidate.get("message"))  # Gemini, Genkit
    reason = candidate.get("finishReason") or candidate.get("finish_reason")
    return {**(content if isinstance(content, dict) else {"content": content}), "finish_reason": reason}


def _answer(value: dict[str, Any], content: Any, *, already: list[parts.Part]) -> list[parts.Part]:
    """What a message of role tool answered, unless its blocks already say whose answer it is."""
    inner = parts.json_value(content) if _holds_blocks(content) else content
    found = blocks.parts_of(inner) if isinstance(inner, list) else []
    if any(p["type"] == "tool_call_response" for p in [*found, *already]):
        return found
    if already:
        already[:] = [_as_response(value.get("tool_call_id"), p) for p in already]
        return []
    if content is None:
        return []
    call_id = value.get("tool_call_id") or value.get("toolCallId") or value.get("id")
    if call_id is None and isinstance(inner, list) and not all(p["type"] in _ANSWERS for p in found):
        return found  # an approval, or whatever else concerns tools: no tool's answer
    return [parts.tool_call_response(call_id, anthropic.unwrapped(content))]


def _as_response(call_id: Any, part: parts.Part) -> parts.Part:
    return parts.tool_call_response(call_id, part["content"]) if part["type"] == "text" else part


def _holds_blocks(content: Any) -> bool:
    """Whether text is the JSON of a list of blocks (several SDKs dump them)."""
    return isinstance(content, str) and content[:2] in {"[{", "[ "} and content.rstrip()[-2:] == "}]"


def _has(found: list[parts.Part], call: parts.Part) -> bool:
    return any(p["type"] == "tool_call" and p.get("id") and p.get("id") == call.get("id") for p in found)
