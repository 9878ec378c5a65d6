"""OTLP/gRPC on the wire: what clients get, and that the budget always returns to zero.

Proves it with real clients on loopback, pipelines replaced by a switch. Does not prove what pipelines do with the
data, nor many clients at once (``test_overload``).
"""

import asyncio
import random
import struct

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from collector.component.receiver import Received
from collector.errors import ConfigError, InvalidDataError, JournalError, PermanentError, RetryableError, TooLargeError
from collector.model.batch import Signal
from collector.receivers._otlp.read_gate import SizeEstimate

METHODS = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
UNLIMITED = [("grpc.max_send_message_length", -1)]


async def export(running, body=b"", *, signal=Signal.TRACES, compression=grpc.Compression.NoCompression):
    async with grpc.aio.insecure_channel(running.grpc, options=UNLIMITED) as channel:
        return await channel.unary_unary(METHODS[signal])(body, compression=compression, timeout=30)


def delay_of(error: grpc.aio.AioRpcError) -> float | None:
    for key, value in error.trailing_metadata():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.RetryInfo()
                if detail.Unpack(info):
                    return info.retry_delay.ToNanoseconds() / 1e9
    return None


@pytest.mark.parametrize("signal", list(Signal))
async def test_takes_every_signal_byte_for_byte(running, signal):
    async with running() as r:
        assert await export(r, b"\x0a\x00", signal=signal) == b""
        assert r.consumer.bodies == [(signal, b"\x0a\x00")]
        word = {"traces": "spans", "logs": "log_records", "metrics": "metric_points"}[signal]
        assert r.metric(f"otelcol_receiver_accepted_{word}_total", transport="grpc") == 1


async def test_an_empty_request_succeeds(running):
    async with running() as r:
        assert await export(r) == b""


async def test_a_generated_stub_is_served_like_a_unary_call(running):
    async with running() as r:
        request = ExportTraceServiceRequest()
        request.resource_spans.add().scope_spans.add().spans.add(name="s", trace_id=bytes(16), span_id=bytes(8))
        async with grpc.aio.insecure_channel(r.grpc) as channel:
            response = await TraceServiceStub(channel).Export(request)
        assert response == ExportTraceServiceResponse()
        assert ExportTraceServiceRequest.FromString(r.consumer.bodies[0][1]) == request


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_compressed_requests_are_inflated(running, compression):
    async with running() as r:
        body = bytes(300_000)
        assert await export(r, body, compression=compression) == b""
        assert r.consumer.bodies == [(Signal.TRACES, body)]


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_the_limit_holds_after_inflation_and_is_not_retryable(running, compression):
    async with running(grpc={"max_recv_msg_size_mib": 1}) as r:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await export(r, bytes(50 << 20), compression=compression)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert delay_of(caught.value) is None
        assert await export(r, bytes(1 << 20), compression=compression) == b""


async def test_requests_above_grpcs_own_default_of_4_mib_are_taken(running):
    async with running() as r:
        assert await export(r, bytes(8 << 20)) == b""


@pytest.mark.parametrize(
    ("error", "code", "delay"),
    [
        (InvalidDataError("field 3 is cut off"), grpc.StatusCode.INVALID_ARGUMENT, None),
        (TooLargeError("too many spans"), grpc.StatusCode.RESOURCE_EXHAUSTED, None),
        (PermanentError("never"), grpc.StatusCode.INTERNAL, None),
        (RetryableError("full"), grpc.StatusCode.UNAVAILABLE, None),
        (RetryableError("full", retry_after=2.5), grpc.StatusCode.UNAVAILABLE, 2.5),
        (JournalError("disk on fire"), grpc.StatusCode.UNAVAILABLE, 5),
        (ValueError("holds secret-content"), grpc.StatusCode.INTERNAL, None),
    ],
)
async def test_errors_become_statuses(running, error, code, delay):
    async with running() as r:
        r.consumer.error = error
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await export(r)
        assert caught.value.code() == code
        assert delay_of(caught.value) == delay
        assert "secret-content" not in caught.value.details()


async def test_partial_success_names_count_and_reason(running):
    async with running() as r:
        r.consumer.answer = Received(2, 3, "three have no id")
        partial = ExportTraceServiceResponse.FromString(await export(r)).partial_success
        assert (partial.rejected_spans, partial.error_message) == (3, "three have no id")
        assert r.metric("otelcol_receiver_refused_spans_total", transport="grpc", reason="invalid") == 3


async def test_signals_nobody_consumes_are_unimplemented(running):
    async with running(signals=frozenset({Signal.TRACES})) as r:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await export(r, signal=Signal.LOGS)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_a_call_without_a_message_is_invalid(running):
    async def nothing():
        return
        yield

    async with running() as r, grpc.aio.insecure_channel(r.grpc) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.stream_unary(METHODS[Signal.TRACES])(nothing())
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_over_budget_is_retryable_with_a_delay(running):
    async with running(grpc={"max_recv_msg_size_mib": 1}, budget=1 << 20) as r:
        assert r.budget.try_take(1 << 20)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await export(r, b"abc")
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert delay_of(caught.value) == 1
        r.budget.give_back(1 << 20)
        assert await export(r, b"abc") == b""


async def test_a_call_waits_a_moment_for_the_budget(running, monkeypatch):
    async with running(grpc={"max_recv_msg_size_mib": 1}, budget=1 << 20) as r:
        assert r.budget.try_take(1 << 20)
        answers, try_take = [], r.budget.try_take
        monkeypatch.setattr(r.budget, "try_take", lambda n, **how: answers.append(try_take(n, **how)) or answers[-1])
        call = asyncio.create_task(export(r, b"abc"))
        await r.until(lambda: len(answers) > 1)
        assert not any(answers)
        r.budget.give_back(1 << 20)
        assert await call == b""


async def test_a_message_above_the_estimate_must_extend_its_share(running):
    async with running(budget=6 << 20) as r:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await export(r, bytes(7 << 20))
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert r.consumer.bodies == []
        assert r.budget.used == 0


async def test_the_share_is_the_real_size_until_the_data_is_durable(running):
    async with running() as r:
        r.consumer.open.clear()
        call = asyncio.create_task(export(r, bytes(300_000)))
        await r.until(lambda: r.consumer.waiting == 1)
        assert r.budget.used == 300_000
        r.consumer.open.set()
        await call
        assert r.budget.used == 0


async def test_a_cancelled_call_keeps_its_share_while_the_pipelines_hold_the_body(running):
    async with running() as r:
        r.consumer.open.clear()
        call = asyncio.create_task(export(r, bytes(300_000)))
        await r.until(lambda: r.consumer.waiting == 1)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        requests = {"transport": "grpc", "signal": "traces", "outcome": "failure"}
        await r.until(lambda: r.metric("otelcol_receiver_requests_total", **requests) == 1)
        assert r.budget.used == 300_000
        assert r.consumer.waiting == 1
        r.consumer.open.set()
        await r.until(lambda: r.budget.used == 0)
        # It was journaled, so it will be delivered: what is accepted has to say so.
        await r.until(lambda: r.metric("otelcol_receiver_accepted_spans_total", transport="grpc") == 1)


async def test_both_loopback_addresses_share_the_port(running, has_ipv6):
    async with running(grpc={"endpoint": "localhost:0"}) as r:
        addresses = r.receiver.all_endpoints["grpc"]
        assert len(addresses) == 1 + has_ipv6
        assert len({a.rsplit(":", 1)[1] for a in addresses}) == 1
        for address in addresses:
            async with grpc.aio.insecure_channel(address) as channel:
                assert await channel.unary_unary(METHODS[Signal.TRACES])(b"") == b""


async def test_a_taken_address_is_named(running):
    async with running() as r:
        with pytest.raises(ConfigError, match=r.grpc):
            async with running(grpc={"endpoint": r.grpc}):
                pass


async def test_health_check_says_serving(running):
    async with running() as r, grpc.aio.insecure_channel(r.grpc) as channel:
        assert await channel.unary_unary("/grpc.health.v1.Health/Check")(b"") == b"\x08\x01"


async def test_tls_and_mutual_tls(running, certificates):
    ca = certificates.authority_pem
    key, cert = certificates.client_pair
    plain, with_client = grpc.ssl_channel_credentials(ca), grpc.ssl_channel_credentials(ca, key, cert)
    mutual = certificates.server | {"client_ca_file": str(certificates.ca)}
    for tls, credentials, works in (
        (certificates.server, plain, True),
        (mutual, with_client, True),
        (mutual, plain, False),
    ):
        async with running(grpc={"tls": tls}) as r, grpc.aio.secure_channel(r.grpc, credentials) as channel:
            call = channel.unary_unary(METHODS[Signal.TRACES])
            if works:
                assert await call(b"") == b""
            else:
                with pytest.raises(grpc.aio.AioRpcError):
                    await call(b"", timeout=5)


async def test_zstd_is_refused_for_good(running):
    """gRPC's core has no zstd and answers INTERNAL itself: not retryable, and not misread."""
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", METHODS[Signal.TRACES]),
        (":authority", "x"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("grpc-encoding", "zstd"),
    ]
    block = b"".join(b"\x00" + bytes([len(k)]) + k.encode() + bytes([len(v)]) + v.encode() for k, v in headers)
    message = b"\x01" + struct.pack(">I", 4) + b"zzzz"
    async with running() as r:
        host, port = r.grpc.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b""))
        writer.write(_frame(1, 4, 1, block) + _frame(0, 1, 1, message))
        received = b""
        async with asyncio.timeout(10):
            while b"grpc-status" not in received:
                received += await reader.read(65536)
        assert b"13" in received[received.index(b"grpc-status") :][:16]
        assert r.consumer.bodies == []
        writer.close()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


async def test_a_stream_cut_in_the_middle_of_a_message_gives_its_share_back(running):
    headers = [(":method", "POST"), (":scheme", "http"), (":path", METHODS[Signal.TRACES]), (":authority", "x")]
    headers += [("te", "trailers"), ("content-type", "application/grpc")]
    block = b"".join(b"\x00" + bytes([len(k)]) + k.encode() + bytes([len(v)]) + v.encode() for k, v in headers)
    async with running() as r:
        host, port = r.grpc.rsplit(":", 1)
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b""))
        writer.write(_frame(1, 4, 1, block) + _frame(0, 0, 1, b"\x00" + struct.pack(">I", 1000) + b"abc"))
        await r.until(lambda: r.budget.used > 0)
        writer.close()
        await r.until(lambda: r.budget.used == 0)
        assert r.consumer.bodies == []


async def test_shutdown_finishes_calls_in_flight_and_may_be_called_twice(running):
    async with running() as r:
        r.consumer.open.clear()
        call = asyncio.create_task(export(r, b"abc"))
        await r.until(lambda: r.consumer.waiting == 1)
        stopping = asyncio.create_task(r.receiver.shutdown())
        await asyncio.sleep(0)
        r.consumer.open.set()
        assert await call == b""
        await stopping
        await r.receiver.shutdown()


def test_the_estimate_settles_where_19_in_20_requests_fit():
    estimate = SizeEstimate(64 << 20)
    source = random.Random(1)
    sizes = [int(1000 * 1.01 ** source.randrange(500)) for _ in range(5000)]
    for size in sizes:
        estimate.observe(size)
    fitting = sum(size <= estimate.value for size in sizes) / len(sizes)
    assert 0.88 < fitting < 0.99


def test_the_estimate_stays_within_its_bounds():
    estimate = SizeEstimate(10_000)
    for size, bound in ((1 << 30, 10_000), (0, 1024)):
        for _ in range(1000):
            estimate.observe(size)
        assert abs(estimate.value - bound) <= 1
