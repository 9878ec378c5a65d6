"""The contracts between the engine and its components.

Every component has the same shape: a frozen ``Config`` (what a user may set), and a factory found
by entry point (``spanloom.receivers``, ``.processors``, ``.exporters``). What the engine passes in
is called ``Settings``. Lifecycle: creating does no I/O; ``start`` returns quickly; ``shutdown`` is
safe to call twice or without a start. The engine starts exporters first and stops receivers first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from collector.errors import ConfigError
from collector.model import schema
from collector.model.batch import Batch, LogBatch, MetricBatch, Signal, SpanBatch

if TYPE_CHECKING:
    import structlog

    from collector.telemetry import Telemetry

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,62}\Z")


class ComponentConfig(BaseModel):
    """Base of every ``Config``: immutable, unknown keys refused, field docstrings are the docs."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, order=True, slots=True)
class ComponentId:
    """``type`` or ``type/name``, as written in the configuration."""

    type: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> ComponentId:
        """Raises ``ConfigError`` when the text is no component id."""
        kind, slash, name = text.partition("/")
        kind, name = kind.strip(), name.strip()
        if not _NAME.match(kind) or (slash and not name):
            raise ConfigError(f"{text!r} is not a component id: expected 'type' or 'type/name'")
        return cls(kind, name)

    def __str__(self) -> str:
        return f"{self.type}/{self.name}" if self.name else self.type


class Kind(StrEnum):
    """The kinds of component; ``spanloom.<kind>s`` is the entry-point group."""

    RECEIVER = "receiver"
    PROCESSOR = "processor"
    EXPORTER = "exporter"
    CONNECTOR = "connector"

    @property
    def group(self) -> str:
        return f"spanloom.{self.value}s"


class Stability(StrEnum):
    """How much a component may still change."""

    STABLE = "stable"
    BETA = "beta"
    ALPHA = "alpha"


@dataclass(frozen=True)
class Settings:
    """What the engine passes to every component."""

    id: ComponentId
    telemetry: Telemetry
    log: structlog.stdlib.BoundLogger
    data_dir: Path
    """The service's data folder; may not exist yet."""

    memory_bytes: int = 256 * 1024 * 1024
    """Anonymous memory this component may use for buffers of its own."""


class Stage(StrEnum):
    """Where a processor runs."""

    MASK = "mask"  # first, whatever its place in the list; sees no facts yet
    STATELESS = "stateless"  # before the journal; a pure function of one batch
    SAMPLING = "sampling"  # over whole traces, after assembly


class Processor(Protocol):
    """A pure function of one batch (stages MASK and STATELESS).

    It must not keep state between batches that changes its answer, must not do I/O and must not
    know what comes next. Splitting a batch and joining the results changes nothing.
    """

    def process(self, batch: Any) -> Any:
        """The same kind of batch, changed. Zero rows mean everything was dropped."""


class LoadSpans(Protocol):
    """Reads the spans of due traces back from the journal."""

    def __call__(self, columns: Sequence[str] | None = None) -> tuple[SpanBatch, npt.NDArray[np.int32]]:
        """All spans, and per span the row of its trace in ``DueTraces.traces``.

        ``columns``: only these of ``schema.SPANS``; None: all. There is ``usage_scope`` besides, as in
        ``schema.DECIDED``. Costly: only policies that look at spans call it.
        """


def no_logs() -> tuple[LogBatch, npt.NDArray[np.int32]]:
    """The log records of traces that have none, and per record the row of its trace."""
    return LogBatch(pa.RecordBatch.from_pylist([], schema=schema.LOGS)), np.empty(0, np.int32)


def nothing_met() -> Sequence[frozenset[str]]:
    """For ``DueTraces.load_met`` where no connector asks about requests."""
    return ()


@dataclass(frozen=True)
class DueTraces:
    """Traces that are due for a decision: the input of a sampler."""

    traces: pa.RecordBatch
    """One row per trace, ``schema.TRACE_FACTS``."""
    now_unix_nano: int
    load_spans: LoadSpans
    load_logs: Callable[[], tuple[LogBatch, npt.NDArray[np.int32]]] = no_logs
    """The GenAI log records that wait with these traces, as ``no_logs``. As costly as ``load_spans``."""
    load_met: Callable[[], Sequence[frozenset[str]]] = nothing_met
    """Per trace the keys of the ``RequestCondition``s that some request with spans of it met; empty: none of any."""


DECISIONS = ("not_sampled", "sampled", "dropped", "inverted_not_sampled", "inverted_sampled", "failed")
"""What one policy may say about a trace, by code; -1: it was not asked."""


@dataclass(frozen=True)
class PolicyDecisions:
    """What every policy of a sampler said about every trace."""

    policies: Sequence[str]
    """Names, in the order they were asked."""
    table: npt.NDArray[np.int8]
    """Policy by trace, codes of ``DECISIONS``."""


ELSEWHERE, NO_ROUTE = "elsewhere", "no_route"
NOT_HERE = (ELSEWHERE, NO_ROUTE)
"""In the place of a policy: a connector sent the trace to other pipelines, or to none."""


@dataclass(frozen=True)
class Verdicts:
    """A sampler's answer, one entry per row of ``DueTraces.traces``."""

    keep: npt.NDArray[np.bool_]
    sampled_by: pa.Array
    """Text: the policy that kept the trace; null where it is dropped, or one of ``NOT_HERE``."""
    adjusted_count: npt.NDArray[np.float64]
    """How many traces a kept one stands for: one over its probability of being kept."""
    policies: PolicyDecisions | None = None
    """How it came about, for those who ask."""


class Sampler(Protocol):
    """A processor of stage SAMPLING: decides whole traces.

    With an attribute ``maximum_trace_size_bytes`` above 0, a trace is due as soon as it is larger.
    """

    @property
    def decision_wait_ns(self) -> int:
        """Nanoseconds from the first span of a trace to its decision."""

    @property
    def decision_wait_after_root_ns(self) -> int:
        """Nanoseconds from a trace's root span to its decision; 0: the root changes nothing."""

    def decide(self, due: DueTraces) -> Verdicts: ...


class Scoring(Protocol):
    """Makes the rows of ``schema.SCORES``, as ``collector.model.scores.find`` does; without one there are none."""

    def span_scores(self, spans: SpanBatch, decided: pa.RecordBatch, logs: LogBatch | None) -> pa.Table: ...

    def log_scores(self, logs: LogBatch, ingested_unix_nano: int) -> pa.Table: ...


class DecidedSpans:
    """Kept spans with what the decision added; observations and scores are built on first use.

    Shared by all exporters that are at the same place, so that content is made once.
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

    stores: ClassVar[bool]
    """True for a store of observations (``duckdb``, ``parquet``): its pipelines get trace assembly."""

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


@dataclass(frozen=True)
class Repriced:
    """What pricing stored rows again changed."""

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


@runtime_checkable
class PriceList(Protocol):
    """A processor that knows prices (``spanloom prices show``)."""

    def prices(self, model: str, *, provider: str | None, tier: str | None, unix_nano: int) -> pa.Table | None:
        """The prices of a model at a time, one row each with ``context``, ``bucket``, ``usd_per_million`` and
        ``price_ref`` (all text), or None when nobody has one.
        """


@runtime_checkable
class Finder(Protocol):
    """A masker that can say what it would mask, without saying it (``spanloom pii report``)."""

    def findings(self, batch: Batch) -> pa.Table:
        """What is found where in a batch: ``entity``, ``carrier`` (the column), ``key`` (an attribute's, masked
        as well), all text, and ``count``, int64. A text that many rows share is counted once.
        """


@dataclass(frozen=True)
class Received:
    """The engine's answer to one request: what of it is now safe."""

    accepted: int
    rejected: int = 0
    message: str = ""
    """Why items were rejected, in English, without any content."""


Metadata = Callable[[str], Sequence[str]]
"""A request's HTTP headers or gRPC metadata: the values under a name in lower case. Only asked, never kept."""


def no_metadata(_name: str) -> Sequence[str]:
    """Of a request that came without any."""
    return ()


class RequestCondition(Protocol):
    """A condition over a request's metadata. Only that it is met is kept, never the metadata."""

    @property
    def key(self) -> str:
        """Names the condition, in one line and the same after a restart: what is kept, so neither header nor value."""

    def is_met(self, metadata: Metadata) -> bool: ...


@dataclass(frozen=True)
class Routes:
    """Where each of some traces or rows goes."""

    outputs: Mapping[ComponentId, npt.NDArray[np.bool_]]
    """Pipeline → what goes there. What goes nowhere is dropped, and counted as ``no_route``."""
    failed: npt.NDArray[np.bool_] | None = None
    """Where a condition could not be evaluated: counted."""


class Connector(Protocol):
    """Divides what pipelines hand it among other pipelines, whole traces as whole traces.

    Like a processor it is a function of its input, without a memory of its own.
    """

    @property
    def request_conditions(self) -> Sequence[RequestCondition]:
        """What is asked of every request."""

    def route_traces(self, due: DueTraces) -> Routes: ...

    def route(self, batch: LogBatch | MetricBatch, met: frozenset[str]) -> Routes:
        """``met``: the keys of the conditions that the request of these rows met."""


class Consumer(Protocol):
    """Where a receiver hands over what it received."""

    async def consume(self, signal: Signal, body: bytes, metadata: Metadata = no_metadata) -> Received:
        """Takes one serialised OTLP Export…ServiceRequest (protobuf).

        Returns once everything accepted is durable in every pipeline fed by the receiver. Raises
        ``InvalidDataError``, ``TooLargeError`` or ``RetryableError``; then nothing was taken.
        """


class ByteBudget(Protocol):
    """Bounds the bytes of requests in memory, over all receivers. Not thread-safe: event loop only."""

    def try_take(self, n: int, *, more: bool = False) -> bool:
        """Takes ``n`` bytes, or says no at once: the receiver answers "later". ``more``: for a request that has
        some.
        """

    def give_back(self, n: int) -> None: ...


@dataclass(frozen=True, kw_only=True)
class ReceiverSettings(Settings):
    """What the engine passes to a receiver."""

    consumer: Consumer
    budget: ByteBudget
    signals: frozenset[Signal]
    """The signals some pipeline takes from this receiver; others answer UNIMPLEMENTED / 404."""


class Receiver(Protocol):
    """Accepts data. Methods run on the event loop."""

    async def start(self) -> None:
        """Listens when it returns. Raises ``ConfigError`` when an address cannot be bound."""

    async def shutdown(self) -> None:
        """Accepts nothing new, answers what is in flight, returns."""

    @property
    def endpoints(self) -> Mapping[str, str]:
        """Protocol (``grpc``, ``http``) → address it listens on, e.g. ``127.0.0.1:4317``."""


@dataclass(frozen=True)
class ReceiverFactory:
    """How a receiver is made: its options, and what turns them and the settings into one."""

    config: type[ComponentConfig]
    create: Callable[[Any, ReceiverSettings], Receiver]
    signals: frozenset[Signal] = frozenset(Signal)
    stability: Stability = Stability.BETA


@dataclass(frozen=True)
class ProcessorFactory:
    """How a processor is made, and where in the pipeline it runs."""

    config: type[ComponentConfig]
    create: Callable[[Any, Settings], Processor | Sampler]
    stage: Stage = Stage.STATELESS
    signals: frozenset[Signal] = frozenset({Signal.TRACES})
    prices: bool = False
    """It fills ``schema.PRICED`` from usage; ``reprice`` runs it again over stored usage."""

    masks: bool = False
    """It takes content away in its place in the list, by the user's own rules: before a sampler, before the disk."""

    stability: Stability = Stability.BETA


@dataclass(frozen=True)
class ExporterFactory:
    """How an exporter is made; ``stores``: it keeps observations, so its pipelines get trace assembly."""

    config: type[ComponentConfig]
    create: Callable[[Any, Settings], Exporter]
    stores: bool = False
    signals: frozenset[Signal] = frozenset(Signal)
    stability: Stability = Stability.BETA


@dataclass(frozen=True)
class ConnectorFactory:
    """How a connector is made, and where it may send what it gets."""

    config: type[ComponentConfig]
    create: Callable[[Any, Settings], Connector]
    outputs: Callable[[Any], Sequence[tuple[tuple[str | int, ...], str]]]
    """From its options: (where in them, id of a pipeline) for each pipeline named."""

    signals: frozenset[Signal] = frozenset(Signal)
    stability: Stability = Stability.BETA


AnyFactory = ReceiverFactory | ProcessorFactory | ExporterFactory | ConnectorFactory
