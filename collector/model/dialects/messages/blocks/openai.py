"""OpenAI: content blocks of chat completions, items of the Responses API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collector.model.dialects.messages.blocks import parts
from collector.model.dialects.messages.blocks.parts import Part


def image(block: dict[str, Any]) -> Part:
    source = block.get("image_url", block.get("url"))
    if isinstance(source, dict):
        source = source.get("url")
    if source is None and block.get("file_id"):
        return parts.reference("file", block["file_id"], None, "image")
    return parts.media(source or "", modality="image")


def audio(block: dict[str, Any]) -> Part:
    inner = block.get("input_audio") or {}
    mime_type = f"audio/{inner['format']}" if inner.get("format") else None
    return parts.blob(inner.get("data"), mime_type, "audio")


def file(block: dict[str, Any]) -> Part:
    inner = block.get("file") if isinstance(block.get("file"), dict) else block
    assert isinstance(inner, dict)
    if inner.get("file_id"):
        return parts.reference("file", inner["file_id"], None, None)
    return parts.media(inner.get("file_data") or inner.get("file_url") or "")


def function_call(item: dict[str, Any]) -> Part:
    return parts.tool_call(item.get("call_id") or item.get("id"), item.get("name"), item.get("arguments"))


def function_call_output(item: dict[str, Any]) -> Part:
    return parts.tool_call_response(item.get("call_id") or item.get("id"), item.get("output"))


def reasoning_item(item: dict[str, Any]) -> Part | None:
    """A reasoning item: its summary's text; null when only an encrypted form was sent."""
    blocks = item.get("summary") or item.get("content") or []
    texts = [b.get("text") for b in blocks if isinstance(b, dict)] if isinstance(blocks, list) else []
    joined = "\n".join(t for t in texts if isinstance(t, str))
    return parts.reasoning(joined) if joined else None


def custom_call(item: dict[str, Any]) -> Part:
    return parts.tool_call(item.get("call_id") or item.get("id"), item.get("name"), item.get("input"))


def spoken(audio: Any) -> list[Part]:
    """A chat completion's spoken answer: what was said, and the sound or the id it is kept under."""
    if not isinstance(audio, dict):
        return []
    found = [parts.text(audio["transcript"])] if audio.get("transcript") else []
    if audio.get("data"):
        return [*found, parts.blob(audio["data"], None, "audio")]
    return [*found, parts.reference("file", audio["id"], None, "audio")] if audio.get("id") else found


def calls(message: dict[str, Any]) -> list[Part]:
    """The tool calls beside a message's content, old ``function_call`` included."""
    found = []
    sent = parts.json_value(message.get("tool_calls"))  # JSON text in the attributes of an event
    for call in [sent] if isinstance(sent, dict) else sent or []:
        if isinstance(call, dict):
            inner = call.get("function") if isinstance(call.get("function"), dict) else call
            assert isinstance(inner, dict)
            arguments = inner.get("arguments", inner.get("args", inner.get("input")))
            found.append(parts.tool_call(call.get("id"), inner.get("name"), arguments))
    old = message.get("function_call")
    if isinstance(old, dict) and old.get("name"):
        found.append(parts.tool_call(None, old["name"], old.get("arguments")))
    return found


SERVER_ITEMS = frozenset(
    {
        "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "computer_call",
        "local_shell_call", "shell_call", "apply_patch_call", "mcp_call", "mcp_list_tools", "mcp_approval_request",
        "tool_search_call",
    }
)  # fmt: skip
"""Items of a Responses API answer that tell what a tool run by the provider did."""


def server_call(item: dict[str, Any]) -> Part:
    name = item.get("name") or str(item["type"]).removesuffix("_call")
    rest = {key: value for key, value in item.items() if key != "id" and value is not None}
    call_id = {"id": item["id"]} if item.get("id") else {}
    return {"type": "server_tool_call", **call_id, "name": name, "server_tool_call": rest}


SERVER_ANSWERS = (
    "computer_call_output", "local_shell_call_output", "shell_call_output", "apply_patch_call_output",
    "tool_search_output",
)  # fmt: skip
"""Items that answer a call of such a tool."""


def server_answer(item: dict[str, Any]) -> Part:
    rest = {key: value for key, value in item.items() if key not in {"id", "call_id"} and value is not None}
    call_id = item.get("call_id") or item.get("id")
    part: Part = {"type": "server_tool_call_response", "server_tool_call_response": rest}
    return {**part, "id": call_id} if call_id else part


def linked(block: dict[str, Any]) -> Part:
    """Media of the kind its type names, ``video_url`` and its like: an address, or an object that holds one."""
    source = block[block["type"]]
    modality = block["type"].removesuffix("_url")
    return parts.media(source["url"] if isinstance(source, dict) else source, modality=modality)


BLOCKS: dict[str, Callable[[dict[str, Any]], Part | None]] = {
    "refusal": lambda block: parts.text(block.get("refusal") or ""),
    "image_url": image,
    "input_image": image,
    "input_audio": audio,
    "input_file": file,
    "function_call": function_call,
    "function_call_output": function_call_output,
    "custom_tool_call": custom_call,
    "custom_tool_call_output": function_call_output,
    **dict.fromkeys(SERVER_ANSWERS, server_answer),
    **dict.fromkeys(("video_url", "audio_url", "document_url"), linked),
}
