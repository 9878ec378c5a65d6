"""Reading captured OTLP: formats by name, signals by content.

Proves formats, signals, packed files and the words of errors. Does not prove captures of anything but OTLP, nor files
larger than memory.
"""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.errors import InvalidDataError
from collector.model.batch import Signal
from collector.offline.captures import read_capture

FIXTURES = Path(__file__).parents[1] / "fixtures" / "otlp"

SPANS = ExportTraceServiceRequest()
_span = SPANS.resource_spans.add().scope_spans.add().spans.add()
_span.trace_id, _span.span_id, _span.name = b"t" * 16, b"s" * 8, "chat"
LOGS = ExportLogsServiceRequest()
LOGS.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=1).body.string_value = "x"
METRICS = ExportMetricsServiceRequest()
METRICS.resource_metrics.add().scope_metrics.add().metrics.add(name="m", unit="1").sum.data_points.add(as_int=1)

JSON_SPANS = {
    "resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "74" * 16, "spanId": "73" * 8, "name": "chat"}]}]}]
}


@pytest.mark.parametrize(
    ("signal", "message"), [(Signal.TRACES, SPANS), (Signal.LOGS, LOGS), (Signal.METRICS, METRICS)], ids=str
)
def test_the_signal_of_a_protobuf_file_is_seen_from_its_content(
    tmp_path: Path, signal: Signal, message: ExportTraceServiceRequest
) -> None:
    path = tmp_path / "capture.binpb"
    path.write_bytes(message.SerializeToString())
    assert list(read_capture(path)) == [(signal, message.SerializeToString())]


def test_json_one_request_per_file_or_line_packed_or_not(tmp_path: Path) -> None:
    line = json.dumps(JSON_SPANS).encode()
    for name, body, count in (
        ("a.json", json.dumps(JSON_SPANS, indent=1).encode(), 1),
        ("a.jsonl", line + b"\n\n" + line + b"\n", 2),
        ("a.jsonl.gz", gzip.compress(line + b"\n" + line, mtime=0), 2),
    ):
        path = tmp_path / name
        path.write_bytes(body)
        found = list(read_capture(path))
        assert [signal for signal, _ in found] == [Signal.TRACES] * count
        assert ExportTraceServiceRequest.FromString(found[0][1]) == SPANS


@pytest.mark.parametrize(
    ("name", "body", "error"),
    [
        ("a.txt", b"", "unknown format '.txt'"),
        ("a.binpb", b"", "it cannot be told whether this holds traces, logs or metrics; say --signal"),
        ("a.binpb", b"\xff\xff", "it cannot be told"),
        ("a.json", b"{", "a.json: this is not JSON"),
        ("a.jsonl", b"{}\n", "a.jsonl:1: holds no resourceSpans"),
        ("a.jsonl", json.dumps(JSON_SPANS).encode() + b"\n[\n", "a.jsonl:2: this is not JSON"),
        ("a.json.gz", b"no gzip", "cannot be read"),
        ("a.json", b'{"resourceSpans": 5}', "a.json: "),
    ],
)
def test_errors_name_the_file_and_the_line(tmp_path: Path, name: str, body: bytes, error: str) -> None:
    path = tmp_path / name
    path.write_bytes(body)
    with pytest.raises(InvalidDataError) as caught:
        list(read_capture(path))
    assert error in str(caught.value)
    assert name in str(caught.value)


def test_the_name_helps_where_the_content_says_nothing_and_an_option_decides(tmp_path: Path) -> None:
    path = tmp_path / "empty.logs.binpb"
    path.write_bytes(b"")
    assert list(read_capture(path)) == [(Signal.LOGS, b"")]
    assert list(read_capture(path, Signal.METRICS)) == [(Signal.METRICS, b"")]


def test_every_captured_payload_is_recognised() -> None:
    lines = (FIXTURES / "MANIFEST.tsv").read_text(encoding="utf-8").splitlines()
    header = lines[0].split("\t")
    rows = [dict(zip(header, line.split("\t"), strict=True)) for line in lines[1:]]
    files = [(FIXTURES / row["file"], row["signal"]) for row in rows]
    present = [(path, signal) for path, signal in files if path.suffix in {".binpb", ".json", ".jsonl"}]
    assert present
    for path, signal in present:
        assert {found.value for found, _ in read_capture(path)} == {signal}, path


def test_framed_requests_are_read_up_to_the_last_whole_one(tmp_path: Path) -> None:
    one = b'{"resourceSpans": []}'
    framed = struct.pack(">I", len(one)) + one
    path = tmp_path / "traces.jsonl"
    path.write_bytes(framed * 2 + framed[:10])
    assert [signal for signal, _ in read_capture(path)] == [Signal.TRACES] * 2
    path.write_bytes(framed + struct.pack(">I", 8) + b"\x28\xb5\x2f\xfdoops")
    with pytest.raises(InvalidDataError, match=r"traces\.jsonl: request 2: cannot be decompressed"):
        list(read_capture(path))


def test_lines_in_a_file_called_json_are_read_as_lines(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text('{"resourceSpans": []}\n{"resourceLogs": []}\n')
    assert [signal for signal, _ in read_capture(path)] == [Signal.TRACES, Signal.LOGS]
    path.write_text('{\n"resourceMetrics": []\n}\n')
    assert [signal for signal, _ in read_capture(path)] == [Signal.METRICS]
