"""OTLP over HTTP: ``POST /v1/{traces,logs,metrics}`` in protobuf and JSON (OTLP 1.11, "OTLP/HTTP").

The endpoints are plain ASGI inside the FastAPI app: bodies are read, inflated and bounded as they
arrive, which a parsed request object would do too late.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

import grpc
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.component.receiver import ByteBudget, Received
from collector.errors import InvalidDataError
from collector.model.batch import Signal
from collector.model.codec.chosen import prepare_json
from collector.receivers._langfuse.api import PREFIX, TraceLink
from collector.receivers._otlp.receiver_config import CorsConfig
from collector.receivers._shared.arriving import Pace, Refused
from collector.receivers._shared.http_body import JSON, PROTOBUF, Body, BodyReader, ClientGone, Head, respond
from collector.receivers._shared.inflate import INFLATERS
from collector.receivers._shared.intake import Intake
from collector.receivers._shared.status import Refusal, over_budget, success_json, success_proto
from collector.serving.budget import Share

_INLINE_JSON_BYTES = 32 * 1024
"""Smaller JSON is prepared on the event loop: a thread hop costs more."""

_NO_SUCH_PATH = Refusal(grpc.StatusCode.UNIMPLEMENTED, 404, "no such path", "not_found")
_POST_ONLY = Refusal(grpc.StatusCode.UNIMPLEMENTED, 405, "only POST is allowed", "method")
_CONTENT_TYPES = Refusal(
    grpc.StatusCode.INVALID_ARGUMENT, 415, f"the content type must be {PROTOBUF} or {JSON}", "content_type"
)
_ENCODINGS = Refusal(
    grpc.StatusCode.INVALID_ARGUMENT, 415, "the content encoding must be gzip, deflate or zstd", "content_encoding"
)


class _SignalEndpoint:
    """The ASGI app behind one path."""

    def __init__(
        self, signal: Signal, intake: Intake, budget: ByteBudget, limit: int, pace: Pace, prepare: _PrepareJson
    ) -> None:
        self._signal = signal
        self._intake = intake
        self._budget = budget
        self._limit = limit
        self._pace = pace
        self._prepare_json = prepare

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        head, body, share = Head.of(scope), Body(receive), Share(self._budget)
        reader = BodyReader(body, share, self._limit, self._pace)
        answer: Received | Refusal | None = None
        try:
            answer = await self._take(head, reader, share)
        except Refused as refused:
            answer = refused.answer
        except ClientGone:
            return
        except Exception as error:
            answer = self._intake.refused(error)
        finally:
            share.release()
            reader.forget()
            self._intake.count(self._signal, answer, body_bytes=reader.size, started=started)
        await _respond(self._signal, head, body, answer, send)

    async def _take(self, head: Head, reader: BodyReader, share: Share) -> Received | Refusal:
        if head.method != "POST":
            return _POST_ONLY
        if head.content_type not in {PROTOBUF, JSON}:
            return _CONTENT_TYPES
        if head.encoding not in {"", "identity"} and head.encoding not in INFLATERS:
            return _ENCODINGS
        body = await reader.read(head)
        if head.content_type == JSON:
            body = await self._prepare_json(self._signal, body, share)
        return await self._intake.consume(self._signal, body, head.metadata)


class _PrepareJson:
    """OTLP/JSON as the codec groups it; large bodies one at a time, in a thread, as parsed JSON is many times its
    text.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def __call__(self, signal: Signal, body: bytes, share: Share) -> bytes:
        if not share.grow_to(2 * len(body)):
            raise Refused(over_budget())
        try:
            if len(body) <= _INLINE_JSON_BYTES:
                prepared = prepare_json(signal, body)
            else:
                loop = asyncio.get_running_loop()
                prepared = await loop.run_in_executor(self._executor, prepare_json, signal, body)
        except RecursionError:
            raise InvalidDataError("the JSON is nested too deep") from None
        share.shrink_to(len(prepared))
        return prepared


async def _respond(signal: Signal, head: Head, body: Body, answer: Received | Refusal, send: Send) -> None:
    headers = [(b"content-type", (JSON if head.is_json else PROTOBUF).encode())]
    if isinstance(answer, Received):
        status, content = 200, success_json(signal, answer) if head.is_json else success_proto(answer)
    else:
        status, content = answer.http_status, answer.json() if head.is_json else answer.proto()
        headers += _refusal_headers(answer)
    await respond(send, head, body, status, content, headers)


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
        await _respond(Signal.TRACES, Head.of(scope), Body(receive), self._refusal, send)


LangfuseOf = Callable[[ASGIApp | None], ASGIApp]
"""Makes the app for Langfuse's clients, given what takes spans (None: no pipeline does)."""


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
    pace: Pace,
    executor: Executor,
    cors: CorsConfig | None = None,
    langfuse: LangfuseOf | None = None,
) -> FastAPI:
    """The app of one receiver.

    ``limit`` is the size of a body in bytes, as sent and inflated, ``pace`` the time it may take; ``executor`` has
    one thread, for large JSON bodies. Paths of ``signals`` nobody consumes answer 404.
    """
    app = _App(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.router.default = _Always(_NO_SUCH_PATH)
    prepare = _PrepareJson(executor)
    for signal, path in paths.items():
        endpoint: Any = _SignalEndpoint(signal, intake, budget, limit, pace, prepare)
        if signal not in signals:
            endpoint = _Always(_not_consumed(signal))
        app.router.routes.append(Route(path, endpoint=endpoint))
        app.direct[path] = endpoint
    if langfuse is not None:
        spans = app.direct[paths[Signal.TRACES]] if Signal.TRACES in signals else None
        app.router.routes.append(Mount(PREFIX, app=langfuse(spans)))
        app.router.routes.append(Route("/project/{project}/traces/{trace_id}", endpoint=TraceLink()))
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
