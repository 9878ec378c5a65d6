"""Captured OTLP in files: one protobuf request, one JSON request, or a JSON request per line."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.errors import InvalidDataError
from collector.model.batch import Signal
from collector.model.codec.chosen import prepare_json

_JSON_KEYS = {"resourceSpans": Signal.TRACES, "resourceLogs": Signal.LOGS, "resourceMetrics": Signal.METRICS}
_WORDS = {"traces": Signal.TRACES, "spans": Signal.TRACES, "logs": Signal.LOGS, "metrics": Signal.METRICS}


def read_capture(path: Path, signal: Signal | None = None) -> Iterator[tuple[Signal, bytes]]:
    """The requests of one file as (signal, request body for the codec).

    The format follows from the name (``.binpb``, ``.pb``, ``.json``, ``.jsonl``, each also with
    ``.gz``), the signal from the content, else from the name. Raises ``InvalidDataError`` that names the
    file and the line.
    """
    body = _read(path)
    suffix = Path(path.name.removesuffix(".gz")).suffix
    if suffix in {".binpb", ".pb"}:
        yield signal or _signal_of(body, path), body
    elif suffix == ".json":
        yield _from_json(body, str(path), signal, path)
    elif suffix in {".jsonl", ".ndjson"}:
        for number, line in enumerate(body.splitlines(), start=1):
            if line.strip():
                yield _from_json(line, f"{path}:{number}", signal, path)
    else:
        raise InvalidDataError(f"{path}: unknown format {suffix!r}: expected .binpb, .json or .jsonl (also with .gz)")


def _read(path: Path) -> bytes:
    try:
        body = path.read_bytes()
        return gzip.decompress(body) if path.suffix == ".gz" else body
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidDataError(f"{path}: cannot be read: {error}") from None


def _from_json(body: bytes, where: str, signal: Signal | None, path: Path) -> tuple[Signal, bytes]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidDataError(f"{where}: this is not JSON") from None
    keys = document if isinstance(document, dict) else {}
    found = next((kind for key, kind in _JSON_KEYS.items() if key in keys), None)
    found = signal or found or _named(path)
    if found is None:
        raise InvalidDataError(f"{where}: holds no resourceSpans, resourceLogs or resourceMetrics; say --signal")
    try:
        return found, prepare_json(found, body)
    except InvalidDataError as error:
        raise InvalidDataError(f"{where}: {error}") from None


def _signal_of(body: bytes, path: Path) -> Signal:
    """The signal of a protobuf request, whose three kinds look alike on the outside."""
    if _holds_spans(body):
        return Signal.TRACES
    if _holds_logs(body):
        return Signal.LOGS
    if _holds_metrics(body):
        return Signal.METRICS
    named = _named(path)
    if named is None:
        raise InvalidDataError(f"{path}: it cannot be told whether this holds traces, logs or metrics; say --signal")
    return named


def _named(path: Path) -> Signal | None:
    words = re.split(r"[^a-z]+", path.name.lower())
    return next((_WORDS[word] for word in words if word in _WORDS), None)


def _holds_spans(body: bytes) -> bool:
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        return False
    return any(
        len(span.trace_id) == 16 and len(span.span_id) == 8
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    )


def _holds_logs(body: bytes) -> bool:
    try:
        request = ExportLogsServiceRequest.FromString(body)
    except DecodeError:
        return False
    return any(
        record.time_unix_nano or record.observed_time_unix_nano or record.HasField("body")
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    )


def _holds_metrics(body: bytes) -> bool:
    try:
        request = ExportMetricsServiceRequest.FromString(body)
    except DecodeError:
        return False
    return any(
        metric.WhichOneof("data")
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
