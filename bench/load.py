"""A reproducible load on any OTLP endpoint: spans per CPU second, MB/s, ack latency, memory.

Every request carries fresh trace and span ids, so that nothing can be answered from a cache or
dropped as seen before. Requests are built once and only their ids are rewritten, which keeps the
generator far cheaper than any server.

    python bench/load.py --endpoint http://localhost:4318 --shape mix --seconds 10 --pid $(pgrep -f 'spanloom run')
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

SHAPES = {"small": 1000, "mix": 512, "big": 10, "one": 1}
"""Spans per request: 0.6 kB each, an LLM mix of 1.7 kB, 100 kB each, one span of 1.5 kB."""

_WORDS = np.array(["the", "model", "answers", "a", "question", "about", "traces", "tokens", "cost", "and", "time"])
_SHARE_WITH_PII = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")
_GRPC_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Template:
    """A serialised request whose ids can be rewritten in place."""

    def __init__(self, shape: str, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        message = ExportTraceServiceRequest()
        resource = message.resource_spans.add()
        _attribute(resource.resource, "service.name", "load")
        scope = resource.scope_spans.add()
        scope.scope.name = "bench"
        self._ids: list[bytes] = []
        self._fill(scope, shape, SHAPES[shape], rng)
        self.body = bytearray(message.SerializeToString())
        self.spans = SHAPES[shape]
        self._places = self._find(rng)

    def _fill(self, scope: ScopeSpans, shape: str, n: int, rng: np.random.Generator) -> None:
        root, trace = b"", b""
        for i in range(n):
            first = i % 8 == 0
            if first:
                trace = self._id(16, rng)
            span_id = self._id(8, rng)
            span = _span(scope, trace, span_id, b"" if first else root)
            root = span_id if first else root
            _BUILD[shape](span, i, rng)

    def _id(self, size: int, rng: np.random.Generator) -> bytes:
        """A random id, so that its places in the body are found without doubt."""
        self._ids.append(rng.bytes(size))
        return self._ids[-1]

    def _find(self, rng: np.random.Generator) -> list[tuple[int, np.ndarray]]:
        """Per id: its size and everywhere it stands."""
        del rng
        body = bytes(self.body)
        places = []
        for value in self._ids:
            at, found = -1, []
            while (at := body.find(value, at + 1)) >= 0:
                found.append(at)
            places.append((len(value), np.array(found)))
        return places

    def fresh(self, rng: np.random.Generator) -> bytes:
        """The request with new ids and the time of now."""
        view = np.frombuffer(self.body, np.uint8)
        noise = rng.integers(0, 256, sum(size for size, _ in self._places), np.uint8)
        start = 0
        for size, places in self._places:
            view[places[:, None] + np.arange(size)] = noise[start : start + size]
            start += size
        return bytes(self.body)


def _span(scope: ScopeSpans, trace: bytes, span_id: bytes, parent: bytes) -> Span:
    now = time.time_ns()
    return scope.spans.add(
        trace_id=trace,
        span_id=span_id,
        parent_span_id=parent,
        name="chat gpt-4o-mini",
        kind=3,
        start_time_unix_nano=now - 10**9,
        end_time_unix_nano=now,
    )


def _attribute(holder: Span, key: str, value: str | int) -> None:
    entry = holder.attributes.add(key=key)
    if isinstance(value, int):
        entry.value.int_value = value
    else:
        entry.value.string_value = value


def _text(rng: np.random.Generator, size: int) -> str:
    return " ".join(rng.choice(_WORDS, size // 6 + 1))[:size]


def _messages(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def _small(span: Span, _: int, rng: np.random.Generator) -> None:
    for i in range(8):
        _attribute(span, f"app.attribute.{i}", _text(rng, 32))


def _llm(span: Span, i: int, rng: np.random.Generator, size: int = 400) -> None:
    kind = i % 8
    operation = "invoke_agent" if kind == 0 else "execute_tool" if kind in {3, 6} else "chat"
    _attribute(span, "gen_ai.operation.name", operation)
    _attribute(span, "gen_ai.agent.name", "helper")
    _attribute(span, "session.id", f"session-{i % 50}")
    if operation == "execute_tool":
        _attribute(span, "gen_ai.tool.name", "search")
        _attribute(span, "gen_ai.tool.call.arguments", json.dumps({"query": _text(rng, size)}))
        _attribute(span, "gen_ai.tool.call.result", _text(rng, size))
        return
    _attribute(span, "gen_ai.provider.name", "openai")
    _attribute(span, "gen_ai.request.model", "gpt-4o-mini")
    _attribute(span, "gen_ai.response.model", "gpt-4o-mini-2024-07-18")
    if operation == "chat":
        _attribute(span, "gen_ai.usage.input_tokens", int(rng.integers(100, 2000)))
        _attribute(span, "gen_ai.usage.output_tokens", int(rng.integers(10, 500)))
        _attribute(span, "gen_ai.usage.cache_read.input_tokens", 64)
    said = _text(rng, size)
    if rng.random() < _SHARE_WITH_PII:
        said += " write to jane.doe@example.com"
    _attribute(span, "gen_ai.input.messages", _messages("user", said))
    _attribute(span, "gen_ai.output.messages", _messages("assistant", _text(rng, size)))


def _big(span: Span, i: int, rng: np.random.Generator) -> None:
    _llm(span, i, rng, 48_000)


_BUILD: dict[str, Callable[[Span, int, np.random.Generator], None]] = {
    "small": _small,
    "mix": _llm,
    "big": _big,
    "one": _llm,
}


@dataclass
class Result:
    """One run. Rates are of acknowledged spans; CPU and memory are those of the server's processes."""

    shape: str
    clients: int
    seconds: float
    spans: int
    failed_requests: int
    spans_per_second: float
    mb_per_second: float
    ack_p50_ms: float
    ack_p99_ms: float
    server_cpu_seconds: float | None = None
    spans_per_cpu_second: float | None = None
    mb_per_cpu_second: float | None = None
    rss_peak_mib: float | None = None


Send = Callable[[bytes], Awaitable[bool]]


class HttpClient:
    """One keep-alive connection, without the cost of a client library."""

    def __init__(self, endpoint: str, path: str) -> None:
        parts = urlsplit(endpoint)
        self._host, self._port = parts.hostname or "localhost", parts.port or 4318
        self._path = path
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, body: bytes) -> bool:
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        self._writer.write(
            f"POST {self._path} HTTP/1.1\r\nhost: {self._host}\r\n"
            f"content-type: application/x-protobuf\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        )
        self._writer.write(body)
        await self._writer.drain()
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        await self._reader.readexactly(length)
        return b" 200 " in head.split(b"\r\n", 1)[0]


def _client(endpoint: str, path: str) -> Send:
    if not endpoint.startswith("grpc://"):
        return HttpClient(endpoint, path).send
    channel = grpc.aio.insecure_channel(endpoint.removeprefix("grpc://"))
    call = channel.unary_unary(_GRPC_METHOD, request_serializer=None, response_deserializer=None)

    async def send(body: bytes) -> bool:
        try:
            await call(body)
        except grpc.aio.AioRpcError:
            return False
        return True

    return send


async def drive(endpoint: str, path: str, shape: str, clients: int, seconds: float, pid: int | None) -> Result:
    """Closed loop: each client sends its next request when the last one was answered."""
    templates = [Template(shape, seed) for seed in range(clients)]
    watch = _Watch(pid) if pid else None
    end = time.perf_counter() + seconds
    latencies: list[float] = []
    failed = 0

    async def work(number: int) -> None:
        nonlocal failed
        rng = np.random.default_rng(os.getpid() * 1000 + number)
        send = _client(endpoint, path)
        while time.perf_counter() < end:
            body = templates[number].fresh(rng)
            started = time.perf_counter()
            if await send(body):
                latencies.append(time.perf_counter() - started)
            else:
                failed += 1
                await asyncio.sleep(0.05)

    started = time.perf_counter()
    await asyncio.gather(*(work(i) for i in range(clients)), *([watch.sample(end)] if watch else []))
    elapsed = time.perf_counter() - started
    spans = len(latencies) * templates[0].spans
    size = len(latencies) * len(templates[0].body) / 1e6
    result = Result(
        shape,
        clients,
        round(elapsed, 2),
        spans,
        failed,
        round(spans / elapsed),
        round(size / elapsed, 1),
        round(float(np.percentile(latencies or [0], 50)) * 1e3, 2),
        round(float(np.percentile(latencies or [0], 99)) * 1e3, 2),
    )
    if watch:
        cpu = watch.cpu_seconds()
        result.server_cpu_seconds = round(cpu, 2)
        result.spans_per_cpu_second = round(spans / cpu) if cpu else None
        result.mb_per_cpu_second = round(size / cpu, 1) if cpu else None
        result.rss_peak_mib = round(watch.peak / 2**20, 1)
    return result


class _Watch:
    """CPU time and memory of a process and its children, from /proc."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._start = self._cpu()
        self.peak = 0

    def _processes(self) -> list[int]:
        children = Path(f"/proc/{self._pid}/task/{self._pid}/children")
        return [self._pid, *map(int, children.read_text().split() if children.exists() else ())]

    def _cpu(self) -> float:
        total = 0
        for pid in self._processes():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / _TICKS

    def cpu_seconds(self) -> float:
        return self._cpu() - self._start

    def _resident_pages(self) -> int:
        return sum(int(Path(f"/proc/{p}/statm").read_text().split()[1]) for p in self._processes())

    async def sample(self, end: float) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while time.perf_counter() < end:
            self.peak = max(self.peak, self._resident_pages() * page)
            await asyncio.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", default="http://localhost:4318", help="http://HOST:PORT or grpc://HOST:PORT")
    parser.add_argument("--path", default="/v1/traces", help="HTTP path")
    parser.add_argument("--shape", choices=SHAPES, default="mix")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--pid", type=int, help="process of the server, for CPU and memory")
    options = parser.parse_args()
    result = asyncio.run(
        drive(options.endpoint, options.path, options.shape, options.clients, options.seconds, options.pid)
    )
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
