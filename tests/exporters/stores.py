"""Hand-made ranges of decisions and exporters over them, for the tests of the stores."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import structlog
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)

from collector.component.base import ComponentId, Settings
from collector.component.exporter import DecidedSpans, ExportBatch, ReceivedBatch
from collector.model import schema
from collector.model.batch import Signal, SpanBatch
from collector.model.codec.chosen import decode
from collector.telemetry import Telemetry

NANO = 10**9
DAY = 86_400 * NANO
START = 1_790_000_000 * NANO
"""2026-09-21T14:13:20Z"""


def settings(data_dir: Path, component_id: str) -> Settings:
    return Settings(ComponentId.parse(component_id), Telemetry(), structlog.get_logger(), data_dir)


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows of ``schema.OBSERVATIONS``; what a row leaves out is null or, where that is not allowed, a stand-in."""
    return pa.Table.from_pylist([_defaults(number) | row for number, row in enumerate(rows)], schema.OBSERVATIONS)


def _defaults(number: int) -> dict[str, Any]:
    start = START + number * 1_000_000
    ids = hashlib.sha256(str(number).encode()).hexdigest()
    return {
        "trace_id": ids[:32], "span_id": ids[32:48], "type": "span", "name": "step", "span_name": "step",
        "kind": "INTERNAL", "status_code": "UNSET", "level": "DEFAULT", "start_time": time(start),
        "end_time": time(start + 500), "start_unix_nano": start, "end_unix_nano": start + 500, "duration_ns": 500,
        "dialect": "otel", "scope_name": "scope", "scope_version": "1", "adjusted_count": 1.0,
        "ingested_at": time(START), "attributes": "{}", "resource": "{}", "events": "[]", "links": "[]",
    }  # fmt: skip


def time(unix_nano: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=unix_nano // 1000)


def many(count: int, *, first: int = 0, ingested: int = START, per_trace: int = 8, text: int = 40) -> pa.Table:
    """``count`` rows, made quickly: span ids are the numbers from ``first`` on, every 4th row is counted and priced."""
    numbers = np.arange(first, first + count)
    start = START + numbers * 1_000_000
    counted = numbers % 4 == 0
    made = {
        "trace_id": [hashlib.md5(str(n // per_trace).encode()).hexdigest() for n in numbers],
        "span_id": [f"{n:016x}" for n in numbers],
        "type": np.where(counted, "generation", "span"),
        "start_unix_nano": start,
        "end_unix_nano": start + 1000,
        "start_time": pa.array(start // 1000).cast(schema.TIMESTAMP),
        "ingested_at": pa.array(np.full(count, ingested // 1000)).cast(schema.TIMESTAMP),
        "input_tokens": pa.array(numbers, mask=~counted),
        "total_cost": [Decimal(int(n)) / 10**9 if c else None for n, c in zip(numbers, counted, strict=True)],
        "usage": [[("input", int(n))] if c else None for n, c in zip(numbers, counted, strict=True)],
        "input": [f"{n} ".ljust(text, "x") for n in numbers],
        "adjusted_count": np.ones(count),
    }
    columns = {
        field.name: pa.array(made[field.name], field.type)
        if field.name in made
        else (pa.nulls(count, field.type) if field.nullable else pa.array(["x"] * count))
        for field in schema.OBSERVATIONS
    }
    return pa.table(columns, schema=schema.OBSERVATIONS)


def export_batch(
    first: int,
    last: int,
    *tables: pa.Table,
    epoch: str = "epoch-1",
    dates: Sequence[dt.date] | None = None,
    others: Sequence[ReceivedBatch] = (),
) -> ExportBatch:
    """A range holding these observations; ``dates`` gives the partition of each table, else that of ``START``."""
    partitions = dates or [time(START).date()] * len(tables)
    spans = tuple(_decided(rows, date) for rows, date in zip(tables, partitions, strict=True))
    return ExportBatch(epoch, first, last, spans, tuple(others))


def logs(*records: LogRecord, ingested: int = START) -> ReceivedBatch:
    """As they come from a receiver: encoded, sent, decoded."""
    request = ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])])
    return _received(Signal.LOGS, request.SerializeToString(), ingested)


def metrics(*sent: Metric, ingested: int = START) -> ReceivedBatch:
    """As they come from a receiver: encoded, sent, decoded."""
    scope = ScopeMetrics(metrics=sent)
    request = ExportMetricsServiceRequest(resource_metrics=[ResourceMetrics(scope_metrics=[scope])])
    return _received(Signal.METRICS, request.SerializeToString(), ingested)


def _received(signal: Signal, body: bytes, ingested: int) -> ReceivedBatch:
    (batch,) = decode(signal, [body]).batches
    return ReceivedBatch(batch, ingested)


def awkward_logs() -> ReceivedBatch:
    """Log records at the edges of every column."""
    values = [
        AnyValue(), AnyValue(string_value="ü\u0000\n\U0001f600"), AnyValue(string_value="x" * 100_000),
        AnyValue(double_value=float("nan")), AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=-(2**63))])),
    ]  # fmt: skip
    records = [
        LogRecord(
            time_unix_nano=START + number, body=value, severity_number=9, severity_text="INFO", event_name="e",
            trace_id=bytes(range(16)), span_id=bytes(range(8)), attributes=[KeyValue(key="k", value=value)],
        )
        for number, value in enumerate(values)
    ]  # fmt: skip
    return logs(LogRecord(), LogRecord(observed_time_unix_nano=START), *records)


def awkward_metrics() -> ReceivedBatch:
    """Every kind of point, with NaN, infinities, the largest counts and exemplars."""
    exemplar = Exemplar(time_unix_nano=START, as_double=float("nan"), trace_id=bytes(range(16)), span_id=bytes(8))
    point = {"time_unix_nano": START, "start_time_unix_nano": START - NANO}
    sums = [
        NumberDataPoint(as_double=float("nan"), exemplars=[exemplar, Exemplar(as_int=-(2**63))], **point),
        NumberDataPoint(as_double=float("-inf")),
        NumberDataPoint(as_int=2**63 - 1, flags=1, **point),
    ]
    histogram = HistogramDataPoint(
        count=2**64 - 1, sum=1.5, min=-1.0, max=2.0, bucket_counts=[0, 2**64 - 1], explicit_bounds=[0.5], **point
    )
    exponential = ExponentialHistogramDataPoint(
        count=3,
        scale=-3,
        zero_count=1,
        positive=ExponentialHistogramDataPoint.Buckets(offset=-2, bucket_counts=[1, 1]),
        **point,
    )
    quantile = SummaryDataPoint.ValueAtQuantile(quantile=0.5, value=float("nan"))
    return metrics(
        Metric(
            name="s",
            unit="1",
            sum=Sum(data_points=sums, is_monotonic=True, aggregation_temporality="AGGREGATION_TEMPORALITY_DELTA"),
        ),
        Metric(name="g", description="ü", gauge=Gauge(data_points=[NumberDataPoint(as_int=0)])),
        Metric(name="h", histogram=Histogram(data_points=[histogram, HistogramDataPoint()])),
        Metric(name="e", exponential_histogram=ExponentialHistogram(data_points=[exponential])),
        Metric(
            name="q",
            summary=Summary(data_points=[SummaryDataPoint(count=1, sum=2.0, quantile_values=[quantile], **point)]),
        ),
        Metric(name="nothing"),
    )


def awkward() -> pa.Table:
    """Observations at the edges of every type."""
    text = 'ü\u0000"\\n\U0001f600\u2028 ' + "é" * 70_000
    return table([
        {},
        {
            "parent_span_id": "0" * 16, "subtype": "", "status_message": text, "input": text, "metadata": '{"a":"ü"}',
            "tags": ["b", "a", "ü", ""], "finish_reasons": [], "user_id": "o'hara", "input_tokens": 2**63 - 1,
            "usage": [("input", 2**63 - 1), ("", 0)], "cost": [("input", Decimal("999999.999999999999"))],
            "total_cost": Decimal("999999.999999999999"), "input_cost": Decimal("0.000000000001"),
            "adjusted_count": 1e308, "start_unix_nano": -(2**63), "end_unix_nano": 2**63 - 1,
            "start_time": dt.datetime(1, 1, 1, tzinfo=dt.UTC), "end_time": dt.datetime(9999, 12, 31, tzinfo=dt.UTC),
        },
        {"tags": [], "usage": [], "cost": [], "adjusted_count": float("inf"), "total_cost": Decimal(0)},
    ])  # fmt: skip


def _decided(rows: pa.Table, date: dt.date) -> DecidedSpans:
    nothing = {name: pa.array([[]] * rows.num_rows, schema.WIRE.field(name).type) for name in ("attributes", "events")}
    spans = SpanBatch(pa.record_batch({"span_name": pa.array([""] * rows.num_rows), **nothing}))
    decided = pa.record_batch({"date": pa.array([date] * rows.num_rows, pa.date32())})
    return DecidedSpans(spans, decided, None, lambda *_: rows)
