"""Trace assembly of one pipeline: spans wait here until their trace is decided.

Memory holds references, not spans: per waiting span the ordinal of its trace, its record and its row. The spans are
read back from the journal when their trace is due. Decisions are remembered for a while: a span that is sent again is
dropped, and a late span is kept or dropped as the rest of its trace was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.component.sampler import NOT_HERE, DueTraces, Sampler, TraceDecisions
from collector.engine.assembly import late
from collector.engine.assembly.decided import DecidedTrace, DecidedTraces, in_skeletons
from collector.engine.assembly.decision_rows import DueSpans, decision_rows, split
from collector.engine.assembly.due import Loading
from collector.engine.assembly.native_calls import NativeCalls
from collector.engine.assembly.pending import Early, Pending, Refs
from collector.engine.assembly.tally import Tally
from collector.engine.journal.decisions import TRACES, DecisionRecord
from collector.engine.journal.gather import gather
from collector.engine.journal.records import Records, Written
from collector.engine.traces import counting, counting_columns, trace_facts
from collector.engine.traces.span_columns import words
from collector.engine.traces.tombstones import kept_parents
from collector.model import schema
from collector.model.arrow_arrays import numpy_of, table_of
from collector.model.batch import Batch, SpanBatch
from collector.model.facts.recorder import Recorder
from collector.model.sizes import row_bytes
from collector.model.trace_schema import STORED
from collector.telemetry import Telemetry

_MAX_DUE_ROWS = 65_536
"""Rows decided at once. Bounds the memory of a tick when many traces are due together."""
_WARN_EVERY_NS = 60 * 10**9

Observe = Callable[[str, pa.RecordBatch, TraceDecisions], object]
"""Called with a pipeline's name, due traces (``schema.TRACE_FACTS``) and the decisions about them."""


@dataclass(frozen=True, slots=True)
class KeepAll:
    """The sampler of pipelines without a sampling processor: keeps every trace, after the default wait."""

    decision_wait_ns: int = 30 * 10**9
    decision_wait_after_root_ns: int = 2 * 10**9
    maximum_trace_size_bytes: int = 0

    def decide(self, due: DueTraces) -> TraceDecisions:
        n = due.traces.num_rows
        return TraceDecisions(keep=np.ones(n, np.bool_), sampled_by=pa.nulls(n, pa.string()), adjusted_count=np.ones(n))


class Assembly:
    """The waiting and the decided traces of one pipeline. Used by the core thread only."""

    def __init__(
        self,
        pipeline: str,
        sampler: Sampler,
        records: Records,
        telemetry: Telemetry,
        *,
        max_pending_spans: int,
        max_pending_bytes: int = 1 << 62,
        max_decided_traces: int,
        max_decided_spans: int,
        warn: Callable[..., object] = lambda *_, **__: None,
        recorder: Recorder | None = None,
        observe: Observe | None = None,
    ) -> None:
        """``observe`` is called with every group of trace decisions."""
        self.pipeline = pipeline
        self._observe = observe
        self._sampler = sampler
        self._records = records
        self._telemetry = telemetry
        self._max_pending_spans = max_pending_spans
        self._max_pending_bytes = max_pending_bytes
        self._warn = warn
        self._pending = Pending(
            sampler.decision_wait_ns,
            sampler.decision_wait_after_root_ns,
            sampler.maximum_trace_size_bytes,
        )
        self._recorder = recorder
        self._loading = Loading(records)
        self._tally = Tally(pipeline, telemetry)
        self.decided = DecidedTraces(max_decided_traces, max_decided_spans)
        self._natives = NativeCalls(self.decided, self._pending, records)
        self._late: deque[tuple[int, npt.NDArray[np.int32]]] = deque()
        self._warn_again = 0

    def add(self, written: Written, batch: Batch, rows: npt.NDArray[np.int32] | None = None) -> None:
        """Adds the spans of a record, or log records that belong to spans. ``rows``: only these rows of it."""
        if rows is None:
            rows = np.arange(batch.num_rows, dtype=np.int32)
        if isinstance(batch, SpanBatch):
            rows = self._without_placeholders(batch, rows)
        ids = batch.column("trace_id")
        ids = ids if len(rows) == batch.num_rows else ids.take(pa.array(rows))
        encoded = ids.cast(pa.binary()).dictionary_encode()
        codes = numpy_of(encoded.indices)
        distinct = encoded.dictionary.to_pylist()
        known = np.array([trace_id in self.decided for trace_id in distinct], np.bool_)
        is_late = known[codes] if len(distinct) else np.zeros(0, np.bool_)
        if isinstance(batch, SpanBatch):
            if is_late.any():
                self._late.append((written.address, rows[is_late]))
            roots = words(batch.column("parent_span_id"))[rows] == 0
            new = ~is_late
            sizes = row_bytes(batch)[rows[new]]
            self._pending.add_spans(written, distinct, codes[new], rows[new], roots[new], sizes)
        else:
            self._pending.add_logs(written, distinct, codes[~is_late], rows[~is_late])

    def _without_placeholders(self, batch: SpanBatch, rows: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """The rows without placeholders: spans that only announce a span to come. Counts them as dropped."""
        placeholder = numpy_of(batch.column("role"))[rows] == schema.ROLE_PLACEHOLDER
        if placeholder.any():
            self._tally.dropped("placeholder", int(placeholder.sum()))
            rows = rows[~placeholder]
        return rows

    def restore(self, dseq: int, decision: DecisionRecord) -> None:
        """Remembers a decision record, after it was written to the ledger or read from it."""
        self.decided.remember(dseq, decision)
        self._natives.remember(decision)

    @property
    def oldest_pending(self) -> list[int]:
        """The oldest records that waiting rows lie in, of each log; addresses, some more than once."""
        return [*self._pending.oldest, *(record for record, _ in self._late)]

    def report(self) -> None:
        """Sets the gauges."""
        self._telemetry.pending_traces.labels(self.pipeline).set(self._pending.num_traces)
        self._telemetry.pending_spans.labels(self.pipeline).set(self._pending.num_spans)

    def next_deadline(self) -> int | None:
        """When the next trace is due, ns since the epoch; now (0) when late spans wait."""
        return 0 if self._late else self._pending.next_deadline()

    def last_deadline(self) -> int | None:
        """When the last waiting trace is due, ns since the epoch."""
        return self._pending.last_deadline()

    def decide_due(self, now_unix_nano: int, *, everything: bool = False) -> Iterator[list[DecisionRecord]]:
        """Decides what is due: late spans, traces past their deadline, and the oldest above the bound.

        Yields decisions in groups, so that however much is due never lies in memory at once. Each
        group must have been given to ``restore`` before the next one is taken.
        """
        while self._late:
            yield self._decide_late()
        while (due := self._next_due(now_unix_nano, everything=everything)) is not None:
            if due.num_traces:
                yield self._decide(due, now_unix_nano)
            if not due.more:
                return

    def _next_due(self, now: int, *, everything: bool) -> Refs | None:
        rows = self._pending.num_rows - self._max_pending_spans
        early = Early(max(0, rows), max(0, self._pending.nbytes - self._max_pending_bytes))
        if early and now >= self._warn_again:
            self._warn_again = now + _WARN_EVERY_NS
            self._warn(
                "more spans wait than memory or the journal have room for: the oldest traces are decided early",
                spans=early.rows,
                bytes=early.nbytes,
            )
        return self._pending.take_due(now, max_rows=_MAX_DUE_ROWS, early=early, everything=everything)

    def _decide(self, due: Refs, now: int) -> list[DecisionRecord]:
        facts = gather(self._records, due.seqs, due.rows, trace_facts.NEEDED)
        fresh = counting_columns.first_of_each(due.trace, words(facts["span_id"]))
        self._tally.dropped("resent", len(fresh) - int(fresh.sum()))
        spans = counting_columns.spans(due.trace, facts, fresh)
        counted = counting.count(spans)
        self._natives.link(spans, counted, facts["response_id"], due.times)
        dropped = fresh & self._loading.are_tombstones(due.seqs)
        live = fresh & ~dropped
        traces = self._trace_facts(due, facts, live, counted)
        decided = self._decide_traces(self._loading.due_traces(traces, due, live, counted, now))
        self._tally.decided(decided, due.trigger, due.trace[live])
        if self._observe is not None:
            self._observe(self.pipeline, traces, decided)
        keep = decided.keep[due.trace]
        due_spans = DueSpans(
            due=due,
            facts=facts,
            counted=counted,
            keep=live & keep,
            dropped=dropped & keep,
            kept_parent=kept_parents(due.trace, spans.span_id, spans.parent_id, dropped),
        )
        return self._split(_trace_rows(traces, decided, due.ingested), due_spans)

    def _trace_facts(
        self, due: Refs, facts: pa.RecordBatch, live: npt.NDArray[np.bool_], counted: counting.Counted
    ) -> pa.RecordBatch:
        """``schema.TRACE_FACTS`` of the due traces; ``live``: the rows that are spans and not tombstones."""
        spans = trace_facts.TraceSpans(
            trace=due.trace[live],
            trace_ids=pa.array(due.trace_ids, schema.TRACE_ID),
            spans=facts.filter(pa.array(live)),
            counted=counted.scope[live] == counting.COUNTED,
            size_bytes=due.size_bytes,
            trigger=due.trigger,
        )
        return self._loading.with_log_identity(trace_facts.trace_facts(spans, self._recorder), due.logs)

    def _decide_traces(self, due: DueTraces) -> TraceDecisions:
        """The sampler's decisions; a kept trace also stands for what sampling before this collector dropped."""
        decided = self._sampler.decide(due)
        upstream = numpy_of(due.traces["upstream_probability"])
        return replace(decided, adjusted_count=decided.adjusted_count / upstream)

    def _split(self, traces: pa.RecordBatch, spans: DueSpans) -> list[DecisionRecord]:
        seqs, record = np.unique(spans.due.seqs[spans.order], return_inverse=True)
        per_row = np.array([self._loading.row_bytes(int(s)) for s in seqs], np.float64)[record]
        return split(traces, decision_rows(spans), spans.due.logs, per_row)

    def _decide_late(self) -> list[DecisionRecord]:
        """Spans of traces decided before: kept or dropped as those were, and never counted twice."""
        seqs, rows = self._take_late()
        if not len(seqs):
            return []
        facts = gather(self._records, seqs, rows, trace_facts.NEEDED)
        encoded = facts["trace_id"].cast(pa.binary()).dictionary_encode()
        trace = numpy_of(encoded.indices).astype(np.int32)
        decided = [self.decided.get(trace_id) for trace_id in encoded.dictionary.to_pylist()]
        due = Refs.of_late(encoded.dictionary.to_pylist(), trace, seqs, rows, self._times(seqs))
        ids = words(facts["span_id"])
        fresh = counting_columns.first_of_each(trace, ids) & ~in_skeletons(decided, trace, ids)
        dropped = fresh & self._loading.are_tombstones(seqs)
        live = fresh & ~dropped
        self._tally.dropped("resent", len(fresh) - int(fresh.sum()))
        kept = self._count_late(decided, trace, live)
        spans = counting_columns.spans(trace, facts, fresh)
        counted = late.count(spans, decided)
        self._natives.link(spans, counted, facts["response_id"], due.times)
        due_spans = DueSpans(
            due=due,
            facts=facts,
            counted=counted,
            keep=live & kept,
            dropped=dropped & kept,
            kept_parent=late.parents(spans, decided, dropped),
        )
        return self._split(late.remembered(due.trace_ids, decided), due_spans)

    def _count_late(
        self, decided: Sequence[DecidedTrace], trace: npt.NDArray[np.int32], live: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """Counts the late spans; returns per span whether its trace was kept."""
        keep = np.array([known.keep for known in decided], np.bool_)
        here = keep | np.array([known.sampled_by not in NOT_HERE for known in decided], np.bool_)
        self._tally.not_kept(keep, [known.sampled_by for known in decided], trace[live])
        self._telemetry.late_spans.labels(self.pipeline).inc(int((live & here[trace]).sum()))
        return keep[trace]

    def _take_late(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Records and rows of the late spans that came first, as many as are decided at once."""
        taken = [self._late.popleft()]
        total = len(taken[0][1])
        while self._late and total + len(self._late[0][1]) <= _MAX_DUE_ROWS:
            taken.append(self._late.popleft())
            total += len(taken[-1][1])
        known = [(seq, self._still_known(seq, rows)) for seq, rows in taken]
        seqs = np.concatenate([np.full(len(rows), seq, np.int64) for seq, rows in known])
        return seqs, np.concatenate([rows for _, rows in known])

    def _times(self, seqs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """When these records were acknowledged, ns since the epoch."""
        distinct, record = np.unique(seqs, return_inverse=True)
        return np.array([self._records.info(s).time_unix_nano for s in distinct.tolist()], np.int64)[record]

    def _still_known(self, seq: int, rows: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """The rows whose trace is remembered; the others, forgotten since they came, begin to wait anew."""
        batch = self._records.read(seq).batch
        ids = batch.column("trace_id").take(pa.array(rows)).to_pylist()
        known = np.array([trace_id in self.decided for trace_id in ids], np.bool_)
        if not known.all():
            self.add(self._records.info(seq), batch, rows[~known])
        return rows[known]


def _trace_rows(facts: pa.RecordBatch, decided: TraceDecisions, ingested: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """``decisions.TRACES`` from ``schema.TRACE_FACTS``; ``ingested``: when each trace's oldest record was taken."""
    by_policy = decided.sampled_by.is_valid()
    return table_of(
        TRACES,
        {
            "trace_id": facts["trace_id"],
            "keep": decided.keep,
            "sampled_by": decided.sampled_by,
            "adjusted_count": decided.adjusted_count,
            "date": trace_facts.partition_dates(numpy_of(facts["start_unix_nano"]), ingested),
            **{
                fact.name: pc.if_else(by_policy, facts[fact.name], None) if fact.of_policies else facts[fact.name]
                for fact in STORED.values()
            },
        },
    )
