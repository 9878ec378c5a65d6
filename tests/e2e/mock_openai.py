"""As much of the OpenAI API as the instrumented applications call, with answers that never change."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.e2e.documents.mock_others import other_answer

ANSWER = "OpenTelemetry is a standard."
VECTOR = [0.25, -0.5]
_USAGE = {
    "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64}, "completion_tokens_details": {"reasoning_tokens": 0},
}  # fmt: skip
_TOOL_CALL = {
    "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
}  # fmt: skip


@contextmanager
def openai_api() -> Iterator[str]:
    """The base URL of a running server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if (other := other_answer(self.path, request)) is not None:
            self._answer(200, "application/json", other)
        elif request["model"] == "gpt-4o-limited":
            error = {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}
            self._answer(429, "application/json", json.dumps({"error": error}))
        elif self.path == "/v1/embeddings":
            self._answer(200, "application/json", json.dumps(_embedding(request)))
        elif request.get("stream"):
            chunks = [json.dumps(chunk) for chunk in _chunks(request)]
            self._answer(200, "text/event-stream", "".join(f"data: {chunk}\n\n" for chunk in [*chunks, "[DONE]"]))
        else:
            self._answer(200, "application/json", json.dumps(_completion(request)))

    def _answer(self, status: int, content_type: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Says nothing."""


def _completion(request: dict[str, Any]) -> dict[str, Any]:
    wants_tool = "tools" in request and request["messages"][-1]["role"] == "user"
    message = {"role": "assistant", "content": None, "tool_calls": [_TOOL_CALL]} if wants_tool else _TEXT
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if wants_tool else "stop"}
    return _envelope("chat.completion") | {"choices": [choice], "usage": _USAGE}


_TEXT = {"role": "assistant", "content": ANSWER}


def _chunks(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    head = _envelope("chat.completion.chunk")
    first, second = ANSWER[:10], ANSWER[10:]
    for delta, reason in (({"role": "assistant", "content": first}, None), ({"content": second}, None), ({}, "stop")):
        yield head | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
    if (request.get("stream_options") or {}).get("include_usage"):
        yield head | {"choices": [], "usage": _USAGE}


def _embedding(request: dict[str, Any]) -> dict[str, Any]:
    data = [{"object": "embedding", "index": 0, "embedding": VECTOR}]
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    return {"object": "list", "data": data, "model": request["model"], "usage": usage}


_ids = iter(range(1, 1_000_000))


def _envelope(kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{next(_ids)}", "object": kind, "created": 1_790_000_000, "model": "gpt-4o-mini-2024-07-18",
    }  # fmt: skip
