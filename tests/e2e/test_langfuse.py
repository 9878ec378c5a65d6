"""One real Langfuse SDK of each major version, pointed here by its own environment variables alone.

Proves it for the SDK versions that are installed, against our own server. Does not prove that every function of those
SDKs works: media and prompts are declined.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.deploy.tools import ROOT
from tests.e2e.running import FAST, PORTS, Row, Spanloom, stored_rows

APPS = Path(__file__).parent / "apps"
TOOLS = ROOT / ".ci" / "tools"
SDKS = ("python-3", "python-4", "python-5", "js-5")


@dataclass(frozen=True)
class Run:
    """What an application said, and what is stored of it."""

    said: dict[str, Any]
    rows: dict[str, Row]
    """The observations of its trace, by name."""
    scores: dict[str, Row]


def command(sdk: str) -> tuple[list[str], Path]:
    """(command line, working folder) of the application; skips where the SDK is not installed."""
    if sdk == "python-5":
        return [sys.executable, str(APPS / "langfuse_sdk.py")], ROOT
    if sdk == "js-5":
        return ["node", str(APPS / "langfuse_sdk.mjs")], _there(TOOLS / "langfuse-js")
    return [str(_there(TOOLS / f"langfuse-{sdk[-1]}") / "bin" / "python"), str(APPS / "langfuse_sdk.py")], ROOT


def _there(folder: Path) -> Path:
    if not folder.exists():
        pytest.skip(f"{folder.name} is not installed; .ci/install-tools installs it")
    return folder


@contextmanager
def started(sdk: str, service: Spanloom) -> Iterator[subprocess.Popen[str] | None]:
    try:
        line, folder = command(sdk)
    except pytest.skip.Exception:
        yield None
        return
    environ = os.environ | {
        "LANGFUSE_HOST": service.http,
        "LANGFUSE_BASE_URL": service.http,
        "LANGFUSE_PUBLIC_KEY": "pk-lf-1",
        "LANGFUSE_SECRET_KEY": "sk-lf-1",
    }
    process = subprocess.Popen(line, cwd=folder, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Every SDK that is installed, one after the other against one service."""
    data_dir = tmp_path_factory.mktemp("langfuse")
    said: dict[str, dict[str, Any]] = {}
    with Spanloom(data_dir, sets=(*PORTS, *FAST)) as service:
        for sdk in SDKS:
            with started(sdk, service) as process:
                if process is not None:
                    out, errors = process.communicate(timeout=100)
                    assert process.returncode == 0, errors
                    said[sdk] = json.loads(out)
        assert service.terminate() == 0
    rows = stored_rows(data_dir)
    with duckdb.connect(str(data_dir / "spanloom.duckdb"), read_only=True) as store:
        scores = store.sql("from scores").to_arrow_table().to_pylist()
    return {
        sdk: Run(
            told,
            {row["name"]: row for row in rows if row["trace_id"] == told["trace"]},
            {row["name"]: row for row in scores if row["trace_id"] == told["trace"]},
        )
        for sdk, told in said.items()
    }


@pytest.fixture(params=SDKS)
def run(request: pytest.FixtureRequest, runs: dict[str, Run]) -> Run:
    command(request.param)
    return runs[request.param]


def test_the_client_takes_the_server_for_langfuse(run: Run) -> None:
    assert run.said["auth_check"] is True
    assert "prompt" not in run.said


def test_its_trace_is_stored_with_user_session_and_tags_on_every_span(run: Run) -> None:
    assert run.rows.keys() == {"ask", "answer"}
    for row in run.rows.values():
        assert (row["user_id"], row["session_id"], row["tags"]) == ("user-7", "session-42", ["beta"])
    assert run.rows["ask"]["type"] == "agent"


def test_its_generation_is_priced_and_masked(run: Run) -> None:
    answer = run.rows["answer"]
    assert (answer["type"], answer["model"], answer["span_id"]) == (
        "generation",
        "gpt-4o-mini",
        run.said["observation"],
    )
    assert (answer["input_tokens"], answer["cache_read_tokens"], answer["output_tokens"]) == (1000, 900, 20)
    assert answer["total_cost"] > 0
    assert "[EMAIL]" in answer["input"]
    assert "@@@langfuseMedia:type=image/png|id=" in answer["input"]


def test_its_scores_join_their_trace(run: Run) -> None:
    found = {name: (s["value"], s["string_value"], s["data_type"], s["span_id"]) for name, s in run.scores.items()}
    assert found == {
        "quality": (0.9, None, "NUMERIC", run.said["observation"]),
        "verdict": (None, "good", "CATEGORICAL", None),
        "passed": (1.0, None, "BOOLEAN", None),
    }
    assert run.scores["quality"]["comment"] == "from [EMAIL]"
    assert run.scores["passed"]["id"].startswith("passed-")
