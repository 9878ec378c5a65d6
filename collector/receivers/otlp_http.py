"""OTLP over HTTP: ``POST /v1/{traces,logs,metrics}`` in protobuf and JSON (OTLP 1.11, "OTLP/HTTP").

The endpoints are plain ASGI inside the FastAPI app: bodies are read, inflated and bounded as they
arrive, which a parsed request object would do too late.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import grpc
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.budget import Share
from collector.component import ByteBudget, Received
from collector.errors import InvalidDataError, TooLargeError
from collector.model.batch import Signal
from collector.receivers.inflate import INFLATERS
from collector.receivers.intake import Intake
from collector.receivers.otlp_config import CorsConfig
from collector.receivers.status import Refusal, over_budget, success_json, success_proto

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

_STEP_BYTES = 256 * 1024
"""A body of unknown size takes its share of the budget in steps of this many bytes."""

_INLINE_JSON_BYTES = 32 * 1024
"""Smaller JSON is translated on the event loop: a thread hop costs more."""

_DRAIN_BYTES = 128 * 1024 * 1024
_DRAIN_SECONDS = 20

_NO_SUCH_PATH = Refusal(grpc.StatusCode.UNIMPLEMENTED, 404, "no such path", "not_found")
_POST_ONLY = Refusal(grpc.StatusCode.UNIMPLEMENTED, 405, "only POST is allowed", "method")
_CONTENT_TYPES = Refusal(
    grpc.StatusCode.INVALID_ARGUMENT, 415, f"the content type must be {PROTOBUF} or {JSON}", "content_type"
)
_ENCODINGS = Refusal(
    grpc.StatusCode.INVALID_ARGUMENT, 415, "the content encoding must be gzip, deflate or zstd", "content_encoding"
)


class _Refused(Exception):  # noqa: N818 - not an error of ours: a decision on its way out
    def __init__(self, answer: Refusal) -> None:
        self.answer = answer


class _ClientGone(Exception):  # noqa: N818 - as above
    """The connection ended in the middle of a body."""


@dataclass(slots=True)
class _Head:
    """What the headers say about a request."""

    method: str
    content_type: str
    encoding: str
    length: int | None
    """Content-Length; None for a chunked body."""
    expects_continue: bool

    @classmethod
    def of(cls, scope: Scope) -> _Head:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        length = headers.get(b"content-length")
        return cls(
            method=scope["method"],
            content_type=headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1"),
            encoding=headers.get(b"content-encoding", b"").strip().lower().decode("latin-1"),
            length=int(length) if length is not None and length.isdigit() else None,
            expects_continue=b"expect" in headers,
        )

    @property
    def is_json(self) -> bool:
        """Also when the type is unknown: people read JSON more easily than protobuf."""
        return self.content_type != PROTOBUF


class _Body:
    """A request body on its way in. Knows whether the client has sent all of it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.begun = False
        self.complete = False

    async def next(self) -> bytes:
        """The bytes that arrived. Raises ``_ClientGone``."""
        self.begun = True
        message = await self._receive()
        if message["type"] != "http.request":
            raise _ClientGone
        self.complete = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

    async def drain(self) -> None:
        """Reads and forgets the rest (bounded): who closes with unread bytes resets the connection,
        and the client never sees the status.
        """
        left = _DRAIN_BYTES
        with contextlib.suppress(_ClientGone, TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self.complete and left > 0:
                    left -= len(await self.next())


class _Reader:
    """Reads one body within the size limit and the budget."""

    def __init__(self, body: _Body, share: Share, limit: int) -> None:
        self._body = body
        self._share = share
        self._limit = limit
        self._pieces: list[bytes] = []
        self.size = 0

    async def read(self, head: _Head) -> bytes:
        """The inflated body; exactly its size is held of the share. Raises ``TooLargeError``,
        ``InvalidDataError``, ``_Refused`` (no budget) and ``_ClientGone``.
        """
        if head.length is not None and head.length > self._limit:
            raise self._too_large()
        self._reserve(_STEP_BYTES if head.length is None else head.length)
        if head.encoding in {"", "identity"}:
            await self._read_plain()
        else:
            await self._read_inflated(head.encoding)
        self._share.shrink_to(self.size)
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _read_plain(self) -> None:
        while not self._body.complete:
            self._add(await self._body.next())

    async def _read_inflated(self, encoding: str) -> None:
        inflater = INFLATERS[encoding]()
        while not self._body.complete:
            for piece in inflater.feed(await self._body.next()):
                self._add(piece)
                if len(piece) >= _STEP_BYTES:
                    await asyncio.sleep(0)  # a well packed body must not hold up everybody else
        inflater.finish()

    def _add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self._limit:
            raise self._too_large()
        if self.size > self._share.held:
            self._reserve(min(self._limit, self.size + _STEP_BYTES))
        if piece:
            self._pieces.append(piece)

    def _reserve(self, n: int) -> None:
        if not self._share.grow_to(n):
            raise _Refused(over_budget())

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"the request is larger than {self._limit} bytes (max_request_body_size)")


class _SignalEndpoint:
    """The ASGI app behind one path."""

    def __init__(self, signal: Signal, intake: Intake, budget: ByteBudget, limit: int, translate: _Translate) -> None:
        self._signal = signal
        self._intake = intake
        self._budget = budget
        self._limit = limit
        self._translate = translate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        head, body, share = _Head.of(scope), _Body(receive), Share(self._budget)
        reader = _Reader(body, share, self._limit)
        answer: Received | Refusal | None = None
        try:
            answer = await self._take(head, reader, share)
        except _Refused as refused:
            answer = refused.answer
        except _ClientGone:
            return
        except Exception as error:
            answer = self._intake.refused(error)
        finally:
            share.release()
            del reader._pieces[:]  # noqa: SLF001 - a refused body must not outlive its share while we drain
            self._intake.count(self._signal, answer, body_bytes=reader.size, started=started)
        await _respond(self._signal, head, body, answer, send)

    async def _take(self, head: _Head, reader: _Reader, share: Share) -> Received | Refusal:
        if head.method != "POST":
            return _POST_ONLY
        if head.content_type not in {PROTOBUF, JSON}:
            return _CONTENT_TYPES
        if head.encoding not in {"", "identity"} and head.encoding not in INFLATERS:
            return _ENCODINGS
        body = await reader.read(head)
        if head.content_type == JSON:
            body = await self._translate(self._signal, body, share)
        return await self._intake.consume(self._signal, body)


class _Translate:
    """OTLP/JSON → protobuf; large bodies one at a time, in a thread, as parsed JSON is many times its text."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def __call__(self, signal: Signal, body: bytes, share: Share) -> bytes:
        from collector.model.otlp_json import to_protobuf  # noqa: PLC0415 - only who gets JSON pays for it

        if not share.grow_to(2 * len(body)):
            raise _Refused(over_budget())
        try:
            if len(body) <= _INLINE_JSON_BYTES:
                translated = to_protobuf(signal, body)
            else:
                loop = asyncio.get_running_loop()
                translated = await loop.run_in_executor(self._executor, to_protobuf, signal, body)
        except RecursionError:
            raise InvalidDataError("the JSON is nested too deep") from None
        share.shrink_to(len(translated))
        return translated


async def _respond(signal: Signal, head: _Head, body: _Body, answer: Received | Refusal, send: Send) -> None:
    headers = [(b"content-type", (JSON if head.is_json else PROTOBUF).encode())]
    if isinstance(answer, Received):
        status, content = 200, success_json(signal, answer) if head.is_json else success_proto(answer)
    else:
        status, content = answer.http_status, answer.json() if head.is_json else answer.proto()
        headers += _refusal_headers(answer)
    headers.append((b"content-length", str(len(content)).encode()))
    drains = not body.complete and not (head.expects_continue and not body.begun)
    if not body.complete and (not drains or head.length is None or head.length > _DRAIN_BYTES):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if not drains:
        await send({"type": "http.response.body", "body": content})
        return
    await send({"type": "http.response.body", "body": content, "more_body": True})
    await body.drain()
    await send({"type": "http.response.body", "body": b""})


def _refusal_headers(answer: Refusal) -> list[tuple[bytes, bytes]]:
    headers = []
    if answer is _POST_ONLY:
        headers.append((b"allow", b"POST"))
    if answer is _ENCODINGS:
        headers.append((b"accept-encoding", ", ".join(INFLATERS).encode()))
    if retry_after := answer.retry_after_header():
        headers.append((b"retry-after", retry_after.encode()))
    return headers


class _Always:
    """An ASGI app with one answer to everything."""

    def __init__(self, refusal: Refusal) -> None:
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _respond(Signal.TRACES, _Head.of(scope), _Body(receive), self._refusal, send)


class _App(FastAPI):
    """FastAPI, but for a short way to the endpoints: small requests cost 0.7 times as much by it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.direct: dict[str, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self.direct.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await super().__call__(scope, receive, send)
        else:
            await endpoint(scope, receive, send)


def create_app(
    paths: Mapping[Signal, str],
    *,
    intake: Intake,
    signals: frozenset[Signal],
    budget: ByteBudget,
    limit: int,
    executor: Executor,
    cors: CorsConfig | None = None,
) -> FastAPI:
    """The app of one receiver.

    ``limit`` is the size of a body in bytes, as sent and inflated; ``executor`` has one thread, for
    the translation of large JSON bodies. Paths of ``signals`` nobody consumes answer 404.
    """
    app = _App(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.router.default = _Always(_NO_SUCH_PATH)
    translate = _Translate(executor)
    for signal, path in paths.items():
        endpoint: Any = _SignalEndpoint(signal, intake, budget, limit, translate)
        if signal not in signals:
            endpoint = _Always(_not_consumed(signal))
        app.router.routes.append(Route(path, endpoint=endpoint))
        app.direct[path] = endpoint
    if cors is not None and cors.allowed_origins:
        _allow_browsers(app, cors)
        app.direct.clear()
    return app


def _not_consumed(signal: Signal) -> Refusal:
    message = f"no pipeline takes {signal.value} from this receiver"
    return Refusal(grpc.StatusCode.UNIMPLEMENTED, 404, message, "not_found")


def _allow_browsers(app: FastAPI, cors: CorsConfig) -> None:
    patterns = [re.escape(origin).replace(r"\*", ".*") for origin in cors.allowed_origins]
    app.add_middleware(
        CORSMiddleware,
        allow_origin_regex="|".join(patterns),
        allow_methods=["POST"],
        allow_headers=["content-type", "content-encoding", *cors.allowed_headers],
        expose_headers=list(cors.exposed_headers),
        max_age=cors.max_age,
    )
