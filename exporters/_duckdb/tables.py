"""The tables of the store: one per signal and month or day, under one view per signal.

Retention drops whole tables. Every signal has a template, an always-empty table with today's
columns that stands first in its view: it gives the view its column order, and nulls to the columns
an older table does not have. Scores change, so they are one table with a row per id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from exporters._duckdb.connection import registered, run
from exporters._duckdb.views import SESSIONS, TRACES
from spanloom import newest_scores, schema

_DAILY_UP_TO = timedelta(days=31)
_PERIOD = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})?\Z")


@dataclass(frozen=True)
class Dataset:
    """A view and the tables under it, whose names are ``template`` + ``_`` + month or day."""

    view: str
    template: str
    columns: pa.Schema
    index: str | None = None


DATASETS = {
    dataset.view: dataset
    for dataset in (
        Dataset("observations", "_obs_v1", schema.OBSERVATIONS, "trace_id"),
        Dataset("logs", "_logs_v1", schema.STORED_LOGS, "trace_id"),
        Dataset("metrics", "_metrics_v1", schema.STORED_METRICS),
    )
}
SCORES = "scores"
PUBLIC = frozenset({*DATASETS, "traces", "sessions", SCORES})
"""What people may name in SQL."""

_REPLACED = ", ".join(
    f'"{name}" = _rows."{name}"' for name in schema.SCORES.names if name not in {"id", "span_id", "created_at"}
)
# As ``newest_scores`` does among the rows of one range. MERGE needs no index on the ids, which every
# insert would have to keep; it reads the column.
_MERGE_SCORES = f"""
MERGE INTO {SCORES} USING _rows ON {SCORES}.id = _rows.id
WHEN MATCHED AND _rows.updated_at >= {SCORES}.updated_at THEN UPDATE SET
    {_REPLACED},
    span_id = CASE WHEN _rows."timestamp" = {SCORES}."timestamp"
        THEN coalesce(_rows.span_id, {SCORES}.span_id) ELSE _rows.span_id END,
    created_at = least({SCORES}.created_at, _rows.created_at)
WHEN MATCHED THEN UPDATE SET
    span_id = CASE WHEN _rows."timestamp" = {SCORES}."timestamp"
        THEN coalesce({SCORES}.span_id, _rows.span_id) ELSE {SCORES}.span_id END,
    created_at = least({SCORES}.created_at, _rows.created_at)
WHEN NOT MATCHED THEN INSERT BY NAME
"""  # noqa: S608 - our own names


@dataclass
class Tables:
    """Creates, fills and drops the tables; one writer, inside the caller's transactions."""

    connection: duckdb.DuckDBPyConnection
    retention: timedelta | None
    _current: set[str] = field(default_factory=set)
    """Dated tables that are known to exist with all of today's columns."""

    def prepare(self) -> None:
        """Brings templates, views and ``scores`` to today's schema."""
        for dataset in DATASETS.values():
            self._create_template(dataset.template, dataset.columns)
            self._create_view(dataset)
        self._create_template("_scores_v1", schema.SCORES)
        run(self.connection, f"CREATE TABLE IF NOT EXISTS {SCORES} AS SELECT * FROM _scores_v1")  # noqa: S608 - our own names
        self._add_missing_columns(SCORES, "_scores_v1")
        run(self.connection, TRACES)
        run(self.connection, SESSIONS)

    def forget(self) -> None:
        """To be called when a transaction was rolled back: what it created is gone."""
        self._current.clear()

    def insert(self, view: str, rows: pa.Table) -> None:
        """Appends rows (of the view's schema) to the tables of their ``ingested_at``; scores replace theirs."""
        if view == SCORES:
            self._merge_scores(newest_scores(rows))
            return
        dataset = DATASETS[view]
        for period, part in self._by_period(rows):
            name = f"{dataset.template}_{period}"
            if name not in self._current:
                self._make_current(dataset, name)
            with registered(self.connection, "_rows", part):
                run(self.connection, f"INSERT INTO {name} BY NAME SELECT * FROM _rows")  # noqa: S608 - our own names

    def tables_of(self, view: str) -> list[str]:
        """The tables under a view that hold rows, oldest first."""
        return self._dated(DATASETS[view])

    def drop_expired(self, now: datetime) -> list[str]:
        """Drops the tables whose newest possible row is past retention, and old scores; returns the tables' names."""
        if self.retention is None:
            return []
        dropped = []
        for dataset in DATASETS.values():
            expired = [name for name in self._dated(dataset) if _end_of(name) <= now - self.retention]
            for name in expired:
                run(self.connection, f"DROP TABLE {name}")
                self._current.discard(name)
            if expired:
                self._create_view(dataset)
            dropped += expired
        run(self.connection, f"DELETE FROM {SCORES} WHERE updated_at <= ?", [now - self.retention])  # noqa: S608 - our own names
        return dropped

    def _merge_scores(self, rows: pa.Table) -> None:
        with registered(self.connection, "_rows", rows):
            run(self.connection, _MERGE_SCORES)

    def _by_period(self, rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
        days = rows.column("ingested_at").cast(pa.date32())
        periods: dict[str, list[date]] = {}
        for day in pc.unique(days).to_pylist():
            periods.setdefault(self._period(day), []).append(day)
        if len(periods) == 1:
            yield next(iter(periods)), rows
            return
        for period in sorted(periods):
            yield period, rows.filter(pc.is_in(days, value_set=pa.array(periods[period], pa.date32())))

    def _period(self, day: date) -> str:
        daily = self.retention is not None and self.retention <= _DAILY_UP_TO
        month = f"{day.year:04}{day.month:02}"
        return f"{month}{day.day:02}" if daily else month

    def _make_current(self, dataset: Dataset, name: str) -> None:
        """The table exists afterwards and has every column of today's schema."""
        if name in self._dated(dataset):
            self._add_missing_columns(name, dataset.template)
        else:
            run(self.connection, f"CREATE TABLE {name} AS SELECT * FROM {dataset.template}")  # noqa: S608 - our own names
            if dataset.index:
                run(self.connection, f"CREATE INDEX {name}_{dataset.index} ON {name} ({dataset.index})")
        self._create_view(dataset)
        self._current.add(name)

    def _dated(self, dataset: Dataset) -> list[str]:
        names = run(
            self.connection,
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main' AND starts_with(table_name, ?)",
            [f"{dataset.template}_"],
        )
        return sorted(name for (name,) in names if _PERIOD.match(name.rpartition("_")[2]))

    def _columns(self, table: str) -> list[tuple[str, str]]:
        return [
            (name, sql_type)
            for name, sql_type in run(
                self.connection,
                "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
                [table],
            )
        ]

    def _add_missing_columns(self, table: str, template: str) -> None:
        have = {column for column, _ in self._columns(table)}
        for column, sql_type in self._columns(template):
            if column not in have:
                run(self.connection, f'ALTER TABLE {table} ADD COLUMN "{column}" {sql_type}')

    def _create_template(self, name: str, columns: pa.Schema) -> None:
        """An empty table with DuckDB's types for these columns."""
        with registered(self.connection, "_empty", columns.empty_table()):
            run(self.connection, f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM _empty")  # noqa: S608 - our own names

    def _create_view(self, dataset: Dataset) -> None:
        parts = [f"SELECT * FROM {name}" for name in (dataset.template, *self._dated(dataset))]  # noqa: S608 - our own names
        run(self.connection, f"CREATE OR REPLACE VIEW {dataset.view} AS {' UNION ALL BY NAME '.join(parts)}")


def _end_of(table: str) -> datetime:
    """The first instant after the month or day in the table's name."""
    matched = _PERIOD.match(table.rpartition("_")[2])
    assert matched is not None, table
    year, month = int(matched["year"]), int(matched["month"])
    if matched["day"]:
        return datetime(year, month, int(matched["day"]), tzinfo=UTC) + timedelta(days=1)
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
