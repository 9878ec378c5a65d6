"""Spanloom beside the OpenTelemetry Collector: the same load, the same machine, one after the other.

Two scenarios that both can do: *forward* (OTLP in, durable queue with fsync, OTLP out to a sink) and
*store* (mask, sample, write files). The server gets one core, generator and sink the other, where
there are two. Machines differ and are noisy: read the ratios of one run, not the numbers.

    python bench/compare.py --otelcol PATH --seconds 10 > table.md

.ci/install-tools builds the Collector into .ci/tools/otelcol. Without ``--otelcol`` only Spanloom runs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from load import SHAPES, Result, drive

SPANLOOM = {
    "forward": """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters: {{otlp_http: {{endpoint: "http://127.0.0.1:{sink}", compression: none}}}}
service:
  admin: {{endpoint: "127.0.0.1:0"}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_http]}}}}
""",
    "store": """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
processors:
  pii: {{}}
  cost: {{}}
  tail_sampling: {{decision_wait: 2s, policies: [{{name: all, type: always_sample}}]}}
exporters: {{parquet: {{}}}}
service:
  admin: {{endpoint: "127.0.0.1:0"}}
  pipelines: {{traces: {{receivers: [otlp], processors: [pii, cost, tail_sampling], exporters: [parquet]}}}}
""",
}
COLLECTOR = {
    "forward": """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}", max_request_body_size: 67108864}}}}}}}}
extensions: {{file_storage: {{directory: "{folder}", fsync: true, create_directory: true}}}}
exporters:
  otlphttp:
    endpoint: "http://127.0.0.1:{sink}"
    compression: none
    sending_queue: {{storage: file_storage, queue_size: 100000, block_on_overflow: true}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlphttp]}}}}
""",
    "store": """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}", max_request_body_size: 67108864}}}}}}}}
processors:
  redaction:
    allow_all_keys: true
    blocked_values:
      - '[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{{2,}}'
      - '\\b(?:\\d[ -]?){{13,19}}\\b'
      - '\\b[A-Z]{{2}}\\d{{2}}[A-Z0-9]{{11,30}}\\b'
      - '\\b\\d{{3}}-\\d{{2}}-\\d{{4}}\\b'
      - 'sk-[A-Za-z0-9_-]{{20,}}'
      - 'AKIA[0-9A-Z]{{16}}'
      - 'gh[pousr]_[A-Za-z0-9]{{36}}'
      - 'eyJ[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+'
  tail_sampling: {{decision_wait: 2s, num_traces: 1000000, policies: [{{name: all, type: always_sample}}]}}
exporters: {{file: {{path: "{folder}/out.json", compression: zstd}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [redaction, tail_sampling], exporters: [file]}}}}
""",
}


_SPANLOOM = "from collector.cli.app import main; main()"


@dataclass(frozen=True)
class Measurement:
    who: str
    scenario: str
    result: Result


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def sink(port: int) -> asyncio.Server:
    """Answers every OTLP/HTTP request with success and forgets it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                start = head.index(b"content-length:") + 15
                await reader.readexactly(int(head[start : head.index(b"\r\n", start)]))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", port, limit=1 << 20)


@contextlib.contextmanager
def server(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server on the first core, once it listens."""
    if shutil.which("taskset") and (os.cpu_count() or 1) > 1:
        command = ["taskset", "-c", "0", *command]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
            return
        time.sleep(0.1)
    raise SystemExit(f"{process.args!r} does not listen")


def run(who: str, scenario: str, shape: str, options: argparse.Namespace) -> Measurement:
    """One server, one load."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=options.work))
    port, sink_port = free_port(), free_port()
    text = (SPANLOOM if who == "spanloom" else COLLECTOR)[scenario]
    config = folder / "config.yaml"
    config.write_text(text.format(port=port, sink=sink_port, folder=folder))
    command = (
        [
            sys.executable,
            "-c",
            "from collector.cli.app import main; main()",
            "run",
            "-c",
            str(config),
            "--data-dir",
            str(folder),
        ]
        if who == "spanloom"
        else [options.otelcol, "--config", str(config)]
    )

    async def measured(pid: int) -> Result:
        async with await sink(sink_port):
            await drive(f"http://127.0.0.1:{port}", "/v1/traces", shape, options.clients, 2, None)
            return await drive(f"http://127.0.0.1:{port}", "/v1/traces", shape, options.clients, options.seconds, pid)

    try:
        with server(command, port) as process:
            return Measurement(who, scenario, asyncio.run(measured(process.pid)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--otelcol", help="binary of the Collector (contrib components)")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--shapes", default="mix,small,one,big")
    parser.add_argument("--scenarios", default="forward,store")
    parser.add_argument("--work", help="folder for data; default: the system's")
    options = parser.parse_args()
    if shutil.which("taskset") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    print(
        "| scenario | shape | who | spans/s | MB/s | spans per CPU s | MB per CPU s "
        "| ack p50 ms | p99 ms | RSS MiB | failed |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for scenario in options.scenarios.split(","):
        for shape in options.shapes.split(","):
            if shape not in SHAPES:
                raise SystemExit(f"no shape {shape!r}: {', '.join(SHAPES)}")
            for who in ("spanloom", *(["collector"] if options.otelcol else [])):
                r = run(who, scenario, shape, options).result
                print(
                    f"| {scenario} | {shape} | {who} | {r.spans_per_second:,} | {r.mb_per_second} "
                    f"| {r.spans_per_cpu_second:,} | {r.mb_per_cpu_second} | {r.ack_p50_ms} | {r.ack_p99_ms} "
                    f"| {r.rss_peak_mib} | {r.failed_requests} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
