"""Writes observations, logs, metrics and scores to a lake of Parquet files, partitioned by date.

A range of decisions becomes files named after it. The same range always gives the same files, so
a range that is exported again after a crash finds them in place: exactly once without a database.
Files never change, so a score sent again is one more row: of an id, the one with the largest
``updated_at`` counts.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field, model_validator

from exporters._parquet.data_files import Part, make_folder, parquet_files, remove_leftovers, write_file
from exporters._parquet.manifest import SCHEMA_KEY, update_manifest
from exporters._parquet.reprice import folders_since, repriced_rows, with_all_columns
from exporters._parquet.stored_days import stored_days
from exporters._shared import stored
from spanloom import (
    ComponentConfig,
    ConfigError,
    Duration,
    ExportBatch,
    ExporterFactory,
    ExportPreferences,
    JournalError,
    PermanentError,
    Reprice,
    RetryableError,
    Settings,
    schema,
    sync_folder,
)

_LEVELS = {"zstd": (1, 22), "gzip": (1, 9), "brotli": (0, 11)}
_MIB = 1024 * 1024
_ROW_GROUP_BYTES = 64 * _MIB
_MIN_ROW_GROUP_ROWS = 1_024
_BLOOM_FILTERS = "bloom_filter_options" in inspect.signature(pq.ParquetWriter).parameters
"""Older releases of pyarrow cannot write them."""


class Config(ComponentConfig):
    path: Path | None = None
    """Folder of the lake; null: ``parquet`` in the data folder."""

    compression: Literal["zstd", "snappy", "gzip", "brotli", "lz4", "none"] = "zstd"
    """Codec of the column chunks."""

    compression_level: int | None = None
    """Level of the codec (zstd 1-22, gzip 1-9, brotli 0-11); null: 3 for zstd, else the codec's own."""

    row_group_rows: int = Field(default=122_880, ge=1_024)
    """Rows per row group, at most; fewer when they are wide."""

    max_file_rows: int = Field(default=1_000_000, ge=1)
    """A file ends once it has this many rows."""

    max_file_mib: int = Field(default=256, ge=1, le=1_024)
    """A file ends once its rows take this many MiB of memory; bounds the memory of a write."""

    flush_interval: Duration = Field(default=timedelta(seconds=10), ge=timedelta(0))
    """Rows are written at the latest this long after their decision."""

    target_rows: int = Field(default=100_000, ge=1)
    """Rows are written once there are this many."""

    @model_validator(mode="after")
    def _level_suits_codec(self) -> Config:
        if self.compression_level is None:
            return self
        low, high = _LEVELS.get(self.compression, (0, -1))
        if not low <= self.compression_level <= high:
            expected = f"{low} to {high}" if low <= high else "none: this codec has no levels"
            raise ValueError(f"compression_level of {self.compression}: expected {expected}")
        return self


@dataclass(frozen=True)
class Dataset:
    """A folder of the lake."""

    name: str
    columns: pa.Schema
    sort_by: tuple[str, ...]
    time_column: str
    distinct: frozenset[str]
    """Columns whose values seldom repeat: a dictionary would only cost time."""


_DISTINCT = {
    stored.OBSERVATIONS: (
        "span_id parent_span_id response_id tool_call_id start_time end_time completion_start_time start_unix_nano"
        " end_unix_nano duration_ns time_to_first_token_ns provided_usage provided_cost input output attributes events"
        " links"
    ),
    stored.LOGS: "span_id time time_unix_nano observed_time_unix_nano body attributes",
    stored.METRICS: "value_double sum exemplars",
    stored.SCORES: "id span_id comment metadata timestamp",
}
DATASETS = {
    name: Dataset(name, columns, (first, time_column), time_column, frozenset(_DISTINCT[name].split()))
    for name, columns, first, time_column in (
        (stored.OBSERVATIONS, schema.OBSERVATIONS, "trace_id", "start_unix_nano"),
        (stored.LOGS, schema.STORED_LOGS, "trace_id", "time_unix_nano"),
        (stored.METRICS, schema.STORED_METRICS, "name", "time_unix_nano"),
        (stored.SCORES, schema.SCORES, "trace_id", "timestamp"),
    )
}


class ParquetExporter:
    """See the module."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._config = config
        self._id = str(settings.id)
        self._log = settings.log
        self._root = config.path or settings.data_dir / "parquet"
        self._scratch = self._root / "_tmp"

    def start(self) -> None:
        """Creates the folders and removes what a killed run left half-written."""
        try:
            make_folder(self._scratch.absolute())
            removed = remove_leftovers(self._scratch)
        except OSError as error:
            raise ConfigError(
                f"exporters.{self._id}: cannot write to {self._root}: {error.strerror} ({error.filename})"
            ) from error
        if removed:
            self._log.info("removed unfinished files of an earlier run", exporter=self._id, files=removed)

    def export(self, batch: ExportBatch) -> None:
        """Writes the range's files; those that are there already stay as they are."""
        part = Part.of(self._id, batch.epoch, batch.first, batch.last)
        writes = _RangeWriter(self._root, self._scratch, part, self._config)
        with _delivering():
            for table, dates in stored.observations(batch):
                writes.add(DATASETS[stored.OBSERVATIONS], table, dates)
            for name, table in stored.others(batch):
                writes.add(DATASETS[name], table, _dates(table, "time", "ingested_at"))
            for table in stored.scores(batch):
                writes.add(DATASETS[stored.SCORES], table, _dates(table, "timestamp", "updated_at"))
            writes.finish()

    def reprice(self, price: Reprice, *, since_unix_nano: int, dry_run: bool) -> None:
        """See ``component.Repriceable``: changed files are replaced one by one, under their names."""
        dataset = DATASETS[stored.OBSERVATIONS]
        with _delivering():
            for folder in folders_since(self._root / dataset.name, since_unix_nano):
                changed = [
                    self._reprice_file(dataset, folder / name, price, since_unix_nano=since_unix_nano, dry_run=dry_run)
                    for name in sorted(parquet_files(folder))
                ]
                if any(changed):
                    update_manifest(folder, self._scratch, time_column=dataset.time_column)

    def _reprice_file(
        self,
        dataset: Dataset,
        path: Path,
        price: Reprice,
        *,
        since_unix_nano: int,
        dry_run: bool,
    ) -> bool:
        """Whether the file was replaced."""
        rows = repriced_rows(path, price, since_unix_nano=since_unix_nano, dry_run=dry_run)
        if rows is not None:
            write_file(path, self._scratch, lambda temporary: _write_rows(temporary, dataset, rows, self._config))
        return rows is not None

    def shutdown(self) -> None:
        """Nothing is held back: every export is complete when it returns."""


@dataclass
class _Waiting:
    """Rows of one folder that are not yet a file."""

    tables: list[pa.Table] = field(default_factory=list)
    rows: int = 0
    size: int = 0

    def append(self, table: pa.Table) -> None:
        self.tables.append(table)
        self.rows += table.num_rows
        self.size += table.nbytes


class _RangeWriter:
    """Gathers the rows of one range per folder and writes them in files of bounded size."""

    def __init__(self, root: Path, scratch: Path, part: Part, config: Config) -> None:
        self._root = root
        self._scratch = scratch
        self._part = part
        self._config = config
        self._waiting: dict[tuple[str, date], _Waiting] = {}
        self._written: dict[tuple[str, date], int] = {}

    def add(self, dataset: Dataset, table: pa.Table, dates: pa.ChunkedArray) -> None:
        days = pc.unique(dates)
        for day in days:
            rows = table if len(days) == 1 else table.filter(pc.equal(dates, day))
            key = (dataset.name, day.as_py())
            waiting = self._waiting.setdefault(key, _Waiting())
            waiting.append(rows)
            if waiting.rows >= self._config.max_file_rows or waiting.size >= self._config.max_file_mib * _MIB:
                self._write(key)

    def finish(self) -> None:
        for key in list(self._waiting):
            self._write(key)
        for key, files in self._written.items():
            folder = self._folder(key)
            self._remove_others(folder, files)
            update_manifest(folder, self._scratch, time_column=DATASETS[key[0]].time_column)

    def _folder(self, key: tuple[str, date]) -> Path:
        name, day = key
        return self._root / name / f"date={day.isoformat()}"

    def _write(self, key: tuple[str, date]) -> None:
        rows = pa.concat_tables(self._waiting.pop(key).tables)
        folder = self._folder(key)
        if key not in self._written:
            self._make_way(folder)
        part = replace(self._part, number=self._written.get(key, 0))
        self._written[key] = part.number + 1
        if _row_count(folder / part.name) != rows.num_rows:
            dataset = DATASETS[key[0]]
            write_file(folder / part.name, self._scratch, lambda path: _write_rows(path, dataset, rows, self._config))

    def _make_way(self, folder: Path) -> None:
        """Removes files of smaller ranges that this range covers: a killed run cut its ranges otherwise.

        Nothing of them is confirmed, and all of it is in this range. Raises ``JournalError`` when
        another file overlaps in any other way: something would be missing or double.
        """
        for name in parquet_files(folder):
            other = Part.parse(name)
            if other is None or not other.overlaps(self._part) or other.same_range(self._part):
                continue
            if not self._part.covers(other):
                first, last = self._part.first, self._part.last
                raise JournalError(f"decisions {first}..{last} overlap those already stored in {folder / name}")
            _remove(folder / name)

    def _remove_others(self, folder: Path, files: int) -> None:
        """Removes files of this range beyond those just written: left by a run with smaller files."""
        for name in parquet_files(folder):
            other = Part.parse(name)
            if other and other.same_range(self._part) and other.number >= files:
                _remove(folder / name)


def _write_rows(path: Path, dataset: Dataset, rows: pa.Table, config: Config) -> None:
    rows = with_all_columns(rows, dataset.columns).combine_chunks()
    rows = rows.take(pc.sort_indices(rows, [(name, "ascending") for name in dataset.sort_by]))
    options = _writer_options(dataset, config)
    with (
        pa.OSFile(str(path), "wb") as sink,
        pq.ParquetWriter(sink, rows.schema, **options, **_bloom_filter(rows)) as writer,
    ):
        writer.add_key_value_metadata({SCHEMA_KEY: str(stored.VERSION)})
        writer.write_table(rows, row_group_size=_row_group_rows(rows, config.row_group_rows))


@contextmanager
def _delivering() -> Iterator[None]:
    """Turns errors of Arrow and the file system into what the engine should do."""
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, pa.ArrowKeyError) as error:
        # The text may quote values.
        raise PermanentError(f"Parquet cannot hold the data: {type(error).__name__}") from error
    except (OSError, pa.ArrowException) as error:
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number) if number else str(error).partition("\n")[0]
        raise RetryableError(f"cannot write Parquet files now: {reason}") from error


def _remove(path: Path) -> None:
    path.unlink()
    sync_folder(path.parent)


def _row_count(path: Path) -> int | None:
    """None when there is no such file, or not a whole one."""
    try:
        rows: int = pq.read_metadata(path).num_rows
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
    return rows


def _dates(table: pa.Table, time: str, receipt: str) -> pa.ChunkedArray:
    """The partition of records, points and scores: the UTC date of their time, within -30 and +1 days of receipt."""
    received = table.column(receipt).cast(pa.date32()).cast(pa.int32())
    day = table.column(time).cast(pa.date32()).cast(pa.int32())
    day = pc.max_element_wise(pc.coalesce(day, received), pc.subtract(received, pa.scalar(30, pa.int32())))
    return pc.min_element_wise(day, pc.add(received, pa.scalar(1, pa.int32()))).cast(pa.date32())


def _row_group_rows(rows: pa.Table, most: int) -> int:
    row_bytes = max(1, int(rows.nbytes) // max(1, int(rows.num_rows)))
    return max(_MIN_ROW_GROUP_ROWS, min(most, _ROW_GROUP_BYTES // row_bytes))


def _writer_options(dataset: Dataset, config: Config) -> dict[str, Any]:
    level = config.compression_level
    if level is None and config.compression == "zstd":
        level = 3
    return {
        "compression": config.compression,
        "compression_level": level,
        "use_dictionary": _repeating_leaves(dataset),
        "write_page_index": True,
        "store_decimal_as_integer": True,
        "sorting_columns": pq.SortingColumn.from_ordering(
            dataset.columns, [(name, "ascending") for name in dataset.sort_by]
        ),
    }


def _bloom_filter(rows: pa.Table) -> dict[str, Any]:
    """A trace is looked up by id in all files of its days: the filter spares reading most of them."""
    if "trace_id" not in rows.column_names or not _BLOOM_FILTERS:
        return {}
    traces = pc.count_distinct(rows.column("trace_id")).as_py()
    return {"bloom_filter_options": {"trace_id": {"ndv": max(1, traces), "fpp": 0.01}}}


@functools.cache
def _leaves(columns: pa.Schema) -> tuple[str, ...]:
    """Paths of the columns as Parquet flattens them, e.g. ``tags.list.element``."""
    sink = pa.BufferOutputStream()
    pq.write_table(columns.empty_table(), sink)
    footer = pq.read_metadata(pa.BufferReader(sink.getvalue()))
    return tuple(footer.schema.column(index).path for index in range(footer.num_columns))


def _repeating_leaves(dataset: Dataset) -> list[str]:
    return [path for path in _leaves(dataset.columns) if path.partition(".")[0] not in dataset.distinct]


def _read_at_rest(folder: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """See ``component.ReadAtRest``: a table per day."""
    return stored_days(folder, stored.OBSERVATIONS, columns)


def _preferences(config: Config) -> ExportPreferences:
    return ExportPreferences(config.target_rows, config.flush_interval.total_seconds())


factory = ExporterFactory(Config, ParquetExporter, stores=True, preferences=_preferences, read_at_rest=_read_at_rest)
