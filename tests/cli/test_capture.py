"""Capture and replay: what an application sends comes out of the files again, masked unless all is asked for.

Proves files, masking and what is sent again, with real processes and servers on loopback. Does not prove the exporter
`file` itself: it has tests of its own.
"""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from collector.cli import client
from collector.cli.app import app
from tests.cli import stored_kit

PORTS = [
    part
    for key in ("grpc", "http")
    for part in ("--set", f"receivers.otlp.protocols.{key}.endpoint=localhost:0")
]  # fmt: skip


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


def captured(*arguments: str) -> dict[str, Any]:
    """Sends one request to a capturing process, and what that reports at its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "collector", "capture", "--out", "out", "--output", "json", *PORTS, *arguments],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        address = next(line.split()[3].rstrip(",") for line in process.stderr if line.startswith("receiving http"))
        body = json.dumps(stored_kit.request([stored_kit.span(1, 1, "mail", text="to jane@example.com")]))
        httpx.post(
            f"http://{address}/v1/traces", content=body, headers={"content-type": "application/json"}, trust_env=False
        ).raise_for_status()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
        return dict(json.loads(stdout))
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_captured_requests_are_masked_and_read_by_a_dry_run() -> None:
    (file,) = captured()["files"]
    assert Path(file["file"]).name == "traces.jsonl"
    assert "jane@example.com" not in Path("out/traces.jsonl").read_text()
    row = json.loads(call("dry-run", "out/traces.jsonl").stdout)
    assert (row["span_name"], "[EMAIL]" in row["attributes"]) == ("mail", True)
    assert [path.name for path in Path("out").iterdir()] == ["traces.jsonl"]
    assert Path("out").stat().st_mode & 0o777 == 0o700


def test_unmasked_requests_are_written_as_they_come() -> None:
    captured("--unmasked", "--format", "proto")
    assert b"jane@example.com" in Path("out/traces.binpb").read_bytes()
    assert json.loads(call("dry-run", "out/traces.binpb").stdout)["span_name"] == "mail"


class Backend(ThreadingHTTPServer):
    """Answers with the statuses it is given, then with 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = []
        self.seen: list[tuple[str, bytes, str | None]] = []
        self.reply = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Backend

    def do_POST(self) -> None:
        body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append((self.path, body, self.headers.get("authorization")))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("content-length", str(len(self.server.reply)))
        self.end_headers()
        self.wfile.write(self.server.reply)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def backend() -> Iterator[Backend]:
    server = Backend()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def lines(tmp_path: Path) -> str:
    """Two requests of a span each."""
    spans = [stored_kit.span(number, 1, "work") for number in (1, 2)]
    (tmp_path / "in.jsonl").write_text("".join(f"{json.dumps(stored_kit.request([span]))}\n" for span in spans))
    return "in.jsonl"


def test_replay_sends_each_request_and_waits_while_the_server_is_busy(
    backend: Backend, lines: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    backend.statuses = [503, 429]
    result = call("replay", lines, "--endpoint", backend.url, "--header", "Authorization=Bearer x", "--output", "json")
    assert json.loads(result.stdout)["requests"] == 2
    assert waited == [0.5, 1.0]
    assert [path for path, *_ in backend.seen] == ["/v1/traces"] * 4
    assert {said for *_, said in backend.seen} == {"Bearer x"}
    Path("again.binpb").write_bytes(backend.seen[-1][1])
    rows = [json.loads(line) for line in call("dry-run", "in.jsonl").stdout.splitlines()]
    again = json.loads(call("dry-run", "again.binpb").stdout)
    assert again["trace_id"] == rows[-1]["trace_id"]


def test_replay_names_the_request_that_is_refused(backend: Backend, lines: str) -> None:
    backend.statuses = [200, 400]
    result = call("replay", lines, "--endpoint", backend.url)
    assert result.exit_code == 1
    assert f"in.jsonl: request 2: {backend.url}/v1/traces answered 400; 1 of 2 requests were sent" in result.stderr


def test_replay_tells_of_items_that_were_rejected(backend: Backend, lines: str) -> None:
    backend.reply = b"\x0a\x02\x08\x01"  # partial_success {rejected_spans: 1}
    result = call("replay", lines, "--endpoint", backend.url)
    assert (result.exit_code, "2 items were rejected there" in result.stderr) == (1, True)


def test_replay_says_what_is_wrong_with_what_it_was_given(lines: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_WAITS", ())
    assert "gave no answer" in call("replay", lines, "--endpoint", "localhost:1").stderr
    assert "expected NAME=VALUE" in call("replay", lines, "--header", "x").stderr
    Path("empty.jsonl").write_text("")
    assert "no requests in it" in call("replay", "empty.jsonl").stderr
