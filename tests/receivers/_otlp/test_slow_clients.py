"""Clients that announce much and send little shut nobody out, over HTTP and gRPC.

Proves it with the budget's bytes and a clock that the tests move; limits of time are proved by setting them to next to
nothing. Does not prove how long a real slow link takes, nor what happens to a flood of whole requests
(``test_overload``).
"""

import asyncio
import contextlib
import gzip
import struct

import grpc
import grpc.aio
import httpx
import pytest

from collector.receivers._shared.arriving import Pace

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
MIB = 1 << 20
HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n"
WHOLE = HEAD + b"content-length: 3\r\n\r\nabc"
ANNOUNCED = b"content-length: 67108864\r\n"
SLOW_SHAPES = {
    "headers only": HEAD + ANNOUNCED + b"\r\n",
    "one byte": HEAD + ANNOUNCED + b"\r\nx",
    "gzip": HEAD + ANNOUNCED + b"content-encoding: gzip\r\n\r\n" + gzip.compress(bytes(1000))[:10],
    "JSON": HEAD.replace(b"x-protobuf", b"json") + ANNOUNCED + b"\r\n{",
    "chunked": HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\nx\r\n",
    "a chunk announced": HEAD + b"transfer-encoding: chunked\r\n\r\n4000000\r\nx",
    "keep-alive": WHOLE + HEAD + ANNOUNCED + b"\r\nx",
    "pipelined": WHOLE * 5 + HEAD + ANNOUNCED + b"\r\nx",
    "Langfuse": HEAD.replace(b"/v1/traces", b"/api/public/scores")
    + b"authorization: Basic cDpz\r\n"
    + ANNOUNCED
    + b"\r\n[",
}


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


async def post(running, body):
    async with httpx.AsyncClient(timeout=30) as client:
        headers = {"content-type": "application/x-protobuf"}
        return await client.post(f"http://{running.http}/v1/traces", content=body, headers=headers)


async def answer_of(reader):
    """Status line and headers of the last answer before the connection ends."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        async with asyncio.timeout(20):
            received = await reader.read()
    return received[received.rindex(b"HTTP/1.1 ") :].split(b"\r\n\r\n")[0].lower() if received else b""


@pytest.mark.parametrize("shape", list(SLOW_SHAPES))
async def test_a_body_that_is_only_announced_holds_next_to_nothing(running, shape):
    async with running(budget=256 * MIB) as r:
        writers = []
        for _ in range(20):
            _, writer = await r.connect()
            writer.write(SLOW_SHAPES[shape])
            writers.append(writer)
        await r.until(lambda: len(r.budget._arrivals) == 20)
        await asyncio.sleep(0.05)
        assert r.budget.used <= 20 * 4096
        assert (await post(r, bytes(32 * MIB))).status_code == 200
        for writer in writers:
            writer.close()
        await r.until(lambda: r.budget.used == 0)


@pytest.mark.parametrize(
    "framing", [b"content-length: 2000000\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n1e8480\r\n"]
)
async def test_slow_bodies_are_turned_out_when_others_need_the_room(running, framing):
    clock = Clock()
    async with running(http={"max_request_body_size": 2 * MIB}, budget=4 * MIB, clock=clock) as r:
        slow = [await r.connect() for _ in range(2)]
        for _, writer in slow:
            writer.write(HEAD + framing + bytes(1_900_000))
        await r.until(lambda: r.budget.used >= 3_800_000)
        assert (await post(r, bytes(MIB))).status_code == 503
        clock.now = 60
        assert (await post(r, bytes(MIB))).status_code == 200
        # One was enough; the other lost nothing and may end its body.
        await r.until(lambda: r.budget.used <= 2 * MIB)
        assert len(r.budget._arrivals) == 1
        rest = b"" if b"length" in framing else b"\r\n0\r\n\r\n"
        for _, writer in slow:
            writer.write(bytes(100_000) + rest)
        lines = sorted([(await reader.readline())[9:12] for reader, _ in slow])
        assert lines == [b"200", b"503"]
        for _, writer in slow:
            writer.close()


async def test_whoever_holds_most_goes_first_so_small_honest_bodies_stay(running):
    clock = Clock()
    async with running(http={"max_request_body_size": 2 * MIB}, budget=4 * MIB, clock=clock) as r:
        honest, honest_writer = await r.connect()
        honest_writer.write(HEAD + b"content-length: 2000\r\n\r\n" + bytes(100))
        greedy = [await r.connect() for _ in range(2)]
        for _, writer in greedy:
            writer.write(HEAD + b"content-length: 2000000\r\n\r\n" + bytes(1_900_000))
        await r.until(lambda: r.budget.used >= 3_800_000)
        clock.now = 60
        for _ in range(3):
            assert (await post(r, bytes(MIB))).status_code == 200
        honest_writer.write(bytes(1900))
        assert b" 200 " in await honest.readline()
        for _, writer in [*greedy, (None, honest_writer)]:
            writer.close()


async def test_a_slow_body_in_nobodys_way_is_taken(running):
    clock = Clock()
    async with running(clock=clock) as r:
        reader, writer = await r.connect()
        writer.write(HEAD + b"content-length: 20\r\n\r\n")
        for _ in range(20):
            await r.until(lambda: r.budget.used > 0)
            clock.now += 10
            writer.write(b"x")
            assert (await post(r, bytes(100_000))).status_code == 200
        assert b" 200 " in await reader.readline()
        writer.close()


async def _is_refused_retryably(running, sent, option):
    async with running(http={option: "20ms"}) as r:
        reader, writer = await r.connect()
        writer.write(sent)
        answer = await answer_of(reader)
        assert answer.startswith(b"http/1.1 503 ")
        assert b"\r\nretry-after: 1" in answer
        assert b"\r\nconnection: close" in answer
        assert r.budget.used == 0
        refused = {"transport": "http", "signal": "traces", "outcome": "refused"}
        assert r.metric("otelcol_receiver_requests_total", **refused) == (b"/v1/traces" in sent)
        writer.close()


@pytest.mark.parametrize("shape", list(SLOW_SHAPES))
async def test_a_body_that_takes_too_long_is_refused_retryably(running, shape):
    await _is_refused_retryably(running, SLOW_SHAPES[shape], "read_timeout")


@pytest.mark.parametrize("before", [b"", WHOLE, WHOLE * 5])
@pytest.mark.parametrize("framing", [ANNOUNCED, b"transfer-encoding: chunked\r\n"])
async def test_a_body_that_does_not_begin_is_refused_retryably(running, before, framing):
    await _is_refused_retryably(running, before + HEAD + framing + b"\r\n", "first_byte_timeout")


@pytest.mark.parametrize(
    ("pace", "received", "seconds"),
    [
        (Pace(), 0, 15),
        (Pace(), 10 * 1024, 25),
        (Pace(), 64 * MIB, 300),
        (Pace(first=0), 10_000, 300),
        (Pace(bytes_per_second=0), 0, 15),
        (Pace(bytes_per_second=0), 1, 300),
        (Pace(total=0), 1024 * 1024, 15 + 1024),
        (Pace(first=0, total=0), 0, None),
        (Pace(first=30, bytes_per_second=0, total=0), 0, 30),
    ],
)
def test_a_body_must_come_at_the_rate_and_within_the_time(pace, received, seconds):
    assert pace.seconds_for(received) == seconds


def test_a_slow_link_has_time_for_a_small_body():
    """20 kB at 600 bytes a second, half of the minimum: done before its time is up."""
    pace = Pace()
    assert all((received + 600) / 600 <= pace.seconds_for(received) for received in range(0, 20_000, 600))


@contextlib.asynccontextmanager
async def headers_only(running, calls):
    async with grpc.aio.insecure_channel(running.grpc, options=OWN_CONNECTION) as channel:
        opened = [channel.stream_unary(METHOD)() for _ in range(calls)]
        try:
            yield opened
        finally:
            for call in opened:
                call.cancel()


async def export(running, body):
    async with grpc.aio.insecure_channel(running.grpc, options=OWN_CONNECTION) as channel:
        return await channel.unary_unary(METHOD)(body, timeout=30)


async def test_calls_of_one_connection_cannot_take_the_whole_budget(running):
    async with running(budget=128 * MIB) as r, headers_only(r, 40):
        await r.until(lambda: r.budget.used >= 60 * MIB)
        assert r.budget.used <= 64 * MIB
        assert await export(r, bytes(MIB)) == b""


async def test_calls_that_send_nothing_make_room_for_those_that_do(running):
    clock = Clock()
    async with contextlib.AsyncExitStack() as stack:
        r = await stack.enter_async_context(running(budget=128 * MIB, clock=clock))
        for _ in range(4):
            await stack.enter_async_context(headers_only(r, 10))
        await r.until(lambda: r.budget.used >= 124 * MIB)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await export(r, bytes(MIB))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        clock.now = 60
        for _ in range(3):
            assert await export(r, bytes(MIB)) == b""
        assert (await post(r, bytes(16 * MIB))).status_code == 200


async def test_a_call_whose_message_does_not_come_in_time_is_refused_retryably(running):
    async with running(grpc={"read_timeout": "20ms"}) as r, headers_only(r, 5) as calls:
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert any(key == "grpc-status-details-bin" for key, _ in caught.value.trailing_metadata())
        assert r.budget.used == 0
        refused = {"transport": "grpc", "signal": "traces", "outcome": "refused"}
        assert r.metric("otelcol_receiver_requests_total", **refused) == 5


def _frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


async def test_a_message_that_stops_in_the_middle_is_refused_and_gives_everything_back(running):
    headers = [(":method", "POST"), (":scheme", "http"), (":path", METHOD), (":authority", "x")]
    headers += [("te", "trailers"), ("content-type", "application/grpc")]
    block = b"".join(b"\x00" + bytes([len(k)]) + k.encode() + bytes([len(v)]) + v.encode() for k, v in headers)
    async with running(grpc={"read_timeout": "50ms"}) as r:
        host, port = r.grpc.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b""))
        for stream in (1, 3, 5):
            writer.write(_frame(1, 4, stream, block) + _frame(0, 0, stream, b"\x00" + struct.pack(">I", 9000) + b"ab"))
        received = b""
        async with asyncio.timeout(20):
            while received.count(b"too slowly") < 3:
                received += await reader.read(65536)
        await r.until(lambda: r.budget.used == 0)
        assert r.consumer.bodies == []
        writer.close()
