"""Scores through the service: each once in both stores, whatever is killed and sent again.

Proves it for scores of each carrier, through kills and a second service. Does not prove the reading of each form:
``model/scores`` does.
"""

from __future__ import annotations

from pathlib import Path

from tests.e2e.running import Spanloom, duckdb_rows, parquet_rows

CASE = Path(__file__).parents[1] / "golden" / "evaluations"
NAMES = ["faithful", "hallucination", "helpful", "rating", "relevance", "resolved", "tone"]
NEWEST = "select {columns} from {{t}} qualify row_number() over (partition by id order by updated_at desc) = 1"


def send(service: Spanloom, signal: str, file: str) -> None:
    service.post(f"/v1/{signal}", (CASE / file).read_bytes(), "application/json")


def test_scores_are_stored_once_through_kill_9_and_a_resend(tmp_path):
    with Spanloom(tmp_path) as service:
        send(service, "logs", "in.logs.otlp.json")
        send(service, "traces", "in.otlp.json")
        service.kill()
    with Spanloom(tmp_path) as service:
        send(service, "traces", "in.otlp.json")
        send(service, "logs", "in.logs.otlp.json")
        assert service.terminate() == 0
    columns = "name, trace_id, session_id, value, string_value, data_type, source, comment"
    stored = duckdb_rows(tmp_path, f"select {columns} from scores order by name")
    assert [row[0] for row in stored] == NAMES
    assert sorted(parquet_rows(tmp_path, NEWEST.format(columns=columns), "scores"), key=str) == sorted(stored, key=str)
    assert {row[-1] for row in stored if row[0] == "helpful"} == {"Answers [EMAIL]"}
    spans = duckdb_rows(tmp_path, "select distinct span_id from scores where trace_id is not null")
    assert spans == [(f"{1:016x}",)]
    assert duckdb_rows(tmp_path, "select count(*) from scores where created_at < updated_at") == [(len(NAMES) - 3,)]


def test_a_second_spanloom_stores_the_same_scores(tmp_path):
    with Spanloom(tmp_path / "second") as second:
        forward = tmp_path / "forward.yaml"
        forward.write_text(
            f"""
receivers: {{otlp: {{protocols: {{http: {{endpoint: "localhost:0"}}}}}}}}
processors: {{pii: {{}}}}
exporters:
  duckdb: {{}}
  otlp_http: {{endpoint: "{second.http}"}}
service:
  admin: {{endpoint: "localhost:0"}}
  pipelines:
    traces: {{receivers: [otlp], processors: [pii], exporters: [duckdb, otlp_http]}}
    logs: {{receivers: [otlp], processors: [pii], exporters: [duckdb, otlp_http]}}
"""
        )
        with Spanloom(tmp_path / "first", config=[forward], sets=()) as first:
            send(first, "logs", "in.logs.otlp.json")
            send(first, "traces", "in.otlp.json")
            assert first.terminate() == 0
        assert second.terminate() == 0
    columns = "id, name, trace_id, span_id, session_id, value, string_value, data_type, source, comment, metadata"
    first_rows, second_rows = (
        duckdb_rows(tmp_path / name, f"select {columns} from scores order by name") for name in ("first", "second")
    )
    assert [row[1] for row in first_rows] == NAMES
    assert second_rows == first_rows
