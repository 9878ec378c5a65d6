"""Answers probes over HTTP: 200 while the pipelines take data, 503 before and after.

For configurations and probes that come from the OpenTelemetry Collector; ``/livez``, ``/readyz`` and ``/startupz`` of
the admin server say more. As there, a ``path`` that ends in ``/`` is that of everything below it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field, field_validator

from spanloom import (
    ComponentConfig,
    ComponentHealth,
    Duration,
    ExtensionFactory,
    HttpServer,
    Settings,
    TlsServerConfig,
    serve,
)

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_NEVER = "0001-01-01T00:00:00Z"
"""What the Collector says for no time."""


class ResponseBody(ComponentConfig):
    healthy: str = ""
    """Sent with 200."""

    unhealthy: str = ""
    """Sent with 503."""


class CheckCollectorPipeline(ComponentConfig):
    enabled: bool = False
    """Without effect, as all of ``check_collector_pipeline``."""

    interval: Duration = timedelta(minutes=5)
    """Without effect, as all of ``check_collector_pipeline``."""

    exporter_failure_threshold: int = Field(default=5, ge=1)
    """Without effect, as all of ``check_collector_pipeline``."""


class Config(ComponentConfig):
    endpoint: str = "localhost:13133"
    """Address to listen on."""

    path: str = "/"
    """The path that is answered; others are 404."""

    response_body: ResponseBody | None = None
    """Texts to answer with, instead of the Collector's JSON."""

    tls: TlsServerConfig | None = None
    """Certificate and key; null: plain HTTP."""

    check_collector_pipeline: CheckCollectorPipeline = CheckCollectorPipeline()
    """No effect, and deprecated in the Collector: a failing exporter stops nobody from sending, as the journal keeps
    what it has not delivered; watch the metric otelcol_exporter_send_failed_spans."""

    @field_validator("path")
    @classmethod
    def _from_the_root(cls, path: str) -> str:
        if not path.startswith("/"):
            raise ValueError("path must start with /")
        return path


class HealthCheck:
    """The server and what it says; ``clock`` returns seconds since 1970."""

    def __init__(self, config: Config, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._log = settings.log
        self._clock = clock
        self._server: HttpServer | None = None
        self._ready_since: float | None = None

    async def start(self) -> None:
        tls = self._config.tls.context() if self._config.tls else None
        self._server = await serve(self._app, self._config.endpoint, tls=tls)
        self._log.info("answers probes", endpoints=self.endpoints, path=self._config.path)

    async def shutdown(self) -> None:
        if self._server is not None:
            await self._server.shutdown()

    @property
    def endpoints(self) -> list[str]:
        """``host:port`` of every socket it listens on; none unless it is started."""
        return self._server.endpoints if self._server is not None else []

    def ready(self) -> None:
        self._ready_since = self._clock()

    def not_ready(self) -> None:
        self._ready_since = None

    def health(self) -> ComponentHealth:
        return ComponentHealth()

    async def _app(self, scope: Any, _receive: Any, send: Any) -> None:
        if not self._is_asked(scope["path"]):
            await _answer(send, 404, _TEXT, "404 page not found\n")
            return
        status = 503 if self._ready_since is None else 200
        if (texts := self._config.response_body) is not None:
            await _answer(send, status, _TEXT, texts.healthy if status == 200 else texts.unhealthy)
        else:
            await _answer(send, status, _JSON, json.dumps(self._state(), separators=(",", ":")))

    def _is_asked(self, path: str) -> bool:
        mine = self._config.path
        return path == mine or (mine.endswith("/") and path.startswith(mine))

    def _state(self) -> dict[str, str]:
        since = self._ready_since
        if since is None:
            return {"status": "Server not available", "upSince": _NEVER, "uptime": ""}
        at = datetime.fromtimestamp(since, UTC).isoformat().replace("+00:00", "Z")
        return {"status": "Server available", "upSince": at, "uptime": _duration(self._clock() - since)}


def _duration(seconds: float) -> str:
    """As Go writes it: ``1h2m3.5s``."""
    minutes, rest = divmod(max(0.0, seconds), 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:.6f}".rstrip("0").rstrip(".") + "s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


async def _answer(send: Any, status: int, content_type: str, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


factory = ExtensionFactory(Config, HealthCheck)
