"""Ranges of decisions, made without an engine: for the tests of exporters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa

from collector.component.exporter import DecidedSpans, ExportBatch
from collector.model import schema
from collector.model.facts.resolve import resolve
from collector.model.stored import observations
from collector.testing.builders import START_UNIX_NANO, Row, spans

_DECIDED = {
    "usage_scope": None, "usage_rule": None, "inherit_from": None, "trace_name": None, "user_id": None,
    "session_id": None, "tags": None, "sampled_by": None, "adjusted_count": 1.0,
}  # fmt: skip


def export_batch(rows: Sequence[Row], *, first: int = 1, last: int | None = None, epoch: str = "epoch") -> ExportBatch:
    """Spans from Python rows (see ``builders.spans``) as an exporter gets them, all kept.

    ``first`` and ``last`` number the decisions of the range: a range sent again has the same numbers.
    """
    batch = resolve(spans(rows, facts=False))
    decided = pa.RecordBatch.from_pylist([_decided() for _ in rows], schema=schema.DECIDED)
    part = DecidedSpans(batch, decided, None, observations.observations)
    return ExportBatch(epoch, first, first if last is None else last, (part,))


def _decided() -> dict[str, object]:
    """What nobody decided about a span: a column of ``schema.DECIDED`` each."""
    date = dt.datetime.fromtimestamp(START_UNIX_NANO / 1e9, dt.UTC).date()
    return {**_DECIDED, "date": date, "ingested_unix_nano": START_UNIX_NANO}
