"""As much of other APIs as the snippets of ``docs/libraries.md`` call: Anthropic's, OpenAI's Responses, Gemini's."""

from __future__ import annotations

import itertools
import json
from typing import Any

ANSWER = "Hello."
_ids = itertools.count(1)


def other_answer(path: str, request: dict[str, Any]) -> str | None:
    """The JSON of the answer; None for a path of none of these APIs."""
    answers = {"/v1/messages": _message, "/v1/responses": _response}
    found = answers.get(path.partition("?")[0])
    if found is None and ":generateContent" in path:
        found = _generated
    return None if found is None else json.dumps(found(request))


def _message(request: dict[str, Any]) -> dict[str, Any]:
    usage = {
        "input_tokens": 36, "output_tokens": 20, "cache_read_input_tokens": 64, "cache_creation_input_tokens": 0,
    }  # fmt: skip
    return {
        "id": f"msg_{next(_ids)}", "type": "message", "role": "assistant", "model": request["model"],
        "content": [{"type": "text", "text": ANSWER}], "stop_reason": "end_turn", "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _response(request: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "output_text", "text": ANSWER, "annotations": [], "logprobs": []}
    return {
        "id": f"resp_{next(_ids)}", "object": "response", "created_at": 1_790_000_000, "status": "completed",
        "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
        "model": "gpt-4o-mini-2024-07-18",
        "output": [
            {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]},
        ],
        "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "usage": {
            "input_tokens": 100, "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 0},
            "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 120,
        },
    }  # fmt: skip


def _generated(request: dict[str, Any]) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": [{"text": ANSWER}]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 100, "cachedContentTokenCount": 64, "candidatesTokenCount": 20, "totalTokenCount": 120,
        },
        "modelVersion": "gemini-2.5-flash", "responseId": f"gen_{next(_ids)}",
    }  # fmt: skip
