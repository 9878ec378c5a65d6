"""Forwards spans, logs and metrics over OTLP/HTTP, masked; as they were received, or spans in another dialect."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import httpx
import zstandard
from pydantic import Field, SecretStr, field_validator, model_validator

from exporters._otlp.delivery import MAX_RESPONSE_BYTES, OtlpExporter, Reply, encoder, protobuf_reply
from exporters._otlp.exporter_config import OtlpExporterConfig, preferences
from spanloom import (
    Batch,
    Duration,
    ExporterFactory,
    PermanentError,
    RetryableError,
    Settings,
    Signal,
    TooLargeError,
)

_RETRYABLE = {429, 502, 503, 504}
"""OTLP 1.11, "Failures": exactly these."""

_HINTS = {
    401: "check 'headers'",
    403: "check 'headers'",
    404: "check 'endpoint': '/v1/traces' etc. is appended to it",
    405: "check 'endpoint'",
    415: "check 'encoding' and 'compression'",
}

_GZIP_LEVEL = 4
"""A quarter of the time of level 6 for a few per cent more bytes."""

_COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, _GZIP_LEVEL, mtime=0),
    "deflate": lambda body: zlib.compress(body, _GZIP_LEVEL),
    "zstd": lambda body: zstandard.ZstdCompressor().compress(body),
}


class Config(OtlpExporterConfig):
    endpoint: str | None = None
    """Base URL; ``/v1/traces``, ``/v1/logs`` and ``/v1/metrics`` are appended."""

    traces_endpoint: str | None = None
    """URL for spans, instead of the one made from ``endpoint``."""

    logs_endpoint: str | None = None
    """URL for log records, instead of the one made from ``endpoint``."""

    metrics_endpoint: str | None = None
    """URL for metrics, instead of the one made from ``endpoint``."""

    encoding: Literal["proto", "json"] = "proto"
    """Protobuf, or OTLP/JSON."""

    compression: Literal["gzip", "deflate", "zstd", "none"] = "gzip"
    """How bodies are compressed."""

    timeout: Duration = timedelta(seconds=30)
    """Time for one request."""

    max_request_bytes: int = Field(default=8_000_000, ge=1024)
    """Larger batches go out as several requests (uncompressed size). Many backends take 10 MB."""

    proxy_url: SecretStr | None = None
    """HTTP proxy; null: none, whatever the environment says."""

    @field_validator("endpoint", "traces_endpoint", "logs_endpoint", "metrics_endpoint")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname):
            raise ValueError("must be a URL: http://host:port or https://host")
        return url

    @field_validator("compression", mode="before")
    @classmethod
    def _empty_is_none(cls, compression: Any) -> Any:
        if compression == "zlib":
            return "deflate"  # the same format, by its other name in the Collector
        return compression or "none"

    @model_validator(mode="after")
    def _has_somewhere_to_send(self) -> Self:
        if not (self.endpoint or self.traces_endpoint or self.logs_endpoint or self.metrics_endpoint):
            raise ValueError("name an endpoint")
        return self

    @property
    def urls(self) -> dict[Signal, str]:
        """Where each signal goes; signals without a URL are missing."""
        given = {
            Signal.TRACES: self.traces_endpoint,
            Signal.LOGS: self.logs_endpoint,
            Signal.METRICS: self.metrics_endpoint,
        }
        base = self.endpoint.rstrip("/") if self.endpoint else None
        made = {signal: f"{base}/v1/{signal.value}" for signal in given} if base else {}
        return made | {signal: url for signal, url in given.items() if url}


class HttpTransport:
    """Implements ``_otlp.Transport``."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.joinable = config.encoding == "proto"
        self._encode = encoder(config.encoding)
        self._urls = config.urls
        self._client: httpx.Client | None = None

    def open(self) -> None:
        proxy = self._config.proxy_url
        self._client = httpx.Client(
            headers=_headers(self._config),
            verify=self._config.tls.context(),
            timeout=self._config.timeout.total_seconds(),
            proxy=proxy.get_secret_value() if proxy else None,
            trust_env=False,
            follow_redirects=False,
        )

    def encode(self, batch: Batch) -> bytes:
        return self._encode(batch)

    def send(self, signal: Signal, body: bytes) -> Reply:
        url = self._urls.get(signal)
        if url is None:
            raise PermanentError(f"no endpoint is configured for {signal.value}")
        assert self._client is not None
        compress = _COMPRESS.get(self._config.compression)
        name = self._config.tls.server_name_override
        try:
            with self._client.stream(
                "POST",
                url,
                content=compress(body) if compress else body,
                extensions={"sni_hostname": name} if name else {},
            ) as response:
                content = _read(response, time.monotonic() + self._config.timeout.total_seconds())
        except httpx.HTTPError as error:
            raise RetryableError(f"{urlsplit(url).hostname}: {_describe(error)}") from None
        if not response.is_success:
            raise failure(response.status_code, response.headers.get("retry-after"))
        return self._reply(content)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _reply(self, content: bytes) -> Reply:
        return json_reply(content) if self._config.encoding == "json" else protobuf_reply(content)


def failure(status: int, retry_after: str | None) -> RetryableError | PermanentError:
    """What to do about an answer other than 2xx. Bodies are not quoted: they may hold content."""
    hint = f": {_HINTS[status]}" if status in _HINTS else ""
    text = f"the server answered {status}{hint}"
    if status == 413:
        return TooLargeError(text)
    if status in _RETRYABLE:
        return RetryableError(text, retry_after=parse_retry_after(retry_after))
    return PermanentError(text)


def parse_retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds from ``Retry-After``: a number of seconds or an HTTP-date. None when it is neither."""
    if value is None:
        return None
    if value.strip().isdecimal() and value.isascii():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, IndexError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def json_reply(content: bytes) -> Reply:
    """The partial success of a JSON response, whatever its signal."""
    try:
        partial = json.loads(content)["partialSuccess"]
        rejected = sum(int(n) for name, n in partial.items() if name.startswith("rejected"))
        return Reply(rejected, warned=bool(partial.get("errorMessage")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Reply()


def _read(response: httpx.Response, deadline: float) -> bytes:
    """The body, as far as a client should take it. Its end is awaited: the connection is used again."""
    pieces, size = [], 0
    for piece in response.iter_raw():
        size += len(piece)
        if size > MAX_RESPONSE_BYTES:
            break
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the response took too long")
        pieces.append(piece)
    return b"".join(pieces)


def _describe(error: httpx.HTTPError) -> str:
    """Only the texts of network errors are known to hold nothing of the request."""
    return f"{type(error).__name__}: {error}" if isinstance(error, httpx.NetworkError) else type(error).__name__


def _headers(config: Config) -> dict[str, str]:
    headers = {
        "user-agent": "spanloom",
        "content-type": "application/json" if config.encoding == "json" else "application/x-protobuf",
        "accept-encoding": "identity",
    }
    if config.compression != "none":
        headers["content-encoding"] = config.compression
    return headers | config.plain_headers


def _create(config: Config, settings: Settings) -> OtlpExporter:
    return OtlpExporter(
        HttpTransport(config), settings, max_request_bytes=config.max_request_bytes, dialect=config.dialect
    )


factory = ExporterFactory(Config, _create, preferences=preferences)
