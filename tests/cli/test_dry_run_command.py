"""``spanloom dry-run``: rows to stdout, and what is said where there are none.

Proves output, messages and exit codes. Does not prove the rows themselves: the golden cases do.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from collector.cli.app import app

FIXTURE = Path(__file__).parents[1] / "fixtures/otlp/js/anthropic-sdk-native/anthropic-stream-1.traces.binpb"
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPANLOOM_DATA_DIR", raising=False)


def call(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


def test_dry_run_prints_observations_and_touches_nothing_else(tmp_path: Path) -> None:
    result = call("dry-run", str(FIXTURE))
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert rows
    for row in rows:
        assert row["start_time"].endswith("Z")
        assert isinstance(row["attributes"], str)
        assert row["total_cost"] is None or isinstance(row["total_cost"], str)
    assert any(row["usage"] and all(isinstance(n, int) for n in row["usage"].values()) for row in rows)
    assert list(tmp_path.iterdir()) == []


def test_dry_run_prints_scores_when_asked_to() -> None:
    case = GOLDEN / "evaluations"
    files = [str(case / name) for name in ("in.otlp.json", "in.logs.otlp.json")]
    result = call("dry-run", "-c", str(case / "config.yaml"), "--table", "scores", *files)
    assert result.exit_code == 0, result.output
    names = [json.loads(line)["name"] for line in result.stdout.splitlines()]
    assert sorted(names) == sorted(
        json.loads(line)["name"] for line in (case / "scores.jsonl").read_text().splitlines()
    )
    assert call("dry-run", "--table", "sessions", *files).exit_code == 2


@pytest.mark.parametrize("arguments", [[], ["--explain"], ["--table", "scores"]])
def test_dry_run_of_nothing_says_so(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n", encoding="utf-8")
    (tmp_path / "bare.json").write_text('{"resourceSpans": []}', encoding="utf-8")
    result = call("dry-run", "empty.jsonl", "bare.json", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    expected = "nothing to run: empty.jsonl, bare.json: no spans, log records or metric points in it"
    assert result.stderr == f"error: {expected}\n"


def test_dry_run_that_keeps_nothing_says_why(tmp_path: Path) -> None:
    log = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]}
    (tmp_path / "logs.json").write_text(json.dumps(log), encoding="utf-8")
    result = call("dry-run", "logs.json")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "no observations came of 1 log records: only spans become observations\n"
    assert "no evaluation result among" in call("dry-run", "--table", "scores", str(FIXTURE)).stderr


def test_dry_run_names_a_file_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{", encoding="utf-8")
    result = call("dry-run", "x.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error: x.json: this is not JSON" in result.stderr
    assert call("dry-run", "missing.json").exit_code == 2
    (tmp_path / "traces.binpb").write_bytes(b"garbage")
    assert "error: traces.binpb: not a serialised" in call("dry-run", str(FIXTURE), "traces.binpb").stderr
