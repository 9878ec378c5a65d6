"""``spanloom pii report``: what would be found where, and never what it is.

Proves that the report names place, kind and number of what is found and shows no value. Does not prove that
everything personal is found: that is measured in ``processors/_pii``.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from collector.cli.app import app
from collector.model.codec.chosen import encode
from collector.testing.builders import logs, resource, spans
from tests.processors._pii.pii_kit import CARD, EMAIL, PASSWORD

NO_MASKER = """
receivers: {otlp: {protocols: {grpc: {}}}}
exporters: {debug: {}}
service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["pii", "report", *arguments])


def _capture() -> str:
    row = {
        "span_name": f"call {EMAIL}",
        "attributes": {
            "gen_ai.input.messages": json.dumps([{"role": "user", "content": f"{EMAIL} {CARD} {EMAIL}"}]),
            "password": PASSWORD,
            "user.id": EMAIL,
            f"key.{EMAIL}": 1,
            "ip": "203.0.113.7",
        },
        "events": [{"name": "e", "attributes": {"m": CARD}}],
        "resource": resource({"owner": EMAIL}),
    }
    Path("in.traces.binpb").write_bytes(encode(spans([row, {}])))
    return "in.traces.binpb"


EXPECTED = {
    ("email", "span_name", "span_name"): 1,
    ("email", "attributes", "gen_ai.input.messages"): 2,
    ("credit_card", "attributes", "gen_ai.input.messages"): 1,
    ("secret", "attributes", "password"): 1,
    ("email", "attributes", "user.id"): 1,
    ("email", "keys of attributes", ""): 1,
    ("credit_card", "events", "m"): 1,
    ("email", "resource", "owner"): 1,
}


def _found(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], int]:
    return {(row["entity"], row["carrier"], row["key"]): int(row["count"]) for row in rows}


def test_says_what_is_where_without_values() -> None:
    result = _run(_capture(), "--output", "json")
    assert result.exit_code == 0, result.output
    assert _found(json.loads(result.stdout)) == EXPECTED
    for value in (EMAIL, CARD, PASSWORD):
        assert value not in result.output


def test_prints_tables_and_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(_run(_capture(), "--output", "csv").stdout)))
    assert _found(rows) == EXPECTED
    assert [row["count"] for row in rows] == sorted((row["count"] for row in rows), reverse=True)
    table = _run(_capture())
    assert table.stdout.splitlines()[0].split() == ["processor", "signal", "entity", "carrier", "key", "count"]
    assert "9 values found" in table.stderr


def test_entities_that_are_off_can_be_asked_for() -> None:
    result = _run(_capture(), "--set", "processors.pii.entities.ip_address=redact", "--output", "json")
    assert _found(json.loads(result.stdout)) == {**EXPECTED, ("ip_address", "attributes", "ip"): 1}


def test_bodies_of_logs_are_reported() -> None:
    Path("in.logs.binpb").write_bytes(encode(logs([{"body": f"to {EMAIL}"}, {"body": {"a": [CARD]}}])))
    result = _run("in.logs.binpb", "--output", "json")
    assert _found(json.loads(result.stdout)) == {("email", "body", ""): 1, ("credit_card", "body", ""): 1}


def test_nothing_is_written(tmp_path: Path) -> None:
    _run(_capture())
    assert [path.name for path in tmp_path.iterdir()] == ["in.traces.binpb"]


def test_says_that_nothing_masks() -> None:
    Path("none.yaml").write_text(NO_MASKER, encoding="utf-8")
    result = _run(_capture(), "-c", "none.yaml")
    assert result.exit_code == 1
    assert "no pipeline for this data has a processor that masks (such as pii)" in result.stderr


def test_names_the_file_that_is_malformed() -> None:
    Path("bad.traces.binpb").write_bytes(b"\xff\xff" + EMAIL.encode())
    result = _run("bad.traces.binpb")
    assert result.exit_code == 1
    assert "bad.traces.binpb: " in result.stderr
    assert EMAIL not in result.output


def test_a_pseudonym_is_the_one_that_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    attributes = {"user.id": "jane@example.com", "session.id": "call-+49 30 901820-jane@example.com"}
    sent = {"traceId": "1" * 32, "spanId": "2" * 16, "name": "x", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    sent["attributes"] = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    (tmp_path / "in.json").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [sent]}]}]}))
    none = CliRunner().invoke(app, ["pii", "pseudonym", "jane@example.com"])
    assert (none.exit_code, none.stdout) == (1, "")
    assert "there is no key of pseudonyms in" in none.stderr
    assert not (tmp_path / "spanloom-data").exists()
    (tmp_path / "spanloom-data").mkdir()
    row = json.loads(CliRunner().invoke(app, ["dry-run", "in.json"]).stdout)
    user = CliRunner().invoke(app, ["pii", "pseudonym", "jane@example.com", "u-42"])
    assert user.stdout.splitlines() == [row["user_id"], "u-42"]
    session = CliRunner().invoke(app, ["pii", "pseudonym", "--session", attributes["session.id"], "--output", "json"])
    assert json.loads(session.stdout) == [{"value": attributes["session.id"], "stored": row["session_id"]}]
    assert row["session_id"].startswith("session-")
