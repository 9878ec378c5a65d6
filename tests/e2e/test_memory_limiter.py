"""A limit below what the service needs: large requests are taken one at a time, the others later, and all once.

Proves refusals under a small limit, and that nothing is lost or doubled. Does not prove the size of the process:
memory that libraries take is not in the budget.
"""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError

import grpc
import pytest

from collector.model.codec.chosen import encode
from collector.testing.builders import spans
from tests.e2e.captures import grpc_sender
from tests.e2e.running import PORTS, Spanloom, duckdb_rows, wait_until

CONFIG = """
receivers: {otlp: {protocols: {grpc: {}, http: {}}}}
processors:
  memory_limiter: {check_interval: 1s, limit_mib: 64}
  pii: {}
exporters: {duckdb: {}}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [memory_limiter, pii], exporters: [duckdb]}
"""
TRACES, SPANS = 24, 300


def request(trace: int) -> bytes:
    said = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": f"{trace} " + "word " * 500}
    return encode(spans([{"trace_id": trace + 1, "span_id": at + 1, "attributes": said} for at in range(SPANS)]))


@pytest.fixture
def running(tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    with Spanloom(tmp_path / "data", config=[file], sets=PORTS) as spanloom:
        yield spanloom


def begin(spanloom: Spanloom, body: bytes) -> http.client.HTTPConnection:
    """Sends a request but for its last byte; it then holds its share."""
    connection = http.client.HTTPConnection(spanloom.endpoints["otlp"]["http"], timeout=60)
    connection.putrequest("POST", "/v1/traces")
    connection.putheader("content-type", "application/x-protobuf")
    connection.putheader("content-length", str(len(body)))
    connection.endheaders(body[:-1])
    wait_until(lambda: spanloom.metric("spanloom_receiver_budget_used_bytes") >= len(body) - 1)
    return connection


def test_who_comes_second_is_told_to_come_later(running: Spanloom) -> None:
    assert any('"limit_mib": 64, "said_by": "processors.memory_limiter.limit_mib"' in line for line in running.log)
    first, second = request(0), request(1)
    connection = begin(running, first)
    with pytest.raises(HTTPError) as refused:
        running.post("/v1/traces", second)
    assert (refused.value.code, refused.value.headers["retry-after"]) == (503, "1")
    refused.value.close()
    with grpc_sender(running.grpc) as send, pytest.raises(grpc.RpcError) as error:
        send("traces", second)
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    connection.send(first[-1:])
    assert connection.getresponse().read() == b""
    connection.close()
    assert running.post("/v1/traces", second) == b""


def test_nothing_is_lost_and_nothing_comes_twice(running: Spanloom) -> None:
    refusals = []

    def send(trace: int) -> None:
        for _ in range(600):
            try:
                running.post("/v1/traces", request(trace))
            except HTTPError as refused:
                refused.close()
                refusals.append(refused.code)
                time.sleep(0.05)
            else:
                return
        raise AssertionError("it never got through")

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(send, range(TRACES)))
    assert set(refusals) <= {503}
    assert running.terminate() == 0
    (counted,) = duckdb_rows(running.data_dir, "select count(*), count(distinct (trace_id, span_id)) from observations")
    assert counted == (TRACES * SPANS, TRACES * SPANS)
