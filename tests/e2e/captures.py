"""The captured requests of tests/fixtures/otlp, how to send them, and what the trace model must say about them."""

from __future__ import annotations

import csv
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from collector.model.batch import Signal
from collector.model.codec.chosen import prepare_json
from tests.e2e.running import Row, Spanloom

ROOT = Path(__file__).parents[1] / "fixtures" / "otlp"
ENCODINGS = ("binpb", "json")
"""Both encodings of a JavaScript scenario hold the same ids: they go to services of their own."""

REQUESTS: dict[str, type[Message]] = {
    "traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest, "metrics": ExportMetricsServiceRequest,
}  # fmt: skip
RESPONSES: dict[str, type[Message]] = {
    "traces": ExportTraceServiceResponse, "logs": ExportLogsServiceResponse, "metrics": ExportMetricsServiceResponse,
}  # fmt: skip
METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_CONTENT_TYPES = {"binpb": "application/x-protobuf", "json": "application/json"}

Send = Callable[[str, bytes], None]
"""(signal, serialised protobuf request); raises when it was not taken whole."""


def scenarios(encoding: str) -> list[dict[str, Any]]:
    """The lines of EXPECT.jsonl."""
    lines = (json.loads(line) for line in (ROOT / "EXPECT.jsonl").read_text().splitlines())
    return [line for line in lines if line["encoding"] == encoding]


def files(encoding: str) -> list[list[str]]:
    """Every captured file once: those of a scenario together, in their order; metrics belong to none."""
    groups = [scenario["files"] for scenario in scenarios(encoding)]
    with (ROOT / "MANIFEST.tsv").open() as manifest:
        names = [row["file"] for row in csv.DictReader(manifest, delimiter="\t")]
    rest = [[name] for name in names if name.endswith(encoding) and ".metrics." in name]
    assert len(rest) + sum(len(group) for group in groups) == sum(name.endswith(encoding) for name in names)
    return groups + rest


def signal_of(name: str) -> str:
    return name.split(".")[-2]


@cache
def protobuf(name: str) -> bytes:
    body = (ROOT / name).read_bytes()
    return body if name.endswith(".binpb") else prepare_json(Signal(signal_of(name)), body)


@cache
def trace_ids(name: str) -> frozenset[str]:
    """Read with nothing of ours: this is what rows are looked up by."""
    body = (ROOT / name).read_bytes()
    if name.endswith(".json"):
        return frozenset(i.decode().lower() for i in re.findall(rb'"traceId":\s*"([0-9a-fA-F]{32})"', body))
    request = ExportTraceServiceRequest.FromString(body)
    return frozenset(
        span.trace_id.hex() for r in request.resource_spans for scope in r.scope_spans for span in scope.spans
    )


# Sending


@contextmanager
def grpc_sender(address: str) -> Iterator[Send]:
    with grpc.insecure_channel(address) as channel:
        calls = {
            signal: channel.unary_unary(method, lambda body: body, RESPONSES[signal].FromString)
            for signal, method in METHODS.items()
        }

        def send(signal: str, body: bytes) -> None:
            response = calls[signal](body, timeout=60)
            assert response == RESPONSES[signal](), f"not taken whole: {response}"

        yield send


def http_sender(service: Spanloom) -> Send:
    def send(signal: str, body: bytes) -> None:
        assert service.post(f"/v1/{signal}", body) == b""

    return send


def post_file(service: Spanloom, name: str) -> None:
    """The file as it was captured, protobuf or JSON."""
    encoding = name.rpartition(".")[2]
    answer = service.post(f"/v1/{signal_of(name)}", (ROOT / name).read_bytes(), _CONTENT_TYPES[encoding])
    assert answer == {"binpb": b"", "json": b"{}"}[encoding], f"{name} was not taken whole: {answer!r}"


def each(groups: Iterable[Sequence[Any]], send: Callable[[Any], None], clients: int = 16) -> None:
    """Sends group by group, several clients at once, the items of a group in order."""

    def work(group: Sequence[Any]) -> None:
        for item in group:
            send(item)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(work, groups))


def send_fixtures(service: Spanloom, transport: str, encoding: str) -> None:
    """Every file as it is over HTTP, every file as protobuf over gRPC."""
    if transport == "http":
        each(files(encoding), lambda name: post_file(service, name))
        return
    with grpc_sender(service.grpc) as send:
        each(files(encoding), lambda name: send(signal_of(name), protobuf(name)))


def single_spans(name: str) -> Iterator[bytes]:
    """A request for every single span of a file, with its resource and scope."""
    for resource in ExportTraceServiceRequest.FromString(protobuf(name)).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                part = ExportTraceServiceRequest()
                into = part.resource_spans.add(resource=resource.resource, schema_url=resource.schema_url)
                into.scope_spans.add(scope=scope.scope, schema_url=scope.schema_url, spans=[span])
                yield part.SerializeToString()


def shuffled_and_split(encoding: str, random: random.Random) -> Iterator[tuple[str, bytes]]:
    """(signal, request): all captured spans in other, mixed requests, and the log requests anywhere between.

    Log requests stay whole: records of one millisecond have no other order than that in their request.
    """
    names = [name for group in files(encoding) for name in group]
    spans = [span for name in names if signal_of(name) == "traces" for span in single_spans(name)]
    random.shuffle(spans)
    requests = [("logs", protobuf(name)) for name in names if signal_of(name) == "logs"]
    while spans:
        # Serialised requests concatenate to one that holds both.
        requests.append(("traces", b"".join(spans.pop() for _ in range(min(len(spans), random.randint(1, 6))))))
    random.shuffle(requests)
    yield from requests


def log_records(name: str) -> int:
    request = ExportLogsServiceRequest.FromString(protobuf(name))
    return sum(len(scope.log_records) for resource in request.resource_logs for scope in resource.scope_logs)


def metric_points(name: str) -> int:
    request = ExportMetricsServiceRequest.FromString(protobuf(name))
    metrics = (m for r in request.resource_metrics for scope in r.scope_metrics for m in scope.metrics)
    return sum(len(getattr(metric, metric.WhichOneof("data")).data_points) for metric in metrics)


# Judging


def disagreements(scenario: dict[str, Any], by_trace: dict[str, list[Row]]) -> list[str]:
    """What the rows of a scenario's traces say otherwise than EXPECT.jsonl; a field that is not there is not asked."""
    ids = frozenset().union(*(trace_ids(name) for name in scenario["files"] if signal_of(name) == "traces"))
    rows = [row for trace in ids for row in by_trace.get(trace, [])]
    told, alternative = _told(rows), scenario.get("without_cross_trace_dedupe", {})
    where = "{lang}/{lib} {scenario} ({encoding})".format(**scenario)
    return [
        f"{where}: {field} should be {expected!r}, is {told[field]!r}"
        for field, expected in scenario.items()
        if field not in _NOT_ASKED
        and not _agrees(field, expected, told[field])
        and not (field in alternative and _agrees(field, alternative[field], told[field]))
    ]


_NOT_ASKED = {
    "lang", "lib", "scenario", "encoding", "files", "notes", "soft", "without_cross_trace_dedupe",
    "cross_trace_duplicate",
}  # fmt: skip
_SUMS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
)  # fmt: skip


def _told(rows: list[Row]) -> dict[str, Any]:
    counted = [row for row in rows if row["usage_scope"] == "counted"]
    provided = [row["total_cost"] for row in rows if row["cost_source"] == "provided" and row["total_cost"] is not None]
    return {
        # Plain sums, without any filter, are the truth.
        **{field: sum(row[field] or 0 for row in rows) for field in _SUMS},
        "spans": len(rows),
        "traces": len({row["trace_id"] for row in rows}),
        "errors": sum(row["level"] == "ERROR" for row in rows),
        "types": Counter(row["type"] for row in rows),
        "leaf_generations": sum(row["type"] == "generation" for row in counted),
        "leaf_embeddings": sum(row["type"] == "embedding" for row in counted),
        "models": {row["model"] for row in counted} - {None},
        "providers": {row["provider"] for row in counted} - {None},
        "tool_names": {row["tool_name"] for row in rows if row["type"] == "tool"} - {None},
        "user_id": {row["user_id"] for row in rows},
        "session_id": {row["session_id"] for row in rows},
        "tags": [row["tags"] for row in rows],
        "input_contains": [row["input"] for row in rows],
        "output_contains": [row["output"] for row in rows],
        "cost_provided": float(sum(provided)),
    }


def _agrees(field: str, expected: Any, told: Any) -> bool:
    match field:
        case "user_id" | "session_id":
            return expected in told
        case "tags":
            return any(set(expected) <= set(tags or ()) for tags in told)
        case "input_contains" | "output_contains":
            return any(expected in (text or "") for text in told)
        case "types":
            return all(told[kind] == n for kind, n in expected.items())
        case "models" | "providers" | "tool_names":
            return set(expected) == told
        case "cost_provided":
            return abs(told - expected) < 1e-9
        case _:
            return expected == told
