"""The HTTP server's addresses, limits and end.

Proves it with raw sockets on loopback. Does not prove what the apps inside answer.
"""

import asyncio
import contextlib
import socket

import pytest

from collector.errors import ConfigError
from collector.serving.http_server import HttpLimits, address_of, listen, serve, split_endpoint


@pytest.mark.parametrize(
    ("endpoint", "parts"),
    [
        ("localhost:4318", ("localhost", 4318)),
        ("[::1]:0", ("::1", 0)),
        (":80", ("", 80)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
    ],
)
def test_endpoints_are_split(endpoint, parts):
    assert split_endpoint(endpoint) == parts


@pytest.mark.parametrize(
    "endpoint", ["", "localhost", "::1:80", "host:", "host:http", "host:65536", "host:-1", "host:١"]
)
def test_what_is_no_endpoint_is_named(endpoint):
    with pytest.raises(ConfigError, match="is not an address"):
        split_endpoint(endpoint)


def test_localhost_is_both_families_on_one_port(has_ipv6):
    sockets = listen("localhost:0")
    try:
        assert [s.family for s in sockets] == [socket.AF_INET, socket.AF_INET6][: 1 + has_ipv6]
        assert len({s.getsockname()[1] for s in sockets}) == 1
        with pytest.raises(ConfigError, match=address_of(sockets[0])):
            listen(f"localhost:{sockets[0].getsockname()[1]}")
    finally:
        for sock in sockets:
            sock.close()


def test_localhost_refuses_when_only_one_family_is_free(has_ipv6):
    if not has_ipv6:
        pytest.skip("no IPv6 here")
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as other:
        other.bind(("::1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"\[::1\]:{port}"):
            listen(f"localhost:{port}")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))  # the half that had been bound was given back


def test_unknown_hosts_are_named():
    with pytest.raises(ConfigError, match=r"nowhere\.invalid"):
        listen("nowhere.invalid:0")


async def _echo(scope, receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
    await send({"type": "http.response.body", "body": str(size)[:1].encode()})


async def _connect(server):
    host, port = server.endpoints[0].rsplit(":", 1)
    return await asyncio.open_connection(host, int(port))


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST / HTTP/1.1\r\nhost: ",
        b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nabc",
    ],
)
async def test_clients_that_dawdle_are_disconnected(sent):
    limits = HttpLimits(header_timeout=0.2, body_timeout=0.2)
    server = await serve(_echo, "127.0.0.1:0", limits=limits)
    reader, writer = await _connect(server)
    writer.write(sent)
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()
    await server.shutdown()


async def test_a_body_that_trickles_in_is_cut_off_by_the_read_timeout():
    server = await serve(_echo, "127.0.0.1:0", limits=HttpLimits(read_timeout=0.5))
    reader, writer = await _connect(server)
    writer.write(b"POST / HTTP/1.1\r\ncontent-length: 100000\r\n\r\n")
    async with asyncio.timeout(20):
        while not reader.at_eof() and reader.exception() is None:
            writer.write(b"x")
            await asyncio.sleep(0.01)
    writer.close()
    await server.shutdown()


async def test_requests_within_the_limits_share_a_connection():
    server = await serve(_echo, "127.0.0.1:0")
    reader, writer = await _connect(server)
    for _ in range(3):
        writer.write(b"POST / HTTP/1.1\r\ncontent-length: 300000\r\n\r\n" + bytes(300_000))
        assert b"200" in await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(1) == b"3"
    writer.close()
    await server.shutdown()


async def test_headers_are_bounded():
    server = await serve(_echo, "127.0.0.1:0", limits=HttpLimits(header_bytes=1000))
    reader, writer = await _connect(server)
    writer.write(b"POST / HTTP/1.1\r\nx: ")
    for _ in range(10):
        writer.write(b"y" * 200)
        await writer.drain()
        await asyncio.sleep(0.001)
    assert (await reader.readline()).startswith(b"HTTP/1.1 431 ")
    writer.close()
    await server.shutdown()


async def test_garbage_is_answered_and_harms_nobody():
    server = await serve(_echo, "127.0.0.1:0")
    reader, writer = await _connect(server)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
    writer.close()
    reader, writer = await _connect(server)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert b"200" in await reader.readline()
    writer.close()
    await server.shutdown()


async def test_shutdown_closes_idle_connections_and_the_port():
    server = await serve(_echo, "127.0.0.1:0")
    reader, writer = await _connect(server)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n0")
    await server.shutdown()
    assert await reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await _connect(server)
    await server.shutdown()


async def test_shutdown_ends_requests_that_do_not_finish_in_time():
    entered = asyncio.Event()

    async def stuck(scope, receive, send):
        entered.set()
        await asyncio.Event().wait()

    server = await serve(stuck, "127.0.0.1:0", limits=HttpLimits(shutdown_timeout=1))
    reader, writer = await _connect(server)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(20):
        await entered.wait()
        await server.shutdown()
        with contextlib.suppress(ConnectionResetError):
            assert b" 200 " not in await reader.read()
    writer.close()


async def test_signal_handlers_stay_as_they_were():
    import signal

    before = signal.getsignal(signal.SIGTERM)
    server = await serve(_echo, "127.0.0.1:0")
    assert signal.getsignal(signal.SIGTERM) is before
    await server.shutdown()
