"""What connectors do inside the engine: a pipeline behind one looks only at what is sent to it.

Every way through connectors is a pipeline of its own (``collector.config.ways``) that gets all the data of
its source. Log records and metric points are parted by a step of its chain (``Gate.filter``), traces when they
are whole, by a sampler around the sampler (``Routed``). So journal, recovery and late spans know nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.component.base import ComponentId
from collector.component.connector import Connector, Routes
from collector.component.sampler import ELSEWHERE, NO_ROUTE, DueTraces, PolicyVerdictTable, Sampler, TraceDecisions
from collector.model.arrow_arrays import numpy_of
from collector.model.batch import LogBatch, MetricBatch, SpanBatch
from collector.telemetry import Telemetry

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Gate:
    """The way through a connector to one of its outputs."""

    connector: Connector
    name: str
    """The connector's id."""
    output: ComponentId
    counts_losses: bool
    """This gate counts what the connector sends nowhere and what it fails on; the gates to its other outputs do not."""
    telemetry: Telemetry

    def traces(self, due: DueTraces) -> tuple[Bools, Bools]:
        """Per trace (it comes through, it goes to no output at all)."""
        return self._parted(self.connector.route_traces(due), due.traces.num_rows)

    def filter(
        self, batch: LogBatch | MetricBatch, matched_conditions: frozenset[str], pipeline: str
    ) -> LogBatch | MetricBatch:
        """The rows that come through."""
        if not batch.num_rows:
            return batch
        through, nowhere = self._parted(self.connector.route(batch, matched_conditions), batch.num_rows)
        if self.counts_losses and nowhere.any():
            labels = (self.name, pipeline, batch.signal.value, NO_ROUTE)
            self.telemetry.processor_dropped.labels(*labels).inc(int(nowhere.sum()))
        return batch if through.all() else batch.filter(through)

    def _parted(self, routes: Routes, n: int) -> tuple[Bools, Bools]:
        nowhere = np.ones(n, np.bool_)
        for output, sent in routes.outputs.items():
            if output.type == self.output.type:
                nowhere &= ~sent
        if self.counts_losses and routes.failed is not None and routes.failed.any():
            self.telemetry.failed_expressions.labels(self.name).inc(int(routes.failed.sum()))
        return routes.outputs.get(self.output, np.zeros(n, np.bool_)), nowhere


class Routed:
    """A sampler behind connectors, before connectors, or both."""

    def __init__(self, sampler: Sampler, before: Sequence[Gate], behind: Sequence[Gate]) -> None:
        """``before``: gates the traces come through before the sampler is asked; ``behind``: those after it."""
        self._sampler = sampler
        self._before = before
        self._behind = behind
        self.maximum_trace_size_bytes = getattr(sampler, "maximum_trace_size_bytes", 0)

    @property
    def decision_wait_ns(self) -> int:
        return self._sampler.decision_wait_ns

    @property
    def decision_wait_after_root_ns(self) -> int:
        return self._sampler.decision_wait_after_root_ns

    def decide(self, due: DueTraces) -> TraceDecisions:
        """Of a trace that a gate sends elsewhere the sampler is not asked."""
        here = _Places(due.traces.num_rows)
        here.pass_through(self._before, due)
        decided = _spread(self._sampler.decide(restricted(due, here.mask)), here.mask)
        here.mask = here.mask & decided.keep
        here.pass_through(self._behind, due)
        sampled_by = np.where(here.not_here != "", here.not_here, _objects(decided.sampled_by))
        return replace(decided, keep=decided.keep & here.mask, sampled_by=pa.array(sampled_by, pa.string()))


class _Places:
    """Where each trace is while it passes gates."""

    def __init__(self, n: int) -> None:
        self.mask = np.ones(n, np.bool_)
        """Still on its way."""
        self.not_here = np.full(n, "", object)
        """``ELSEWHERE`` or ``NO_ROUTE`` for traces that a gate did not let through, else ""."""

    def pass_through(self, gates: Sequence[Gate], due: DueTraces) -> None:
        for gate in gates:
            at = np.flatnonzero(self.mask)
            if not len(at):
                return
            through, nowhere = gate.traces(restricted(due, self.mask))
            self.not_here[at[~through]] = ELSEWHERE
            if gate.counts_losses:
                self.not_here[at[nowhere]] = NO_ROUTE
            self.mask = self.mask.copy()
            self.mask[at[~through]] = False


def restricted(due: DueTraces, mask: Bools) -> DueTraces:
    """These of the due traces only."""
    if mask.all():
        return due
    position = np.cumsum(mask, dtype=np.int32) - 1

    def load_spans(columns: Sequence[str] | None = None) -> tuple[SpanBatch, npt.NDArray[np.int32]]:
        spans, trace = due.load_spans(columns)
        return spans.filter(mask[trace]), position[trace[mask[trace]]]

    def load_logs() -> tuple[LogBatch, npt.NDArray[np.int32]]:
        logs, trace = due.load_logs()
        return logs.filter(mask[trace]), position[trace[mask[trace]]]

    def load_matched_conditions() -> Sequence[frozenset[str]]:
        return [matched for matched, is_mine in zip(due.load_matched_conditions(), mask, strict=False) if is_mine]

    return DueTraces(
        traces=due.traces.filter(pa.array(mask)),
        now_unix_nano=due.now_unix_nano,
        load_spans=load_spans,
        load_logs=load_logs,
        load_matched_conditions=load_matched_conditions,
    )


def _spread(decided: TraceDecisions, mask: Bools) -> TraceDecisions:
    """Decisions on the marked traces as decisions on all: the others are not kept."""
    if mask.all():
        return decided
    n = len(mask)
    keep, count, by = np.zeros(n, np.bool_), np.zeros(n), np.full(n, None, object)
    keep[mask], count[mask], by[mask] = decided.keep, decided.adjusted_count, _objects(decided.sampled_by)
    verdicts = decided.policy_verdicts
    if verdicts is not None:
        table = np.full((len(verdicts.policies), n), -1, np.int8)
        table[:, mask] = verdicts.table
        verdicts = PolicyVerdictTable(policies=verdicts.policies, table=table)
    return TraceDecisions(
        keep=keep, sampled_by=pa.array(by, pa.string()), adjusted_count=count, policy_verdicts=verdicts
    )


def _objects(texts: pa.Array) -> npt.NDArray[np.object_]:
    found: npt.NDArray[np.object_] = numpy_of(texts.cast(pa.string()))
    return found
