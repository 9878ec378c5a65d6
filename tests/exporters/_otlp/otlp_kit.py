"""OTLP servers with switches, and exporters that send to them."""

import gzip
import threading
import zlib
from collections import deque
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
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

from collector.component.base import ComponentId, Settings
from collector.component.exporter import DecidedSpans, ExportBatch, ReceivedBatch
from collector.model.batch import Signal
from collector.model.codec.chosen import decode, prepare_json
from collector.telemetry import Telemetry
from exporters import otlp_grpc, otlp_http

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
        return otlp_http.factory.create(otlp_http.Config(**config), settings_of(telemetry))


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
        return otlp_grpc.factory.create(otlp_grpc.Config(**config), settings_of(telemetry))


def _details(code, delay):
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=delay)))
    return status_pb2.Status(code=code.value[0], details=[detail]).SerializeToString()


def settings_of(telemetry, id_="otlp"):
    return Settings(id=ComponentId(id_), telemetry=telemetry, log=structlog.stdlib.get_logger("t"), data_dir=None)


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
