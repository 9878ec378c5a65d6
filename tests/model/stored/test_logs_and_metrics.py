"""The stored rows of logs and metrics: typed, and everything that was sent is there.

Proves columns case by case, and by property that any batch is stored. Does not prove that stored points sum up to
anything: no view is built on them.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector.model import schema
from collector.model.batch import Batch, LogBatch, MetricBatch, Signal
from collector.model.codec.chosen import decode
from collector.model.stored.logs_and_metrics import stored_logs, stored_metrics
from collector.testing.otlp_strategies import requests

INGESTED = 1_760_000_000_123_456_789
FIXTURES = Path(__file__).parents[2] / "fixtures" / "otlp"
some = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def batch_of(signal: Signal, body: bytes) -> Batch:
    return decode(signal, [body]).batches[0]


def log(**members) -> tuple[ExportLogsServiceRequest, object]:
    request = ExportLogsServiceRequest()
    resource_logs = request.resource_logs.add(schema_url="https://schema")
    for key, value in {"service.name": "app", "deployment.environment.name": "Prod"}.items():
        resource_logs.resource.attributes.add(key=key).value.string_value = value
    scope_logs = resource_logs.scope_logs.add()
    scope_logs.scope.name, scope_logs.scope.version = "lib", "1.2"
    return request, scope_logs.log_records.add(**members)


def logs_row(request) -> dict:
    table = stored_logs(batch_of(Signal.LOGS, request.SerializeToString()), INGESTED)
    table.validate(full=True)
    assert table.schema.equals(schema.STORED_LOGS)
    return table.to_pylist()[0]


def metric_rows(request) -> list[dict]:
    table = stored_metrics(batch_of(Signal.METRICS, request.SerializeToString()), INGESTED)
    table.validate(full=True)
    assert table.schema.equals(schema.STORED_METRICS)
    return table.to_pylist()


def test_a_log_record_has_its_columns():
    request, record = log(time_unix_nano=INGESTED, observed_time_unix_nano=5, severity_number=9, severity_text="INFO")
    record.trace_id, record.span_id, record.event_name, record.flags = b"\xab" * 16, b"\1" * 8, "gen_ai.choice", 1
    record.body.string_value = "hello"
    record.attributes.add(key="n").value.int_value = 1
    assert logs_row(request) == {
        "time": datetime(2025, 10, 9, 8, 53, 20, 123456, UTC),
        "time_unix_nano": INGESTED,
        "observed_time_unix_nano": 5,
        "trace_id": "ab" * 16,
        "span_id": "01" * 8,
        "event_name": "gen_ai.choice",
        "severity_number": 9,
        "severity_text": "INFO",
        "service_name": "app",
        "environment": "prod",
        "scope_name": "lib",
        "scope_version": "1.2",
        "ingested_at": datetime(2025, 10, 9, 8, 53, 20, 123456, UTC),
        "body": "hello",
        "attributes": '{"n":1}',
        "resource": '{"service.name":"app","deployment.environment.name":"Prod"}',
        "otlp": '{"flags":1,"resource":{"schema_url":"https://schema"}}',
    }


def test_what_was_not_sent_is_null_and_the_observed_time_stands_in():
    request, _ = log(observed_time_unix_nano=2_000_000_000)
    row = logs_row(request)
    assert row["time"] == datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)
    nulls = ("time_unix_nano", "trace_id", "span_id", "event_name", "severity_text", "body")
    assert [row[name] for name in nulls] == [None] * len(nulls)
    request, _ = log()
    assert logs_row(request)["time"] is None


def test_nobody_naming_an_environment_leaves_it_null():
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add()
    row = logs_row(request)
    assert (row["service_name"], row["environment"], row["scope_name"], row["otlp"]) == (None, None, "", None)


@pytest.mark.parametrize(
    ("member", "value", "body", "name"),
    [
        ("string_value", '{"a":1}', '{"a":1}', None),
        ("string_value", "", "", None),
        ("int_value", 5, "5", "int"),
        ("double_value", 5, "5.0", "double"),
        ("bool_value", True, "true", "bool"),
        ("bytes_value", b"\0", '{"$bytes":"AA=="}', "bytes"),
    ],
)
def test_a_body_is_text_or_json_and_otlp_says_which(member, value, body, name):
    request, record = log()
    setattr(record.body, member, value)
    row = logs_row(request)
    assert row["body"] == body
    assert json.loads(row["otlp"]).get("body_type") == name


def test_a_structured_body_is_plain_json():
    request, record = log()
    record.body.kvlist_value.values.add(key="role").value.string_value = "user"
    row = logs_row(request)
    assert (row["body"], json.loads(row["otlp"])["body_type"]) == ('{"role":"user"}', "kvlist")


def metric(**members) -> tuple[ExportMetricsServiceRequest, object]:
    request = ExportMetricsServiceRequest()
    resource_metrics = request.resource_metrics.add()
    resource_metrics.resource.attributes.add(key="service.name").value.string_value = "app"
    return request, resource_metrics.scope_metrics.add().metrics.add(name="m", **members)


def test_sums_and_gauges_have_numbers_of_their_type():
    request, found = metric(unit="1")
    found.sum.aggregation_temporality, found.sum.is_monotonic = 2, True
    found.sum.data_points.add(as_int=2**63 - 1, time_unix_nano=INGESTED, start_time_unix_nano=7, flags=1)
    found.sum.data_points.add(as_double=0.5)
    first, second = metric_rows(request)
    assert (first["value_int"], first["value_double"]) == (2**63 - 1, None)
    assert (second["value_int"], second["value_double"]) == (None, 0.5)
    assert (first["kind"], first["temporality"], first["is_monotonic"]) == ("sum", "CUMULATIVE", True)
    assert (first["start_time_unix_nano"], second["time"], first["otlp"]) == (7, None, '{"flags":1}')
    assert (first["unit"], first["description"], first["service_name"]) == ("1", None, "app")
    request, found = metric()
    found.gauge.data_points.add(as_int=1)
    (row,) = metric_rows(request)
    assert (row["kind"], row["temporality"], row["is_monotonic"]) == ("gauge", None, None)


def test_histograms_keep_buckets_and_exemplars():
    request, found = metric()
    found.histogram.aggregation_temporality = 1
    point = found.histogram.data_points.add(count=3, sum=4.5, bucket_counts=[1, 2], explicit_bounds=[0.5])
    exemplar = point.exemplars.add(as_double=0.25, trace_id=b"\xab" * 16, time_unix_nano=9)
    exemplar.filtered_attributes.add(key="user").value.string_value = "u"
    found.histogram.data_points.add()
    row, bare = metric_rows(request)
    assert (row["count"], row["sum"], row["min"], row["bucket_counts"]) == (3, 4.5, None, [1, 2])
    assert (row["explicit_bounds"], row["temporality"]) == ([0.5], "DELTA")
    assert row["exemplars"] == [
        {
            "time_unix_nano": 9,
            "value_int": None,
            "value_double": 0.25,
            "trace_id": "ab" * 16,
            "span_id": None,
            "attributes": '{"user":"u"}',
        }
    ]
    assert (bare["count"], bare["sum"], bare["bucket_counts"], bare["exemplars"]) == (0, None, [], [])


def test_exponential_histograms_and_summaries_keep_their_parts():
    request, found = metric()
    point = found.exponential_histogram.data_points.add(count=2**64 - 1, scale=-2, zero_count=1, zero_threshold=0.1)
    point.positive.offset = -3
    point.positive.bucket_counts.extend([1, 2])
    (row,) = metric_rows(request)
    assert (row["count"], row["scale"], row["zero_count"], row["zero_threshold"]) == (2**64 - 1, -2, 1, 0.1)
    assert (row["positive_offset"], row["positive_bucket_counts"], row["negative_offset"]) == (-3, [1, 2], None)
    request, found = metric()
    point = found.summary.data_points.add(count=2, sum=3)
    point.quantile_values.add(quantile=0.5, value=1.5)
    (row,) = metric_rows(request)
    assert (row["quantiles"], row["exemplars"]) == ([{"quantile": 0.5, "value": 1.5}], None)


def test_a_metric_without_points_and_unknown_numbers_are_said_in_otlp():
    request, found = metric()
    found.sum.aggregation_temporality = 9
    found.metadata.add(key="source").value.string_value = "x"
    (row,) = metric_rows(request)
    assert (row["kind"], row["temporality"]) == ("sum", "UNSPECIFIED")
    assert json.loads(row["otlp"]) == {"metadata": {"source": "x"}, "temporality": 9, "no_point": True}


def stored(batch: Batch):
    return stored_logs(batch, INGESTED) if isinstance(batch, LogBatch) else stored_metrics(batch, INGESTED)


@pytest.mark.parametrize("signal", [Signal.LOGS, Signal.METRICS])
@some
@given(data=st.data())
def test_any_batch_and_any_slice_of_it_is_stored(signal, data):
    for batch in decode(signal, [data.draw(requests(signal))]).batches:
        table = stored(batch)
        table.validate(full=True)
        cut = data.draw(st.integers(0, batch.num_rows))
        # As text: a NaN equals itself there.
        assert str(stored(batch.slice(cut)).to_pylist()) == str(table.slice(cut).to_pylist())


@pytest.mark.parametrize("signal", [Signal.LOGS, Signal.METRICS])
def test_captured_payloads_are_stored(signal):
    bodies = [path.read_bytes() for path in FIXTURES.rglob(f"*.{signal}.binpb")]
    for batch in decode(signal, bodies).batches:
        table = stored(batch)
        table.validate(full=True)
        assert set(table["service_name"].to_pylist()) >= {"demo-app"}


def test_no_rows_are_stored_as_no_rows():
    for signal, kind in ((Signal.LOGS, LogBatch), (Signal.METRICS, MetricBatch)):
        body = next(iter(sorted(FIXTURES.rglob(f"*.{signal}.binpb")))).read_bytes()
        nothing = batch_of(signal, body).slice(0, 0)
        assert isinstance(nothing, kind)
        assert stored(nothing).num_rows == 0
