"""What one Spanloom forwards in another dialect is, in the next one's store, what it would have been without the first.

``tests/model/forward/test_forward.py`` proves the translation over batches; here two services run, and spans cross a
network.

Proves the same rows through two services for a few payloads. Does not prove every column of every payload, nor what a
vendor's own backend makes of them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.captures import send_fixtures
from tests.e2e.conftest import FixtureRun
from tests.e2e.running import FAST, OF_ITS_RUN, PORTS, Row, Spanloom, duckdb_rows, stored_rows
from tests.e2e.test_scores import NAMES, send
from tests.model.forward.test_forward import differences, excuse

FORWARD = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "localhost:0"}}, http: {{endpoint: "localhost:0"}}}}}}
processors: {{pii: {{}}, cost: {{}}, tail_sampling: {{policies: [{{name: all, type: always_sample}}]}}}}
exporters:
  {exporter}:
    endpoint: "{endpoint}"
    dialect: {dialect}
    {tls}
service:
  admin: {{endpoint: "localhost:0"}}
  pipelines:
    traces: {{receivers: [otlp], processors: [pii, cost, tail_sampling], exporters: [{exporter}]}}
    logs: {{receivers: [otlp], processors: [pii], exporters: [{exporter}]}}
    metrics: {{receivers: [otlp], processors: [pii], exporters: [{exporter}]}}
"""
EXPORTERS = {"semconv": "otlp_http", "openinference": "otlp_grpc", "langfuse": "otlp_http"}


def forwarder(folder: Path, dialect: str, backend: Spanloom) -> Spanloom:
    exporter, config = EXPORTERS[dialect], folder / "forward.yaml"
    endpoint, tls = (backend.http, "") if exporter == "otlp_http" else (backend.grpc, "tls: {insecure: true}")
    config.write_text(FORWARD.format(exporter=exporter, endpoint=endpoint, dialect=dialect, tls=tls))
    return Spanloom(folder / "forwarder", config=[config], sets=())


def by_ids(rows: list[Row]) -> dict[tuple[str, str], Row]:
    found = {(row["trace_id"], row["span_id"]): row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("dialect", EXPORTERS)
def test_rows_of_translated_spans_are_those_of_the_spans(fixture_run: FixtureRun, tmp_path: Path, dialect: str) -> None:
    with Spanloom(tmp_path / "backend", sets=PORTS) as backend:
        with forwarder(tmp_path, dialect, backend) as service:
            send_fixtures(service, "http", "binpb")
            assert service.terminate() == 0
        assert backend.terminate() == 0
    direct, forwarded = (by_ids(stored_rows(folder)) for folder in (fixture_run("http", "binpb"), tmp_path / "backend"))
    assert {row["dialect"] for row in forwarded.values()} == {"otel_genai" if dialect == "semconv" else dialect}
    # A cost that the first computed is one that was sent to the second.
    sources = {
        row["cost_source"]: again["cost_source"]
        for c, row, again in differences(direct, forwarded)
        if c == "cost_source"
    }
    assert sources == {"computed": "provided"}
    wrong = [
        f"{row['scope_name']} {row['name']}: {column} should be {row[column]!r}, is {again[column]!r}"
        for column, row, again in differences(direct, forwarded)
        if column not in {*OF_ITS_RUN, "cost_source"} and excuse(dialect, column, row, again) is None
    ]
    assert not wrong, "\n".join(wrong[:50])


def evaluations(service: Spanloom, backend: Spanloom, data_dir: Path) -> list[tuple[object, ...]]:
    """The scores in the store behind ``backend`` once ``service`` was sent some and both have stopped."""
    send(service, "logs", "in.logs.otlp.json")
    send(service, "traces", "in.otlp.json")
    assert service.terminate() == 0
    assert service is backend or backend.terminate() == 0
    columns = "id, name, trace_id, span_id, session_id, value, string_value, data_type, source, comment, metadata"
    return duckdb_rows(data_dir, f"select {columns} from scores order by name")


@pytest.fixture(scope="module")
def direct_scores(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    folder = tmp_path_factory.mktemp("direct")
    with Spanloom(folder, sets=(*PORTS, *FAST)) as service:
        return evaluations(service, service, folder)


@pytest.mark.parametrize("dialect", EXPORTERS)
def test_scores_come_through_a_translation(
    direct_scores: list[tuple[object, ...]], tmp_path: Path, dialect: str
) -> None:
    assert [row[1] for row in direct_scores] == NAMES
    data_dir = tmp_path / "backend"
    with Spanloom(data_dir, sets=(*PORTS, *FAST)) as backend, forwarder(tmp_path, dialect, backend) as service:
        assert evaluations(service, backend, data_dir) == direct_scores
