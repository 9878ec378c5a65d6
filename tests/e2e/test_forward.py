"""What one Spanloom forwards is, in the next one's store, what it would have been without the first.

Proves equality of rows through two services, an outage and a kill. Does not prove it for backends that are not
Spanloom.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.captures import send_fixtures
from tests.e2e.conftest import FixtureRun
from tests.e2e.load import Clients, Sent
from tests.e2e.running import FAST, PORTS, Spanloom, assert_same_rows, stored_rows, wait_until
from tests.e2e.test_kill import check_exactly_once

FORWARD = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "localhost:0"}}, http: {{endpoint: "localhost:0"}}}}}}
processors: {{pii: {{}}, cost: {{}}}}
exporters:
  {exporter}:
    endpoint: "{endpoint}"
    retry_on_failure: {{initial_interval: 50ms, max_interval: 500ms}}
    {tls}
service:
  admin: {{endpoint: "localhost:0"}}
  pipelines:
    traces: {{receivers: [otlp], processors: [pii, cost], exporters: [{exporter}]}}
    logs: {{receivers: [otlp], processors: [pii], exporters: [{exporter}]}}
    metrics: {{receivers: [otlp], processors: [pii], exporters: [{exporter}]}}
"""
EXPORTERS = ("otlp_http", "otlp_grpc")


def forwarder(folder: Path, exporter: str, backend: Spanloom) -> Spanloom:
    config = folder / "forward.yaml"
    endpoint, tls = (backend.http, "") if exporter == "otlp_http" else (backend.grpc, "tls: {insecure: true}")
    config.write_text(FORWARD.format(exporter=exporter, endpoint=endpoint, tls=tls))
    return Spanloom(folder / "forwarder", config=[config], sets=())


def same_ports(service: Spanloom) -> tuple[str, ...]:
    """The settings that start a service where one was before."""
    return (
        f"receivers.otlp.protocols.grpc.endpoint={service.grpc}",
        f"receivers.otlp.protocols.http.endpoint={service.endpoints['otlp']['http']}",
        "service.admin.endpoint=localhost:0",
    )


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_a_forwarded_copy_equals_what_is_sent_directly(fixture_run: FixtureRun, tmp_path: Path, exporter: str) -> None:
    with Spanloom(tmp_path / "backend", sets=PORTS) as backend:
        with forwarder(tmp_path, exporter, backend) as service:
            send_fixtures(service, "http", "binpb")
            assert service.terminate() == 0
        assert backend.terminate() == 0
    direct = fixture_run("http", "binpb")
    assert_same_rows(stored_rows(tmp_path / "backend"), stored_rows(direct))
    for table in ("logs", "metrics"):
        forwarded, expected = (
            [{k: v for k, v in row.items() if k != "ingested_at"} for row in stored_rows(folder, table)]
            for folder in (tmp_path / "backend", direct)
        )
        assert sorted(map(repr, forwarded)) == sorted(map(repr, expected))


@pytest.mark.parametrize(
    ("exporter", "stop"),
    [("otlp_http", Spanloom.terminate), ("otlp_grpc", Spanloom.kill)],
    ids=["http-sigterm", "grpc-kill-9"],
)
def test_a_backend_that_goes_and_comes_back_misses_nothing_and_has_nothing_twice(
    tmp_path: Path, exporter: str, stop: Callable[[Spanloom], object]
) -> None:
    sent, data_dir = Sent(), tmp_path / "backend"
    backend = Spanloom(data_dir, sets=(*PORTS, *FAST))
    with forwarder(tmp_path, exporter, backend) as service:
        clients = Clients(sent, lambda: service.endpoints["otlp"]["http"], threads=1)
        wait_until(lambda: service.metric("otelcol_exporter_sent_spans_total") > 0)
        with backend:
            stop(backend)
        # Requests are acknowledged with nobody behind: the journal is the queue.
        taken = len(sent.acknowledged)
        wait_until(lambda: len(sent.acknowledged) > taken + 20)
        backend = Spanloom(data_dir, sets=(*same_ports(backend), *FAST))
        clients.finish()
        with backend:
            assert service.terminate() == 0
            assert backend.terminate() == 0
    check_exactly_once(data_dir, sent)


def test_a_forwarder_killed_under_load_delivers_all_it_acknowledged(tmp_path: Path) -> None:
    sent, data_dir = Sent(), tmp_path / "backend"
    address: list[str | None] = [None]
    with Spanloom(data_dir, sets=(*PORTS, *FAST)) as backend:
        clients = Clients(sent, lambda: address[0], threads=2)
        for _ in range(3):
            with forwarder(tmp_path, "otlp_http", backend) as service:
                address[0] = service.endpoints["otlp"]["http"]
                wait_until(lambda: service.metric("otelcol_exporter_sent_spans_total") > 0)
                service.kill()
                address[0] = None
        with forwarder(tmp_path, "otlp_http", backend) as service:
            address[0] = service.endpoints["otlp"]["http"]
            clients.finish()
            assert service.terminate() == 0
        assert backend.terminate() == 0
    check_exactly_once(data_dir, sent)
