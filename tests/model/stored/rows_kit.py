"""Stored rows of spans, with decisions written by hand."""

import pyarrow as pa

from collector.model import schema
from collector.model.stored.observations import observations
from collector.testing import builders

START = builders.START_UNIX_NANO
INGESTED = START + 5_000_000_000


def decided(rows: list[dict]) -> pa.RecordBatch:
    default = {"adjusted_count": 1.0, "date": 0, "ingested_unix_nano": INGESTED}
    return pa.RecordBatch.from_pylist([{**default, **row} for row in rows], schema=schema.DECIDED)


def store(spans: list[dict], decisions: list[dict] | None = None, logs: list[dict] | None = None, faults=None) -> list:
    batch = builders.spans(spans, facts=True)
    joined = None if logs is None else builders.logs(logs)
    table = observations(batch, decided(decisions or [{}] * len(spans)), joined, faults=faults)
    table.validate(full=True)
    assert table.schema == schema.OBSERVATIONS
    return table.to_pylist()


def one(span: dict, decision: dict | None = None, **more) -> dict:
    (row,) = store([span], [decision or {}], **more)
    return row
