"""The routing connector in the service: headers over HTTP and gRPC, traces in pieces, a kill in between.

Proves that whole traces arrive in their tenant's store, and nowhere else, also through a kill. Does not prove routing
under overload.
"""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from collector.model.codec.chosen import encode
from collector.testing import builders
from tests.e2e.running import PORTS, Spanloom, parquet_rows, wait_until

CONFIG = """\
receivers: {{otlp: {{protocols: {{grpc: , http: }}}}}}
processors: {{pii: , groupbytrace: {{wait_duration: 2s}}}}
connectors:
  routing:
    default_pipelines: [traces/rest, logs/rest]
    table:
      - {{context: request, condition: 'request["X-Tenant"] == "acme"', pipelines: [traces/acme, logs/acme]}}
      - {{key: service.name, values: [shop], pipelines: [traces/acme, logs/acme]}}
exporters:
  parquet/acme: {{path: {folder}/acme/parquet, flush_interval: 0s}}
  parquet/rest: {{path: {folder}/rest/parquet, flush_interval: 0s}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [pii, groupbytrace], exporters: [routing]}}
    traces/acme: {{receivers: [routing], exporters: [parquet/acme]}}
    traces/rest: {{receivers: [routing], exporters: [parquet/rest]}}
    logs: {{receivers: [otlp], processors: [pii], exporters: [routing]}}
    logs/acme: {{receivers: [routing], exporters: [parquet/acme]}}
    logs/rest: {{receivers: [routing], exporters: [parquet/rest]}}
"""
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def span(trace: int, name: str, service: str = "web") -> bytes:
    id_ = trace * 100 + len(name)
    row = {"trace_id": trace, "span_id": id_, "span_name": name, "resource": {"service.name": service}}
    return encode(builders.spans([row]))


def over_grpc(address: str, body: bytes, **metadata: str) -> None:
    with grpc.insecure_channel(address) as channel:
        channel.unary_unary(EXPORT)(body, metadata=tuple(metadata.items()), timeout=30)


def stored(folder: Path, table: str, column: str) -> list[str]:
    return [name for (name,) in parquet_rows(folder, f"select {column} from {{t}} order by 1", table)]


@pytest.mark.parametrize("killed", [False, True])
def test_whole_traces_and_log_records_go_to_their_tenants(killed: bool, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(CONFIG.format(folder=tmp_path))
    sets = [one for one in PORTS if "receivers" in one or "admin" in one]
    with Spanloom(tmp_path / "data", config=[file], sets=sets) as service:
        # The first pieces say nothing of a tenant; the second ones do, over both transports.
        for trace in (1, 2, 3, 4):
            service.post("/v1/traces", span(trace, "root"))
        service.post("/v1/traces", span(1, "by http"), **{"x-tenant": "acme"})
        over_grpc(service.grpc, span(2, "by grpc"), **{"x-tenant": "acme"})
        service.post("/v1/traces", span(3, "by resource", "shop"))
        service.post("/v1/traces", span(4, "another one's"), **{"x-tenant": "acme2"})
        log = encode(builders.logs([{"body": "a log", "resource": {"service.name": "web"}}]))
        service.post("/v1/logs", log, **{"x-tenant": "acme"})
        service.post("/v1/logs", log)
        if killed:
            service.kill()
        else:
            assert service.terminate() == 0
    if killed:
        with Spanloom(tmp_path / "data", config=[file], sets=sets) as service:
            wait_until(lambda: service.metric("otelcol_exporter_sent_spans_total") == 8)
            assert service.terminate() == 0
    spans = {name: stored(tmp_path / name, "observations", "name") for name in ("acme", "rest")}
    assert spans["acme"] == sorted(["root"] * 3 + ["by http", "by grpc", "by resource"])
    assert spans["rest"] == ["another one's", "root"]
    assert [len(stored(tmp_path / name, "logs", "trace_id")) for name in ("acme", "rest")] == [1, 1]
