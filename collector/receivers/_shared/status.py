"""Errors and partial successes on the wire, for gRPC and HTTP: the one place that decides.

A client of OTLP keeps its data exactly when the status is retryable (OTLP 1.11, "Failures"), so
a wrong line here loses data. Messages never hold content.
"""

from __future__ import annotations

import json
import math
import traceback
from dataclasses import dataclass

import grpc
from google.protobuf import any_pb2, json_format
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.component.receiver import Received
from collector.errors import (
    CollectorError,
    InvalidDataError,
    JournalError,
    PermanentError,
    RetryableError,
    TooLargeError,
)
from collector.model.batch import Signal

_MESSAGE_BYTES = 1024
"""Longest text sent back: responses stay far below the 4 MiB that clients accept."""

_REJECTED_FIELD = {
    Signal.TRACES: "rejectedSpans",
    Signal.LOGS: "rejectedLogRecords",
    Signal.METRICS: "rejectedDataPoints",
}


@dataclass(frozen=True)
class Refusal:
    """How a request that was not taken is answered."""

    grpc_code: grpc.StatusCode
    http_status: int
    message: str
    reason: str
    """Label of the ``refused`` metrics; from a closed list."""
    retry_after: float | None = None
    """Seconds; only ever set where the client may send the request again."""

    @property
    def retryable(self) -> bool:
        return self.http_status in {429, 502, 503, 504}

    def proto(self) -> bytes:
        """Serialised ``google.rpc.Status``: an HTTP body, or gRPC's ``grpc-status-details-bin``."""
        return bytes(self._status().SerializeToString())

    def json(self) -> bytes:
        """``google.rpc.Status`` as JSON."""
        return json_format.MessageToJson(self._status(), indent=None, ensure_ascii=False).encode()

    def retry_after_header(self) -> str | None:
        """Whole seconds, at least 1."""
        return None if self.retry_after is None else str(max(1, math.ceil(self.retry_after)))

    def _status(self) -> status_pb2.Status:
        status = status_pb2.Status(code=self.grpc_code.value[0], message=self.message)
        if self.retry_after is not None:
            delay = Duration()
            delay.FromNanoseconds(int(self.retry_after * 1e9))
            detail = any_pb2.Any()
            detail.Pack(error_details_pb2.RetryInfo(retry_delay=delay))
            status.details.append(detail)
        return status


def refusal(error: BaseException) -> Refusal:
    """The answer to a request that failed with ``error``."""
    message = shorten(str(error))
    match error:
        case InvalidDataError():
            return Refusal(grpc.StatusCode.INVALID_ARGUMENT, 400, message, "invalid")
        case TooLargeError():
            return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, 413, message, "too_large")
        case PermanentError():
            return Refusal(grpc.StatusCode.INTERNAL, 500, message, "permanent")
        case RetryableError():
            return Refusal(grpc.StatusCode.UNAVAILABLE, 503, message, "unavailable", error.retry_after)
        case JournalError() | MemoryError():
            # The process is about to end; the client's copy is the only one.
            return Refusal(grpc.StatusCode.UNAVAILABLE, 503, "the collector cannot store data", "unavailable", 5)
        case _:
            return Refusal(grpc.StatusCode.INTERNAL, 500, "internal error of the collector", "internal")


TOO_SLOW = Refusal(
    grpc.StatusCode.UNAVAILABLE, 503, "the request arrives too slowly: send it again", "too_slow", retry_after=1
)
"""The answer to a body that takes longer than it may."""


def over_budget() -> Refusal:
    """The answer when requests in memory have reached their bound."""
    return refusal(RetryableError("the collector is at its memory limit: try again later", retry_after=1))


def describe(error: BaseException) -> str:
    """An unexpected error for the log: type and places, but not its text, which may quote content."""
    if isinstance(error, CollectorError):
        return f"{type(error).__name__}: {shorten(str(error))}"
    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"


def shorten(message: str) -> str:
    """At most ``_MESSAGE_BYTES`` of UTF-8."""
    return message.encode("utf-8", "replace")[:_MESSAGE_BYTES].decode("utf-8", "ignore")


def success_proto(received: Received) -> bytes:
    """Serialised Export…ServiceResponse: the field numbers are those of all three signals."""
    if not received.rejected and not received.message:
        return b""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = received.rejected
    response.partial_success.error_message = shorten(received.message)
    return response.SerializeToString()


def success_json(signal: Signal, received: Received) -> bytes:
    """The same as OTLP/JSON: 64-bit integers are text."""
    if not received.rejected and not received.message:
        return b"{}"
    partial: dict[str, str] = {"errorMessage": shorten(received.message)}
    if received.rejected:
        partial[_REJECTED_FIELD[signal]] = str(received.rejected)
    return json.dumps({"partialSuccess": partial}, ensure_ascii=False).encode()
