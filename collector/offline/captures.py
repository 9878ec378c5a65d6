"""Captured OTLP in files: one protobuf request, one JSON request, a JSON request per line, or framed requests.

Framed: each request behind its length in four bytes, and perhaps compressed, as the exporter ``file`` writes them.
"""

from __future__ import annotations

import gzip
import json
import re
import struct
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
_SUFFIXES = {".binpb", ".pb", ".json", ".jsonl", ".ndjson"}
_ZSTD = b"\x28\xb5\x2f\xfd"
_LARGEST = 1 << 30
_WORDS = {"traces": Signal.TRACES, "spans": Signal.TRACES, "logs": Signal.LOGS, "metrics": Signal.METRICS}


def read_capture(path: Path, signal: Signal | None = None) -> Iterator[tuple[Signal, bytes]]:
    """The requests of one file as (signal, request body for the codec).

    The format follows from the name (``.binpb``, ``.pb``, ``.json``, ``.jsonl``, each also with
    ``.gz``) and from framing, the signal from the content, else from the name. Raises ``InvalidDataError`` that
    names the file and the line.
    """
    body = _read(path)
    suffix = Path(path.name.removesuffix(".gz").removesuffix(".zst")).suffix
    if suffix not in _SUFFIXES:
        raise InvalidDataError(f"{path}: unknown format {suffix!r}: expected .binpb, .json or .jsonl (also with .gz)")
    if (messages := _framed(body)) is not None:
        for number, message in enumerate(messages, start=1):
            yield _framed_message(message, f"{path}: request {number}", signal, path)
    elif suffix in {".binpb", ".pb"}:
        yield signal or _signal_of(body, path), body
    elif suffix == ".json" and not _is_lines(body):
        yield _from_json(body, str(path), signal, path)
    else:
        for number, line in enumerate(body.splitlines(), start=1):
            if line.strip():
                yield _from_json(line, f"{path}:{number}", signal, path)


def _framed(body: bytes) -> list[bytes] | None:
    """The messages of a framed file; None for other files. Half a message at the end, as of a kill, is left out."""
    if body[:1] != b"\0":  # of neither JSON nor a protobuf message; a length of up to 16 MiB begins so
        return None
    messages, at = [], 0
    while at + 4 <= len(body):
        (size,) = struct.unpack_from(">I", body, at)
        messages.append(body[at + 4 : at + 4 + size])
        at += 4 + size
    return messages[:-1] if at > len(body) else messages


def _framed_message(message: bytes, where: str, signal: Signal | None, path: Path) -> tuple[Signal, bytes]:
    if message.startswith(_ZSTD):
        import zstandard  # noqa: PLC0415 - only needed for compressed captures

        try:
            message = zstandard.ZstdDecompressor().decompress(message, max_output_size=_LARGEST)
        except zstandard.ZstdError as error:
            raise InvalidDataError(f"{where}: cannot be decompressed: {error}") from None
    if message[:1] == b"{":
        return _from_json(message, where, signal, path)
    return signal or _signal_of(message, path), message


def _is_lines(body: bytes) -> bool:
    """Whether each line is a document: the Collector's files are often called ``.json``."""
    first, newline, rest = body.lstrip().partition(b"\n")
    if not newline or not rest.strip():
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


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
