"""``scores`` in real DuckDB files and Parquet lakes: a row per id, once, whatever comes again.

Proves it through restarts, repeated ranges and files of an earlier release. Does not prove how scores are found in
spans and records: ``model/scores`` does.
"""

from __future__ import annotations

import datetime as dt
import json

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collector.component.exporter import DecidedSpans, ExportBatch, ReceivedBatch
from collector.model import schema
from collector.model.facts import resolve
from collector.model.scores import find, record
from collector.testing import builders
from exporters.duckdb import Config as DuckDBConfig, DuckDBExporter
from exporters.parquet import Config as ParquetConfig, ParquetExporter
from tests.exporters.stores import DAY, NANO, START, settings, time

NEWEST = """SELECT * FROM read_parquet('{lake}/scores/*/*.parquet')
QUALIFY row_number() OVER (PARTITION BY id ORDER BY updated_at DESC, span_id NULLS LAST) = 1"""


def records(*rows, ingested=START):
    """Evaluation records on span 1 of trace 1: (attributes by their names in ``scores``)."""
    sent = [
        {
            "event_name": record.EVENT_NAME,
            "trace_id": 1,
            "span_id": 1,
            "time_unix_nano": START,
            "attributes": {record.NAME: "q", **{getattr(record, key): value for key, value in row.items()}},
        }
        for row in rows
    ]
    return ReceivedBatch(builders.logs(sent), ingested, find)


def spans(*rows, ingested=START):
    batch = resolve.resolve(builders.spans([{"start_unix_nano": START, **row} for row in rows]))
    decided = {"adjusted_count": 1.0, "date": time(START).date(), "ingested_unix_nano": ingested}
    return DecidedSpans(
        batch,
        pa.RecordBatch.from_pylist([decided] * len(rows), schema=schema.DECIDED),
        None,
        lambda *_: schema.OBSERVATIONS.empty_table(),
        find,
    )


def batch(number, *parts):
    decided = tuple(part for part in parts if isinstance(part, DecidedSpans))
    return ExportBatch("e", number, number, decided, tuple(p for p in parts if isinstance(p, ReceivedBatch)))


@pytest.fixture
def store(tmp_path):
    """Opens the DuckDB exporter of ``tmp_path``, as often as wanted."""
    opened = []

    def open_store(now=START, **config):
        exporter = DuckDBExporter(DuckDBConfig(**config), settings(tmp_path, "duckdb"), clock=lambda: now / NANO)
        opened.append(exporter)
        exporter.start()
        return exporter

    yield open_store
    for exporter in opened:
        exporter.shutdown()


@pytest.fixture
def lake(tmp_path):
    exporter = ParquetExporter(ParquetConfig(), settings(tmp_path, "parquet"))
    exporter.start()
    return exporter, tmp_path / "parquet"


def stored(exporter, columns="*"):
    return exporter.query(f"SELECT {columns} FROM scores ORDER BY id", limit=1_000).to_pylist()


def in_lake(folder, columns="*"):
    return duckdb.sql(f"SELECT {columns} FROM ({NEWEST.format(lake=folder)}) ORDER BY id").to_arrow_table().to_pylist()


def test_duckdb_has_the_columns_of_the_contract(store):
    exporter = store()
    exporter.export(batch(1, records({"ID": "a", "VALUE": 0.5, "COMMENT": "why"})))
    (row,) = stored(exporter)
    assert list(row) == schema.SCORES.names
    assert (row["value"], row["comment"], row["timestamp"]) == (0.5, "why", time(START))


def test_a_later_score_of_an_id_replaces_the_earlier_and_keeps_its_creation(store):
    exporter = store()
    exporter.export(batch(1, records({"ID": "a", "VALUE": 1, "COMMENT": "first"})))
    exporter.export(batch(2, records({"ID": "a", "VALUE": 2}, {"ID": "b", "VALUE": 3}, ingested=START + NANO)))
    first, second = stored(exporter, "id, value, comment, created_at, updated_at")
    assert first == {
        "id": "a", "value": 2.0, "comment": None, "created_at": time(START), "updated_at": time(START + NANO),
    }  # fmt: skip
    assert second["created_at"] == time(START + NANO)


def test_in_one_range_and_batch_too_the_later_score_wins(store):
    exporter = store()
    exporter.export(
        batch(1, records({"ID": "a", "VALUE": 1}, {"ID": "a", "VALUE": 2}), records({"ID": "a", "VALUE": 3}))
    )
    assert stored(exporter, "value") == [{"value": 3.0}]


def test_a_score_that_was_received_earlier_replaces_nothing(store):
    exporter = store()
    exporter.export(batch(1, records({"ID": "a", "VALUE": 2}, ingested=START + NANO)))
    exporter.export(batch(2, records({"ID": "a", "VALUE": 1})))
    assert stored(exporter, "value, created_at, updated_at") == [
        {"value": 2.0, "created_at": time(START), "updated_at": time(START + NANO)}
    ]


def test_a_range_exported_again_changes_nothing(store, lake):
    exporter, (parquet, folder) = store(), lake
    again = batch(1, records({"VALUE": 1}, {"VALUE": 2}), spans({"attributes": {"gen_ai.eval.x": 1}}))
    for _ in range(2):
        exporter.export(again)
        parquet.export(again)
    assert len(stored(exporter)) == len(in_lake(folder)) == 3
    assert duckdb.sql(f"SELECT count(*) FROM '{folder}/scores/*/*.parquet'").fetchall() == [(3,)]


def test_scores_outlive_a_restart(store):
    exporter = store()
    exporter.export(batch(1, records({"ID": "a", "VALUE": 1})))
    exporter.shutdown()
    again = store()
    assert again.checkpoint() == ("e", 1)
    assert stored(again, "value") == [{"value": 1.0}]


def test_the_same_result_as_event_and_as_record_is_one_row(store, lake):
    attributes = {record.NAME: "q", record.VALUE: 1.0}
    event = {"time_unix_nano": START, "name": record.EVENT_NAME, "attributes": attributes}
    exporter, (parquet, folder) = store(), lake
    for number, part in enumerate(
        (records({"VALUE": 1.0}), spans({"events": [event]}, ingested=START + NANO)), start=1
    ):
        exporter.export(batch(number, part))
        parquet.export(batch(number, part))
    assert len(stored(exporter)) == len(in_lake(folder)) == 1


def test_the_span_that_a_trace_reveals_stays_with_its_score(store):
    sent = {
        "event_name": record.EVENT_NAME, "trace_id": 1, "time_unix_nano": START,
        "attributes": {record.NAME: "q", "gen_ai.response.id": "r"},
    }  # fmt: skip
    log = builders.logs([sent])
    judged = spans({"attributes": {"gen_ai.response.id": "r", "gen_ai.request.model": "m"}})
    judged.logs = log
    exporter = store()
    exporter.export(batch(1, judged))
    exporter.export(batch(2, ReceivedBatch(log, START + NANO, find)))
    assert stored(exporter, "span_id") == [{"span_id": f"{1:016x}"}]


def test_scores_past_retention_go(store):
    exporter = store(retention="7d")
    exporter.export(
        batch(1, records({"ID": "old", "VALUE": 1}), records({"ID": "new", "VALUE": 1}, ingested=START + 7 * DAY))
    )
    exporter.shutdown()
    assert stored(store(now=START + 8 * DAY, retention="7d"), "id") == [{"id": "new"}]


def test_a_file_of_an_earlier_release_gets_the_columns_it_lacks(store, tmp_path):
    store().shutdown()
    with duckdb.connect(str(tmp_path / "spanloom.duckdb")) as connection:
        connection.execute("ALTER TABLE scores DROP COLUMN queue_id")
    exporter = store()
    exporter.export(batch(1, records({"QUEUE_ID": "u", "VALUE": 1})))
    assert stored(exporter, "queue_id") == [{"queue_id": "u"}]


def test_the_lake_has_a_folder_per_day_of_the_score_and_a_manifest(lake):
    parquet, folder = lake
    late = {"VALUE": 1, "COMMENT": "é" * 10_000}
    old = builders.logs(
        [{"event_name": record.EVENT_NAME, "time_unix_nano": START - 365 * DAY, "attributes": {record.NAME: "q"}}]
    )
    parquet.export(batch(1, records(late), ReceivedBatch(old, START, find)))
    days = sorted(path.name for path in (folder / "scores").iterdir())
    assert days == [f"date={time(START - 30 * DAY).date()}", f"date={time(START).date()}"]
    manifest = json.loads((folder / "scores" / days[1] / "_manifest.json").read_text())
    assert (manifest["rows"], manifest["files"][0]["min_unix_nano"]) == (1, START)
    (file,) = (folder / "scores" / days[1]).glob("*.parquet")
    assert pq.read_schema(file).names == schema.SCORES.names


def test_readers_of_the_lake_take_the_newest_row_of_an_id(lake):
    parquet, folder = lake
    parquet.export(batch(1, records({"ID": "a", "VALUE": 1})))
    parquet.export(batch(2, records({"ID": "a", "VALUE": 2}, ingested=START + DAY)))
    assert duckdb.sql(f"SELECT count(*) FROM '{folder}/scores/*/*.parquet'").fetchall() == [(2,)]
    assert in_lake(folder, "value") == [{"value": 2.0}]


def test_batches_without_results_make_no_files(lake):
    parquet, folder = lake
    parquet.export(batch(1, ReceivedBatch(builders.logs([{}]), START, find), spans({})))
    assert not (folder / "scores").exists()


def test_times_at_the_edges_are_stored(store, lake):
    sent = [
        {"event_name": record.EVENT_NAME, "time_unix_nano": nanos, "observed_time_unix_nano": 0, "trace_id": 1,
         "attributes": {record.NAME: "q", record.ID: str(nanos)}}
        for nanos in (0, 1, 2**63 - 1, -1)
    ]  # fmt: skip
    exporter, (parquet, folder) = store(), lake
    edges = batch(1, ReceivedBatch(builders.logs(sent), START, find))
    exporter.export(edges)
    parquet.export(edges)
    found = {row["id"]: row["timestamp"] for row in stored(exporter)}
    assert found == {row["id"]: row["timestamp"] for row in in_lake(folder)}
    assert found["0"] == found["-1"] == time(START)
    assert found["1"] == dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
