"""OpenAI: content blocks of chat completions, items of the Responses API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collector.model.messages import parts
from collector.model.messages.parts import Part


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


def calls(message: dict[str, Any]) -> list[Part]:
    """The tool calls beside a message's content, old ``function_call`` included."""
    found = []
    for call in message.get("tool_calls") or []:
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
    }
)  # fmt: skip
"""Items of a Responses API answer that tell what a tool run by the provider did."""


def server_call(item: dict[str, Any]) -> Part:
    name = item.get("name") or str(item["type"]).removesuffix("_call")
    rest = {key: value for key, value in item.items() if key != "id" and value is not None}
    call_id = {"id": item["id"]} if item.get("id") else {}
    return {"type": "server_tool_call", **call_id, "name": name, "server_tool_call": rest}


BLOCKS: dict[str, Callable[[dict[str, Any]], Part | None]] = {
    "refusal": lambda block: parts.text(block.get("refusal") or ""),
    "image_url": image,
    "input_image": image,
    "input_audio": audio,
    "input_file": file,
    "function_call": function_call,
    "function_call_output": function_call_output,
}
