"""OTLP/HTTP on the wire: what clients get, and that the budget always returns to zero.

Proves it byte by byte on loopback, pipelines replaced by a switch. Does not prove what pipelines do with the data,
nor proxies in between.
"""

import asyncio
import gzip
import json
import zlib

import httpx
import pytest
import zstandard
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from collector.component.receiver import Received
from collector.errors import InvalidDataError, JournalError, PermanentError, RetryableError, TooLargeError
from collector.model.batch import Signal

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
RESPONSES = {
    Signal.TRACES: ExportTraceServiceResponse,
    Signal.LOGS: ExportLogsServiceResponse,
    Signal.METRICS: ExportMetricsServiceResponse,
}
COMPRESS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


async def post(running, body=b"", *, path="/v1/traces", headers=PROTOBUF, **kwargs):
    async with httpx.AsyncClient(timeout=30) as client:
        return await client.post(f"http://{running.http}{path}", content=body, headers=headers, **kwargs)


def status_of(response: httpx.Response) -> status_pb2.Status:
    if response.headers["content-type"] == "application/json":
        return json_format.ParseDict(response.json(), status_pb2.Status())
    return status_pb2.Status.FromString(response.content)


@pytest.mark.parametrize("signal", list(Signal))
async def test_takes_every_signal_and_answers_with_an_empty_message(running, signal):
    async with running() as r:
        response = await post(r, b"\x0a\x00", path=f"/v1/{signal.value}")
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-type"] == "application/x-protobuf"
        assert r.consumer.bodies == [(signal, b"\x0a\x00")]
        word = {"traces": "spans", "logs": "log_records", "metrics": "metric_points"}[signal]
        assert r.metric(f"otelcol_receiver_accepted_{word}_total", transport="http") == 1


async def test_an_empty_request_succeeds(running):
    async with running() as r:
        assert (await post(r)).status_code == 200
        assert r.consumer.bodies == [(Signal.TRACES, b"")]


@pytest.mark.parametrize("encoding", list(COMPRESS))
async def test_inflates_every_content_encoding(running, encoding):
    body = bytes(range(256)) * 4000
    async with running() as r:
        response = await post(r, COMPRESS[encoding](body), headers=PROTOBUF | {"content-encoding": encoding})
        assert response.status_code == 200
        assert r.consumer.bodies == [(Signal.TRACES, body)]
        assert r.metric("otelcol_receiver_request_bytes_total", transport="http") == len(body)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_inflates_several_members(running, encoding):
    body = COMPRESS[encoding](b"one ") + COMPRESS[encoding](b"two")
    async with running() as r:
        assert (await post(r, body, headers=PROTOBUF | {"content-encoding": encoding})).status_code == 200
        assert r.consumer.bodies[0][1] == b"one two"


@pytest.mark.parametrize("encoding", list(COMPRESS))
@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[: len(b) // 2], lambda b: b"\x00" + b])
async def test_damaged_compression_is_bad_data(running, encoding, damage):
    body = damage(COMPRESS[encoding](bytes(range(256)) * 100))
    async with running() as r:
        response = await post(r, body, headers=PROTOBUF | {"content-encoding": encoding})
        assert response.status_code == 400
        assert encoding in status_of(response).message
        assert r.consumer.bodies == []


@pytest.mark.parametrize("encoding", list(COMPRESS))
async def test_a_bomb_is_refused_while_it_is_inflated(running, encoding):
    bomb = COMPRESS[encoding](bytes(200 << 20))
    async with running(http={"max_request_body_size": 4 << 20}, budget=16 << 20) as r:
        response = await post(r, bomb, headers=PROTOBUF | {"content-encoding": encoding})
        assert response.status_code == 413
        assert "retry-after" not in response.headers
        assert r.budget.used == 0


async def test_a_body_over_the_limit_is_413_and_the_connection_lives_on(running):
    async with running(http={"max_request_body_size": 1000}) as r, httpx.AsyncClient() as client:
        url = f"http://{r.http}/v1/traces"
        response = await client.post(url, content=bytes(5_000_000), headers=PROTOBUF)
        assert response.status_code == 413
        assert status_of(response).code == 8
        assert (await client.post(url, content=b"", headers=PROTOBUF)).status_code == 200


async def test_a_body_of_exactly_the_limit_is_taken(running):
    async with running(http={"max_request_body_size": 1000}) as r:
        assert (await post(r, bytes(1000))).status_code == 200
        assert (await post(r, bytes(1001))).status_code == 413


async def _parts(*parts):
    for part in parts:
        yield part


async def test_chunked_bodies_are_taken_and_bounded(running):
    async with running(http={"max_request_body_size": 1000}) as r:
        assert (await post(r, _parts(b"abc", b"def"))).status_code == 200
        assert r.consumer.bodies == [(Signal.TRACES, b"abcdef")]
        assert (await post(r, _parts(*[bytes(400)] * 5))).status_code == 413


@pytest.mark.parametrize(
    "content_type", ["application/x-protobuf", "application/json", "application/json; charset=utf-8"]
)
@pytest.mark.parametrize(
    ("error", "http_status", "code", "retry_after"),
    [
        (InvalidDataError("field 3 is cut off"), 400, 3, None),
        (TooLargeError("too many spans"), 413, 8, None),
        (PermanentError("never"), 500, 13, None),
        (RetryableError("full"), 503, 14, None),
        (RetryableError("full", retry_after=2.2), 503, 14, "3"),
        (JournalError("disk on fire"), 503, 14, "5"),
        (ValueError("holds secret-content"), 500, 13, None),
    ],
)
async def test_errors_are_answered_in_the_encoding_of_the_request(
    running, monkeypatch, content_type, error, http_status, code, retry_after
):
    async with running() as r:
        r.consumer.error = error
        body = b"{}" if "json" in content_type else b""
        response = await post(r, body, headers={"content-type": content_type})
        assert response.status_code == http_status
        assert response.headers["content-type"] == content_type.split(";")[0]
        assert response.headers.get("retry-after") == retry_after
        assert status_of(response).code == code
        assert b"secret-content" not in response.content


async def test_retry_info_is_in_the_status_of_a_refusal(running):
    async with running() as r:
        r.consumer.error = RetryableError("full", retry_after=2.5)
        for headers, body in ((PROTOBUF, b""), (JSON, b"{}")):
            status = status_of(await post(r, body, headers=headers))
            info = error_details_pb2.RetryInfo()
            assert status.details[0].Unpack(info)
            assert info.retry_delay.ToNanoseconds() == 2_500_000_000


async def test_unexpected_errors_are_logged_without_their_text(running, capsys, caplog):
    async with running() as r:
        r.consumer.error = ValueError("holds secret-content")
        await post(r)
        assert r.metric("otelcol_receiver_requests_total", transport="http", signal="traces", outcome="failure") == 1
    assert "secret-content" not in capsys.readouterr().out + caplog.text


@pytest.mark.parametrize("signal", list(Signal))
async def test_partial_success_names_count_and_reason(running, signal):
    async with running() as r:
        r.consumer.answer = Received(2, 3, "three have no id")
        path = f"/v1/{signal.value}"
        proto = RESPONSES[signal].FromString((await post(r, path=path)).content)
        response = await post(r, b"{}", path=path, headers=JSON)
        assert response.status_code == 200
        assert json_format.ParseDict(response.json(), RESPONSES[signal]()) == proto
        partial = proto.partial_success
        assert partial.error_message == "three have no id"
        assert [v for f, v in partial.ListFields() if f.name.startswith("rejected")] == [3]
        assert (
            r.metric("otelcol_receiver_requests_total", transport="http", signal=signal.value, outcome="partial") == 2
        )


async def test_json_becomes_protobuf(running):
    span = {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "name": "é"}
    request = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    async with running() as r:
        for repeat in (1, 2000):
            request["resourceSpans"][0]["scopeSpans"][0]["spans"] = [span] * repeat
            assert (await post(r, json.dumps(request).encode(), headers=JSON)).content == b"{}"
            received = ExportTraceServiceRequest.FromString(r.consumer.bodies[-1][1])
            spans = received.resource_spans[0].scope_spans[0].spans
            assert len(spans) == repeat
            assert spans[0].trace_id.hex() == span["traceId"].lower()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"x"', b"[" * 100_000])
async def test_what_is_no_json_is_bad_data(running, body):
    async with running() as r:
        response = await post(r, body, headers=JSON)
        assert response.status_code == 400
        assert response.json()["code"] == 3


@pytest.mark.parametrize("content_type", ["text/plain", "application/grpc", "application/xml", ""])
async def test_other_content_types_are_415(running, content_type):
    async with running() as r:
        response = await post(r, b"x" * 200_000, headers={"content-type": content_type})
        assert response.status_code == 415
        assert response.json()["message"]


async def test_other_content_encodings_are_415_and_say_which_are_known(running):
    async with running() as r:
        response = await post(r, b"x", headers=PROTOBUF | {"content-encoding": "br"})
        assert response.status_code == 415
        assert response.headers["accept-encoding"] == "gzip, deflate, zstd"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
async def test_only_post_is_allowed(running, method):
    async with running() as r, httpx.AsyncClient() as client:
        response = await client.request(method, f"http://{r.http}/v1/traces")
        assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_signals_nobody_consumes_are_404(running):
    async with running(signals=frozenset({Signal.TRACES})) as r:
        assert (await post(r)).status_code == 200
        response = await post(r, path="/v1/logs")
        assert response.status_code == 404
        assert "logs" in status_of(response).message
        assert (await post(r, path="/v1/traces/")).status_code == 404
        assert (await post(r, path="/docs")).status_code == 404


async def test_paths_are_configurable(running):
    async with running(http={"traces_url_path": "intake/t"}) as r:
        assert (await post(r, path="/intake/t")).status_code == 200
        assert (await post(r, path="/v1/traces")).status_code == 404


async def test_over_budget_is_a_retryable_refusal_and_nothing_is_kept(running):
    async with running(budget=1000) as r:
        assert r.budget.try_take(900)
        response = await post(r, bytes(200_000))
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) >= 1
        assert r.budget.used == 900
        r.budget.give_back(900)
        assert (await post(r, bytes(1000))).status_code == 200


async def test_a_request_that_cannot_extend_its_share_gives_everything_back(running):
    body = gzip.compress(bytes(4 << 20))
    async with running(budget=2 << 20) as r:
        response = await post(r, body, headers=PROTOBUF | {"content-encoding": "gzip"})
        assert response.status_code == 503
        assert r.budget.used == 0


async def test_the_share_is_held_until_the_data_is_durable(running):
    async with running() as r:
        r.consumer.open.clear()
        request = asyncio.create_task(
            post(r, gzip.compress(bytes(300_000)), headers=PROTOBUF | {"content-encoding": "gzip"})
        )
        await r.until(lambda: r.consumer.waiting == 1)
        assert r.budget.used == 300_000
        r.consumer.open.set()
        assert (await request).status_code == 200
        assert r.budget.used == 0


async def test_a_client_that_leaves_in_the_middle_of_a_body_gives_its_share_back(running):
    async with running() as r:
        _, writer = await r.connect()
        writer.write(
            b"POST /v1/traces HTTP/1.1\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000\r\n\r\nabc"
        )
        await r.until(lambda: r.budget.used == 1000)
        writer.close()
        await r.until(lambda: r.budget.used == 0)
        assert r.consumer.bodies == []
        assert r.metric("otelcol_receiver_requests_total", transport="http", signal="traces", outcome="failure") == 1


async def test_expect_100_continue_is_answered_before_the_body(running):
    head = b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n"
    head += b"content-type: %s\r\ncontent-length: 3\r\n\r\n"
    async with running() as r:
        reader, writer = await r.connect()
        writer.write(head % b"application/x-protobuf")
        assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"abc")
        assert b" 200 " in await reader.readline()
        writer.close()
        reader, writer = await r.connect()
        writer.write(head % b"text/plain")
        assert b" 415 " in await reader.readline()
        assert b"connection: close" in await reader.read()
        writer.close()


async def test_an_early_refusal_reaches_a_client_that_sends_before_it_reads(running):
    size = 20_000_000
    async with running(http={"max_request_body_size": 1000}) as r:
        reader, writer = await r.connect()
        writer.write(
            b"POST /v1/traces HTTP/1.1\r\nconnection: close\r\ncontent-type: application/x-protobuf\r\n"
            b"content-length: %d\r\n\r\n" % size
        )
        for _ in range(size // 1_000_000):
            writer.write(bytes(1_000_000))
            await writer.drain()
        assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
        writer.close()


async def test_both_loopback_addresses_share_the_port(running, has_ipv6):
    async with running(http={"endpoint": "localhost:0"}) as r, httpx.AsyncClient() as client:
        addresses = r.receiver.all_endpoints["http"]
        assert len(addresses) == 1 + has_ipv6
        assert len({a.rsplit(":", 1)[1] for a in addresses}) == 1
        for address in addresses:
            assert (await client.post(f"http://{address}/v1/traces", headers=PROTOBUF)).status_code == 200


async def test_tls(running, certificates):
    async with running(http={"tls": certificates.server}) as r:
        async with httpx.AsyncClient(verify=certificates.client_context()) as client:
            assert (await client.post(f"https://{r.http}/v1/traces", headers=PROTOBUF)).status_code == 200
        with pytest.raises(httpx.HTTPError):
            await post(r)


async def test_mutual_tls_refuses_clients_without_certificate(running, certificates):
    tls = certificates.server | {"client_ca_file": str(certificates.ca)}
    async with running(http={"tls": tls}) as r:
        async with httpx.AsyncClient(verify=certificates.client_context(with_certificate=True)) as client:
            assert (await client.post(f"https://{r.http}/v1/traces", headers=PROTOBUF)).status_code == 200
        async with httpx.AsyncClient(verify=certificates.client_context()) as client:
            with pytest.raises(httpx.HTTPError):
                await client.post(f"https://{r.http}/v1/traces", headers=PROTOBUF)


async def test_browsers_of_allowed_origins_may_send(running):
    async with (
        running(http={"cors": {"allowed_origins": ["https://*.example.com"]}}) as r,
        httpx.AsyncClient() as client,
    ):
        preflight = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
        for origin, status in (("https://app.example.com", 200), ("https://evil.com", 400)):
            response = await client.options(f"http://{r.http}/v1/traces", headers=preflight | {"origin": origin})
            assert response.status_code == status
            assert (response.headers.get("access-control-allow-origin") == origin) == (status == 200)


async def test_shutdown_finishes_requests_in_flight_and_may_be_called_twice(running):
    async with running() as r:
        r.consumer.open.clear()
        request = asyncio.create_task(post(r, b"abc"))
        await r.until(lambda: r.consumer.waiting == 1)
        stopping = asyncio.create_task(r.receiver.shutdown())
        await asyncio.sleep(0)
        r.consumer.open.set()
        assert (await request).status_code == 200
        await stopping
        await r.receiver.shutdown()
        with pytest.raises(httpx.ConnectError):
            await post(r)
