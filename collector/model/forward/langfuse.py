"""Content as Langfuse shows it: chat messages in OpenAI's form, with the tools that were offered.

Langfuse's views know messages as chat APIs have them; a part that form has no place for keeps the whole
list in the parts form.
"""

from __future__ import annotations

from typing import Any

from collector.model.attributes import dumps
from collector.model.batch import SpanBatch
from collector.model.dialects.messages.parts import Message, Part
from collector.model.forward.contents import RowContent, Value, function_tool
from collector.model.forward.outgoing import Outgoing
from collector.model.forward.scalars import Facts
from collector.model.forward.target_tables import CARRIER

_NOT_COUNTED = ("rollup", "duplicate")
_ZERO = '{"total":0}'
_INPUT, _OUTPUT = "langfuse.observation.input", "langfuse.observation.output"


def write(row: RowContent, out: Outgoing) -> None:
    """The attributes of one row's content."""
    if row.input is not None:
        out.put(row.number, _INPUT, _input(row, row.input))
    if row.output is not None:
        chat = _chat(row.output)
        out.put(row.number, _OUTPUT, row.output.text if chat is None else dumps(chat[0] if len(chat) == 1 else chat))


def write_facts(_spans: SpanBatch, facts: Facts, out: Outgoing) -> None:
    """Zero tokens and cost on the models' rows that do not count: without any, Langfuse would count their text."""
    columns = (facts.column("usage_scope").to_pylist(), facts.column("model").to_pylist())
    for row, (scope, model) in enumerate(zip(*columns, strict=True)):
        if model is not None and scope in _NOT_COUNTED:
            out.put(row, "langfuse.observation.usage_details", _ZERO)
            out.put(row, "langfuse.observation.cost_details", _ZERO)
            out.put(row, f"{CARRIER}usage_scope", scope)


def _input(row: RowContent, value: Value) -> str:
    chat = _chat(value)
    if row.tools and value.messages is not None:
        tools = [function_tool(tool) for tool in row.tools]
        return dumps({"messages": value.messages if chat is None else chat, "tools": tools})
    return value.text if chat is None else dumps(chat)


def _chat(value: Value) -> list[dict[str, Any]] | None:
    """The messages in OpenAI's form; None when that has no place for some part."""
    if value.messages is None:
        return None
    found: list[dict[str, Any]] = []
    for message in value.messages:
        made = chat_message(message)
        if made is None:
            return None
        found.append(made)
    return found


def chat_message(message: Message) -> dict[str, Any] | None:
    """One canonical message in OpenAI's form; None when that has no place for some part."""
    out = {k: v for k, v in message.items() if k not in {"role", "parts"}}
    parts = message["parts"]
    kinds = [part.get("type") for part in parts]
    if kinds == ["tool_call_response"]:
        return _answer(message, parts[0], out)
    calls = kinds.count("tool_call")
    if "tool_call" in kinds[: len(kinds) - calls] or message["role"] == "tool":
        return None
    content = _content(parts[: len(kinds) - calls])
    made = [_tool_call(part) for part in parts[len(kinds) - calls :]]
    if content is _NO_PLACE or None in made:
        return None
    head = {"role": message["role"], "content": content}
    return {**head, **({"tool_calls": made} if made else {}), **out}


_NO_PLACE = object()


def _content(parts: list[Part]) -> Any:
    if not parts:
        return None
    if len(parts) == 1 and parts[0].keys() == {"type", "content"} and parts[0]["type"] == "text":
        return parts[0]["content"]
    blocks = [_block(part) for part in parts]
    return _NO_PLACE if None in blocks else blocks


def _block(part: Part) -> dict[str, Any] | None:
    match part:
        case {"type": "text", "content": str(text), **rest} if not rest:
            return {"type": "text", "text": text}
        case {"type": "uri", "modality": "image", "uri": str(url), **rest} if not rest:
            return {"type": "image_url", "image_url": {"url": url}}
        case {"type": "blob", "modality": "image", "mime_type": str(mime), "content": str(data), **rest} if not rest:
            return {"type": "image_url", "image_url": {"url": f"data:{mime};base64,{data}"}}
    return None


def _answer(message: Message, part: Part, out: dict[str, Any]) -> dict[str, Any] | None:
    if message["role"] != "tool" or not part.keys() <= {"type", "id", "response"} or "id" not in part:
        return None
    response = part.get("response")
    return {"role": "tool", "tool_call_id": part["id"], "content": response, **out} if _is_answer(response) else None


def _is_answer(response: Any) -> bool:
    return isinstance(response, str) and bool(response)


def _tool_call(part: Part) -> dict[str, Any] | None:
    if not part.keys() <= {"type", "id", "name", "arguments"}:
        return None
    function = {"name": part["name"]}
    if "arguments" in part:
        arguments = part["arguments"]
        function["arguments"] = arguments if isinstance(arguments, str) else dumps(arguments)
    return {**({"id": part["id"]} if "id" in part else {}), "type": "function", "function": function}
