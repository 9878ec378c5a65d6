"""The Parquet lake holds each row once, whatever is repeated or killed.

Proves it for ranges as a crash may leave them, by example, by property and with a killed process. Does not prove it
for two processes that write at once: the journal's lock forbids them.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings as settings_of_hypothesis, strategies as st

from collector.errors import JournalError
from exporters._parquet.data_files import Part
from exporters.parquet import Config, ParquetExporter
from tests.exporters._parquet.parquet_kit import TODAY, identities, manifest, parts, read
from tests.exporters.stores import export_batch, many, settings


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
