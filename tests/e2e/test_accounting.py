"""Seen from outside, every item is accounted for: accepted = delivered + counted drops, exporter by exporter.

Proves by the service's own metrics that no item is unaccounted for, with a backend that refuses some. Does not prove
the counts through a crash: counters begin anew with each process.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.e2e.captures import grpc_sender
from tests.e2e.running import FAST, PORTS, Spanloom, duckdb_rows, parquet_rows, wait_until

CONFIG = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "localhost:0"}}, http: {{endpoint: "localhost:0"}}}}}}
processors:
  pii: {{}}
  cost: {{}}
  tail_sampling:
    policies: [{{name: failed, type: status_code, status_code: {{status_codes: [ERROR]}}}}]
exporters:
  duckdb: {{}}
  parquet: {{flush_interval: 200ms}}
  otlp_http/picky: {{endpoint: "{endpoint}", compression: none, max_request_bytes: 2048}}
service:
  admin: {{endpoint: "localhost:0"}}
  pipelines:
    traces:
      receivers: [otlp]
      processors: [pii, cost, tail_sampling]
      exporters: [duckdb, parquet, otlp_http/picky]
    logs: {{receivers: [otlp], processors: [pii], exporters: [duckdb, parquet]}}
    metrics: {{receivers: [otlp], processors: [pii], exporters: [duckdb, parquet]}}
"""
TRACES, REQUESTS = 3, 15
"""Traces of a request, each of three spans; its first trace failed, and one span more has no valid id."""
RESENT = 5
EXPORTERS = ("duckdb", "parquet", "otlp_http/picky")


class Picky:
    """A backend that takes two thirds: it refuses every third request, and one span of every other."""

    def __init__(self) -> None:
        self.requests = self.taken = 0

    def answer(self, body: bytes) -> tuple[int, bytes]:
        self.requests += 1
        request = ExportTraceServiceRequest.FromString(body)
        spans = sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
        if self.requests % 3 == 0:
            return 400, b""
        rejected = self.requests % 2
        self.taken += spans - rejected
        response = ExportTraceServiceResponse()
        if rejected:
            response.partial_success.rejected_spans = 1
            response.partial_success.error_message = "not that one"
        return 200, response.SerializeToString()


@contextmanager
def serving(backend: Picky) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, body = backend.answer(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def traces(number: int) -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for trace in range(TRACES):
        trace_id = (number * TRACES + trace + 1).to_bytes(16, "big")
        for span in range(1, 4):
            added = scope.spans.add(trace_id=trace_id, span_id=span.to_bytes(8, "big"), name="step")
            added.start_time_unix_nano, added.end_time_unix_nano = 1_790_000_000 * 10**9, 1_790_000_001 * 10**9
            if span > 1:
                added.parent_span_id = (1).to_bytes(8, "big")
            elif trace == 0:
                added.status.code = 2  # ERROR
    scope.spans.add(trace_id=bytes(16), span_id=b"12345678", name="without an id")
    return request.SerializeToString()


def logs(number: int) -> bytes:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=number + 1).body.string_value = "line"
    return request.SerializeToString()


def metrics(number: int) -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    for value in range(2):
        metric.gauge.data_points.add(time_unix_nano=number + 1, as_int=value)
    return request.SerializeToString()


def test_accepted_is_delivered_plus_counted_drops_for_every_exporter(tmp_path: Path) -> None:
    backend = Picky()
    config = tmp_path / "config.yaml"
    with serving(backend) as endpoint:
        config.write_text(CONFIG.format(endpoint=endpoint))
        sampling = [override for override in FAST if "tail_sampling" in override]
        with Spanloom(tmp_path / "data", config=[config], sets=(*PORTS, *sampling)) as service:
            _send(service)
            for exporter in EXPORTERS:
                wait_until(lambda exporter=exporter: _accepted(service, "spans") == _accounted(service, exporter))
            for items in ("log_records", "metric_points"):
                for exporter in EXPORTERS[:2]:
                    wait_until(
                        lambda e=exporter, i=items: (
                            _accepted(service, i) == _sent(service, i, e) + _given_up(service, i, e)
                        )
                    )
            _check_counts(service, backend)
            assert service.terminate() == 0
    kept = REQUESTS * 3
    assert duckdb_rows(tmp_path / "data", "select count(*) from observations") == [(kept,)]
    assert parquet_rows(tmp_path / "data", "select count(*) from {t}") == [(kept,)]


def _send(service: Spanloom) -> None:
    with grpc_sender(service.grpc) as over_grpc:
        for number in range(REQUESTS):
            answer = ExportTraceServiceResponse.FromString(service.post("/v1/traces", traces(number)))
            assert answer.partial_success.rejected_spans == 1
            service.post("/v1/logs", logs(number))
            over_grpc("metrics", metrics(number))
    # Once more, as a client does that got no answer, with some of the traces decided and some not.
    for number in range(RESENT):
        service.post("/v1/traces", traces(number))


def _check_counts(service: Spanloom, backend: Picky) -> None:
    """The counters are the truth about what was sent here, and about what others saw."""
    spans = (REQUESTS + RESENT) * TRACES * 3
    assert _accepted(service, "spans") == spans
    assert service.metric("otelcol_receiver_refused_spans_total", reason="invalid") == REQUESTS + RESENT
    assert _accepted(service, "log_records") == REQUESTS
    assert _accepted(service, "metric_points") == 2 * REQUESTS
    kept = REQUESTS * 3
    for exporter in EXPORTERS[:2]:
        assert _sent(service, "spans", exporter) == kept
    dropped = {
        reason: service.metric("spanloom_processor_dropped_items_total", otel_signal="traces", reason=reason)
        for reason in ("not_sampled", "resent")
    }
    assert dropped["not_sampled"] + dropped["resent"] == spans - kept
    assert dropped["resent"] >= RESENT * 3
    assert _sent(service, "spans", "otlp_http/picky") == backend.taken
    assert backend.taken + _given_up(service, "spans", "otlp_http/picky") == kept
    assert 0 < backend.taken < kept


def _accepted(service: Spanloom, items: str) -> float:
    return service.metric(f"otelcol_receiver_accepted_{items}_total")


def _sent(service: Spanloom, items: str, exporter: str) -> float:
    return service.metric(f"otelcol_exporter_sent_{items}_total", exporter=exporter)


def _given_up(service: Spanloom, items: str, exporter: str) -> float:
    return service.metric(f"spanloom_exporter_dropped_{items}_total", exporter=exporter)


def _accounted(service: Spanloom, exporter: str) -> float:
    """Delivered, given up, sampled out and resent spans."""
    dropped = service.metric("spanloom_processor_dropped_items_total", otel_signal="traces")
    return _sent(service, "spans", exporter) + _given_up(service, "spans", exporter) + dropped
