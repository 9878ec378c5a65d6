"""Bodies of HTTP requests as they arrive: read, inflated and bounded by size, budget and time; and answers to them.

Plain ASGI: a parsed request object would bound them too late.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from starlette.types import Receive, Scope, Send

from collector.component.receiver import Metadata
from collector.receivers._shared.arriving import Pace, Pieces, Reading, Refused, inflate, reading
from collector.receivers._shared.inflate import INFLATERS
from collector.receivers._shared.status import TOO_SLOW
from collector.serving.budget import Share

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

_DRAIN_BYTES = 128 * 1024 * 1024
_DRAIN_SECONDS = 20


class ClientGone(Exception):  # noqa: N818 - as above
    """The connection ended in the middle of a body."""


@dataclass(slots=True)
class Head:
    """What the headers say about a request."""

    method: str
    content_type: str
    encoding: str
    length: int | None
    """Content-Length; None for a chunked body."""
    expects_continue: bool
    metadata: Metadata
    """All headers, for whoever asks for one."""

    @classmethod
    def of(cls, scope: Scope) -> Head:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        length = headers.get(b"content-length")
        return cls(
            method=scope["method"],
            content_type=headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1"),
            encoding=headers.get(b"content-encoding", b"").strip().lower().decode("latin-1"),
            length=int(length) if length is not None and length.isdigit() else None,
            expects_continue=b"expect" in headers,
            metadata=partial(_values, scope["headers"]),
        )

    @property
    def is_json(self) -> bool:
        """Also when the type is unknown: people read JSON more easily than protobuf."""
        return self.content_type != PROTOBUF


def _values(headers: Iterable[tuple[bytes, bytes]], name: str) -> list[str]:
    """Of a header that was sent several times, all; their bytes are read as UTF-8, as gRPC's are."""
    wanted = name.encode()
    return [value.decode("utf-8", "replace") for key, value in headers if key == wanted]


class Body:
    """A request body on its way in. Knows whether the client has sent all of it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.begun = False
        self.complete = False
        self.is_abandoned = False
        """What is still to come is not worth waiting for."""

    async def next(self) -> bytes:
        """The bytes that arrived. Raises ``ClientGone``."""
        self.begun = True
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientGone
        self.complete = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

    async def drain(self) -> None:
        """Reads and forgets the rest (bounded): who closes with unread bytes resets the connection,
        and the client never sees the status.
        """
        left = _DRAIN_BYTES
        with contextlib.suppress(ClientGone, TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self.complete and left > 0:
                    left -= len(await self.next())


class BodyReader:
    """Reads one body within the size limit, the budget and its time."""

    def __init__(self, body: Body, share: Share, limit: int, pace: Pace) -> None:
        self._body = body
        self._share = share
        self._pieces = Pieces(share, limit, "max_request_body_size")
        self._limit = limit
        self._pace = pace

    @property
    def size(self) -> int:
        """Inflated bytes so far."""
        return self._pieces.size

    async def read(self, head: Head) -> bytes:
        """The inflated body; exactly its size is held of the share. Raises ``TooLargeError``,
        ``InvalidDataError``, ``Refused`` (no budget, or too slow) and ``ClientGone``.
        """
        if head.length is not None and head.length > self._limit:
            raise self._pieces.too_large()
        self._pieces.admit(head.length)
        try:
            with reading(self._share, self._pace, self.forget) as arriving:
                if head.encoding in {"", "identity"}:
                    await self._read_plain(arriving)
                else:
                    await self._read_inflated(head.encoding, arriving)
        except Refused as refused:
            self._body.is_abandoned = refused.answer is TOO_SLOW
            raise
        return self._pieces.join()

    def forget(self) -> None:
        """Lets go of what was read: a refused body must not outlive its share while the rest is drained."""
        self._pieces.clear()

    async def _read_plain(self, arriving: Reading) -> None:
        while not self._body.complete:
            self._pieces.add(await arriving.next(self._body.next))

    async def _read_inflated(self, encoding: str, arriving: Reading) -> None:
        inflater = INFLATERS[encoding]()
        while not self._body.complete:
            data = await arriving.next(self._body.next)
            await inflate(inflater, data, self._pieces, arriving)
        inflater.finish()


async def respond(
    send: Send, head: Head, body: Body, status: int, content: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    """Answers, and reads what the client still sends: who closes with unread bytes resets the connection."""
    headers.append((b"content-length", str(len(content)).encode()))
    drains = not body.complete and not body.is_abandoned and not (head.expects_continue and not body.begun)
    if not body.complete and (not drains or head.length is None or head.length > _DRAIN_BYTES):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if not drains:
        await send({"type": "http.response.body", "body": content})
        return
    await send({"type": "http.response.body", "body": content, "more_body": True})
    await body.drain()
    await send({"type": "http.response.body", "body": b""})
