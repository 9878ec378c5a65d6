"""The DuckDB store holds each row once, whatever is repeated or killed.

Proves it for repeated ranges, another journal and a killed process. Does not prove it for a machine that loses power.
"""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from collector.component.exporter import Checkpointed, ExportPreferences, Queryable
from collector.errors import JournalError
from exporters.duckdb import factory
from tests.exporters._duckdb.duckdb_kit import rows
from tests.exporters.stores import export_batch, many


def test_a_range_exported_again_is_stored_once(opened):
    exporter = opened()
    batch = export_batch(1, 3, many(100), many(20, first=100))
    exporter.export(batch)
    exporter.export(batch)
    assert rows(exporter, "SELECT count(*), count(DISTINCT span_id) FROM observations") == [(120, 120)]
    assert exporter.checkpoint() == ("epoch-1", 3)


def test_the_checkpoint_outlives_a_restart(opened):
    exporter = opened()
    assert exporter.checkpoint() is None
    exporter.export(export_batch(1, 7, many(10)))
    exporter.shutdown()
    again = opened()
    assert again.checkpoint() == ("epoch-1", 7)
    again.export(export_batch(1, 7, many(10)))
    again.export(export_batch(8, 8, many(5, first=10)))
    assert rows(again, "SELECT count(*) FROM observations") == [(15,)]


def test_an_empty_range_moves_the_checkpoint(opened):
    exporter = opened()
    exporter.export(export_batch(1, 9))
    exporter.export(export_batch(10, 12, many(0)))
    assert exporter.checkpoint() == ("epoch-1", 12)


def test_another_epoch_counts_from_the_start_and_the_old_one_stays_known(opened):
    exporter = opened()
    exporter.export(export_batch(1, 50, many(10)))
    exporter.export(export_batch(1, 2, many(10, first=10), epoch="epoch-2"))
    assert exporter.checkpoint() == ("epoch-2", 2)
    exporter.export(export_batch(1, 50, many(10)))
    exporter.export(export_batch(51, 51, many(10, first=20)))
    assert exporter.checkpoint() == ("epoch-1", 51)
    assert rows(exporter, "SELECT count(*) FROM observations") == [(30,)]


def test_a_range_stored_in_part_stops_the_exporter(opened):
    exporter = opened()
    exporter.export(export_batch(1, 5, many(10)))
    with pytest.raises(JournalError, match=r"3\.\.8 overlap"):
        exporter.export(export_batch(3, 8, many(10)))


def test_it_offers_checkpoint_and_query_and_batch_hints(opened):
    exporter = opened(flush_interval="250ms", target_rows=77)
    assert isinstance(exporter, Checkpointed)
    assert isinstance(exporter, Queryable)
    assert factory.preferences(exporter._config) == ExportPreferences(rows=77, seconds=0.25)
    assert factory.stores


KILLED = """
import sys
from pathlib import Path
from exporters._duckdb import connection
from exporters.duckdb import Config, DuckDBExporter
from tests.exporters.stores import export_batch, many, settings

connection.CHECKPOINT_THRESHOLD = sys.argv[2]
exporter = DuckDBExporter(Config(), settings(Path(sys.argv[1]), "duckdb"))
exporter.start()
position = exporter.checkpoint()
first = position[1] + 1 if position else 1
while True:
    print(first, flush=True)
    exporter.export(export_batch(first, first, many(700, first=first * 700, text=2000)))
    first += 1
"""


@pytest.mark.parametrize("threshold", ["256MB", "1MB"], ids=["in a transaction", "or in a checkpoint"])
def test_kill_9_loses_and_doubles_nothing(tmp_path, opened, threshold):
    for run in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path), threshold], stdout=subprocess.PIPE, text=True
        ) as child:
            for _ in range(3 + run):
                child.stdout.readline()
            child.send_signal(signal.SIGKILL)
    exporter = opened()
    _, last = exporter.checkpoint()
    assert last >= 6 * 2
    expected = [(last * 700, last * 700, 700, last * 700 + 699)]
    numbers = "('0x' || span_id)::BIGINT"
    sql = f"SELECT count(*), count(DISTINCT span_id), min({numbers}), max({numbers}) FROM observations"
    assert rows(exporter, sql) == expected
