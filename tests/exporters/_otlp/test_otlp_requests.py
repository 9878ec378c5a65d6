"""Requests of the OTLP exporters to servers with switches: sent, cut, retried, refused.

Proves what is sent again, what is not, and what is counted, over real sockets on loopback. Does not prove who waits
for how long: that is the export runner's.
"""

import threading

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.errors import RetryableError
from collector.model.batch import Signal
from collector.telemetry import Telemetry
from exporters import otlp_http
from tests.exporters._otlp.otlp_kit import (
    GrpcBackend,
    HttpBackend,
    Sending,
    batch_of,
    settings_of,
    some_logs,
    some_metrics,
    spans,
)


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


def test_proxies_of_the_environment_are_ignored(backend, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Sending(backend) as send:
        send(batch_of(spans("a")))
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
            exporter = otlp_http.factory.create(config, settings_of(Telemetry()))
            exporter.start()
            with pytest.raises(RetryableError):
                exporter.export(batch_of(spans("a")))
            exporter.shutdown()
        finally:
            stop.set()
            thread.join()
