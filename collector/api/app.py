"""The admin server's app: health, metrics, SQL, pricing again.

Everything answers only requests that a person or program on purpose sends here: a web page somewhere else must not
read a laptop's data through the browser. ``admin_access`` says so to the server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa
import structlog
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel, ConfigDict, Field

from collector.engine.repricing import COLUMNS, ModelChange
from collector.errors import CollectorError, RetryableError
from collector.model.stored.as_json import json_rows
from collector.serving.access import Access
from collector.telemetry import Telemetry

MAX_ROWS = 100_000
"""Rows of one answer at most."""
MAX_BODY_BYTES = 1024 * 1024
API_PREFIX = "/api/"

_log = structlog.stdlib.get_logger("admin")

Query = Callable[[str, int], pa.Table]
"""(sql, limit) → at most ``limit`` rows; blocks; raises ``PermanentError`` on a bad statement."""

RepriceStores = Callable[[int, bool], Mapping[str, Sequence[ModelChange]]]
"""(since in Unix nanoseconds, dry run) → store → what changed; blocks."""


class Health(Protocol):
    """What the service says about itself: (yes or no, why not, or what is amiss though it is a yes).

    Reasons name components and conditions, never content or secrets.
    """

    def live(self) -> tuple[bool, str]:
        """Works at all; if not, it must be restarted."""

    def ready(self) -> tuple[bool, str]:
        """Takes data now."""

    def started(self) -> tuple[bool, str]:
        """Has finished starting (replay of the journal included)."""


class QueryRequest(BaseModel):
    """Body of ``POST /api/v1/query``."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(min_length=1)
    limit: int = Field(default=1_000, ge=1, le=MAX_ROWS)


class RepriceRequest(BaseModel):
    """Body of ``POST /api/v1/reprice``."""

    model_config = ConfigDict(extra="forbid")

    since_unix_nano: int = Field(ge=0)
    dry_run: bool = True


def admin_access(allowed_hosts: Iterable[str] = ()) -> Access:
    """Who reaches the app. ``allowed_hosts``: host names, besides loopback ones, that the API answers to on every
    address, and health and metrics on a loopback one.
    """
    return Access(tuple(allowed_hosts), guarded=API_PREFIX, hosts_option="service.admin.allowed_hosts")


def create_app(
    *,
    telemetry: Telemetry,
    health: Health,
    query: Query | None,
    reprice: RepriceStores | None = None,
    version: str,
) -> FastAPI:
    """The app; to be served with ``admin_access``."""
    app = FastAPI(title="Spanloom", version=version, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_BoundedBodies)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _failed)
    _add_health(app, health)
    _add_metrics(app, telemetry)
    _add_query(app, query)
    _add_reprice(app, reprice)
    return app


def _add_health(app: FastAPI, health: Health) -> None:
    checks = {"/livez": health.live, "/readyz": health.ready, "/startupz": health.started}
    for path, check in checks.items():
        app.add_api_route(path, _health_endpoint(check), methods=["GET", "HEAD"])


def _health_endpoint(check: Callable[[], tuple[bool, str]]) -> Callable[[], Awaitable[JSONResponse]]:
    async def answer() -> JSONResponse:
        good, why_not = check()
        if good:
            return JSONResponse({"status": "ok", "reason": why_not} if why_not else {"status": "ok"})
        return JSONResponse({"status": "unavailable", "reason": why_not}, status_code=503)

    return answer


def _add_metrics(app: FastAPI, telemetry: Telemetry) -> None:
    @app.get("/metrics")
    def metrics(request: Request) -> Response:
        """Every series, in the format the scraper asks for."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(telemetry.registry), headers={"content-type": content_type})


def _add_query(app: FastAPI, query: Query | None) -> None:
    @app.post("/api/v1/query")
    async def run(body: QueryRequest) -> JSONResponse:
        """Rows of one read-only statement."""
        if query is None:
            return _error(404, "no exporter of this configuration can be queried (duckdb can)")
        try:
            return JSONResponse(await run_in_threadpool(_answer, query, body.sql, body.limit))
        except RetryableError as error:
            return _error(503, str(error))
        except CollectorError as error:
            return _error(400, str(error))


def _add_reprice(app: FastAPI, reprice: RepriceStores | None) -> None:
    @app.post("/api/v1/reprice")
    async def run(body: RepriceRequest) -> JSONResponse:
        """Per store, what pricing its rows again changes, or would change."""
        if reprice is None:
            return _error(404, "this service has no stores")
        try:
            reports = await run_in_threadpool(reprice, body.since_unix_nano, body.dry_run)
        except RetryableError as error:
            return _error(503, str(error))
        except CollectorError as error:
            return _error(400, str(error))
        rows = {name: [change.as_row() for change in report] for name, report in reports.items()}
        return JSONResponse({"columns": COLUMNS, "stores": rows})


def _answer(query: Query, sql: str, limit: int) -> dict[str, Any]:
    table = query(sql, limit + 1)
    return {
        "columns": [{"name": field.name, "type": str(field.type)} for field in table.schema],
        "rows": list(json_rows(table.slice(0, limit), exact_integers=True)),
        "truncated": table.num_rows > limit,
    }


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # The input itself is not sent back.
    problems = [f"{'.'.join(str(part) for part in e['loc'][1:]) or 'body'}: {e['msg']}" for e in error.errors()]
    return _error(400, "; ".join(problems))


async def _failed(request: Request, error: Exception) -> JSONResponse:
    _log.error("request failed", path=request.url.path, error=type(error).__name__)
    return _error(500, "internal error")


class _BoundedBodies:
    """Refuses bodies of API requests that are too large."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(API_PREFIX):
            body = await _read(receive)
            if body is None:
                await _error(413, f"the body is above {MAX_BODY_BYTES} bytes")(scope, receive, send)
                return
            receive = _replayed(body, receive)
        await self._app(scope, receive, send)


async def _read(receive: Any) -> bytes | None:
    """The whole body of a request, or None when it is too large."""
    body = bytearray()
    while len(body) <= MAX_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body) if len(body) <= MAX_BODY_BYTES else None
    return None


def _replayed(body: bytes, receive: Any) -> Any:
    """``receive`` as if the body came in one piece."""
    first = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Any:
        return first.pop() if first else await receive()

    return replayed
