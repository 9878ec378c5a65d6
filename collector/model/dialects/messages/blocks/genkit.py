"""Genkit: parts of messages, told apart by the member they have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collector.model.dialects.messages.blocks import parts
from collector.model.dialects.messages.blocks.parts import Part


def tool_request(block: dict[str, Any]) -> Part:
    call = block["toolRequest"]
    return parts.tool_call(call.get("ref"), call.get("name"), call.get("input"))


def tool_response(block: dict[str, Any]) -> Part:
    answer = block["toolResponse"]
    part = parts.tool_call_response(answer.get("ref"), answer.get("output"))
    return {**part, "name": answer["name"]} if answer.get("name") else part


def reasoning(block: dict[str, Any]) -> Part | None:
    return parts.reasoning(block["reasoning"]) if block["reasoning"] else None


def media(block: dict[str, Any]) -> Part:
    return parts.media(block["media"].get("url") or "", mime_type=block["media"].get("contentType"))


BLOCKS: dict[str, Callable[[dict[str, Any]], Part | None]] = {
    "toolRequest": tool_request,
    "toolResponse": tool_response,
    "media": media,
    "reasoning": reasoning,
}
