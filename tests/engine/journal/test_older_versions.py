"""Data folders of other versions are read: what they hold is delivered, and columns may come and go.

Proves that a folder written by the first version of format 1 opens and that all in it is delivered, and that
records and decisions without a column, or with one nobody knows, are read. ``tests/fixtures/journals`` says how the
folder was made. Does not prove that an older version can read what this one writes.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from collector.engine.journal import packing
from collector.engine.journal.decisions import ROWS, TRACES, DecisionRecord
from collector.engine.journal.records import Entry
from collector.engine.journal.storage import Storage
from collector.errors import JournalError
from collector.model import schema
from collector.model.batch import SpanBatch
from collector.testing import builders
from tests.engine.engine_kit import SECOND, Engine

FOLDER = Path(__file__).parents[2] / "fixtures" / "journals" / "format_1"
MADE_AT = 1_760_000_000 * SECOND


@pytest.fixture
def storage(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "journal")
    storage = Storage.on_disk(tmp_path / "journal", max_bytes=1 << 30)
    yield storage
    storage.close()


def test_everything_in_a_folder_of_format_1_is_delivered_to_each_exporter_once(storage):
    engine = Engine(storage, "sink", "store", now=MADE_AT + 60 * SECOND, stores=["store"]).recover()
    assert engine.runners[1]._intent == (2, 4)
    engine.finish()
    for name in ("sink", "store"):
        assert engine.spans(name) == {"root": 1, "chat": 1, "late": 1, "waiting": 1}
        assert engine.others(name) == {"a log": 1, "another": 1, "a.metric": 1, "a late log": 1}
    (first, *_) = engine.exporters["store"].batches
    assert (first.first, first.last) == (2, 4)
    assert [(log.index, log.delivered()) for log in storage.logs] == [(0, 10)]


def test_what_was_decided_in_a_folder_of_format_1_is_shown_as_it_was_decided(storage):
    engine = Engine(storage, "sink", now=MADE_AT + 60 * SECOND).recover().finish()
    rows = {row["span_name"]: row for row in engine.exporters["sink"].observations().to_pylist()}
    assert {row["user_id"] for name, row in rows.items() if name != "waiting"} == {"ann"}
    assert (rows["chat"]["usage_scope"], rows["chat"]["model"]) == ("counted", "gpt-4o")
    assert "hi" in rows["chat"]["output"]
    assert rows["waiting"]["parent_span_id"] is None  # its parent left a tombstone


def test_a_folder_of_format_1_takes_new_records_and_knows_its_traces(storage):
    engine = Engine(storage, "sink", now=MADE_AT + 60 * SECOND).recover()
    again = builders.spans([{"trace_id": 2, "span_id": 1, "span_name": "sent again"}], facts=True)
    (written,) = storage.log.append([Entry(again, ("traces",))], MADE_AT + 60 * SECOND)
    assert written.address == 11
    engine.finish()
    assert "sent again" not in engine.spans("sink")


def test_a_ledger_of_a_later_format_is_refused(storage, tmp_path):
    with storage.ledger.transaction() as db:
        db.execute("update meta set value = '3' where key = 'format'")
    storage.close()
    with pytest.raises(JournalError, match="format 3; this version reads 1 and 2"):
        Storage.on_disk(tmp_path / "journal", max_bytes=1 << 30)


def test_a_record_lacks_columns_that_came_later(monkeypatch):
    payload = packing.pack(Entry(builders.spans([{"span_id": 1}, {"span_id": 2}], facts=True), ("traces",)))
    new = [
        pa.field("new_fact", schema.NAME),
        pa.field("new_count", pa.int64(), nullable=False),
        pa.field("new_items", schema.ATTRIBUTES, nullable=False),
    ]
    monkeypatch.setattr(SpanBatch, "schema", pa.schema([*list(schema.SPANS)[:5], *new, *list(schema.SPANS)[5:]]))
    batch = packing.unpack(payload).batch
    assert batch.record_batch.schema.equals(SpanBatch.schema)
    assert [batch.column(field.name).to_pylist() for field in new] == [[None, None], [0, 0], [[], []]]
    assert batch.column("span_id").to_pylist() == [(1).to_bytes(8, "big"), (2).to_bytes(8, "big")]


def test_a_record_has_a_column_that_nobody_knows_and_stands_beside_one_that_has_not(storages):
    known = builders.spans([{"trace_id": 1, "span_id": 1, "span_name": "old"}], facts=True)
    more = SpanBatch(known.record_batch.append_column("of_tomorrow", pa.array([7])))
    storage = storages.open()
    writer = storages.writer(storage)
    engine = Engine(storage, "sink")
    for batch in (known, more.with_columns({"span_id": pa.array([bytes(8)], schema.SPAN_ID)})):
        writer.append(
            [Entry(SpanBatch(packing.unpack(packing.pack(Entry(batch, ("traces",)))).batch.record_batch), ("traces",))],
            1,
        )
    engine.finish()
    assert engine.spans("sink") == {"old": 2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace_schema_metadata({**t.schema.metadata, b"spanloom": b"2"}), "version b'2'"),
        (lambda t: t.set_column(t.schema.get_field_index("role"), "role", pa.array(["call"])), "cannot be read"),
    ],
)
def test_a_record_whose_columns_mean_something_else_is_refused(change, message):
    with pa.ipc.open_stream(packing.pack(Entry(builders.spans([{}], facts=True), ("traces",)))) as reader:
        table = change(reader.read_next_batch())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_batch(table)
    with pytest.raises(JournalError, match=message):
        packing.unpack(sink.getvalue())


def _decision():
    traces = {name: pa.nulls(1, TRACES.field(name).type) for name in TRACES.names}
    traces |= {"trace_id": pa.array([bytes(16)], schema.TRACE_ID), "keep": pa.array([True])}
    traces |= {"adjusted_count": pa.array([1.0]), "date": pa.array([1], pa.date32())}
    rows = {field.name: pa.array(np.array([7]), pa.int64()).cast(field.type, safe=False) for field in ROWS}
    tables = [pa.record_batch([some[f.name] for f in of], schema=of) for some, of in ((traces, TRACES), (rows, ROWS))]
    whole = DecisionRecord.of_records(np.array([3], np.int64))
    return replace(whole, traces=tables[0], rows=tables[1])


def test_a_decision_lacks_columns_that_came_later_and_has_one_that_nobody_knows():
    decision = _decision()
    old = replace(
        decision,
        traces=decision.traces.drop_columns(["tags"]).append_column("of_tomorrow", pa.array([1])),
        rows=decision.rows.drop_columns(["dropped", "kept_parent_id"]).append_column("of_tomorrow", pa.array([1])),
    )
    read = DecisionRecord.unpack(old.pack())
    assert read.traces.schema.equals(TRACES)
    assert read.rows.schema.equals(ROWS)
    assert read.traces["tags"].to_pylist() == [None]
    assert read.rows["dropped"].to_pylist() == [False]
    assert read.rows["kept_parent_id"].equals(decision.rows["parent_id"])
    assert read.whole.equals(decision.whole)
