"""Forwards spans, logs and metrics over OTLP/gRPC, masked; as they were received, or spans in another dialect."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import grpc
from google.rpc import error_details_pb2, status_pb2
from pydantic import Field, field_validator

from exporters._otlp.delivery import MAX_RESPONSE_BYTES, OtlpExporter, Reply, protobuf_reply
from exporters._otlp.exporter_config import OtlpExporterConfig, preferences
from spanloom import (
    Batch,
    ComponentConfig,
    Duration,
    ExporterFactory,
    PermanentError,
    RetryableError,
    Settings,
    Signal,
    TooLargeError,
    encode,
)

_METHODS = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}

_RETRYABLE = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}
"""OTLP 1.11, "Failures"; RESOURCE_EXHAUSTED is retryable only with a RetryInfo."""

_COMPRESSION = {
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
    "none": grpc.Compression.NoCompression,
}


class KeepaliveClientConfig(ComponentConfig):
    time: Duration = timedelta(seconds=10)
    """Pings a silent server after this long."""

    timeout: Duration = timedelta(seconds=10)
    """Closes the connection when the ping is not answered in this time."""

    permit_without_stream: bool = False
    """Whether to ping without a call in flight."""


class Config(OtlpExporterConfig):
    endpoint: str
    """``host:port``, or with ``http://`` (no TLS) or ``https://`` in front."""

    compression: Literal["gzip", "deflate", "none"] = "gzip"
    """gRPC knows no zstd here; otlp_http does."""

    max_request_bytes: int = Field(default=4_000_000, ge=1024)
    """Larger batches go out as several requests (uncompressed size). Most gRPC servers take 4 MiB."""

    authority: str | None = None
    """Overrides the host name that the server sees."""

    wait_for_ready: bool = False
    """True: an attempt waits for a connection until ``timeout`` instead of failing at once."""

    keepalive: KeepaliveClientConfig | None = None
    """Pings on a silent connection; null: none."""

    balancer_name: Literal["pick_first", "round_robin"] = "round_robin"
    """How calls spread over the addresses of the endpoint."""

    @field_validator("endpoint")
    @classmethod
    def _names_a_host(cls, endpoint: str) -> str:
        if not _target(endpoint) or "/" in _target(endpoint).removeprefix("dns:///"):
            raise ValueError(f"{endpoint!r} is not 'host:port'")
        return endpoint

    @field_validator("compression", mode="before")
    @classmethod
    def _no_zstd(cls, compression: Any) -> Any:
        if compression in {"zstd", "snappy", "zlib", "lz4"}:
            raise ValueError(f"{compression} does not exist over gRPC here: use gzip, or otlp_http with zstd")
        return compression or "none"


class GrpcTransport:
    """Implements ``_otlp.Transport``."""

    joinable = True

    def __init__(self, config: Config) -> None:
        self._config = config
        self._channel: grpc.Channel | None = None
        self._calls: dict[Signal, Any] = {}
        self._metadata = tuple(config.plain_headers.items())

    def open(self) -> None:
        target, options = _target(self._config.endpoint), _options(self._config)
        if _is_insecure(self._config):
            self._channel = grpc.insecure_channel(target, options=options)
        else:
            self._channel = grpc.secure_channel(target, self._config.tls.grpc_credentials(), options=options)
        self._calls = {signal: self._channel.unary_unary(method, None, None) for signal, method in _METHODS.items()}

    def encode(self, batch: Batch) -> bytes:
        return encode(batch)

    def send(self, signal: Signal, body: bytes) -> Reply:
        try:
            response = self._calls[signal](
                body,
                timeout=self._config.timeout.total_seconds(),
                metadata=self._metadata,
                compression=_COMPRESSION[self._config.compression],
                wait_for_ready=self._config.wait_for_ready,
            )
        except grpc.RpcError as error:
            raise failure(error) from None
        return protobuf_reply(response)

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None


def failure(error: Any) -> RetryableError | PermanentError:
    """What to do about a failed call. The text is that of the status code: details may quote content."""
    code = error.code()
    text = f"the server answered {code.name}"
    delay = _retry_delay(error)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and delay is None:
        return TooLargeError(text)
    if code in _RETRYABLE or code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        if code is grpc.StatusCode.UNAVAILABLE and str(error.details()).startswith(_LOCAL_DETAILS):
            text = f"no connection: {error.details()}"
        return RetryableError(text, retry_after=delay)
    if code in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}:
        text += ": check 'headers' and 'tls'"
    return PermanentError(text)


_LOCAL_DETAILS = ("failed to connect", "DNS resolution failed", "connections to all backends failing")


def _retry_delay(error: Any) -> float | None:
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        try:
            status = status_pb2.Status.FromString(value)
        except Exception:
            return None
        for detail in status.details:
            info = error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                return float(info.retry_delay.ToNanoseconds() / 1e9)
    return None


def _target(endpoint: str) -> str:
    for scheme in ("http://", "https://"):
        endpoint = endpoint.removeprefix(scheme)
    return endpoint.rstrip("/")


def _is_insecure(config: Config) -> bool:
    if config.endpoint.startswith("https://"):
        return False
    return config.tls.insecure or config.endpoint.startswith("http://")


def _options(config: Config) -> list[tuple[str, Any]]:
    options: list[tuple[str, Any]] = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
        ("grpc.enable_retries", 0),  # retrying is the engine's work
        ("grpc.enable_http_proxy", 0),
        ("grpc.lb_policy_name", config.balancer_name),
    ]
    if config.authority:
        options.append(("grpc.default_authority", config.authority))
    if config.tls.server_name_override:
        options.append(("grpc.ssl_target_name_override", config.tls.server_name_override))
    if config.keepalive:
        options += [
            ("grpc.keepalive_time_ms", config.keepalive.time // timedelta(milliseconds=1)),
            ("grpc.keepalive_timeout_ms", config.keepalive.timeout // timedelta(milliseconds=1)),
            ("grpc.keepalive_permit_without_calls", int(config.keepalive.permit_without_stream)),
        ]
    return options


def _create(config: Config, settings: Settings) -> OtlpExporter:
    return OtlpExporter(
        GrpcTransport(config), settings, max_request_bytes=config.max_request_bytes, dialect=config.dialect
    )


factory = ExporterFactory(Config, _create, preferences=preferences)
