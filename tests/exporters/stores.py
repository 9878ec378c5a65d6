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

from collector.component import ComponentId, DecidedSpans, ExportBatch, ReceivedBatch, Settings
from collector.model import schema
from collector.model.batch import SpanBatch
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


def _decided(rows: pa.Table, date: dt.date) -> DecidedSpans:
    spans = SpanBatch(pa.record_batch({"span_name": pa.array([""] * rows.num_rows)}))
    decided = pa.record_batch({"date": pa.array([date] * rows.num_rows, pa.date32())})
    return DecidedSpans(spans, decided, None, lambda *_: rows)
