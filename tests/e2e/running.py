"""The service as users run it: a subprocess, real ports, real files. And its data, read independently."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

import duckdb
from prometheus_client.parser import text_string_to_metric_families

Row = dict[str, Any]

PORTS = (
    "receivers.otlp.protocols.grpc.endpoint=localhost:0",
    "receivers.otlp.protocols.http.endpoint=localhost:0",
    "service.admin.endpoint=localhost:0",
)
FAST = (
    "processors.tail_sampling.decision_wait=1s",
    "processors.tail_sampling.decision_wait_after_root_received=200ms",
)
_START_SECONDS = 60
OF_ITS_RUN = ("ingested_at", "sampling_trigger")
"""When a span was taken, and whether its trace's wait ended or the service did."""


class Spanloom:
    """One run of ``spanloom run``; use it as a context manager."""

    def __init__(self, data_dir: Path, *, config: Iterable[Path] = (), sets: Iterable[str] = (*PORTS, *FAST)) -> None:
        self.data_dir = data_dir
        command = [
            sys.executable,
            "-c",
            "from collector.cli.app import main; main()",
            "run",
            "--data-dir",
            str(data_dir),
        ]
        for file in config:
            command += ["-c", str(file)]
        for override in sets:
            command += ["--set", override]
        env = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
        self.log: list[str] = []
        self.endpoints: dict[str, dict[str, str]] = {}
        self._running = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._running.wait(_START_SECONDS) or not self.endpoints:
            self.process.kill()
            raise AssertionError("did not start:\n" + "".join(self.log))

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line)
            if line.startswith("{") and '"running"' in line and (fields := json.loads(line)).get("endpoints"):
                self.endpoints = fields["endpoints"]
                self._running.set()
        self._running.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def http(self) -> str:
        return f"http://{self.endpoints['otlp']['http']}"

    @property
    def grpc(self) -> str:
        return self.endpoints["otlp"]["grpc"]

    @property
    def admin(self) -> str:
        return f"http://{self.endpoints['admin']['http']}"

    def post(self, path: str, body: bytes, content_type: str = "application/x-protobuf", **headers: str) -> bytes:
        """Raises ``urllib.error.URLError`` (or an OSError) when there was no 200."""
        request = urllib.request.Request(
            self.http + path, body, {"content-type": content_type, **headers}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.read()

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.admin + path, timeout=30) as reply:
            return reply.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the samples of a series that have these labels."""
        families = text_string_to_metric_families(self.get("/metrics"))
        samples = (sample for family in families for sample in family.samples)
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    def query(self, sql: str) -> list[list[Any]]:
        body = json.dumps({"sql": sql, "limit": 1000}).encode()
        request = urllib.request.Request(
            self.admin + "/api/v1/query", body, {"content-type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.loads(reply.read())["rows"]

    def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self) -> int:
        """kill -TERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Returns when the condition holds; fails when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def duckdb_rows(data_dir: Path, sql: str) -> list[tuple[Any, ...]]:
    """Reads the store of a stopped service as anybody would."""
    with duckdb.connect(str(data_dir / "spanloom.duckdb"), read_only=True) as db:
        return db.execute(sql).fetchall()


def parquet_rows(data_dir: Path, sql: str, table: str = "observations") -> list[tuple[Any, ...]]:
    """Reads the lake with no knowledge of how it was written; ``{t}`` in the SQL is the data set."""
    files = str(data_dir / "parquet" / table / "*" / "*.parquet")
    with duckdb.connect() as db:
        return db.execute(sql.format(t=f"read_parquet('{files}', hive_partitioning=true)")).fetchall()


def stored_rows(data_dir: Path, table: str = "observations") -> list[Row]:
    """The rows of a stopped service, read from DuckDB and from Parquet: both say the same, types included."""
    files = str(data_dir / "parquet" / table / "*" / "*.parquet")
    with duckdb.connect(str(data_dir / "spanloom.duckdb"), read_only=True) as db:
        in_duckdb = _described(db, f"from {table}")
    with duckdb.connect() as db:
        # The partition's date is not a column of the table.
        in_parquet = _described(db, f"from read_parquet('{files}', hive_partitioning=false)")
    assert in_duckdb[0] == in_parquet[0], "other columns or types"
    # As text, because NaN is not equal to itself.
    assert sorted(map(repr, in_duckdb[1])) == sorted(map(repr, in_parquet[1])), "other rows"
    return in_duckdb[1]


def _described(db: duckdb.DuckDBPyConnection, source: str) -> tuple[dict[str, str], list[Row]]:
    columns = {name: kind for name, kind, *_ in db.execute(f"describe select * {source}").fetchall()}
    return columns, [dict(zip(columns, row, strict=True)) for row in db.execute(f"select * {source}").fetchall()]


def by_trace(rows: Iterable[Row]) -> dict[str, list[Row]]:
    out: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        out[row["trace_id"]].append(row)
    return dict(out)


def assert_same_rows(rows: list[Row], expected: list[Row]) -> None:
    """The same spans, each with the same columns but for what is each run's own."""
    found, wanted = ({(row["trace_id"], row["span_id"]): row for row in some} for some in (rows, expected))
    assert len(found) == len(rows)
    assert found.keys() == wanted.keys()
    wrong = [
        f"{row['scope_name']} {row['name']}: {column} should be {value!r}, is {found[key][column]!r}"
        for key, row in wanted.items()
        for column, value in row.items()
        if column not in OF_ITS_RUN and found[key][column] != value
    ]
    assert not wrong, "\n".join(wrong[:50])
