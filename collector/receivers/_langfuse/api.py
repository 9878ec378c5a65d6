"""The part of Langfuse's public API that its clients use to deliver: spans, scores, and what they ask on the way.

Below the same address as OTLP, so that ``LANGFUSE_HOST`` alone moves an application here. Spans are OTLP. Scores become
log records (``score_requests``). Media is declined in the form in which the SDKs go on silently; everything else is
a 404 at once, on which they fall back.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from collector.component.receiver import ByteBudget, Received, ReceiverSettings
from collector.errors import InvalidDataError
from collector.model.batch import Signal
from collector.receivers._langfuse.auth import Access, Gate
from collector.receivers._langfuse.score_requests import Score, read_score, request_of
from collector.receivers._shared.arriving import Pace, Refused
from collector.receivers._shared.http_body import Body, BodyReader, ClientGone, Head, respond
from collector.receivers._shared.inflate import INFLATERS
from collector.receivers._shared.intake import Intake
from collector.receivers._shared.status import Refusal, over_budget
from collector.serving.budget import Share
from collector.version import VERSION

PREFIX = "/api/public"
_INLINE_JSON_BYTES = 32 * 1024
_SHA256_BYTES = 32
_MEDIA_ID_LENGTH = 22


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer with a JSON document."""

    status: int
    document: Any
    headers: tuple[tuple[bytes, bytes], ...] = ()


def problem(status: int, message: str, error: str = "InvalidRequestError") -> Answer:
    """An error as Langfuse words it."""
    return Answer(status, {"message": message, "error": error})


Handler = Callable[[Any, Access], Awaitable[Answer]]


class LangfuseApi:
    """An ASGI app for everything below ``/api/public`` (and the links to traces that the SDKs print).

    ``spans``: takes what comes for ``/api/public/otel/v1/traces`` once the client is known; None where no pipeline
    takes traces.
    """

    def __init__(
        self,
        gate: Gate,
        settings: ReceiverSettings,
        intake: Intake,
        *,
        spans: ASGIApp | None,
        limit: int,
        pace: Pace,
        executor: Executor,
    ) -> None:
        self._gate = gate
        self._settings = settings
        self._intake = intake
        self._budget: ByteBudget = settings.budget
        self._spans = spans
        self._limit = limit
        self._pace = pace
        self._executor = executor
        self._requests = settings.telemetry.counter(
            "spanloom_langfuse_requests",
            "Requests of Langfuse clients other than for spans, by path and status.",
            ("path", "status"),
        )
        self._skipped = settings.telemetry.counter(
            "spanloom_langfuse_skipped_items",
            "What Langfuse clients sent that is not kept: media, metrics, sdk_log, and events other than scores.",
            ("kind",),
        )
        self._routes: dict[str, dict[str, Handler]] = {
            "/health": {"GET": self._health},
            "/projects": {"GET": self._projects},
            "/scores": {"POST": self._scores},
            "/ingestion": {"POST": self._ingestion},
            "/media": {"POST": self._media},
            "/otel/v1/metrics": {"POST": self._metrics},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head, body = Head.of(scope), Body(receive)
        path = scope["path"].removeprefix(PREFIX).rstrip("/")
        try:
            access = replace(self._gate.admit(scope, path), metadata=head.metadata)
        except Refused as refused:
            await _send(send, head, body, _of_refusal(refused.answer))
            return
        if path == "/otel/v1/traces" and head.method == "POST" and access.may_send_spans and self._spans is not None:
            await self._spans(scope, receive, send)
            return
        await self._answer(path, head, body, access, send)

    async def _answer(self, path: str, head: Head, body: Body, access: Access, send: Send) -> None:
        started, share = time.perf_counter(), Share(self._budget)
        reader = BodyReader(body, share, self._limit, self._pace)
        try:
            answer = await self._handle(path, head, reader, share, access)
        except ClientGone:
            return
        except Refused as refused:
            answer = _of_refusal(refused.answer)
        except Exception as error:
            answer = _of_refusal(self._intake.refused(error))
        finally:
            share.release()
            reader.forget()
        self._requests.labels(_label(path, self._routes), str(answer.status)).inc()
        self._settings.telemetry.request_seconds.labels(str(self._settings.id), "langfuse").observe(
            time.perf_counter() - started
        )
        await _send(send, head, body, answer)

    async def _handle(self, path: str, head: Head, reader: BodyReader, share: Share, access: Access) -> Answer:
        methods = self._methods(path)
        if methods is None:
            return problem(404, "there is no such resource here", "LangfuseNotFoundError")
        handler = methods.get(head.method)
        if handler is None:
            allowed = ", ".join(sorted(methods)).encode()
            return Answer(
                405, {"message": "Method not allowed", "error": "MethodNotAllowedError"}, ((b"allow", allowed),)
            )
        if not access.may_send_spans and path not in {"/scores", "/ingestion"}:
            return problem(403, "a public key alone may only create scores", "ForbiddenError")
        document = None
        if head.method != "GET" and path != "/otel/v1/metrics":
            document = await self._json(head, reader, share)
        return await handler(document, access)

    def _methods(self, path: str) -> dict[str, Handler] | None:
        if path.startswith("/media/") and path.count("/") == 2:
            return {"PATCH": self._media_done}
        return self._routes.get(path)

    async def _json(self, head: Head, reader: BodyReader, share: Share) -> Any:
        if head.encoding not in {"", "identity"} and head.encoding not in INFLATERS:
            raise InvalidDataError(f"the content encoding must be one of {', '.join(INFLATERS)}")
        body = await reader.read(head)
        # Parsed JSON takes more than its text.
        if not share.grow_to(2 * len(body)):
            raise Refused(over_budget())
        try:
            if len(body) <= _INLINE_JSON_BYTES:
                return json.loads(body)
            return await asyncio.get_running_loop().run_in_executor(self._executor, json.loads, body)
        except (ValueError, RecursionError):
            raise InvalidDataError("the body is no JSON document") from None

    async def _health(self, _document: Any, _access: Access) -> Answer:
        return Answer(200, {"status": "OK", "version": VERSION})

    async def _projects(self, _document: Any, access: Access) -> Answer:
        project = {"id": access.project, "name": access.project, "metadata": {}}
        return Answer(200, {"data": [project | {"organization": {"id": "spanloom", "name": "Spanloom"}}]})

    async def _metrics(self, _document: Any, _access: Access) -> Answer:
        self._skipped.labels("metrics").inc()
        return Answer(200, {})

    async def _scores(self, document: Any, access: Access) -> Answer:
        if not isinstance(document, list):
            score = read_score(document)
            return await self._store([score], access) or Answer(200, {"id": score.id})
        good, errors = [], []
        for position, body in enumerate(document):
            try:
                good.append(read_score(body))
            except InvalidDataError as error:
                errors.append({"message": f"[{position}].{error}"})
        if good and (failed := await self._store(good, access)):
            return failed
        if not errors:
            return Answer(202, {"message": "Accepted"})
        return Answer(207, {"accepted": len(good), "rejected": len(errors), "errors": errors})

    async def _ingestion(self, document: Any, access: Access) -> Answer:
        events = document.get("batch") if isinstance(document, dict) else None
        if not isinstance(events, list):
            return problem(400, "batch: must be a list of events")
        good: list[Score] = []
        successes, errors = [], []
        for event in events:
            id_ = _event_id(event)
            try:
                good += self._event(event)
            except InvalidDataError as error:
                errors.append({"id": id_, "status": 400, "message": str(error), "error": "InvalidRequestError"})
            else:
                successes.append({"id": id_, "status": 201})
        if good and (failed := await self._store(good, access)):
            return failed
        return Answer(207, {"successes": successes, "errors": errors})

    def _event(self, event: Any) -> list[Score]:
        """The score of an ingestion event; nothing of one that is dropped on purpose. Raises ``InvalidDataError``."""
        if not isinstance(event, dict) or not isinstance(kind := event.get("type"), str):
            raise InvalidDataError("an event has an id, a type, a timestamp and a body")
        if kind == "sdk-log":
            self._skipped.labels("sdk_log").inc()
            return []
        if kind != "score-create":
            self._skipped.labels("event").inc()
            raise InvalidDataError("only score-create is taken here: this client is to send its spans over OTLP")
        sent_time = event.get("timestamp")
        return [read_score(event.get("body"), default_time=sent_time if isinstance(sent_time, str) else None)]

    async def _store(self, good: Sequence[Score], access: Access) -> Answer | None:
        """None once the scores are durable, else why they were not taken."""
        if Signal.LOGS not in self._settings.signals:
            return problem(400, "no pipeline takes logs from this receiver, and scores are stored by one")
        started, body = time.perf_counter(), request_of(good)
        taken: Received | Refusal = await self._intake.consume(Signal.LOGS, body, access.metadata)
        self._intake.count(Signal.LOGS, taken, body_bytes=len(body), started=started)
        return None if isinstance(taken, Received) else _of_refusal(taken)

    async def _media(self, document: Any, _access: Access) -> Answer:
        """No upload: without an address to upload to, the SDKs take it that the medium is known already."""
        digest = document.get("sha256Hash") if isinstance(document, dict) else None
        if not isinstance(digest, str) or not _is_sha256(digest):
            return problem(400, "sha256Hash: must be a SHA-256 in base64")
        self._skipped.labels("media").inc()
        media_id = digest.replace("+", "-").replace("/", "_")[:_MEDIA_ID_LENGTH]
        return Answer(201, {"mediaId": media_id, "uploadUrl": None})

    async def _media_done(self, _document: Any, _access: Access) -> Answer:
        return Answer(200, {})


class TraceLink:
    """Where the links of the SDKs (``/project/{id}/traces/{trace_id}``) end: how to look at the trace."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trace_id = "".join(c for c in scope["path_params"].get("trace_id", "") if c in "0123456789abcdef")[:32]
        text = f"spanloom query \"from observations where trace_id = '{trace_id}'\"\n"
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await respond(send, Head.of(scope), Body(receive), 200, text.encode(), headers)


def _is_sha256(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _SHA256_BYTES
    except ValueError:  # also what text beyond ASCII raises
        return False


def _event_id(event: Any) -> str:
    id_ = event.get("id") if isinstance(event, dict) else None
    return id_ if isinstance(id_, str) else ""


def _label(path: str, known: dict[str, Any]) -> str:
    return path if path in known else "other"


def _of_refusal(refusal: Refusal) -> Answer:
    """The refusal in Langfuse's words; whether to try again is said by the status."""
    retry = refusal.retry_after_header()
    headers = ((b"retry-after", retry.encode()),) if retry else ()
    error = {401: "UnauthorizedError", 403: "ForbiddenError"}.get(refusal.http_status, "InvalidRequestError")
    if refusal.http_status >= 500 or refusal.http_status == 429:
        error = "ServiceUnavailable"
    return Answer(refusal.http_status, {"message": refusal.message, "error": error}, headers)


async def _send(send: Send, head: Head, body: Body, answer: Answer) -> None:
    content = json.dumps(answer.document, ensure_ascii=False).encode("utf-8", "replace")
    headers = [(b"content-type", b"application/json"), *answer.headers]
    await respond(send, head, body, answer.status, content, headers)
