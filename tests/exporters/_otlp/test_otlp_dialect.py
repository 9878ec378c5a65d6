"""The OTLP exporters with ``dialect``: spans translated, everything else and every promise as before.

Proves that only spans are translated and a retry repeats nothing. Does not prove the translation: ``model/forward``
does.
"""

import pytest

from collector.component.exporter import ExportBatch
from collector.errors import RetryableError
from collector.telemetry import Telemetry
from tests.exporters._otlp.otlp_kit import GrpcBackend, HttpBackend, batch_of, some_logs
from tests.model.forward.forward_kit import decided


@pytest.fixture(params=[HttpBackend, GrpcBackend], ids=["http", "grpc"])
def backend(request):
    with request.param() as running:
        yield running


def calls(count, size=0):
    attributes = {"llm.request.type": "chat", "gen_ai.request.model": "gpt-4o", "note": "x" * size}
    return decided([{"span_id": n + 1, "span_name": f"s{n}", "attributes": attributes} for n in range(count)])


@pytest.fixture
def start(backend):
    """Starts exporters to the backend, and ends them."""
    started = []

    def started_with(**config):
        started.append(backend.exporter(Telemetry(), compression="none", **config))
        started[-1].start()
        return started[-1]

    yield started_with
    for exporter in started:
        exporter.shutdown()


def taken(backend, signal="traces"):
    requests = [request for kind, request in backend.taken if kind == signal]
    if signal == "logs":
        return requests
    return [span for r in requests for p in r.resource_spans for c in p.scope_spans for span in c.spans]


def keys(span):
    return {attribute.key for attribute in span.attributes}


def test_spans_go_out_as_they_came_unless_a_dialect_is_named(backend, start):
    sent = start()
    sent.export(ExportBatch("epoch", 1, 1, (calls(2),)))
    assert [keys(span) for span in taken(backend)] == [{"llm.request.type", "gen_ai.request.model", "note"}] * 2


def test_spans_are_translated_and_logs_are_not(backend, start):
    logs = batch_of(logs=some_logs()).others
    sent = start(dialect="langfuse")
    assert sent.export(ExportBatch("epoch", 1, 1, (calls(2), calls(1)), logs)) is None
    assert [span.name for span in taken(backend)] == ["s0", "s1", "s0"]
    assert all("langfuse.observation.type" in keys(span) for span in taken(backend))
    assert taken(backend, "logs") == [some_logs()]


def test_a_retry_sends_the_rest_of_a_translated_range_and_nothing_twice(backend, start):
    sent = start(dialect="openinference", max_request_bytes=8_000)
    batch = ExportBatch("epoch", 1, 1, (calls(9, size=2_000),))
    backend.answers.extend([None, backend.RETRY])
    with pytest.raises(RetryableError):
        sent.export(batch)
    first = [span.name for span in taken(backend)]
    assert 0 < len(first) < 9
    assert sent.export(batch) is None
    assert [span.name for span in taken(backend)] == [f"s{n}" for n in range(9)]
