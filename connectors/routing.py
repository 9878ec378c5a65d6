"""Sends whole traces, log records and metric points to other pipelines, by what they say or by their request.

A connector: one pipeline lists it among its exporters, others among their receivers. The table is gone through from
the top, and the first row that applies decides; what no row applies to goes to ``default_pipelines``, and without
these it is dropped and counted (``no_route`` in ``spanloom_processor_dropped_items``).

A trace goes as a whole, once its wait is over: a row applies when some span of it, or some request with spans of it,
meets the condition, and with ``context: trace`` when all its spans together do. Late spans follow their trace. Log
records and metric points go one by one. Rows of another signal's context do not apply.

Rows with ``context: request`` look at HTTP headers and gRPC metadata, in the Collector's words; no receiver needs
``include_metadata`` for them, and only that a condition was met is kept, never a header. The other rows give a
``key`` and ``values``, or ``sql``: DuckDB's expressions, over ``resource['key']`` with ``context: resource``, over
the columns of ``filter`` with ``span``, ``log`` and ``metric``, and over those of the policy ``sql`` of
``tail_sampling``, with aggregates, with ``trace``: ``sum(total_cost) > 1``. Where a condition fails, the default
pipelines are taken, and ``spanloom_processor_failed_expressions`` counts it.

The pipelines behind it are run from the receivers on, each with the processors before and behind the connector, and
each assembles its traces for itself: where these processors are the same ones, the data is written to disk once for
all, else once for each. A ``tail_sampling`` stands on one side of the connector; a limit or a rate behind it
is that of its pipeline alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from connectors._routing.request import HeaderCondition
from spanloom import (
    FAILED,
    LOG_RELATION,
    METRIC_RELATION,
    RELATIONS,
    SAMPLED,
    Batch,
    ComponentConfig,
    ComponentId,
    ComputedExpressions,
    ConnectorFactory,
    DueTraces,
    LogBatch,
    MetricBatch,
    Relation,
    RequestCondition,
    Routes,
    Settings,
    Signal,
    TraceConditions,
    Traces,
    columns_needed,
    numpy_of,
    ottl,
    parse_trace_condition,
    some_span_meets,
    sql_condition,
    trace_condition_problem,
    unless_propagate,
)

Bools = npt.NDArray[np.bool_]
Context = Literal["resource", "span", "trace", "log", "metric", "datapoint", "request"]
_ITEMS = {"span": "span", "log": "log", "metric": "metric", "datapoint": "metric"}
_APPLIES = {
    Signal.TRACES: ("resource", "span", "trace", "request"),
    Signal.LOGS: ("resource", "log", "request"),
    Signal.METRICS: ("resource", "metric", "datapoint", "request"),
}


class RoutingRow(ComponentConfig):
    """One row of the table."""

    pipelines: tuple[str, ...] = Field(min_length=1)
    """Where it sends what it applies to."""

    context: Context = "resource"
    """What the row looks at; ``metric`` and ``datapoint`` are the same."""

    condition: str | None = None
    """Only with ``context: request``: ``request["X-Tenant"] == "acme"``, or with ``!=``, which a request meets
    that has that header with another value."""

    sql: str | None = None
    """A condition in SQL, with any other context."""

    key: str | None = Field(default=None, min_length=1)
    """Instead of SQL, with the contexts resource, span, log and metric: an attribute ..."""

    values: tuple[str, ...] = ()
    """... and its values, as text."""

    @model_validator(mode="before")
    @classmethod
    def _is_no_ottl(cls, given: Any) -> Any:
        if isinstance(given, dict) and (text := _ottl(given)) is not None:
            context = str(given.get("context", "resource"))
            item = _ITEMS.get(context, "span")
            full = text.replace("attributes[", "resource.attributes[") if context == "resource" else text
            raise ValueError(f"OTTL is not supported; write 'sql': {ottl.described([(item, full)], ottl.sql_of)}")
        return given

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        if sum(given is not None for given in (self.condition, self.sql, self.key)) != 1:
            raise ValueError("give one of 'condition' (for context request), 'sql', and 'key' with 'values'")
        if (self.key is not None) != bool(self.values):
            raise ValueError("'key' and 'values' go together")
        if (self.context == "request") != (self.condition is not None):
            raise ValueError("'condition' and the context 'request' go together")
        if self.key is not None and self.context == "trace":
            raise ValueError("'key' is for one item: with context trace give 'sql'")
        if self.condition is not None:
            HeaderCondition.parse(self.condition)
        elif wrong := _wrong(self.context, self.expression):
            raise ValueError(wrong)
        return self

    @property
    def expression(self) -> str:
        """The row's condition in SQL."""
        if self.key is None:
            return self.sql or ""
        of = "resource" if self.context == "resource" else "attributes"
        return f"{of}[{_quoted(self.key)}] in ({', '.join(map(_quoted, self.values))})"

    @property
    def request(self) -> HeaderCondition | None:
        return None if self.condition is None else HeaderCondition.parse(self.condition)


class Config(ComponentConfig):
    table: tuple[RoutingRow, ...] = Field(min_length=1)
    """Rows; the first that applies decides."""

    default_pipelines: tuple[str, ...] = ()
    """Where goes what no row applies to."""

    error_mode: Literal["ignore", "silent"] = "ignore"
    """Both: what a condition fails on goes to the default pipelines, and is counted."""

    @field_validator("error_mode", mode="before")
    @classmethod
    def _refuses_nothing(cls, mode: Any) -> Any:
        return unless_propagate(mode)


_Answer = tuple[RoutingRow, Bools, Bools]
"""A row, what it applies to, and what its condition fails on."""


class Routing:
    """A routing table."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._config = config
        self._conditions = {
            row: some_span_meets(row.expression) if row.context != "trace" else parse_trace_condition(row.expression)
            for row in self._rows(Signal.TRACES)
            if row.request is None
        }
        self._on_traces = TraceConditions(list(self._conditions.values()), memory_bytes=settings.memory_bytes)
        self._computed = {
            relation.signal: _Items(relation, self._rows(relation.signal), settings.memory_bytes)
            for relation in (LOG_RELATION, METRIC_RELATION)
        }

    def _rows(self, signal: Signal) -> list[RoutingRow]:
        return [row for row in self._config.table if row.context in _APPLIES[signal]]

    @property
    def request_conditions(self) -> Sequence[RequestCondition]:
        """What the rows with ``context: request`` ask."""
        return [row.request for row in self._config.table if row.request is not None]

    def route_traces(self, due: DueTraces) -> Routes:
        """Where each trace goes."""
        rows, n = self._rows(Signal.TRACES), due.traces.num_rows
        columns = sorted(columns_needed(list(self._conditions.values())) | {"trace_id"})
        answers = Traces(due, columns=columns, conditions=self._on_traces).answers if self._conditions else {}
        matched = due.load_matched_conditions() if any(row.request for row in rows) else ()
        given: list[_Answer] = []
        for row in rows:
            if row.request is None:
                verdicts = answers[self._conditions[row]]
                given.append((row, verdicts == SAMPLED, verdicts == FAILED))
            else:
                hits = np.array([row.request.key in keys for keys in matched] or [False] * n, np.bool_)
                given.append((row, hits, np.zeros(n, np.bool_)))
        return self._routes(Signal.TRACES, given, n)

    def route(self, batch: LogBatch | MetricBatch, matched_conditions: frozenset[str]) -> Routes:
        """Where each row goes."""
        return self._routes(batch.signal, self._computed[batch.signal].of(batch, matched_conditions), batch.num_rows)

    def _routes(self, signal: Signal, given: Sequence[_Answer], n: int) -> Routes:
        """The first row that applies decides; where one fails before that, the default pipelines are taken."""
        outputs = {id_: np.zeros(n, np.bool_) for id_ in self._outputs(signal)}
        undecided, failed = np.ones(n, np.bool_), np.zeros(n, np.bool_)
        for row, hits, faults in given:
            failed |= undecided & faults
            undecided &= ~faults
            for name in row.pipelines:
                if (id_ := ComponentId.parse(name)) in outputs:
                    outputs[id_] |= undecided & hits
            undecided &= ~hits
        for name in self._config.default_pipelines:
            if (id_ := ComponentId.parse(name)) in outputs:
                outputs[id_] |= undecided | failed
        return Routes(outputs, failed)

    def _outputs(self, signal: Signal) -> list[ComponentId]:
        named = [ComponentId.parse(name) for _, name in _named(self._config)]
        return [id_ for id_ in dict.fromkeys(named) if id_.type == signal.value]


class _Items:
    """The rows that may apply to log records, or to metric points."""

    def __init__(self, relation: Relation, rows: Sequence[RoutingRow], memory_bytes: int) -> None:
        self._rows = rows
        self._in_sql = [row for row in rows if row.request is None]
        expressions = [sql_condition(relation, row.expression) for row in self._in_sql]
        self._computed = ComputedExpressions(relation, expressions, memory_bytes)

    def of(self, batch: Batch, matched: frozenset[str]) -> list[_Answer]:
        computed = self._computed.of(batch) if self._in_sql else ()
        answers = dict(zip(self._in_sql, computed, strict=True))
        return [self._answer(row, answers, matched, batch.num_rows) for row in self._rows]

    def _answer(
        self, row: RoutingRow, answers: Mapping[RoutingRow, tuple[pa.Array, Bools]], matched: frozenset[str], n: int
    ) -> _Answer:
        if row.request is not None:
            return row, np.full(n, row.request.key in matched), np.zeros(n, np.bool_)
        hits, failed = answers[row]
        return row, numpy_of(hits.cast(pa.bool_()).fill_null(pa.scalar(False))), failed


def _named(config: Config) -> list[tuple[tuple[str | int, ...], str]]:
    of_rows = [
        (("table", at, "pipelines", position), name)
        for at, row in enumerate(config.table)
        for position, name in enumerate(row.pipelines)
    ]
    return [*of_rows, *((("default_pipelines", at), name) for at, name in enumerate(config.default_pipelines))]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _ottl(given: dict[str, Any]) -> str | None:
    """The OTTL a row of the Collector would have."""
    if isinstance(text := given.get("statement"), str):
        return text.strip().removeprefix("route()").strip().removeprefix("where").strip()
    text = given.get("condition")
    return text if isinstance(text, str) and given.get("context", "resource") != "request" else None


def _wrong(context: str, text: str) -> str | None:
    """Why a condition cannot be run; None when it can."""
    if context in ("span", "trace"):
        return trace_condition_problem(text, whole=context == "trace")
    try:
        found = sql_condition(RELATIONS[_ITEMS.get(context, "log")], text)
    except ValueError as error:
        return str(error)
    if context == "resource" and (found.columns or any(of != "resource" for of, _ in found.keys)):
        return f"{text!r}: with context resource only resource['key'] can be looked at"
    return None


factory = ConnectorFactory(Config, Routing, _named)
