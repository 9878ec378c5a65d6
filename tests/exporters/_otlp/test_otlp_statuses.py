"""What the OTLP exporters make of statuses, delays, addresses and wrong options.

Proves the meaning of each status and header. Does not prove that servers send them: ``test_otlp_requests`` has
servers that do.
"""

from datetime import UTC, datetime

import grpc
import pytest
from pydantic import ValidationError

from collector.errors import RetryableError
from collector.model.batch import Signal
from exporters import otlp_grpc, otlp_http
from exporters.otlp_http import parse_retry_after
from tests.exporters._otlp.otlp_kit import GrpcBackend, HttpBackend, Sending, batch_of, some_logs, spans


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_retryable_http_statuses(status):
    with HttpBackend() as backend, Sending(backend) as send:
        backend.answers.append((status, {}))
        with pytest.raises(RetryableError):
            send(batch_of(spans("a")))


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 405, 408, 415, 422, 500, 501, 505])
def test_permanent_http_statuses(status):
    with HttpBackend() as backend, Sending(backend) as send:
        backend.answers.append((status, {"location": "/elsewhere"}))
        assert send(batch_of(spans("a"))) == {Signal.TRACES: 1}
        assert backend.attempts == 1


@pytest.mark.parametrize("code", list(grpc.StatusCode))
@pytest.mark.parametrize("delay", [None, 3])
def test_grpc_codes(code, delay):
    if code is grpc.StatusCode.OK:
        return
    retryable = code in otlp_grpc._RETRYABLE or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and delay is not None)
    with GrpcBackend() as backend, Sending(backend) as send:
        backend.answers.append((code, delay))
        if retryable:
            with pytest.raises(RetryableError) as caught:
                send(batch_of(spans("a")))
            assert caught.value.retry_after == delay
        else:
            assert send(batch_of(spans("a"))) == {Signal.TRACES: 1}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("120", 120),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("١", None),
    ],
)
def test_retry_after(value, seconds):
    assert parse_retry_after(value, now=datetime(2026, 11, 20, 12, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("model", "config", "text"),
    [
        (otlp_grpc.Config, {"endpoint": "h:1", "compression": "zstd"}, "does not exist over gRPC"),
        (otlp_grpc.Config, {"endpoint": "http://h:1/v1"}, "is not 'host:port'"),
        (otlp_grpc.Config, {"endpoint": "h:1", "sending_queue": {"storage": "file_storage"}}, "storage"),
        (otlp_http.Config, {"endpoint": "h:1"}, "must be a URL"),
        (otlp_http.Config, {}, "name an endpoint"),
        (otlp_http.Config, {"endpoint": "http://h", "timeout": "0s"}, "longer than 0s"),
        (otlp_http.Config, {"endpoint": "http://h", "headers": {"a b": "c"}}, "no header name"),
        (otlp_http.Config, {"endpoint": "http://h", "headers": {"a": "b\r\nc"}}, "cannot be sent"),
    ],
)
def test_what_cannot_work_is_refused_at_start_up(model, config, text):
    with pytest.raises(ValidationError, match=text):
        model(**config)


def test_urls():
    config = otlp_http.Config(endpoint="https://h/otel/", logs_endpoint="https://l/x")
    assert config.urls == {
        Signal.TRACES: "https://h/otel/v1/traces",
        Signal.LOGS: "https://l/x",
        Signal.METRICS: "https://h/otel/v1/metrics",
    }


def test_signals_without_an_endpoint_are_counted():
    with HttpBackend() as backend:
        config = {"endpoint": None, "traces_endpoint": f"{backend.endpoint}/v1/traces"}
        with Sending(backend, **config) as send:
            assert send(batch_of(spans("a"), logs=some_logs())) == {Signal.LOGS: 1}
            assert send.dropped("permanent", "log_records") == 1
    assert backend.names == ["a"]
