"""Configuration of the ``otlp`` receiver, with the keys and meanings of the Collector's."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from collector.component.base import ComponentConfig
from collector.model.batch import Signal
from collector.options.durations import Duration
from collector.options.tls import TlsServerConfig
from collector.receivers._shared.arriving import Pace
from collector.serving.access import Access
from collector.serving.http_server import HttpLimits, split_endpoint

MIB = 1024 * 1024

DEFAULT_LIMIT_MIB = 64
"""What OTLP 1.11 recommends; LLM spans of 100 kB and more make the Collector's 4 and 20 too small."""


class _ServerConfig(ComponentConfig):
    endpoint: str
    """Address to listen on: ``host:port``; ``localhost`` is 127.0.0.1 and [::1]."""

    transport: Literal["tcp"] = "tcp"
    """Only ``tcp``."""

    tls: TlsServerConfig | None = None
    """Certificate and key; null: no TLS."""

    include_metadata: bool = False
    """No effect: a connector's conditions over requests see their headers, and nothing else keeps any."""

    @field_validator("endpoint")
    @classmethod
    def _is_address(cls, endpoint: str) -> str:
        try:
            split_endpoint(endpoint)
        except Exception as error:
            raise ValueError(str(error)) from None
        return endpoint


class KeepaliveServerParameters(ComponentConfig):
    max_connection_idle: Duration | None = None
    """Closes connections without calls for this long; null: never."""

    max_connection_age: Duration | None = None
    """Closes connections of this age, so that clients spread again; null: never."""

    max_connection_age_grace: Duration | None = None
    """What calls in flight get then; null: as long as they need."""

    time: Duration = timedelta(hours=2)
    """Pings a silent client after this long."""

    timeout: Duration = timedelta(seconds=20)
    """Closes the connection when the ping is not answered in this time."""


class KeepaliveEnforcementPolicy(ComponentConfig):
    min_time: Duration = timedelta(minutes=5)
    """Clients that ping more often are disconnected."""

    permit_without_stream: bool = False
    """Whether clients may ping without a call in flight."""


class KeepaliveServerConfig(ComponentConfig):
    server_parameters: KeepaliveServerParameters = KeepaliveServerParameters()
    """How long connections live."""

    enforcement_policy: KeepaliveEnforcementPolicy = KeepaliveEnforcementPolicy()
    """How often clients may ping."""


class GrpcConfig(_ServerConfig):
    endpoint: str = "localhost:4317"
    """Address to listen on: ``host:port``; ``localhost`` is 127.0.0.1 and [::1]."""

    max_recv_msg_size_mib: int = Field(default=DEFAULT_LIMIT_MIB, ge=0, le=1024)
    """Largest request in MiB, as sent and inflated; 0: the default."""

    max_concurrent_streams: int = Field(default=1000, ge=0)
    """Calls per connection at a time; further ones wait at the client. 0: no limit."""

    read_timeout: Duration = timedelta(seconds=30)
    """Time from the headers of a call to its whole message; 0: no limit."""

    keepalive: KeepaliveServerConfig = KeepaliveServerConfig()
    """Pings and the age of connections."""

    @property
    def limit_bytes(self) -> int:
        return (self.max_recv_msg_size_mib or DEFAULT_LIMIT_MIB) * MIB


class CorsConfig(ComponentConfig):
    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that may send; ``*`` stands for any text. Empty: none."""

    allowed_headers: tuple[str, ...] = ()
    """Request headers allowed beside content-type and content-encoding."""

    exposed_headers: tuple[str, ...] = ()
    """Response headers a page may read."""

    max_age: int = Field(default=0, ge=0)
    """Seconds a browser may remember the answer."""


class LangfuseKey(ComponentConfig):
    public_key: str = Field(min_length=1)
    """``pk-lf-...``: names the client."""

    secret_key: SecretStr
    """``sk-lf-...``: what it proves it by."""


class LangfuseConfig(ComponentConfig):
    enabled: bool = True
    """Whether Langfuse's clients are served, below ``/api/public``."""

    keys: tuple[LangfuseKey, ...] = ()
    """Pairs that may send. Without any, a loopback address takes every pair and another address none."""

    @field_validator("keys")
    @classmethod
    def _differ(cls, keys: tuple[LangfuseKey, ...]) -> tuple[LangfuseKey, ...]:
        if len({key.public_key for key in keys}) < len(keys):
            raise ValueError("two pairs have one public_key")
        if any(not key.secret_key.get_secret_value() for key in keys):
            raise ValueError("a secret_key is empty")
        return keys


class HttpConfig(_ServerConfig):
    endpoint: str = "localhost:4318"
    """Address to listen on: ``host:port``; ``localhost`` is 127.0.0.1 and [::1]."""

    max_request_body_size: int = Field(default=DEFAULT_LIMIT_MIB * MIB, ge=0, le=1024 * MIB)
    """Largest request in bytes, as sent and inflated; 0: the default."""

    traces_url_path: str = "/v1/traces"
    """Path of the traces service."""

    logs_url_path: str = "/v1/logs"
    """Path of the logs service."""

    metrics_url_path: str = "/v1/metrics"
    """Path of the metrics service."""

    cors: CorsConfig = CorsConfig()
    """Which web pages may send from a browser; others are refused, on every path."""

    allowed_hosts: tuple[str, ...] = ("host.docker.internal", "host.containers.internal")
    """Host names, besides those of loopback, that clients may use where the address is a loopback one; ``*`` stands
    for any text. On other addresses they may use any. By default what containers call the machine they run on."""

    langfuse: LangfuseConfig = LangfuseConfig()
    """Clients of Langfuse (``LANGFUSE_HOST`` is this address): spans and scores."""

    read_header_timeout: Duration = timedelta(minutes=1)
    """Time for the headers of a request; 0: no limit."""

    read_timeout: Duration = timedelta(minutes=5)
    """Time for a whole body; 0: no limit. A body that is silent for 30 s is cut off in any case."""

    first_byte_timeout: Duration = timedelta(seconds=15)
    """Time from the headers of a request to the first byte of its body; 0: no limit, nor a minimum rate."""

    min_body_rate: int = Field(default=1024, ge=0)
    """Bytes a second that a body arrives at on average after ``first_byte_timeout``; 0: no minimum. A slower one is
    refused, and may be sent again."""

    idle_timeout: Duration = timedelta(minutes=3)
    """Closes connections without a request for this long; 0: never."""

    @field_validator("traces_url_path", "logs_url_path", "metrics_url_path")
    @classmethod
    def _begins_with_slash(cls, path: str) -> str:
        return path if path.startswith("/") else f"/{path}"

    @model_validator(mode="after")
    def _paths_differ(self) -> Self:
        if len(set(self.paths.values())) < len(Signal):
            raise ValueError("traces_url_path, logs_url_path and metrics_url_path must differ")
        return self

    @property
    def limit_bytes(self) -> int:
        return self.max_request_body_size or DEFAULT_LIMIT_MIB * MIB

    @property
    def paths(self) -> dict[Signal, str]:
        return {
            Signal.TRACES: self.traces_url_path,
            Signal.LOGS: self.logs_url_path,
            Signal.METRICS: self.metrics_url_path,
        }

    @property
    def pace(self) -> Pace:
        return Pace(
            first=self.first_byte_timeout.total_seconds(),
            bytes_per_second=self.min_body_rate,
            total=self.read_timeout.total_seconds(),
        )

    @property
    def access(self) -> Access:
        return Access(
            self.allowed_hosts,
            self.cors.allowed_origins,
            hosts_option="protocols.http.allowed_hosts",
            origins_option="protocols.http.cors.allowed_origins",
        )

    @property
    def limits(self) -> HttpLimits:
        return HttpLimits(
            header_timeout=self.read_header_timeout.total_seconds(),
            read_timeout=0,  # the bodies' pace sees to it, and lets the client know
            idle_timeout=self.idle_timeout.total_seconds(),
        )


class ProtocolsConfig(ComponentConfig):
    grpc: GrpcConfig | None = None
    """OTLP/gRPC; absent: off."""

    http: HttpConfig | None = None
    """OTLP/HTTP; absent: off."""

    @field_validator("grpc", mode="before")
    @classmethod
    def _grpc_defaults(cls, value: object) -> object:
        return {} if value is None else value

    @field_validator("http", mode="before")
    @classmethod
    def _http_defaults(cls, value: object) -> object:
        # 'http:' with nothing behind it is how the Collector's configurations say "with defaults".
        return {} if value is None else value

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.grpc is None and self.http is None:
            raise ValueError("name at least one protocol: grpc or http")
        return self


class Config(ComponentConfig):
    protocols: ProtocolsConfig
    """Which protocols to serve."""
