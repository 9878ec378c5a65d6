"""The stateless part of a pipeline: mask, then facts, then the processors in their order."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from collector.component.processor import Processor
from collector.engine.gates import Gate
from collector.engine.traces.tombstones import tombstones
from collector.model.batch import Batch, SpanBatch
from collector.telemetry import Telemetry

_COST = ("cost", "input_cost", "output_cost", "total_cost", "cost_source", "price_ref")
_SEEN_BY_FACTS = ("attributes", "resource", "scope", "span_name", "events", "kind", "status_code", "status_message")


@dataclass(frozen=True, slots=True)
class Step:
    """One processor with its component id."""

    name: str
    processor: Processor[Any]
    """Of the signal of the chain it stands in."""


class Chain:
    """Runs batches through the maskers and stateless processors of a pipeline.

    Maskers run first wherever they stand; facts are resolved from what they leave, so facts are
    masked by construction.
    """

    def __init__(
        self,
        pipeline: str,
        maskers: Sequence[Step],
        steps: Sequence[Step | Gate],
        resolve: Callable[[SpanBatch], SpanBatch],
        telemetry: Telemetry,
    ) -> None:
        self._pipeline = pipeline
        self._maskers = tuple(maskers)
        self._steps = tuple(steps)
        self._resolve = resolve
        self._telemetry = telemetry

    def run(self, batch: Batch, matched_conditions: frozenset[str] = frozenset()) -> tuple[Batch, SpanBatch | None]:
        """The batch as it is written to the journal, zero rows when everything was dropped; and what the
        spans that stateless processors dropped leave to assembly, if there are any.
        ``matched_conditions``: see ``journal.Entry``.
        """
        for step in self._maskers:
            batch = self._run(step, batch)
        if not isinstance(batch, SpanBatch):
            done: Batch = self.after(batch, matched_conditions)
            return done, None
        spans = self._resolve(batch)
        kept: SpanBatch = self.after(spans)
        return kept, tombstones(spans, kept) if kept.num_rows < spans.num_rows else None

    def after(self, batch: Any, matched_conditions: frozenset[str] = frozenset()) -> Any:
        """The stateless processors alone, over a batch that has its facts."""
        for step in self._steps:
            if isinstance(step, Gate):
                batch = step.filter(batch, matched_conditions, self._pipeline)
                continue
            changed = self._run(step, batch)
            if isinstance(changed, SpanBatch) and _facts_are_stale(batch, changed):
                changed = self._refresh(changed)
            batch = changed
        return batch

    def _run(self, step: Step, batch: Any) -> Any:
        labels = (step.name, self._pipeline, batch.signal.value)
        started = time.perf_counter()
        out = step.processor.process(batch) if batch.num_rows else batch
        self._telemetry.processor_seconds.labels(*labels).observe(time.perf_counter() - started)
        self._telemetry.processor_incoming.labels(*labels).inc(batch.num_rows)
        self._telemetry.processor_outgoing.labels(*labels).inc(out.num_rows)
        if out.num_rows < batch.num_rows:
            self._telemetry.processor_dropped.labels(*labels, "filtered").inc(batch.num_rows - out.num_rows)
        return out

    def _refresh(self, batch: SpanBatch) -> SpanBatch:
        """Facts anew after a processor changed what they come from; money already computed stays."""
        fresh = self._resolve(batch)
        priced = batch.column("cost_source").null_count < batch.num_rows
        return fresh.with_columns({name: batch.column(name) for name in _COST}) if priced else fresh


def _facts_are_stale(before: SpanBatch, after: SpanBatch) -> bool:
    if before.num_rows != after.num_rows:
        return False
    return any(not before.column(name).equals(after.column(name)) for name in _SEEN_BY_FACTS)
