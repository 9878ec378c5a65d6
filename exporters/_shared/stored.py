"""What the storing exporters share: the stored tables inside a range of decisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from spanloom import ExportBatch, LogBatch, stored_logs, stored_metrics

VERSION = 1
"""Version of the stored schemas; a higher one only appends columns."""

OBSERVATIONS = "observations"
LOGS = "logs"
METRICS = "metrics"
SCORES = "scores"


def observations(batch: ExportBatch) -> Iterator[tuple[pa.Table, pa.ChunkedArray]]:
    """Per group of spans: the rows (``schema.OBSERVATIONS``) and the partition date of each (date32)."""
    for spans in batch.spans:
        if spans.spans.num_rows:
            yield spans.observations, pa.chunked_array([spans.decided.column("date")])


def others(batch: ExportBatch) -> Iterator[tuple[str, pa.Table]]:
    """Per batch of logs or metrics: ``LOGS`` or ``METRICS``, and its rows as they are stored."""
    for received in batch.others:
        if not received.batch.num_rows:
            continue
        if isinstance(received.batch, LogBatch):
            yield LOGS, stored_logs(received.batch, received.ingested_unix_nano)
        else:
            yield METRICS, stored_metrics(received.batch, received.ingested_unix_nano)


def scores(batch: ExportBatch) -> Iterator[pa.Table]:
    """Per group of spans or batch of log records that has any: its evaluation results (``schema.SCORES``)."""
    tables = (*(spans.scores for spans in batch.spans), *(received.scores for received in batch.others))
    yield from (table for table in tables if table.num_rows)


def grouped(tables: Iterable[pa.Table], *, max_rows: int, max_bytes: int) -> Iterator[pa.Table]:
    """The same rows in the same order, in tables that end once they reach a bound; copies nothing."""
    group: list[pa.Table] = []
    rows = size = 0
    for table in tables:
        group.append(table)
        rows += table.num_rows
        size += table.nbytes
        if rows >= max_rows or size >= max_bytes:
            yield pa.concat_tables(group)
            group, rows, size = [], 0, 0
    if group:
        yield pa.concat_tables(group)
