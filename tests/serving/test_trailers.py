"""What follows a chunked body (trailers) is bounded like headers, and nobody gets to see it; so is pipelining.

Proves it with raw sockets on loopback, in several framings. Does not prove how much memory the process takes.
"""

import asyncio
import contextlib

import pytest

from collector.serving.http_server import HttpLimits, serve

BOUND = 2000
HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
BODY = b"3\r\nabc\r\n0\r\n"
WHOLE = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabc"
SHAPES = {
    "short lines": b"a:\r\n" * 50,
    "one endless line": b"a: " + b"b" * 197,
    "an endless name": b"a" * 200,
    "folded lines": b"a: b\r\n c\r\n" * 20,
}
BEFORE = {
    "first": HEAD + BODY,
    "empty body": HEAD + b"0\r\n",
    "keep-alive": WHOLE + HEAD + BODY,
    "pipelined": WHOLE * 10 + HEAD + BODY,
    "after trailers": HEAD + BODY + b"x: y\r\n\r\n" + HEAD + BODY,
}


class App:
    """Reads each body; notes what it saw."""

    def __init__(self):
        self.done = []

    async def __call__(self, scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        self.done.append((body, dict(scope["headers"])))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@contextlib.asynccontextmanager
async def connected(app):
    server = await serve(app, "127.0.0.1:0", limits=HttpLimits(header_bytes=BOUND))
    host, port = server.endpoints[0].rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        await server.shutdown()


@pytest.mark.parametrize("before", list(BEFORE))
@pytest.mark.parametrize("shape", list(SHAPES))
async def test_endless_trailers_end_the_connection(shape, before):
    app = App()
    async with connected(app) as (reader, writer):
        writer.write(BEFORE[before])
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(20):
                while not reader.at_eof() and reader.exception() is None:
                    writer.write(SHAPES[shape])
                    await writer.drain()
                    await asyncio.sleep(0.001)
        assert reader.at_eof() or reader.exception() is not None
        expected = {"keep-alive": 1, "pipelined": 10, "after trailers": 1}.get(before, 0)
        # Folded lines are an error of the first read already, which ends what is queued, too.
        assert len(app.done) == expected or (shape == "folded lines" and len(app.done) < expected)


@pytest.mark.parametrize("whole", [True, False])
async def test_trailers_within_the_bound_are_dropped_and_the_connection_lives_on(whole):
    app = App()
    async with connected(app) as (reader, writer):
        for _ in range(3):
            for part in (
                [HEAD + BODY + b"authorization: Basic x\r\nhost: evil\r\n\r\n"]
                if whole
                else [
                    HEAD,
                    BODY,
                    b"authorization: ",
                    b"Basic x\r\nhost: evil\r\n",
                    b"\r\n",
                ]
            ):
                writer.write(part)
                await asyncio.sleep(0.005)
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        assert app.done == [(b"abc", {b"host": b"localhost", b"transfer-encoding": b"chunked"})] * 3


async def test_a_body_in_tiny_chunks_is_no_trailer():
    app = App()
    async with connected(app) as (reader, writer):
        writer.write(HEAD)
        for _ in range(3000):
            writer.write(b"1;x=y\r\nx\r\n")
        writer.write(b"0\r\n\r\n")
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        assert app.done[0][0] == b"x" * 3000


@pytest.mark.parametrize(("count", "answered"), [(30, True), (5000, False)])
async def test_requests_sent_ahead_are_bounded(count, answered):
    release = asyncio.Event()
    inner = App()

    async def app(scope, receive, send):
        await release.wait()
        await inner(scope, receive, send)

    async with connected(app) as (reader, writer):
        writer.write(WHOLE * count)
        if answered:
            release.set()
            for _ in range(count):
                assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        else:
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(20):
                    assert b" 200 " not in await reader.read()
            release.set()
            assert len(inner.done) <= 1
