"""A client that behaves as an SDK does: what got no answer is sent again, as it was."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Sent:
    """What the clients know: every span they made, and which requests were answered."""

    bodies: list[bytes] = field(default_factory=list)
    acknowledged: set[int] = field(default_factory=set)
    spans: dict[tuple[str, str], int] = field(default_factory=dict)
    """(trace id, span id) → input tokens."""


def request(random_: random.Random, sent: Sent) -> bytes:
    """One request with a few traces of a few spans: an agent, its calls, and one tool."""
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    scope.scope.name = "load"
    for _ in range(random_.randint(1, 4)):
        trace_id = random_.randbytes(16)
        root = _span(scope, trace_id, random_.randbytes(8), b"", "invoke_agent a", "invoke_agent")
        calls = random_.randint(1, 4)
        for _ in range(calls):
            tokens = random_.randint(1, 1000)
            call = _span(scope, trace_id, random_.randbytes(8), root.span_id, "chat m", "chat")
            _attribute(call, "gen_ai.request.model", "gpt-4o-mini")
            _attribute(call, "gen_ai.provider.name", "openai")
            _attribute(call, "gen_ai.usage.input_tokens", tokens)
            _attribute(call, "gen_ai.input.messages", '[{"role":"user","parts":[{"type":"text","content":"hello"}]}]')
            sent.spans[trace_id.hex(), call.span_id.hex()] = tokens
        sent.spans[trace_id.hex(), root.span_id.hex()] = 0
    return message.SerializeToString()


def _span(scope, trace_id: bytes, span_id: bytes, parent: bytes, name: str, operation: str) -> Span:
    now = time.time_ns()
    span = scope.spans.add(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent,
        name=name,
        kind=3,
        start_time_unix_nano=now,
        end_time_unix_nano=now + 1000,
    )
    _attribute(span, "gen_ai.operation.name", operation)
    return span


def _attribute(span: Span, key: str, value: str | int) -> None:
    attribute = span.attributes.add(key=key)
    if isinstance(value, int):
        attribute.value.int_value = value
    else:
        attribute.value.string_value = value


class Clients:
    """Threads that send new requests, and again whatever got no answer, until told to stop."""

    def __init__(self, sent: Sent, address: Callable[[], str | None], threads: int = 4, seed: int = 0) -> None:
        self._sent = sent
        self._address = address
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._resend: list[int] = []
        self._random = random.Random(seed)
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        while not self._stop.is_set():
            index = self._next()
            if not self._deliver(index):
                with self._lock:
                    self._resend.append(index)
                self._stop.wait(0.02)

    def _next(self) -> int:
        with self._lock:
            if self._resend:
                return self._resend.pop()
            self._sent.bodies.append(request(self._random, self._sent))
            return len(self._sent.bodies) - 1

    def _deliver(self, index: int) -> bool:
        address = self._address()
        if address is None or not post(address, self._sent.bodies[index]):
            return False
        with self._lock:
            self._sent.acknowledged.add(index)
        return True

    def finish(self) -> None:
        """Ends the threads and delivers what is still unanswered."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for index in self._resend:
            assert self._deliver(index)
        self._resend.clear()


def post(address: str, body: bytes) -> bool:
    """True when the request was answered with success."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    try:
        connection.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
        reply = connection.getresponse()
        reply.read()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return reply.status == 200
    finally:
        connection.close()


def shuffled_and_split(bodies: list[bytes], seed: int = 1) -> list[bytes]:
    """The same spans in other requests: all in one heap, shuffled, cut anew."""
    message = ExportTraceServiceRequest()
    message.MergeFromString(b"".join(bodies))
    spans = [span for r in message.resource_spans for s in r.scope_spans for span in s.spans]
    random.Random(seed).shuffle(spans)
    out = []
    for start in range(0, len(spans), 97):
        part = ExportTraceServiceRequest()
        scope = part.resource_spans.add().scope_spans.add()
        scope.scope.name = "load"
        scope.spans.extend(spans[start : start + 97])
        out.append(part.SerializeToString())
    return out
