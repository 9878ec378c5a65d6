"""Exporters, the batches they get, and optional protocols that a store may implement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.component.base import ComponentConfig, Settings, Stability
from collector.model import schema
from collector.model.batch import LogBatch, MetricBatch, Signal, SpanBatch


class Scoring(Protocol):
    """Builds rows of ``schema.SCORES`` from spans and log records; ``collector.model.scores.find`` does."""

    def span_scores(self, spans: SpanBatch, decided: pa.RecordBatch, logs: LogBatch | None) -> pa.Table: ...

    def log_scores(self, logs: LogBatch, ingested_unix_nano: int) -> pa.Table: ...


class DecidedSpans:
    """Kept spans with the decision about each. Observations and scores are built on first use.

    Exporters at the same position share one object, so stored rows are built once.
    """

    def __init__(
        self,
        spans: SpanBatch,
        decided: pa.RecordBatch,
        logs: LogBatch | None,
        build: Callable[[SpanBatch, pa.RecordBatch, LogBatch | None], pa.Table],
        model: Scoring | None = None,
    ) -> None:
        self.spans = spans
        """In flight: WIRE and FACTS."""
        self.decided = decided
        """``schema.DECIDED``, row-aligned with ``spans``."""
        self.logs = logs
        """GenAI log records of these spans, for their content."""
        self._build = build
        self._model = model

    @cached_property
    def observations(self) -> pa.Table:
        """``schema.OBSERVATIONS``, row-aligned with ``spans``."""
        return self._build(self.spans, self.decided, self.logs)

    @cached_property
    def scores(self) -> pa.Table:
        """``schema.SCORES``: the evaluation results these spans carry."""
        if self._model is None:
            return schema.SCORES.empty_table()
        return self._model.span_scores(self.spans, self.decided, self.logs)


@dataclass(frozen=True)
class ReceivedBatch:
    """A batch of logs or metrics with the time it was acknowledged."""

    batch: LogBatch | MetricBatch
    ingested_unix_nano: int
    model: Scoring | None = None

    @cached_property
    def scores(self) -> pa.Table:
        """``schema.SCORES``: the evaluation results among log records."""
        if self.model is None or not isinstance(self.batch, LogBatch):
            return schema.SCORES.empty_table()
        return self.model.log_scores(self.batch, self.ingested_unix_nano)


@dataclass(frozen=True)
class ExportBatch:
    """A range of decisions on its way out. The same range always holds the same data."""

    epoch: str
    """Names the journal; another epoch means its decision numbers start anew."""
    first: int
    last: int
    """Decision numbers, inclusive; ranges of one exporter never overlap and only grow."""
    spans: tuple[DecidedSpans, ...] = ()
    others: tuple[ReceivedBatch, ...] = ()

    @property
    def num_rows(self) -> int:
        return sum(s.spans.num_rows for s in self.spans) + sum(o.batch.num_rows for o in self.others)


class Exporter(Protocol):
    """Sends decided data out. All methods are called from one thread of the exporter's own."""

    def start(self) -> None:
        """Opens files and connections. Raises ``ConfigError`` when it never can."""

    def export(self, batch: ExportBatch) -> Mapping[Signal, int] | None:
        """Delivers all of it, or raises. Returns what of it the other side refused for good (items
        per signal, already counted in ``exporter_dropped``), if anything.

        ``RetryableError``: called again with the same batch after a back-off. ``PermanentError``:
        the batch is dropped and counted. Must be idempotent for a range, or at least once.
        """

    def shutdown(self) -> None:
        """Flushes and closes. Called once the engine has no more to export."""


@runtime_checkable
class Checkpointed(Protocol):
    """An exporter that stores its own position together with the data: exactly once."""

    def checkpoint(self) -> tuple[str, int] | None:
        """(epoch, last decision number) of what is stored, or None. Called after ``start``."""


@runtime_checkable
class Queryable(Protocol):
    """An exporter whose data can be read with SQL while it runs (``spanloom query``)."""

    def query(self, sql: str, *, limit: int) -> pa.Table:
        """Runs one read-only statement on another cursor. Raises ``PermanentError`` when it cannot."""


class QueryAtRest(Protocol):
    """Reads a store with SQL while no service uses it."""

    def __call__(self, config: Any, data_dir: Path, sql: str, *, limit: int) -> pa.Table:
        """The first ``limit`` rows of one read-only statement, by the same rules as ``Queryable.query``.

        ``config``: the exporter's options. Raises ``FileNotFoundError`` when nothing was stored yet,
        ``PermanentError`` when the statement is refused or fails, ``ConfigError`` when the store cannot be opened.
        """


class ReadAtRest(Protocol):
    """Reads stored observations from a folder that somebody names, whichever service wrote it."""

    def __call__(self, folder: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
        """These columns of ``schema.OBSERVATIONS``, in tables that hold each trace whole.

        Raises ``InvalidDataError`` when the folder is no such store.
        """


@dataclass(frozen=True)
class Repriced:
    """The rows that changed when stored rows were priced again."""

    rows: npt.NDArray[np.int64]
    """Positions of the changed rows in the table that was given."""
    columns: pa.Table
    """Their new values: ``schema.PRICED``, as ``observations`` has them."""


Reprice = Callable[[pa.Table], Repriced]
"""Prices rows (``REPRICED_FROM``) again."""


@runtime_checkable
class Repriceable(Protocol):
    """A store whose rows can be priced again."""

    def reprice(self, price: Reprice, *, since_unix_nano: int, dry_run: bool) -> None:
        """Gives ``price`` the columns ``REPRICED_FROM`` of every observation that started at ``since_unix_nano`` or
        later, and unless it is a ``dry_run`` stores what it changed. Called from the exporter's thread.
        """


REPRICED_FROM = (
    *("start_unix_nano", "end_unix_nano", "provider", "request_model", "response_model", "model", "model_parameters"),
    *("usage_scope", "usage", *schema.PRICED),
)
"""The columns of ``observations`` from which a call is priced again."""


@dataclass(frozen=True)
class Retry:
    """When a failed delivery is tried again: exponential waits with jitter."""

    enabled: bool = True
    """False: data is dropped, and counted, at the first failure."""
    initial_interval: timedelta = timedelta(seconds=5)
    """Wait after the first failure."""
    randomization_factor: float = 0.5
    """Each wait is drawn from this share below to this share above the interval."""
    multiplier: float = 1.5
    """Growth of the interval from one failure to the next."""
    max_interval: timedelta = timedelta(seconds=30)
    """The interval grows up to here."""
    max_elapsed_time: timedelta = timedelta(0)
    """Give up, and drop the data, after this long; 0: never."""


@dataclass(frozen=True)
class ExportPreferences:
    """How an exporter likes to be fed. The defaults suit one that sends what it gets at once."""

    rows: int = 8_192
    """A batch is handed over as soon as so many rows wait. It may hold up to twice as many, and more where
    one decision has more."""
    seconds: float = 0.2
    """A batch is handed over this long after its first decision, however few rows wait."""
    retry: Retry = Retry()
    """What happens after a ``RetryableError``, or an error nobody foresaw."""


def usual_preferences(_config: Any) -> ExportPreferences:
    """For a component that asks for nothing in particular."""
    return ExportPreferences()


@dataclass(frozen=True)
class ExporterFactory:
    """How an exporter is made, and what the engine must know about it."""

    config: type[ComponentConfig]
    create: Callable[[Any, Settings], Exporter]
    stores: bool = False
    """True for a store of observations (``duckdb``, ``parquet``): its pipelines get trace assembly, it is given each
    span once, and after a crash the same range again."""
    preferences: Callable[[Any], ExportPreferences] = usual_preferences
    """From its options: how it likes to be fed."""
    signals: frozenset[Signal] = frozenset(Signal)
    stability: Stability = Stability.BETA
    query_at_rest: QueryAtRest | None = None
    """Queries the store while no service uses it (``spanloom query``)."""
    read_at_rest: ReadAtRest | None = None
    """Reads stored observations back (``spanloom sampling simulate``)."""
