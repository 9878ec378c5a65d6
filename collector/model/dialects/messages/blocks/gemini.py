"""Gemini: parts of contents, told apart by the member they have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collector.model.dialects.messages.blocks import parts
from collector.model.dialects.messages.blocks.parts import Part


def function_call(block: dict[str, Any]) -> Part:
    call = block.get("functionCall") or block.get("function_call") or {}
    return parts.tool_call(call.get("id"), call.get("name"), call.get("args"))


def function_response(block: dict[str, Any]) -> Part:
    answer = block.get("functionResponse") or block.get("function_response") or {}
    part = parts.tool_call_response(answer.get("id"), answer.get("response"))
    return {**part, "name": answer["name"]} if answer.get("name") else part


def inline_data(block: dict[str, Any]) -> Part:
    data = block.get("inlineData") or block.get("inline_data") or {}
    return parts.blob(data.get("data"), data.get("mimeType") or data.get("mime_type"), None)


def file_data(block: dict[str, Any]) -> Part:
    data = block.get("fileData") or block.get("file_data") or {}
    mime_type = data.get("mimeType") or data.get("mime_type")
    return parts.reference("uri", data.get("fileUri") or data.get("file_uri"), mime_type, None)


def executable_code(block: dict[str, Any]) -> Part:
    return _server_tool("server_tool_call", block.get("executableCode") or block.get("executable_code"))


def code_execution_result(block: dict[str, Any]) -> Part:
    return _server_tool(
        "server_tool_call_response", block.get("codeExecutionResult") or block.get("code_execution_result")
    )


def _server_tool(kind: str, inner: Any) -> Part:
    """What Gemini ran on its side: the one tool of that kind has no name in the API."""
    members = dict(inner)
    part: Part = {"type": kind}
    if members.get("id"):
        part["id"] = members.pop("id")
    if kind == "server_tool_call":
        part["name"] = _CODE_EXECUTION
    part[kind] = {"type": _CODE_EXECUTION, **members}
    return part


_CODE_EXECUTION = "code_execution"

BLOCKS: dict[str, Callable[[dict[str, Any]], Part | None]] = {
    "functionCall": function_call,
    "function_call": function_call,
    "functionResponse": function_response,
    "function_response": function_response,
    "inlineData": inline_data,
    "inline_data": inline_data,
    "fileData": file_data,
    "file_data": file_data,
    "executableCode": executable_code,
    "executable_code": executable_code,
    "codeExecutionResult": code_execution_result,
    "code_execution_result": code_execution_result,
}
