from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings as settings_of_hypothesis, strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from pydantic import ValidationError

from collector.component.exporter import Checkpointed, ExportPreferences
from collector.errors import ConfigError, JournalError, PermanentError
from collector.model import schema
from collector.model.stored.logs_and_metrics import stored_logs, stored_metrics
from exporters._parquet.data_files import Part
from exporters.duckdb import Config as DuckDBConfig, DuckDBExporter
from exporters.parquet import Config, ParquetExporter, factory
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
    table,
)

TODAY = dt.date(2026, 9, 21)


@pytest.fixture
def lake(tmp_path):
    return tmp_path / "parquet"


@pytest.fixture
def started(tmp_path):
    def start(component_id="parquet", **config):
        exporter = ParquetExporter(Config(**config), settings(tmp_path, component_id))
        exporter.start()
        return exporter

    return start


def parts(lake, dataset="observations"):
    return sorted((lake / dataset).glob("*/*.parquet"))


def read(lake, dataset="observations"):
    return ds.dataset(lake / dataset, partitioning="hive").to_table()


def identities(paths):
    return [(path.name, path.stat().st_ino, path.stat().st_mtime_ns) for path in paths]


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


# exactly once


def test_a_range_exported_again_leaves_its_files_alone(started, lake):
    exporter = started()
    batch = export_batch(1, 3, many(100), many(50, first=100), dates=[TODAY, dt.date(2026, 9, 22)])
    exporter.export(batch)
    before = identities(sorted(lake.rglob("date=*/*")))
    exporter.export(batch)
    started().export(batch)
    assert identities(sorted(lake.rglob("date=*/*"))) == before


def test_a_range_is_completed_when_some_of_its_files_are_missing(started, lake):
    exporter = started()
    batch = export_batch(1, 3, many(100), many(50, first=100), dates=[TODAY, dt.date(2026, 9, 22)])
    exporter.export(batch)
    kept, lost = parts(lake)
    before = identities([kept])
    lost.unlink()
    exporter.export(batch)
    assert identities([kept]) == before
    assert read(lake).num_rows == 150


def test_a_redo_with_another_file_size_still_stores_each_row_once(started, lake):
    tables = [many(100, first=first) for first in range(0, 600, 100)]
    batch = export_batch(1, 6, *tables)
    for rows in (200, 300, 100, 1_000):
        started(max_file_rows=rows).export(batch)
        found = read(lake).column("span_id").to_pylist()
        assert sorted(found) == [f"{n:016x}" for n in range(600)]
    assert len(parts(lake)) == 1


def test_another_epoch_counts_from_the_start(started, lake):
    exporter = started()
    exporter.export(export_batch(1, 3, many(10)))
    exporter.export(export_batch(1, 3, many(10, first=10), epoch="epoch-2"))
    assert read(lake).num_rows == 20


def test_a_greater_range_replaces_the_smaller_ones_it_covers(started, lake):
    exporter = started()
    exporter.export(export_batch(1, 2, many(10)))
    exporter.export(export_batch(3, 3, many(10, first=10)))
    exporter.export(export_batch(4, 5, many(10, first=20)))
    exporter.export(export_batch(3, 6, many(10, first=10), many(10, first=20), many(5, first=30)))
    assert sorted(read(lake).column("span_id").to_pylist()) == [f"{n:016x}" for n in range(35)]
    assert [(entry["first"], entry["last"]) for entry in manifest(parts(lake)[0].parent)["files"]] == [(1, 2), (3, 6)]


@pytest.mark.parametrize(("first", "last"), [(3, 8), (2, 3), (0, 3)])
def test_a_range_stored_in_part_stops_the_exporter(started, lake, first, last):
    exporter = started()
    exporter.export(export_batch(1, 5, many(10)))
    with pytest.raises(JournalError, match=rf"{first}\.\.{last} overlap"):
        exporter.export(export_batch(first, last, many(10)))
    assert read(lake).num_rows == 10


@given(cuts=st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=8), file_rows=st.integers(1, 40))
@settings_of_hypothesis(max_examples=15, deadline=None)
def test_whatever_ranges_a_crash_leaves_unconfirmed_each_row_is_stored_once(cuts, file_rows):
    """A confirmed range is followed by the next; one that is not is exported again, at least as long."""
    with tempfile.TemporaryDirectory() as folder:
        exporter = ParquetExporter(Config(max_file_rows=file_rows), settings(Path(folder), "parquet"))
        exporter.start()
        first, least = 1, 1
        for length, confirmed in [*cuts, (1, True)]:
            last = max(first + length - 1, least)
            numbers = range(first, last + 1)
            dates = [TODAY + dt.timedelta(days=number % 2) for number in numbers]
            exporter.export(export_batch(first, last, *(many(7, first=n * 7) for n in numbers), dates=dates))
            first, least = (last + 1, last + 1) if confirmed else (first, last)
        stored = read(Path(folder) / "parquet").column("span_id").to_pylist()
        assert sorted(stored) == [f"{number:016x}" for number in range(7, first * 7)]


@given(exporter=st.text(), epoch=st.text(), numbers=st.lists(st.integers(0, 2**63), min_size=3, max_size=3))
def test_a_part_reads_its_own_name(exporter, epoch, numbers):
    part = replace(Part.of(exporter or "x", epoch, *numbers[:2]), number=numbers[2])
    assert Part.parse(part.name) == part
    assert len(part.name) < 200


@given(ids=st.lists(st.text("ab/._ ", min_size=1, max_size=3), min_size=2, max_size=2, unique=True))
def test_two_exporters_never_share_a_name(ids):
    first, second = (Part.of(component_id, "e", 1, 2).name for component_id in ids)
    assert first != second


KILLED = """
import os, sys
from pathlib import Path
from exporters.parquet import Config, ParquetExporter
from tests.exporters.stores import export_batch, many, settings
import datetime as dt

home = Path(sys.argv[1])
cursor = home / "cursor"
done = int(cursor.read_text()) if cursor.exists() else 0
exporter = ParquetExporter(Config(max_file_rows=500), settings(home, "parquet"))
exporter.start()
dates = [dt.date(2026, 9, 21), dt.date(2026, 9, 22), dt.date(2026, 9, 21), dt.date(2026, 9, 21)]
while done < int(sys.argv[2]):
    number = done + 1
    print(number, flush=True)
    tables = [many(300, first=number * 1200 + part * 300, text=500) for part in range(4)]
    exporter.export(export_batch(number, number, *tables, dates=dates))
    done = number
    (home / "new").write_text(str(done))
    os.replace(home / "new", cursor)
"""


def test_kill_9_loses_and_doubles_nothing(tmp_path, lake):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    for run in range(8):
        with subprocess.Popen([*command, "1000"], stdout=subprocess.PIPE, text=True) as child:
            for _ in range(2 + run % 3):
                child.stdout.readline()
            child.send_signal(signal.SIGKILL)
    last = int((tmp_path / "cursor").read_text()) + 1
    subprocess.run([*command, str(last)], check=True, capture_output=True)
    found = sorted(int(span, 16) for span in read(lake).column("span_id").to_pylist())
    assert found == list(range(1_200, (last + 1) * 1_200))
    assert list((lake / "_tmp").iterdir()) == []
    for folder in (lake / "observations").iterdir():
        assert manifest(folder)["rows"] == sum(pq.read_metadata(path).num_rows for path in folder.glob("*.parquet"))


def test_unfinished_files_of_a_dead_run_are_removed_and_of_a_living_one_kept(started, lake):
    started()
    dead, living = lake / "_tmp" / ".a.tmp", lake / "_tmp" / ".b.tmp"
    dead.write_bytes(b"half")
    with living.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        started()
        assert not dead.exists()
        assert living.exists()


# manifest


def manifest(folder):
    return json.loads((folder / "_manifest.json").read_text())


def test_the_manifest_says_what_the_files_hold(started, lake):
    exporter = started()
    exporter.export(export_batch(1, 3, many(100)))
    exporter.export(export_batch(4, 4, many(50, first=100)))
    folder = lake / "observations" / "date=2026-09-21"
    document = manifest(folder)
    assert document["rows"] == 150
    first, second = document["files"]
    path = parts(lake)[0]
    assert first == {
        "file": path.name, "rows": 100, "bytes": path.stat().st_size, "min_unix_nano": START,
        "max_unix_nano": START + 99 * 1_000_000, "first": 1, "last": 3, "schema_version": 1,
    }  # fmt: skip
    assert (second["first"], second["last"], second["rows"]) == (4, 4, 50)


@pytest.mark.parametrize("damage", ["gone", "garbage", "foreign", "short", "stale"])
def test_a_manifest_that_disagrees_with_the_folder_is_rebuilt(started, lake, damage):
    exporter = started()
    exporter.export(export_batch(1, 1, many(10)))
    exporter.export(export_batch(2, 2, many(10, first=10)))
    folder = lake / "observations" / "date=2026-09-21"
    path, before = folder / "_manifest.json", manifest(folder)
    match damage:
        case "gone":
            path.unlink()
        case "garbage":
            path.write_bytes(b"\xff{")
        case "foreign":
            path.write_text('["x"]')
        case "short":
            path.write_text(json.dumps(before | {"files": before["files"][:1]}))
        case "stale":
            gone = before["files"][0] | {"file": "part-gone.parquet"}
            path.write_text(json.dumps(before | {"files": [gone, *before["files"]]}))
    exporter.export(export_batch(2, 2, many(10, first=10)))
    assert manifest(folder) == before


def test_a_file_of_another_kind_is_listed_too(started, lake):
    exporter = started()
    exporter.export(export_batch(1, 1, many(10)))
    folder = lake / "observations" / "date=2026-09-21"
    pq.write_table(many(7, first=10), folder / "compacted.parquet")
    exporter.export(export_batch(2, 2, many(10, first=20)))
    entry = manifest(folder)["files"][0]
    assert (entry["file"], entry["rows"], entry["first"], entry["schema_version"]) == (
        "compacted.parquet",
        7,
        None,
        None,
    )
    assert manifest(folder)["rows"] == 27


# errors


FULL = """
import resource, sys
from pathlib import Path
from collector.errors import RetryableError
from exporters.parquet import Config, ParquetExporter
from tests.exporters.stores import export_batch, many, settings

home = Path(sys.argv[1])
exporter = ParquetExporter(Config(compression="none"), settings(home, "parquet"))
exporter.start()
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
batch = export_batch(1, 1, many(3000, text=5000))
try:
    exporter.export(batch)
except RetryableError as error:
    print("retry", error, [str(path) for path in home.rglob("*") if path.is_file()])
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
exporter.export(batch)
"""


def test_a_full_disk_is_retried_and_leaves_nothing_half_written(tmp_path, lake):
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "retry cannot write Parquet files now: File too large []"
    assert read(lake).num_rows == 3_000


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    exporter = ParquetExporter(Config(path=tmp_path / "file" / "lake"), settings(tmp_path, "parquet/x"))
    with pytest.raises(ConfigError, match=r"exporters\.parquet/x: cannot write to .*/file/lake: .*exists \(.*/file\)"):
        exporter.start()
    exporter.shutdown()


def test_data_of_a_wrong_type_is_permanent_and_quotes_nothing(started, lake):
    exporter = started()
    index = schema.OBSERVATIONS.get_field_index("input_tokens")
    wrong = many(3).set_column(index, "input_tokens", pa.array(["s3cret"] * 3))
    with pytest.raises(PermanentError) as caught:
        exporter.export(export_batch(1, 1, wrong))
    assert "s3cret" not in str(caught.value)
    exporter.export(export_batch(2, 2, table([{}])))
    assert read(lake).num_rows == 1


def test_batch_hints_come_from_the_configuration(started):
    exporter = started(flush_interval="3s", target_rows=9)
    assert factory.preferences(exporter._config) == ExportPreferences(rows=9, seconds=3.0)
    assert not isinstance(exporter, Checkpointed)
    assert factory.stores


@pytest.mark.parametrize("codec", ["zstd", "snappy", "gzip", "brotli", "lz4", "none"])
def test_every_codec_writes(started, lake, codec):
    level = {"compression_level": 1} if codec in ("zstd", "gzip", "brotli") else {}
    started(compression=codec, **level).export(export_batch(1, 1, many(10)))
    assert read(lake).num_rows == 10


@pytest.mark.parametrize(
    "wrong",
    [
        {"compression": "zip"},
        {"compression_level": 23},
        {"compression": "snappy", "compression_level": 1},
        {"max_file_rows": 0},
        {"folder": "x"},
    ],
)
def test_configuration_is_checked(wrong):
    with pytest.raises(ValidationError):
        Config(**wrong)


def test_files_are_readable_by_others_as_the_umask_says(started, lake):
    mask = os.umask(0o027)
    try:
        started().export(export_batch(1, 1, many(1)))
    finally:
        os.umask(mask)
    assert parts(lake)[0].stat().st_mode & 0o777 == 0o640
