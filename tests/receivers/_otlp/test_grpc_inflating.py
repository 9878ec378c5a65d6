"""Compressed gRPC messages are inflated by us, within the share of their call.

Proves it with bodies of zeros, scaled down, by the bytes of the budget. Does not prove what the process takes from the
system.
"""

import asyncio
import gzip
import zlib

import grpc
import grpc.aio
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.receivers._otlp.read_gate import encoding_of

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


async def export(running, body=b"", *, compression=grpc.Compression.NoCompression):
    async with grpc.aio.insecure_channel(running.grpc, options=[("grpc.max_send_message_length", -1)]) as channel:
        return await channel.unary_unary(METHOD)(body, compression=compression, timeout=60)


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_bombs_inflate_within_the_budget(running, monkeypatch, compression):
    async with running(grpc={"max_recv_msg_size_mib": 6}, budget=13 << 20) as r:
        peaks, try_take = [], r.budget.try_take
        monkeypatch.setattr(
            r.budget, "try_take", lambda *n, **how: try_take(*n, **how) and not peaks.append(r.budget.used)
        )
        calls = [export(r, bytes(6 << 20), compression=compression) for _ in range(20)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        refused = [answer for answer in answers if answer != b""]
        assert max(peaks) <= 13 << 20
        assert {error.code() for error in refused} <= {grpc.StatusCode.UNAVAILABLE}
        assert len(r.consumer.bodies) == len(answers) - len(refused) > 0
        assert await export(r, bytes(6 << 20), compression=compression) == b""


@pytest.mark.parametrize(
    "body", [b"\x1f\x8b\x08\x00", b"\x1f\x8bxx", gzip.compress(bytes(9999), mtime=0)[:-1], zlib.compress(b"")[:-1]]
)
async def test_damaged_compression_is_bad_data(running, body):
    async with running() as r:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await export(r, body)
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert r.consumer.bodies == []


@pytest.mark.parametrize(
    ("message", "encoding"),
    [
        (gzip.compress(b"", mtime=0), "gzip"),
        *((zlib.compress(b"x" * 100, level), "deflate") for level in range(10)),
        (b"", ""),
        (b"\x78", ""),
        (b"\x78\x02", ""),
        (ExportTraceServiceRequest(resource_spans=[{}]).SerializeToString(), ""),
        (ExportTraceServiceRequest(resource_spans=[{"schema_url": "x" * 120}]).SerializeToString(), ""),
    ],
)
def test_the_encoding_is_told_by_how_a_message_begins(message, encoding):
    assert encoding_of(message) == encoding
