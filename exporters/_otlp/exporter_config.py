"""Configuration that the OTLP exporters share, with the keys and meanings of the Collector's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from spanloom import ComponentConfig, Duration, ExportPreferences, RetryConfig, TlsClientConfig


class SendingQueueConfig(ComponentConfig):
    enabled: bool = True
    """Only ``true``: the journal is the queue of every exporter."""

    queue_size: int | None = Field(default=None, ge=1)
    """No effect: ``service.journal.max_size_mib`` bounds the queue."""

    sizer: Literal["requests", "items", "bytes"] = "requests"
    """No effect: ``service.journal.max_size_mib`` bounds the queue."""

    block_on_overflow: bool = True
    """No effect: a full journal always makes senders wait."""

    @field_validator("enabled")
    @classmethod
    def _always(cls, enabled: bool) -> bool:
        if not enabled:
            raise ValueError("the journal is always the queue of an exporter: remove this line")
        return enabled


class OtlpExporterConfig(ComponentConfig):
    headers: Mapping[str, SecretStr] = Field(default_factory=dict)
    """Sent with every request; the values are treated as secrets."""

    timeout: Duration = timedelta(seconds=5)
    """Time for one request."""

    tls: TlsClientConfig = TlsClientConfig()
    """Which servers to trust, and who we are."""

    retry_on_failure: RetryConfig = RetryConfig()
    """When to try again."""

    dialect: Literal["original", "semconv", "openinference", "langfuse"] = "original"
    """In which attributes spans go out: as they came, or translated (docs/forwarding.md). Then usage and cost are on
    the spans that count only, and user, session and the trace's name on all."""

    sending_queue: SendingQueueConfig = SendingQueueConfig()
    """Accepted for compatibility: the journal is the queue."""

    @field_validator("headers", mode="before")
    @classmethod
    def _pairs(cls, headers: Any) -> Any:
        # The Collector also takes a list of {name, value}.
        if isinstance(headers, list) and all(isinstance(h, dict) and set(h) == {"name", "value"} for h in headers):
            return {h["name"]: h["value"] for h in headers}
        return headers

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        for name, value in headers.items():
            if not name or not name.isascii() or any(c in "\r\n\0: " for c in name):
                raise ValueError(f"{name!r} is no header name")
            text = value.get_secret_value()
            if not text.isascii() or not text.isprintable():
                raise ValueError(f"the value of header {name!r} has characters that cannot be sent")
        return headers

    @field_validator("timeout")
    @classmethod
    def _positive(cls, timeout: timedelta) -> timedelta:
        if timeout <= timedelta(0):
            raise ValueError("must be longer than 0s: a request that never ends would hold up all others")
        return timeout

    @property
    def plain_headers(self) -> dict[str, str]:
        """The headers as sent: for the wire only."""
        return {name.lower(): value.get_secret_value() for name, value in self.headers.items()}


def preferences(config: OtlpExporterConfig) -> ExportPreferences:
    """Batches as they come, tried again as the user says."""
    return ExportPreferences(retry=config.retry_on_failure.retry())
