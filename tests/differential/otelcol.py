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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from collector.model.batch import SpanBatch
from collector.model.codec import encode
from tests.deploy.tools import tool

_START_SECONDS = 30
_STOP_SECONDS = 30


def traces_through(
    cases: Mapping[str, Mapping[str, Mapping[str, Any]]], batches: Sequence[SpanBatch], folder: Path
) -> dict[str, list[dict[str, Any]]]:
    """Case → the OTLP/JSON spans that came out of it, each with ``resource`` and ``scope``.

    A case is a chain of processors: id → options. All cases see the same requests, one per batch. The
    Collector is stopped before its output is read, which makes it decide what waits.
    """
    binary = tool("otelcol")
    port = _free_port()
    config = folder / "otelcol.json"
    config.write_text(json.dumps(_configuration(cases, folder, port)))
    with (folder / "otelcol.log").open("w") as log:
        process = subprocess.Popen([binary, "--config", str(config)], stdout=log, stderr=subprocess.STDOUT)
        try:
            for batch in batches:
                _post(port, encode(batch), process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(_STOP_SECONDS) == 0, (folder / "otelcol.log").read_text()
        finally:
            process.kill()
            process.wait()
    return {case: list(_spans(folder / f"{case}.jsonl")) for case in cases}


def _configuration(cases: Mapping[str, Mapping[str, Any]], folder: Path, port: int) -> dict[str, Any]:
    """YAML reads JSON. Components of a case carry its name."""
    processors, exporters, pipelines = {}, {}, {}
    for case, chain in cases.items():
        names = []
        for position, (id_, options) in enumerate(chain.items()):
            names.append(f"{id_.partition('/')[0]}/{case}-{position}")
            processors[names[-1]] = options
        exporters[f"file/{case}"] = {"path": str(folder / f"{case}.jsonl")}
        pipelines[f"traces/{case}"] = {"receivers": ["otlp"], "processors": names, "exporters": [f"file/{case}"]}
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


def _post(port: int, body: bytes, process: subprocess.Popen[bytes]) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/traces", body, {"Content-Type": "application/x-protobuf"}
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


def _spans(file: Path) -> Any:
    for line in file.read_text().splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            for scope in resource.get("scopeSpans", ()):
                for span in scope.get("spans", ()):
                    yield {**span, "resource": resource.get("resource", {}), "scope": scope.get("scope", {})}
