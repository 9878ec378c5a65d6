"""The OTLP exporters against servers with switches, and against our own receiver."""

import gzip
import threading
import zlib
from collections import deque
from concurrent import futures
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
import structlog
import zstandard
from google.protobuf import any_pb2, duration_pb2, json_format
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from pydantic import ValidationError

from collector.component.base import ComponentId, Settings
from collector.component.exporter import DecidedSpans, ExportBatch, ReceivedBatch
from collector.errors import RetryableError
from collector.model.batch import Signal
from collector.model.codec.chosen import decode, prepare_json
from collector.telemetry import Telemetry
from exporters import otlp_grpc, otlp_http
from exporters.otlp_http import parse_retry_after

INFLATE = {
    None: bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}
REQUEST = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}


def spans(*names, size=0, resource="app"):
    request = ExportTraceServiceRequest()
    part = request.resource_spans.add()
    part.resource.attributes.add(key="service.name").value.string_value = resource
    scope = part.scope_spans.add()
    for name in names:
        span = scope.spans.add(name=name, trace_id=b"t" * 16, span_id=name.encode().ljust(8, b"s")[:8])
        span.attributes.add(key="text").value.string_value = "x" * size
    return request


def batch_of(*requests, first=1, last=1, logs=None, metrics=None):
    decided = []
    for request in requests:
        batches = decode(Signal.TRACES, [request.SerializeToString()]).batches
        decided += [DecidedSpans(batch, None, None, None) for batch in batches]
    others = []
    for signal, request in ((Signal.LOGS, logs), (Signal.METRICS, metrics)):
        if request is not None:
            batches = decode(signal, [request.SerializeToString()]).batches
            others += [ReceivedBatch(batch, 0) for batch in batches]
    return ExportBatch("epoch", first, last, tuple(decided), tuple(others))


def some_logs():
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=5).body.string_value = "hello"
    return request


def some_metrics():
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m", unit="s")
    metric.gauge.data_points.add(time_unix_nano=7, as_double=1.5)
    return request


class Backend:
    """What both fake servers do: answer from a queue of switches, record what was taken."""

    def __init__(self):
        self.answers = deque()
        self.limit = None
        self.rejected = 0
        self.taken = []
        self.attempts = 0
        self.headers = {}

    def take(self, signal, body):
        request = REQUEST[signal].FromString(body)
        self.taken.append((signal, request))

    @property
    def names(self):
        requests = [request for signal, request in self.taken if signal is Signal.TRACES]
        return [s.name for r in requests for p in r.resource_spans for c in p.scope_spans for s in c.spans]


class HttpBackend(Backend):
    RETRY = (503, {"Retry-After": "7"})
    PERMANENT = (400, {})

    def __enter__(self):
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                backend.attempts += 1
                backend.headers = dict(self.headers.items())
                backend.peers.add(self.client_address)
                body = INFLATE[self.headers.get("content-encoding")](body)
                status, headers = backend.answer(body)
                content = b""
                if status == 200:
                    signal = Signal(self.path.rsplit("/", 1)[1])
                    if self.headers["content-type"] == "application/json":
                        body = prepare_json(signal, body)
                    backend.take(signal, body)
                    content = backend.content(self.headers["content-type"])
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        self.peers = set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def answer(self, body):
        if self.answers:
            answer = self.answers.popleft()
            if callable(answer):
                answer()
                return (200, {})
            if answer is not None:
                return answer
        return (413, {}) if self.limit and len(body) > self.limit else (200, {})

    def content(self, content_type):
        response = ExportTraceServiceResponse()
        if self.rejected:
            response.partial_success.rejected_spans = self.rejected
            response.partial_success.error_message = "secret-content"
        if content_type == "application/json":
            return json_format.MessageToJson(response).encode()
        return response.SerializeToString()

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def exporter(self, telemetry, **config):
        config = {"endpoint": self.endpoint} | config
        return otlp_http.factory.create(otlp_http.Config(**config), _settings(telemetry))


class GrpcBackend(Backend):
    RETRY = (grpc.StatusCode.UNAVAILABLE, 7)
    PERMANENT = (grpc.StatusCode.INVALID_ARGUMENT, None)

    def __enter__(self):
        self.server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", -1)])
        for signal, method in otlp_grpc._METHODS.items():
            service = method.split("/")[1]
            handler = grpc.unary_unary_rpc_method_handler(lambda b, c, s=signal: self.export(s, b, c))
            self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
        port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        self.endpoint = f"127.0.0.1:{port}"
        return self

    def export(self, signal, body, context):
        self.attempts += 1
        self.headers = dict(context.invocation_metadata())
        answer = self.answers.popleft() if self.answers else None
        if callable(answer):
            answer()
            answer = None
        if answer is None and self.limit and len(body) > self.limit:
            answer = (grpc.StatusCode.RESOURCE_EXHAUSTED, None)
        if answer is not None:
            code, delay = answer
            if delay is not None:
                context.set_trailing_metadata((("grpc-status-details-bin", _details(code, delay)),))
            context.abort(code, "secret-content")
        self.take(signal, body)
        response = ExportTraceServiceResponse()
        if self.rejected:
            response.partial_success.rejected_spans = self.rejected
            response.partial_success.error_message = "secret-content"
        return response.SerializeToString()

    def __exit__(self, *exc):
        self.server.stop(None).wait()

    def exporter(self, telemetry, **config):
        config = {"endpoint": self.endpoint, "tls": {"insecure": True}} | config
        return otlp_grpc.factory.create(otlp_grpc.Config(**config), _settings(telemetry))


def _details(code, delay):
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=delay)))
    return status_pb2.Status(code=code.value[0], details=[detail]).SerializeToString()


def _settings(telemetry, id_="otlp"):
    return Settings(id=ComponentId(id_), telemetry=telemetry, log=structlog.stdlib.get_logger("t"), data_dir=None)


@pytest.fixture(params=[HttpBackend, GrpcBackend])
def backend(request):
    with request.param() as running:
        yield running


class Sending:
    def __init__(self, backend, **config):
        self.telemetry = Telemetry()
        self.exporter = backend.exporter(self.telemetry, **config)
        self.exporter.start()

    def __call__(self, batch):
        return self.exporter.export(batch)

    def dropped(self, reason, word="spans"):
        name = f"spanloom_exporter_dropped_{word}_total"
        return self.telemetry.registry.get_sample_value(name, {"exporter": "otlp", "reason": reason})

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.exporter.shutdown()
        self.exporter.shutdown()


def test_all_signals_arrive_as_they_were(backend):
    request, logs, metrics = spans("a", "b"), some_logs(), some_metrics()
    with Sending(backend) as send:
        assert send(batch_of(request, logs=logs, metrics=metrics)) is None
    assert backend.taken == [(Signal.TRACES, request), (Signal.LOGS, logs), (Signal.METRICS, metrics)]


def test_small_batches_share_a_request_and_a_connection(backend):
    with Sending(backend) as send:
        send(batch_of(spans("a"), spans("b"), spans("c")))
        send(batch_of(spans("d"), first=2, last=2))
    assert backend.attempts == 2
    assert backend.names == ["a", "b", "c", "d"]
    assert len(getattr(backend, "peers", {1})) == 1


def test_large_batches_are_split_by_size(backend):
    names = [str(i) for i in range(50)]
    with Sending(backend, max_request_bytes=20_000) as send:
        send(batch_of(spans(*names, size=1000)))
    assert backend.names == names
    assert all(r.ByteSize() <= 20_000 for _, r in backend.taken)
    assert backend.attempts <= 8


def test_headers_are_sent_and_never_shown(backend):
    config = {"Authorization": "Bearer secret-token"}
    with Sending(backend, headers=config) as send:
        send(batch_of(spans("a")))
        assert "secret-token" not in repr(send.exporter._transport._config)
    assert {k.lower(): v for k, v in backend.headers.items()}["authorization"] == "Bearer secret-token"


def test_a_retryable_answer_keeps_the_data_and_the_servers_delay(backend):
    backend.answers.append(backend.RETRY)
    with Sending(backend) as send:
        batch = batch_of(spans("a"))
        with pytest.raises(RetryableError) as caught:
            send(batch)
        assert caught.value.retry_after == 7
        assert "secret-content" not in str(caught.value)
        send(batch)
    assert backend.names == ["a"]


def test_a_retry_does_not_send_again_what_was_acknowledged(backend):
    names = [str(i) for i in range(40)]
    with Sending(backend, max_request_bytes=10_000) as send:
        batch = batch_of(spans(*names, size=1000), spans("end"), logs=some_logs())
        failures = 0
        backend.answers.extend([None, None, backend.RETRY, None, backend.RETRY, backend.RETRY])
        while True:
            try:
                send(batch)
                break
            except RetryableError:
                failures += 1
    assert failures == 3
    assert backend.names == [*names, "end"]
    assert [s for s, _ in backend.taken].count(Signal.LOGS) == 1


def test_another_range_starts_anew(backend):
    with Sending(backend, max_request_bytes=10_000) as send:
        backend.answers.extend([None, backend.RETRY])
        with pytest.raises(RetryableError):
            send(batch_of(spans(*"abcdefghijklmnopqrst", size=1000)))
        send(batch_of(spans("x", "y"), first=2, last=2))
    assert backend.names[-2:] == ["x", "y"]


def test_what_a_server_refuses_for_good_is_counted_and_the_rest_goes_on(backend):
    names = [str(i) for i in range(20)]
    with Sending(backend, max_request_bytes=10_000) as send:
        backend.answers.extend([None, backend.PERMANENT])
        dropped = send(batch_of(spans(*names, size=1000)))
        assert len(backend.names) + dropped[Signal.TRACES] == 20
        assert dropped[Signal.TRACES] > 0
        assert send.dropped("permanent") == dropped[Signal.TRACES]


def test_a_request_too_large_for_the_server_is_halved(backend):
    backend.limit = 100_000
    names = [str(i) for i in range(50)]
    with Sending(backend) as send:
        assert send(batch_of(spans(*names, size=10_000))) is None
    assert sorted(backend.names, key=int) == names


def test_one_span_too_large_for_the_server_is_dropped_and_counted(backend):
    backend.limit = 100_000
    with Sending(backend) as send:
        request = spans(*"abcdefgh", size=10_000)
        request.resource_spans[0].scope_spans[0].spans[3].attributes[0].value.string_value = "x" * 200_000
        assert send(batch_of(request)) == {Signal.TRACES: 1}
        assert send.dropped("too_large") == 1
    assert sorted(backend.names) == list("abcefgh")


def test_refusals_that_have_nothing_to_do_with_size_end_soon(backend):
    backend.limit = 1
    with Sending(backend) as send:
        dropped = send(batch_of(spans(*map(str, range(2000)), size=100)))
        assert dropped == {Signal.TRACES: 2000}
    assert backend.attempts < 32


def test_rejected_spans_are_counted_and_not_sent_again(backend, capsys):
    backend.rejected = 2
    with Sending(backend) as send:
        assert send(batch_of(spans("a", "b", "c"))) == {Signal.TRACES: 2}
        assert send.dropped("rejected") == 2
    assert backend.attempts == 1
    assert "secret-content" not in capsys.readouterr().out


def test_a_server_that_is_not_there_is_retryable(backend):
    endpoint = backend.endpoint
    backend.__exit__()
    try:
        with Sending(backend, endpoint=endpoint) as send, pytest.raises(RetryableError):
            send(batch_of(spans("a")))
    finally:
        backend.__enter__()


def test_an_answer_that_does_not_come_in_time_is_retryable(backend):
    release = threading.Event()
    backend.answers.append(release.wait)
    try:
        with Sending(backend, timeout="200ms") as send, pytest.raises(RetryableError):
            send(batch_of(spans("a")))
    finally:
        release.set()


@pytest.mark.parametrize("compression", ["gzip", "deflate", "zstd", "none", ""])
@pytest.mark.parametrize("encoding", ["proto", "json"])
def test_every_compression_and_encoding_over_http(compression, encoding):
    request = spans("a", "é", size=1000)
    with HttpBackend() as backend, Sending(backend, compression=compression, encoding=encoding) as send:
        send(batch_of(request, request))
        assert [r for _, r in backend.taken] in ([request, request], [_twice(request)])
        assert backend.headers.get("content-encoding") == (compression if compression not in {"", "none"} else None)


def _twice(request):
    both = ExportTraceServiceRequest()
    both.MergeFrom(request)
    both.MergeFrom(request)
    return both


@pytest.mark.parametrize("compression", ["gzip", "deflate", "none"])
def test_every_compression_over_grpc(compression):
    request = spans("a", size=1000)
    with GrpcBackend() as backend, Sending(backend, compression=compression) as send:
        send(batch_of(request))
        assert backend.taken == [(Signal.TRACES, request)]


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


def test_proxies_of_the_environment_are_ignored(backend, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Sending(backend) as send:
        send(batch_of(spans("a")))
    assert backend.names == ["a"]


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


def test_a_slow_response_is_cut_off():
    """One byte at a time must not hold up an exporter for ever."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def trickle():
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 20)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
                while not stop.wait(0.02):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            config = otlp_http.Config(endpoint=f"http://127.0.0.1:{server.getsockname()[1]}", timeout="300ms")
            exporter = otlp_http.factory.create(config, _settings(Telemetry()))
            exporter.start()
            with pytest.raises(RetryableError):
                exporter.export(batch_of(spans("a")))
            exporter.shutdown()
        finally:
            stop.set()
            thread.join()
