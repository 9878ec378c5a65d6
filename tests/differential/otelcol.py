"""The real OpenTelemetry Collector: one run, one receiver, a pipeline per case, what each let through.

``bench/collector-builder.yaml`` says which components it has; ``.ci/install-tools`` builds it.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from collector.model.batch import Batch, LogBatch, MetricBatch, Signal, SpanBatch
from collector.model.codec.chosen import encode
from tests.deploy.tools import tool

_START_SECONDS = 30
_STOP_SECONDS = 30


Cases = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Name → a chain of processors: id → options. All cases see the same requests, one per batch."""
Items = dict[str, list[dict[str, Any]]]
"""Case → what came out of it as OTLP/JSON, each item with ``resource`` and ``scope``."""

_NAMES = {
    Signal.TRACES: ("resourceSpans", "scopeSpans", "spans"),
    Signal.LOGS: ("resourceLogs", "scopeLogs", "logRecords"),
    Signal.METRICS: ("resourceMetrics", "scopeMetrics", "metrics"),
}


def traces_through(cases: Cases, batches: Sequence[SpanBatch], folder: Path) -> Items:
    """The spans. The Collector is stopped before its output is read, which makes it decide what waits."""
    return _through(Signal.TRACES, cases, batches, folder)


def logs_through(cases: Cases, batches: Sequence[LogBatch], folder: Path) -> Items:
    """The log records."""
    return _through(Signal.LOGS, cases, batches, folder)


def metrics_through(cases: Cases, batches: Sequence[MetricBatch], folder: Path) -> Items:
    """The metrics, each with its points."""
    return _through(Signal.METRICS, cases, batches, folder)


def items(of: Signal, document: str) -> Iterator[dict[str, Any]]:
    """Those of one OTLP/JSON document."""
    of_resource, of_scope, of_item = _NAMES[of]
    for resource in json.loads(document).get(of_resource, ()):
        for scope in resource.get(of_scope, ()):
            for item in scope.get(of_item, ()):
                yield {**item, "resource": resource.get("resource", {}), "scope": scope.get("scope", {})}


def _through(of: Signal, cases: Cases, batches: Sequence[Batch], folder: Path) -> Items:
    binary = tool("otelcol")
    port = _free_port()
    config = folder / "otelcol.json"
    config.write_text(json.dumps(_configuration(of, cases, folder, port)))
    with (folder / "otelcol.log").open("w") as log:
        process = subprocess.Popen([binary, "--config", str(config)], stdout=log, stderr=subprocess.STDOUT)
        try:
            for batch in batches:
                _post(port, of, encode(batch), process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(_STOP_SECONDS) == 0, (folder / "otelcol.log").read_text()
        finally:
            process.kill()
            process.wait()
    lines = {case: (folder / f"{case}.jsonl").read_text().split("\n")[:-1] for case in cases}
    return {case: [item for line in lines[case] for item in items(of, line)] for case in cases}


def _configuration(of: Signal, cases: Cases, folder: Path, port: int) -> dict[str, Any]:
    """YAML reads JSON. Components of a case carry its name."""
    processors, exporters, pipelines = {}, {}, {}
    for case, chain in cases.items():
        names = []
        for position, (id_, options) in enumerate(chain.items()):
            names.append(f"{id_.partition('/')[0]}/{case}-{position}")
            processors[names[-1]] = options
        exporters[f"file/{case}"] = {"path": str(folder / f"{case}.jsonl")}
        pipelines[f"{of}/{case}"] = {"receivers": ["otlp"], "processors": names, "exporters": [f"file/{case}"]}
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "processors": processors,
        "exporters": exporters,
        "service": {
            "pipelines": pipelines,
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
        },
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _post(port: int, of: Signal, body: bytes, process: subprocess.Popen[bytes]) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/{of}", body, {"Content-Type": "application/x-protobuf"}
    )
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.status == 200
                return
        except urllib.error.URLError:
            assert process.poll() is None, "the Collector ended"
            assert time.monotonic() < deadline, "the Collector does not answer"
            time.sleep(0.05)
