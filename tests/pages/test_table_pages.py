"""``docs/tables``: the pages are what the declarations say, and the stores have exactly the columns on them.

Proves names, types and order, in a real DuckDB file and real Parquet files, and that each column says what it means.
Does not prove that a column holds what it says: the tests of the stored model and of the stores do.
"""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from collector.component.exporter import ReceivedBatch
from collector.model import schema
from collector.model.dialects import fact_tables
from collector.model.scores import find, record
from collector.model.stored_tables.stored_table import INT64, SPANLOOM, TEXT, Column, StoredTable
from collector.pages import table_pages
from collector.pages.table_pages import TABLES
from collector.pages.written import PageError, replace_pages
from collector.testing import builders
from exporters.duckdb import Config as DuckDBConfig, DuckDBExporter
from exporters.parquet import Config as ParquetConfig, ParquetExporter
from tests.exporters.stores import START, awkward, awkward_logs, awkward_metrics, export_batch, settings, table

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "tables"
VIEWS = ("traces", "sessions")
STORED = [one for one in TABLES if one.name not in VIEWS]


def score() -> ReceivedBatch:
    sent = {"event_name": record.EVENT_NAME, "trace_id": 1, "time_unix_nano": START}
    said = {record.NAME: "tone", record.VALUE: 0.5}
    return ReceivedBatch(builders.logs([{**sent, "attributes": said}]), START, find)


BATCH = export_batch(
    1, 1, awkward(), table([{"session_id": "s-1"}]), others=[awkward_logs(), awkward_metrics(), score()]
)


def test_the_committed_pages_are_those_of_the_declarations() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("*.md")}
    made = table_pages.pages()
    stale = sorted(name for name in made.keys() | committed.keys() if made.get(name) != committed.get(name))
    assert stale == [], "run `make docs`"


@pytest.mark.parametrize("one", TABLES, ids=lambda one: one.name)
def test_every_column_says_what_it_means(one: StoredTable) -> None:
    assert list(table_pages.faults_of(one)) == []
    assert len({column.name for column in one.columns}) == len(one.columns)


def test_a_column_that_says_too_little_stops_the_generator(tmp_path: Path) -> None:
    silent = StoredTable("t", "A row.", (Column("a", INT64, "", ""), Column("b", TEXT, "Some text.", SPANLOOM)))
    faults = list(table_pages.faults_of(silent))
    assert faults == [
        "t.a has no meaning, or not a whole sentence",
        "t.a has no source",
        "t.a is a number without a unit",
    ]

    def refuse() -> dict[str, str]:
        raise PageError(faults)

    with pytest.raises(SystemExit) as stopped:
        replace_pages(tmp_path, refuse)
    assert stopped.value.code == "\n".join(faults)


@pytest.mark.parametrize("one", TABLES, ids=lambda one: one.name)
def test_duckdb_has_exactly_these_columns(one: StoredTable, tmp_path: Path) -> None:
    exporter = DuckDBExporter(DuckDBConfig(), settings(tmp_path, "duckdb"))
    exporter.start()
    exporter.export(BATCH)
    exporter.shutdown()
    with duckdb.connect(str(tmp_path / "spanloom.duckdb"), read_only=True) as connection:
        connection.register("declared", one.schema.empty_table())
        assert described(connection, one.name) == described(connection, "declared")
        assert connection.execute(f"SELECT count(*) > 0 FROM {one.name}").fetchone() == (True,)


def described(connection: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    """Name and type of each column, in DuckDB's words."""
    return [(name, kind) for name, kind, *_ in connection.execute(f"DESCRIBE FROM {relation}").fetchall()]


@pytest.mark.parametrize("one", STORED, ids=lambda one: one.name)
def test_parquet_has_exactly_these_columns(one: StoredTable, tmp_path: Path) -> None:
    exporter = ParquetExporter(ParquetConfig(), settings(tmp_path, "parquet"))
    exporter.start()
    exporter.export(BATCH)
    exporter.shutdown()
    files = sorted((tmp_path / "parquet" / one.name).glob("*/*.parquet"))
    assert files
    for file in files:
        found = pq.read_schema(file)
        assert found.equals(one.schema)
        assert [field.nullable for field in found] == [column.null is not None for column in one.columns]


def test_the_lake_holds_these_tables_and_no_others(tmp_path: Path) -> None:
    exporter = ParquetExporter(ParquetConfig(), settings(tmp_path, "parquet"))
    exporter.start()
    exporter.export(BATCH)
    exporter.shutdown()
    folders = {path.name for path in (tmp_path / "parquet").iterdir() if not path.name.startswith(("_", "."))}
    assert folders == {one.name for one in STORED}


def test_the_sources_named_are_read() -> None:
    """Every attribute that stands as a source on a page is a key of some dialect table."""
    tables = "".join(path.read_text(encoding="utf-8") for path in Path(fact_tables.__file__).parent.rglob("*.yaml"))
    named = {
        key
        for one in TABLES
        for column in one.columns
        if column.source != "resource `service.name`" and not column.source.startswith("OTLP")
        for key in re.findall(r"`([^`]+)`", column.source)
    }
    assert [key for key in sorted(named) if key.removesuffix("*") not in tables] == []


def test_the_schemas_in_use_are_those_of_the_declarations() -> None:
    in_use = (schema.OBSERVATIONS, schema.STORED_LOGS, schema.STORED_METRICS, schema.SCORES)
    assert [one.schema for one in STORED] == list(in_use)
