"""Files of the Parquet lake: names, partitions, sizes, types and values.

Proves it by reading the files with PyArrow and DuckDB. Does not prove other readers, nor their speed.
"""

from __future__ import annotations

import datetime as dt

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.component.exporter import Repriced
from collector.model import schema
from collector.model.stored.logs_and_metrics import stored_logs, stored_metrics
from exporters._parquet.stored_days import stored_days
from exporters.duckdb import Config as DuckDBConfig, DuckDBExporter
from tests.exporters._parquet.parquet_kit import TODAY, parts, read
from tests.exporters.stores import (
    DAY,
    START,
    awkward,
    awkward_logs,
    awkward_metrics,
    export_batch,
    logs,
    many,
    settings,
)

# layout


def test_a_range_becomes_one_file_per_date_named_after_it(started, lake):
    batch = export_batch(3, 9, many(5), many(4, first=8), dates=[TODAY, dt.date(2026, 9, 22)])
    started("parquet/lake").export(batch)
    names = [path.relative_to(lake).as_posix() for path in parts(lake)]
    assert [name[:43] for name in names] == [
        "observations/date=2026-09-21/part-parquet.l",
        "observations/date=2026-09-22/part-parquet.l",
    ]
    assert all(name.endswith("-3-9.parquet") for name in names)
    assert [pq.read_metadata(path).num_rows for path in parts(lake)] == [5, 4]


def test_one_group_of_spans_is_split_by_date_row_by_row(started, lake):
    batch = export_batch(1, 1, many(6))
    column = batch.spans[0].decided.schema.get_field_index("date")
    dates = pa.array([TODAY, dt.date(2026, 9, 22)] * 3)
    object.__setattr__(batch.spans[0], "decided", batch.spans[0].decided.set_column(column, "date", dates))
    started().export(batch)
    found = {path.parent.name: pq.read_table(path, columns=["span_id"]).column(0).to_pylist() for path in parts(lake)}
    numbers = {folder: sorted(int(span, 16) for span in spans) for folder, spans in found.items()}
    assert numbers == {"date=2026-09-21": [0, 2, 4], "date=2026-09-22": [1, 3, 5]}


def test_rows_are_sorted_by_trace_and_start_with_statistics(started, lake):
    started().export(export_batch(1, 1, many(100, first=40), many(40)))
    (path,) = parts(lake)
    rows = pq.read_table(path).select(["trace_id", "start_unix_nano"]).to_pylist()
    keys = [tuple(row.values()) for row in rows]
    assert keys == sorted(keys)
    group = pq.read_metadata(path).row_group(0)
    assert group.column(0).compression == "ZSTD"
    assert group.column(0).statistics.min == keys[0][0]
    assert [sorting.column_index for sorting in group.sorting_columns] == [0, 16]
    with duckdb.connect() as other:
        sql = f"SELECT bool_and(bloom_filter_excludes) FROM parquet_bloom_probe('{path}', 'trace_id', ?)"
        assert other.execute(sql, ["0" * 32]).fetchall() == [(True,)]
        assert other.execute(sql, [keys[0][0]]).fetchall() == [(False,)]


def test_readers_that_ignore_hidden_files_see_only_whole_ones(started, lake):
    started().export(export_batch(1, 1, many(100), others=[awkward_logs(), awkward_metrics()]))
    (lake / "_tmp" / ".date=2026-09-21.part-x.parquet.tmp").write_bytes(b"half")
    assert sorted(path.suffix for path in lake.rglob("*") if path.is_file() and path.name[0] not in "_.") == [
        ".parquet"
    ] * len(list(lake.rglob("*.parquet")))
    with duckdb.connect() as other:
        glob = lake / "observations" / "**" / "*.parquet"
        sql = f"SELECT count(*), min(date), typeof(min(date)) FROM read_parquet('{glob}', hive_partitioning = true)"
        assert other.execute(sql).fetchall() == [(100, TODAY, "DATE")]
    assert read(lake).num_rows == 100
    assert pq.read_table(lake / "observations").num_rows == 100


def test_names_hold_no_characters_of_the_id_or_epoch_that_could_harm(started, lake):
    started("parquet/../e vil@x").export(export_batch(1, 1, many(1), epoch="../../x"))
    (path,) = parts(lake)
    assert all(char.isalnum() or char in "-_." for char in path.name)
    assert path.parent == lake / "observations" / "date=2026-09-21"


def test_ids_that_look_alike_share_no_file(started, lake):
    started("parquet/a b").export(export_batch(1, 1, many(1)))
    started("parquet/a_b").export(export_batch(1, 1, many(2)))
    assert read(lake).num_rows == 3


def test_logs_and_metrics_lie_under_the_date_of_their_time(started, lake):
    records = [
        LogRecord(time_unix_nano=START - DAY),
        LogRecord(time_unix_nano=START - 400 * DAY),
        LogRecord(time_unix_nano=START + 400 * DAY),
        LogRecord(),
    ]
    started().export(export_batch(1, 1, others=[logs(*records), awkward_metrics()]))
    folders = [path.parent.name for path in parts(lake, "logs")]
    assert folders == ["date=2026-08-22", "date=2026-09-20", "date=2026-09-21", "date=2026-09-22"]
    assert read(lake, "metrics").num_rows == awkward_metrics().batch.num_rows


def test_big_ranges_become_several_files_of_bounded_size(started, lake):
    tables = [many(1_000, first=first) for first in range(0, 5_000, 1_000)]
    started(max_file_rows=2_000).export(export_batch(1, 5, *tables))
    counts = {path.stem.rpartition("-1-5")[2]: pq.read_metadata(path).num_rows for path in parts(lake)}
    assert counts == {"": 2_000, "-1": 2_000, "-2": 1_000}
    started(component_id="parquet/wide", max_file_mib=1).export(
        export_batch(1, 5, *(many(200, first=first, text=4_000) for first in range(10_000, 12_000, 200)))
    )
    assert len(parts(lake)) > 4
    assert read(lake).num_rows == 7_000


def test_wide_rows_make_small_row_groups(started, lake):
    started().export(export_batch(1, 1, many(4_096, text=40_000)))
    (path,) = parts(lake)
    assert pq.read_metadata(path).num_row_groups == 3


def test_files_of_an_older_schema_are_read_beside_newer_ones_and_priced_again(started, lake):
    fours = pa.array(["gpt-4o"] * 4)
    exporter = started()
    exporter.export(export_batch(1, 1, many(8)))
    exporter.export(
        export_batch(2, 2, many(4, first=8).drop_columns("model_family").append_column("model_family", fours))
    )
    older, _ = parts(lake)
    pq.write_table(pq.read_table(older, partitioning=None).drop_columns("model_family"), older)
    with duckdb.connect() as other:
        sql = f"SELECT count(*), count(model_family) FROM read_parquet('{lake}/observations/**/*.parquet', {{}})"
        assert other.execute(sql.format("union_by_name = true")).fetchall() == [(12, 4)]
    assert sum(rows.num_rows for rows in stored_days(lake, "observations", ["trace_id", "model"])) == 12
    first = np.array([0])
    exporter.reprice(
        lambda rows: Repriced(first, rows.take(first).select(schema.PRICED)), since_unix_nano=0, dry_run=False
    )
    assert [pq.read_schema(path).names == schema.OBSERVATIONS.names for path in parts(lake)] == [True, True]
    assert sorted(read(lake)["model_family"].to_pylist(), key=str) == [None] * 8 + ["gpt-4o"] * 4


def test_columns_that_this_version_does_not_know_survive_pricing_again(started, lake):
    exporter = started()
    exporter.export(export_batch(1, 1, many(2)))
    (path,) = parts(lake)
    rows = pq.read_table(path, partitioning=None)
    pq.write_table(rows.append_column("of_tomorrow", pa.array([1, 2])), path)
    first = np.array([0])
    exporter.reprice(
        lambda rows: Repriced(first, rows.take(first).select(schema.PRICED)), since_unix_nano=0, dry_run=False
    )
    assert sorted(read(lake)["of_tomorrow"].to_pylist()) == [1, 2]


def test_an_empty_range_writes_nothing(started, lake):
    exporter = started()
    exporter.export(export_batch(1, 4))
    exporter.export(export_batch(5, 5, many(0)))
    assert list(lake.rglob("*.*")) == []
    exporter.shutdown()


def test_a_hundred_thousand_rows(started, lake):
    started().export(export_batch(1, 500, *(many(8_192, first=first) for first in range(0, 102_400, 8_192))))
    found = read(lake)
    assert found.num_rows == 13 * 8_192
    assert len(set(found.column("span_id").to_pylist())) == 13 * 8_192


# types


def duckdb_types(connection, relation):
    return {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}


EXPECTED = {
    "observations": (schema.OBSERVATIONS, awkward),
    "logs": (schema.STORED_LOGS, lambda: stored_logs(awkward_logs().batch, START)),
    "metrics": (schema.STORED_METRICS, lambda: stored_metrics(awkward_metrics().batch, START)),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_pyarrow_reads_the_types_and_values_of_the_contract(started, lake, name):
    columns, rows = EXPECTED[name]
    started().export(export_batch(1, 1, awkward(), others=[awkward_logs(), awkward_metrics()]))
    (path,) = parts(lake, name)
    assert pq.read_schema(path).equals(columns)
    order = "trace_id" if name != "metrics" else "name"
    expected = rows().sort_by(
        [(order, "ascending"), (f"{'start' if name == 'observations' else 'time'}_unix_nano", "ascending")]
    )
    assert repr(pq.ParquetFile(path).read().to_pylist()) == repr(expected.to_pylist())  # repr: NaN equals itself


@pytest.mark.parametrize("name", EXPECTED)
def test_duckdb_reads_the_same_from_the_lake_and_from_its_store(started, lake, tmp_path, name):
    batch = export_batch(1, 1, awkward(), others=[awkward_logs(), awkward_metrics()])
    started().export(batch)
    store = DuckDBExporter(DuckDBConfig(), settings(tmp_path, "duckdb"))
    store.start()
    store.export(batch)
    store.shutdown()
    with duckdb.connect(str(tmp_path / "spanloom.duckdb"), read_only=True) as both:
        files = f"read_parquet('{lake / name / '**' / '*.parquet'}', hive_partitioning = false)"
        assert duckdb_types(both, files) == duckdb_types(both, name)
        for left, right in ((files, name), (name, files)):
            assert both.execute(f"SELECT count(*) FROM (FROM {left} EXCEPT ALL FROM {right})").fetchall() == [(0,)]
        assert both.execute(f"SELECT count(*) FROM {name}").fetchone() != (0,)
