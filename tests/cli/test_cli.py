"""The command line: what each command prints, and how it ends.

Proves output, exit codes and files of every command, with real processes where a process is the point. Does not prove
what the commands compute: dry runs, prices and sampling have tests of their own.
"""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from collector.cli.app import app
from collector.config.load import DEFAULT_YAML
from collector.service import running as service_file

FIXTURE = Path(__file__).parents[1] / "fixtures/otlp/js/anthropic-sdk-native/anthropic-stream-1.traces.binpb"
GOLDEN = Path(__file__).parents[1] / "golden"
SPANLOOM = [sys.executable, "-m", "collector"]
FORWARD = """\
receivers: {otlp: {protocols: {http: {endpoint: "localhost:0"}}}}
processors: {pii: , batch: }
exporters: {otlp_http: {endpoint: "http://localhost:1", headers: {x: "${env:TOKEN}"}}}
service: {pipelines: {traces: {receivers: [otlp], processors: [pii, batch], exporters: [otlp_http]}}}
"""


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SPANLOOM_DATA_DIR", "TOKEN"):
        monkeypatch.delenv(name, raising=False)


def call(*arguments: str, environ: dict[str, str] | None = None) -> Any:
    return CliRunner().invoke(app, arguments, env=environ)


@pytest.fixture
def forward(tmp_path: Path) -> str:
    (tmp_path / "forward.yaml").write_text(FORWARD, encoding="utf-8")
    return "forward.yaml"


def test_version_and_help() -> None:
    assert call("--version").stdout.startswith("spanloom ")
    text = call("--help").stdout
    for command in ("run", "validate", "components", "schema", "print-config", "dry-run", "query"):
        assert f"\n  {command}" in text
    assert "│" not in text


@pytest.mark.parametrize(
    "arguments", [["validate", "--nope"], ["nope"], ["query"], ["dry-run"], ["query", "x", "--limit", "0"]]
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert call(*arguments).exit_code == 2


def test_validate_accepts_with_warnings_and_exits_0(forward: str) -> None:
    result = call("validate", "-c", forward, environ={"TOKEN": "t"})
    assert (result.exit_code, result.stdout) == (0, "forward.yaml: valid\n")
    assert result.stderr.startswith("warning: forward.yaml:2: processors.batch: requests are always coalesced here")


def test_validate_reports_every_error_and_exits_1(forward: str) -> None:
    result = call("validate", "-c", forward, "--set", "exporters.otlp_http.endpont=x", "--set", "service.workers=-1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        (
            "error: forward.yaml:3: exporters.otlp_http.headers.x: the environment variable TOKEN is not set; set it, "
            "or give a default: ${env:TOKEN:-value}"
        ),
        "error: --set: exporters.otlp_http.endpont: unknown key (did you mean 'endpoint'?)",
        "error: --set: service.workers: must be greater than or equal to 0, not -1",
    ]


def test_validate_as_json(forward: str) -> None:
    bad = call("validate", "-c", forward, "--output", "json")
    assert bad.exit_code == 1
    report = json.loads(bad.stdout)
    assert (report["valid"], len(report["errors"]), report["warnings"]) == (False, 1, [])
    good = json.loads(call("validate", "-c", forward, "--output", "json", environ={"TOKEN": "t"}).stdout)
    assert (good["valid"], good["errors"], len(good["warnings"])) == (True, [], 1)


def test_several_files_merge_and_a_missing_one_is_an_error(tmp_path: Path, forward: str) -> None:
    (tmp_path / "more.yaml").write_text("exporters: {otlp_http: {headers: {x: plain}}}", encoding="utf-8")
    assert call("validate", "-c", forward, "-c", "more.yaml").exit_code == 0
    result = call("validate", "-c", forward, "-c", "none.yaml")
    assert "none.yaml: cannot read the file none.yaml" in result.stderr


def test_validate_imports_no_heavy_library(forward: str) -> None:
    code = (
        "import sys; from collector.config.load import load; import pathlib\n"
        "config = '''\n"
        "receivers: {}\nservice: {pipelines: {traces: {receivers: [], exporters: []}}}\n'''\n"
        "import collector.cli.app\n"
        "try: load(['yaml:' + config], environ={}, data_dir=pathlib.Path('.'))\n"
        "except Exception: pass\n"
        "print(sorted({'duckdb', 'grpc', 'fastapi', 'uvicorn', 'httpx', 're2', 'genai_prices'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_components_in_every_format() -> None:
    plain = call("components").stdout.splitlines()
    assert plain[0].split() == ["kind", "type", "signals", "stability", "distribution", "also_called"]
    rows = json.loads(call("components", "--output", "json").stdout)
    assert {("exporter", "otlp_grpc"), ("receiver", "otlp"), ("processor", "pii")} <= {
        (row["kind"], row["type"]) for row in rows
    }
    assert [row["error"] for row in rows if row["error"]] == []
    table = list(csv.DictReader(io.StringIO(call("components", "--output", "csv").stdout)))
    assert len(table) == len(rows) == len(plain) - 1


def test_schema_is_json() -> None:
    assert json.loads(call("schema").stdout)["title"] == "Spanloom configuration"


def test_print_config_prints_the_default() -> None:
    yaml = YAML(typ="safe", pure=True)
    assert yaml.load(call("print-config").stdout) == yaml.load(DEFAULT_YAML)
    assert json.loads(call("print-config", "--output", "json").stdout) == yaml.load(DEFAULT_YAML)


def test_print_config_shows_no_secret(forward: str) -> None:
    sets = ["--set", "exporters.otlp_http.headers.y=hunter2", "--set", "processors.pii.hash_key=hunter2hunter2hunter2"]
    result = call("print-config", "-c", forward, *sets, environ={"TOKEN": "hunter2"})
    assert "hunter2" not in result.output
    printed = YAML(typ="safe", pure=True).load(result.stdout)
    assert printed["exporters"]["otlp_http"]["headers"] == {"x": "${env:TOKEN}", "y": "[REDACTED]"}
    assert printed["processors"]["pii"]["hash_key"] == "[REDACTED]"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "spanloom-data"
    folder.mkdir()
    with duckdb.connect(str(folder / "spanloom.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE observations AS SELECT range AS n, 'a[b]' AS name, 0.5::DECIMAL(18, 12) AS total_cost, "
            "TIMESTAMPTZ '2026-11-20 10:00:00+02' AS start_time, MAP {'input': 3} AS usage FROM range(5)"
        )
    return folder


def test_query_reads_the_file_when_no_service_runs(store: Path) -> None:
    sql = "SELECT n, name, total_cost, start_time, usage FROM observations ORDER BY n"
    result = call("query", sql, "--limit", "2", "--output", "json")
    assert json.loads(result.stdout) == [
        {
            "n": n,
            "name": "a[b]",
            "total_cost": "0.500000000000",
            "start_time": "2026-11-20T08:00:00.000000Z",
            "usage": {"input": 3},
        }
        for n in range(2)
    ]
    assert result.stderr == "warning: only the first 2 rows are shown: raise --limit for more\n"
    plain = call("query", "SELECT n, name FROM observations WHERE n < 2 ORDER BY n").stdout
    assert plain == "n  name\n0  a[b]\n1  a[b]\n"
    assert (
        call("query", "SELECT usage FROM observations LIMIT 1", "--output", "csv").stdout == 'usage\n"{""input"": 3}"\n'
    )


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM observations",
        "CREATE TABLE x (a INT)",
        "COPY (SELECT 1) TO 'x.csv'",
        "FROM read_csv('/etc/passwd')",
        "ATTACH 'other.duckdb'",
        "SET enable_external_access = true",
        "SELECT nothing",
        "SELEC",
    ],
)
def test_query_only_reads_and_only_the_store(store: Path, sql: str) -> None:
    before = {path.name for path in store.parent.rglob("*")}
    result = call("query", sql)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert {path.name for path in store.parent.rglob("*")} == before


def test_query_finds_the_file_of_a_configuration_without_its_secrets(store: Path, tmp_path: Path) -> None:
    text = "exporters: {duckdb/x: {path: spanloom-data/spanloom.duckdb}, otlp_http: {endpoint: '${env:NONE}'}}"
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    assert call("query", "SELECT count(*) AS n FROM observations", "-c", "c.yaml").stdout == "n\n5\n"


def test_query_without_a_store_says_what_to_do(forward: str) -> None:
    assert "start 'spanloom run' first" in call("query", "SELECT 1").stderr
    assert "no duckdb exporter" in call("query", "SELECT 1", "-c", forward).stderr
    assert "gave no answer" in call("query", "SELECT 1", "--endpoint", "localhost:1").stderr


def test_a_service_file_of_a_dead_process_does_not_count(store: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (store / "service.json").write_text(json.dumps({"endpoint": "localhost:1", "pid": ended.pid}), encoding="utf-8")
    assert service_file.read(store) is None
    assert call("query", "SELECT 1 AS one").stdout == "one\n1\n"


def test_a_service_file_whose_process_id_is_reused_does_not_count(store: Path) -> None:
    (store / "service.json").write_text(json.dumps({"endpoint": "localhost:1", "pid": os.getppid()}), encoding="utf-8")
    assert call("query", "SELECT 1 AS one").stdout == "one\n1\n"


def test_query_reads_what_a_killed_service_left_in_the_write_ahead_log(tmp_path: Path) -> None:
    folder = tmp_path / "spanloom-data"
    folder.mkdir()
    code = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); "
        "c.execute('CREATE TABLE observations AS SELECT 7 AS n'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder / "spanloom.duckdb")], check=False)
    assert (folder / "spanloom.duckdb.wal").exists()
    assert call("query", "FROM observations").stdout == "n\n7\n"


def test_the_service_file_is_private_and_removed_only_by_its_owner(tmp_path: Path) -> None:
    service_file.write(tmp_path / "data", "127.0.0.1:4330")
    path = tmp_path / "data" / "service.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert service_file.read(tmp_path / "data") == service_file.RunningService("127.0.0.1:4330", os.getpid())
    path.write_text(json.dumps({"endpoint": "127.0.0.1:4330", "pid": os.getppid()}), encoding="utf-8")
    service_file.remove(tmp_path / "data")
    assert path.exists()
    for broken in ("", "[]", '{"pid": "x"}'):
        path.write_text(broken, encoding="utf-8")
        assert service_file.read(tmp_path / "data") is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [("0.0.0.0:4330", "localhost:4330"), ("[::]:1", "localhost:1"), ("127.0.0.1:2", "127.0.0.1:2")],
)
def test_a_wildcard_address_is_reached_as_localhost(address: str, expected: str) -> None:
    assert service_file.reachable(address) == expected


_ENDPOINTS = (
    "receivers.otlp.protocols.grpc.endpoint",
    "receivers.otlp.protocols.http.endpoint",
    "service.admin.endpoint",
)
FREE_PORTS = [part for key in _ENDPOINTS for part in ("--set", f"{key}=localhost:0")]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*SPANLOOM, "run", *FREE_PORTS], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def wait_for_service(process: subprocess.Popen[str], folder: Path) -> service_file.RunningService:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"ended with {process.returncode}: {process.communicate()[1]}")
        if found := service_file.read(folder):
            return found
        time.sleep(0.02)
    pytest.fail("the service did not come up")


def test_run_says_where_it_listens_answers_queries_and_stops_cleanly(
    running: subprocess.Popen[str], tmp_path: Path
) -> None:
    service = wait_for_service(running, tmp_path / "spanloom-data")
    assert httpx.get(f"http://{service.endpoint}/readyz").json() == {"status": "ok"}
    assert call("query", "SELECT count(*) AS n FROM observations").stdout == "n\n0\n"
    endpoint = ["--endpoint", service.endpoint, "--output", "json"]
    assert json.loads(call("query", "SELECT 1 AS one", *endpoint).stdout) == [{"one": 1}]
    refused = call("query", "DROP TABLE observations", *endpoint)
    assert (refused.exit_code, refused.stderr.startswith("error: ")) == (1, True)
    running.send_signal(signal.SIGTERM)
    stdout, stderr = running.communicate(timeout=60)
    assert (running.returncode, stdout) == (0, "")
    (line,) = [record for record in map(json.loads, stderr.splitlines()) if record["event"] == "running"]
    assert line["endpoints"].keys() == {"otlp", "admin"}
    assert line["env"]["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    assert httpx.URL(line["env"]["OTEL_EXPORTER_OTLP_ENDPOINT"]).port == int(
        line["endpoints"]["otlp"]["http"].rpartition(":")[2]
    )
    assert not (tmp_path / "spanloom-data" / "service.json").exists()


def test_run_on_a_terminal_prints_lines_to_paste(tmp_path: Path) -> None:
    import pty

    master, slave = pty.openpty()
    environ = {**os.environ, "NO_COLOR": "1"}
    process = subprocess.Popen([*SPANLOOM, "run", *FREE_PORTS], stdout=slave, stderr=slave, text=True, env=environ)
    os.close(slave)
    try:
        wait_for_service(process, tmp_path / "spanloom-data")
        text = b""
        while b"GENAI_CAPTURE" not in text:
            text += os.read(master, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)
    lines = text.decode().replace("\r\n", "\n").splitlines()
    assert any(line.startswith("export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:") for line in lines)
    assert "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in lines
    assert any("data" in line and "spanloom-data" in line for line in lines)
    assert b"\x1b[" not in text


def test_run_refuses_a_wrong_configuration_and_a_taken_address(tmp_path: Path, forward: str) -> None:
    result = subprocess.run([*SPANLOOM, "run", "-c", forward], text=True, capture_output=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("error: forward.yaml:3: exporters.otlp_http.headers.x: the environment variable")
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [*SPANLOOM, "run", "-c", forward, "--set", f"service.admin.endpoint={address}"]
        environ = {**os.environ, "TOKEN": "t"}
        result = subprocess.run(command, text=True, capture_output=True, check=False, env=environ, timeout=60)
    assert result.returncode == 1
    assert f"error: cannot listen on {address}" in result.stderr
    assert "Traceback" not in result.stderr


def test_reprice_makes_no_store_where_there_is_none(tmp_path: Path) -> None:
    done = call("reprice", "--since", "7d", "--dry-run", "--data-dir", str(tmp_path / "no"))
    assert done.exit_code != 0
    assert "there is no folder" in done.output
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("model", ["text-embedding-3-small", "openai/text-embedding-3-small"])
def test_prices_of_a_model_that_tells_nobody_its_author_are_found(model: str) -> None:
    (row,) = json.loads(call("prices", "show", model, "--output", "json").stdout)
    assert (row["bucket"], row["usd_per_million"]) == ("input", "0.02")
    assert "/openai:text-embedding-3-small" in row["price_ref"]
    assert call("prices", "show", model, "--provider", "anthropic").exit_code == 1
