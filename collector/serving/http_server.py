"""Serves an ASGI app on uvicorn inside the running event loop.

uvicorn is made to fit a service: it takes no signals, writes no access log, stops without ticks,
and closes connections that dawdle. uvicorn itself only bounds the idle time *between* requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from collector.errors import ConfigError
from collector.serving.access import Access, Guard, is_loopback_host

_log = structlog.stdlib.get_logger(__name__)

BACKLOG = 4096
"""Connections the kernel may hold for us; clients of a restarted collector all come back at once."""

_PORT_ATTEMPTS = 20
_LINGER_SECONDS = 2

_MAX_PIPELINED = 64
"""Requests that a connection may have sent ahead of the answers; each costs memory while it waits."""


@dataclass(frozen=True)
class HttpLimits:
    """What a client may cost before it is disconnected. Times in seconds, 0 means no limit."""

    header_timeout: float = 60
    """From the first byte of a request (or the connection) to the end of its headers."""

    body_timeout: float = 30
    """Longest silence in the middle of a body."""

    read_timeout: float = 120
    """From the first byte of a request to the end of its body."""

    idle_timeout: float = 180
    """Between two requests. Above a minute, as SDKs export metrics once a minute: a server that
    closes at that very moment breaks their request."""

    header_bytes: int = 64 * 1024
    """Request line and headers together; and what follows a chunked body (trailers), which nobody reads."""

    shutdown_timeout: float = 10
    """How long requests in flight may take to finish after ``shutdown``."""


def split_endpoint(endpoint: str) -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[v6]:port``. Raises ``ConfigError``."""
    host, colon, port = endpoint.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535 or (":" in host and not bracketed):
        raise ConfigError(f"{endpoint!r} is not an address to listen on: write 'host:port', '[::1]:port' or ':port'")
    return (host[1:-1] if bracketed else host), int(port)


def format_address(host: str, port: int) -> str:
    """``host:port``, with IPv6 hosts in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address_of(sock: socket.socket) -> str:
    """The address a socket is bound to."""
    host, port = sock.getsockname()[:2]
    return format_address(host, port)


def listen(endpoint: str, *, backlog: int = BACKLOG) -> list[socket.socket]:
    """Listening sockets for ``host:port``; port 0 takes a free one.

    ``localhost`` means 127.0.0.1 and ::1 on the same port (without IPv6: only the former), and an
    empty host all interfaces. Raises ``ConfigError`` with the address that cannot be bound.
    """
    host, port = split_endpoint(endpoint)
    if host == "localhost":
        return _listen_on_loopback(endpoint, port, backlog)
    if host:
        family, address = _resolve(endpoint, host)
        return [_listen_on(endpoint, family, address, port, backlog)]
    if _has_ipv6("::"):
        return [_listen_on(endpoint, socket.AF_INET6, "::", port, backlog, v6_only=False)]
    return [_listen_on(endpoint, socket.AF_INET, "0.0.0.0", port, backlog)]  # noqa: S104 - what ':port' asks for


def _listen_on_loopback(endpoint: str, port: int, backlog: int) -> list[socket.socket]:
    if not _has_ipv6("::1"):
        _log.info("no IPv6 on the loopback interface: listening on 127.0.0.1 only", endpoint=endpoint)
        return [_listen_on(endpoint, socket.AF_INET, "127.0.0.1", port, backlog)]
    for attempt in range(_PORT_ATTEMPTS):
        v4 = _listen_on(endpoint, socket.AF_INET, "127.0.0.1", port, backlog)
        try:
            return [v4, _listen_on(endpoint, socket.AF_INET6, "::1", v4.getsockname()[1], backlog)]
        except ConfigError:
            v4.close()
            # A free port of one family may be taken in the other: only then is another try of use.
            if port or attempt == _PORT_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _has_ipv6(address: str) -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
    return True


def _resolve(endpoint: str, host: str) -> tuple[int, str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(f"cannot listen on {endpoint!r}: the host has no address ({error})") from None
    family, _, _, _, address = found[0]
    return family, str(address[0])


def _listen_on(
    endpoint: str, family: int, host: str, port: int, backlog: int, *, v6_only: bool = True
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6_only)
        sock.bind((host, port))
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        where = format_address(host, port)
        raise ConfigError(f"cannot listen on {where} (endpoint {endpoint!r}): {error.strerror or error}") from None
    return sock


class HttpServer:
    """A running server, made by ``serve``."""

    def __init__(self, server: _Server, task: asyncio.Task[None], sockets: Sequence[socket.socket]) -> None:
        self._server = server
        self._task = task
        self._endpoints = [address_of(s) for s in sockets]

    @property
    def endpoints(self) -> list[str]:
        """``host:port`` of every socket, with the real port."""
        return list(self._endpoints)

    async def shutdown(self) -> None:
        """Accepts nothing new, finishes requests in flight (bounded), closes. May be called twice."""
        self._server.stop()
        await asyncio.wait([self._task])
        if not self._task.cancelled() and (error := self._task.exception()):
            raise error


async def serve(
    app: Any,
    endpoint: str,
    *,
    tls: ssl.SSLContext | None = None,
    limits: HttpLimits | None = None,
    access: Access | None = None,
) -> HttpServer:
    """Starts an ASGI app; it accepts connections when this returns.

    Web pages and host names that are not in ``access`` do not reach the app.
    The app's lifespan events are not run: what it needs is started and stopped by its owner.
    Raises ``ConfigError`` when the address cannot be bound.
    """
    limits = limits or HttpLimits()
    sockets = listen(endpoint)
    on_loopback = all(is_loopback_host(sock.getsockname()[0]) for sock in sockets)
    config = uvicorn.Config(
        Guard(app, access or Access(), on_loopback=on_loopback),
        interface="asgi3",  # not guessed: a bound method would pass for the older one
        http=functools.partial(_Protocol, limits=limits),  # type: ignore[arg-type]  # a factory is all that is asked
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=_whole_seconds(limits.idle_timeout),
        timeout_graceful_shutdown=_whole_seconds(limits.shutdown_timeout),
        ssl_context_factory=(lambda _config, _default: tls) if tls else None,
    )
    server = _Server(config, limits)
    task = asyncio.get_running_loop().create_task(server.serve(sockets=sockets), name=f"http server {endpoint}")
    ready = asyncio.get_running_loop().create_task(server.ready.wait())
    await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if task.done():
        for sock in sockets:
            sock.close()
        await task
    return HttpServer(server, task, sockets)


def _whole_seconds(value: float) -> int:
    return max(1, round(value)) if value else 2**31


class _Server(uvicorn.Server):
    """uvicorn without signal handlers and without the 0.1 s ticks that delay its end."""

    def __init__(self, config: uvicorn.Config, limits: HttpLimits) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._stop = asyncio.Event()
        self._limits = limits

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        self._stop.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        self.ready.set()
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._stop.wait()
            await self.on_tick(0)  # refreshes the Date header
            self._disconnect_dawdlers(loop.time())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets=sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def _disconnect_dawdlers(self, now: float) -> None:
        # One sweep per second over all connections costs less than a timer per request.
        for connection in list(self.server_state.connections):
            if isinstance(connection, _Protocol) and connection.dawdles(now):
                connection.transport.abort()


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with bounds on the size of headers and the time of each part."""

    def __init__(self, *args: Any, limits: HttpLimits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._in_headers = True
        self._in_body = False
        self._header_bytes = 0
        self._trailer_bytes = 0
        self._got_body = False
        self._requests = 0
        self._refused = False
        self._request_since = self._data_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._data_since = self.loop.time()
        was_in_headers, requests = self._in_headers, self._requests
        if was_in_headers and not self._header_bytes:
            self._request_since = self._data_since
        self._got_body = False
        super().data_received(data)
        if self._in_body and not was_in_headers and requests == self._requests and not self._got_body:
            self._count_trailer(len(data))
        # A read that ended one request and began the next counts for neither: it is small enough.
        if was_in_headers and self._in_headers and requests == self._requests:
            self._header_bytes += len(data)
            if self._header_bytes > self._limits.header_bytes:
                self._refuse_headers()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._requests += 1
        self._header_bytes = self._trailer_bytes = 0
        self._in_headers, self._in_body = False, True
        if len(self.pipeline) >= _MAX_PIPELINED:
            self._cut_off()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._got_body = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_headers, self._in_body = True, False
        super().on_message_complete()

    def dawdles(self, now: float) -> bool:
        """True when the client takes longer than a limit. Time in which we do not read is ours."""
        limits = self._limits
        if self.flow is None or self.flow.read_paused:
            self._data_since = now
            return False
        in_request = now - self._request_since
        if self._in_body:
            silent = now - self._data_since
            return _above(silent, limits.body_timeout) or _above(in_request, limits.read_timeout)
        awaits_first = not self._requests
        return (self._header_bytes > 0 or awaits_first) and _above(in_request, limits.header_timeout)

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _count_trailer(self, n: int) -> None:
        """Counts bytes that came in the middle of a body and are none of it. The parser keeps them until a line ends,
        so they are counted as they come.
        """
        self._trailer_bytes += n
        if self._trailer_bytes > self._limits.header_bytes:
            self._refused = True
            self.transport.abort()

    def _cut_off(self) -> NoReturn:
        """Ends the connection from within the parser, which would go on with what it has."""
        self._refused = True
        self.transport.abort()
        raise ConnectionAbortedError

    def _refuse_headers(self) -> None:
        if self.transport.is_closing():
            return
        body = b"request header fields too large"
        head = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: text/plain\r\n"
        self.transport.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        # Closed with bytes unread the connection is reset, and the client never sees the status.
        self._refused = True
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)


def _above(value: float, limit: float) -> bool:
    return limit > 0 and value > limit
