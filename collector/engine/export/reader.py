"""Reads decision records back for exporters: the kept rows and the decision about each."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from collector.component.exporter import DecidedSpans, ExportBatch, ReceivedBatch, Scoring
from collector.engine.journal.decisions import DecisionRecord
from collector.engine.journal.gather import gather
from collector.engine.journal.ledger import DecisionRecordInfo, Ledger
from collector.engine.journal.log import Logs
from collector.engine.journal.records import Records
from collector.engine.traces import counting, counting_columns, trace_facts
from collector.engine.traces.span_columns import words
from collector.engine.traces.thresholds import with_thresholds
from collector.engine.traces.tombstones import kept_parents, rows_of, with_parents
from collector.model import schema
from collector.model.arrow_arrays import numpy_of, table_of, with_column
from collector.model.batch import LogBatch, MetricBatch, SpanBatch
from collector.model.trace_schema import STORED, SpanValue, TraceFact
from collector.telemetry import Telemetry

_CACHED = 4
"""How many decision records stay in memory: exporters at the same position share what was read and built."""

Parts = tuple[tuple[DecidedSpans, ...], tuple[ReceivedBatch, ...]]


class DecisionReader:
    """Turns decision records into batches for exporters."""

    def __init__(
        self,
        records: Records,
        build: Callable[[SpanBatch, pa.RecordBatch, LogBatch | None], pa.Table],
        after_sampling: Mapping[str, Callable[[SpanBatch], SpanBatch]],
        scores: Scoring | None = None,
    ) -> None:
        self._records = records
        self._build = build
        self._scores = scores
        self._after_sampling = after_sampling

    def read(self, pipeline: str, decision: DecisionRecord, *, skip_stored: bool = False) -> Parts:
        """The spans, logs and metrics of a decision record. ``skip_stored``: without spans that a store already has."""
        keep = numpy_of(decision.rows["keep"])
        if skip_stored:
            keep = keep & ~numpy_of(decision.rows["stored"])
        spans = [self._assembled(decision, pipeline, keep)] if keep.any() else []
        spans = [part for part in spans if part.spans.num_rows]  # processors behind the sampler may drop them all
        others: list[ReceivedBatch] = []
        for seq in decision.whole["seq"].to_pylist():
            batch = self._records.read(seq).batch
            time = self._records.info(seq).time_unix_nano
            if isinstance(batch, SpanBatch):
                spans.append(DecidedSpans(batch, _undecided(batch, time), None, self._build, self._scores))
            elif isinstance(batch, LogBatch | MetricBatch):
                others.append(ReceivedBatch(batch, time, self._scores))
        return tuple(spans), tuple(others)

    def _assembled(self, decision: DecisionRecord, pipeline: str, keep: npt.NDArray[np.bool_]) -> DecidedSpans:
        rows = decision.rows.filter(pa.array(keep))
        seqs, at = (numpy_of(rows[name]) for name in ("seq", "row"))
        spans = SpanBatch(gather(self._records, seqs, at))
        times = {int(s): self._records.info(int(s)).time_unix_nano for s in np.unique(seqs)}
        ingested = np.array([times[s] for s in seqs.tolist()], np.int64)
        decided = _decided(decision.traces, rows, _renumbered(rows, keep), spans, ingested)
        spans = with_thresholds(spans, decided["adjusted_count"])
        logs = None
        if decision.logs.num_rows:
            seqs, at = (numpy_of(decision.logs[name]) for name in ("seq", "row"))
            logs = LogBatch(gather(self._records, seqs, at))
        if _moved(rows).any():
            spans = with_parents(spans, numpy_of(rows["kept_parent_id"]))
        if (change := self._after_sampling.get(pipeline)) is not None:
            spans, decided = _changed(spans, decided, change)
        return DecidedSpans(spans, decided, logs, self._build, self._scores)


class JournalReader:
    """Reads decision records by number. All export threads share one."""

    def __init__(self, logs: Logs, ledger: Ledger, reader: DecisionReader, telemetry: Telemetry) -> None:
        self._logs = logs
        self._ledger = ledger
        self._reader = reader
        self._telemetry = telemetry
        self._log = structlog.get_logger("journal")
        self._lock = threading.Lock()
        self._cache: OrderedDict[int, dict[bool, Parts]] = OrderedDict()
        """Decision → without what a store has already, or with it → its parts."""

    def batch(
        self, infos: Sequence[DecisionRecordInfo], pipelines: frozenset[str], first: int, last: int, *, stores: bool
    ) -> ExportBatch:
        """The export batch of a range; decisions of other pipelines in it are left out.

        A store (``stores``) gets each span once, from the pipeline that decided first.
        """
        spans: list[DecidedSpans] = []
        others: list[ReceivedBatch] = []
        for info in infos:
            if info.pipeline in pipelines:
                some_spans, some_others = self._parts(info, skip_stored=stores and len(pipelines) > 1)
                spans += some_spans
                others += some_others
        return ExportBatch(self._ledger.epoch, first, last, tuple(spans), tuple(others))

    def _parts(self, info: DecisionRecordInfo, *, skip_stored: bool) -> Parts:
        with self._lock:
            if (parts := self._cache.get(info.dseq, {}).get(skip_stored)) is not None:
                self._cache.move_to_end(info.dseq)
                return parts
        decision = self._what_is_left(DecisionRecord.unpack(self._ledger.payload(info.dseq)))
        parts = self._reader.read(info.pipeline, decision, skip_stored=skip_stored)
        with self._lock:
            known = self._cache.setdefault(info.dseq, {})
            known[skip_stored] = parts
            if not decision.rows["stored"].true_count:  # then both are the same, and content is made once for all
                known[not skip_stored] = parts
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return parts

    def _what_is_left(self, decision: DecisionRecord) -> DecisionRecord:
        """The decision record without journal records that are missing, because somebody removed a damaged segment.

        Missing records are logged and counted.
        """
        seqs = decision.seqs()
        gone = np.array([s for s in seqs.tolist() if s not in self._logs], np.int64)
        if gone.size:
            self._telemetry.journal_missing_records.inc(gone.size)
            self._log.error("records are missing in the journal: what they held is lost", seqs=gone.tolist()[:10])
            decision = decision.without(gone)
        return decision


def _moved(rows: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Which rows had a dropped span as their parent."""
    moved: npt.NDArray[np.bool_] = rows["parent_id"].to_numpy() != rows["kept_parent_id"].to_numpy()
    return moved


def _changed(
    spans: SpanBatch, decided: pa.RecordBatch, change: Callable[[SpanBatch], SpanBatch]
) -> tuple[SpanBatch, pa.RecordBatch]:
    """Applies the processors behind the sampler; returns the spans they keep, and the decisions about these."""
    changed = change(spans)
    if changed.num_rows == spans.num_rows:
        return changed, decided
    left = rows_of(changed, spans)
    position = np.full(spans.num_rows, -1, np.int32)
    position[left] = np.arange(len(left), dtype=np.int32)
    trace = spans.column("trace_id").cast(pa.binary()).dictionary_encode().indices.to_numpy().astype(np.int32)
    ids, parents = (words(spans.column(name)) for name in ("span_id", "parent_span_id"))
    shown = kept_parents(trace, ids, parents, position < 0)
    decided = decided.take(pa.array(left))
    inherit = numpy_of(decided["inherit_from"].fill_null(-1))
    inherit = np.where(inherit >= 0, position[inherit], -1).astype(np.int32)
    decided = with_column(decided, "inherit_from", pa.array(inherit, mask=inherit < 0))
    return with_parents(changed, shown[left]), decided


def _renumbered(rows: pa.RecordBatch, keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """``inherit`` counted among the kept rows only; -1 where the other row is not kept."""
    position = np.where(keep, np.cumsum(keep) - 1, -1)
    inherit = numpy_of(rows["inherit"])
    return np.where(inherit >= 0, position[inherit], -1).astype(np.int32)


def _decided(
    traces: pa.RecordBatch,
    rows: pa.RecordBatch,
    inherit: npt.NDArray[np.int32],
    spans: SpanBatch,
    ingested: npt.NDArray[np.int64],
) -> pa.RecordBatch:
    of_trace = traces.take(rows["trace"])
    return table_of(
        schema.DECIDED,
        {
            "usage_scope": _named(rows["scope"], counting.SCOPE_NAMES),
            "usage_rule": _rules(_named(rows["rule"], counting.RULES), spans.column("usage_rule")),
            "inherit_from": pa.array(inherit, mask=inherit < 0),
            **{column: _fact(fact, of_trace[fact.name], spans) for column, fact in STORED.items()},
            **{name: of_trace[name] for name in ("sampled_by", "adjusted_count", "date")},
            "ingested_unix_nano": ingested,
        },
    )


def _fact(fact: TraceFact, of_trace: pa.Array, spans: SpanBatch) -> pa.Array:
    """The stored value of a trace fact for each span. ``of_trace``: the fact of the span's trace."""
    if fact.names:
        return pa.array(fact.names).take(of_trace)
    return pc.coalesce(spans.column(fact.name), of_trace) if fact.span_value is SpanValue.FIRST else of_trace


def _fact_undecided(fact: TraceFact, spans: SpanBatch) -> pa.Array:
    """The stored value of a trace fact for spans without assembly: the span's column of that name, or null."""
    if fact.span_value is SpanValue.NEVER:
        return pa.nulls(spans.num_rows, fact.stored_type)
    return spans.column(fact.name)


def _undecided(spans: SpanBatch, time_unix_nano: int) -> pa.RecordBatch:
    """``schema.DECIDED`` for spans without assembly. Usage counts by each span's role alone."""
    n = spans.num_rows
    role = numpy_of(spans.column("role"))
    usage = counting_columns.reports(spans)
    call = np.isin(role, (schema.ROLE_CALL, schema.ROLE_NATIVE, schema.ROLE_OTHER))
    scope = np.where(usage, np.where(call, counting.COUNTED, counting.ROLLUP), counting.NONE)
    rule = np.where(usage, counting.NO_ASSEMBLY, 0)
    start = numpy_of(spans.column("start_unix_nano"))
    ingested = np.full(n, time_unix_nano, np.int64)
    return table_of(
        schema.DECIDED,
        {
            "usage_scope": _named(pa.array(scope), counting.SCOPE_NAMES),
            "usage_rule": _rules(_named(pa.array(rule), counting.RULES), spans.column("usage_rule")),
            "inherit_from": pa.nulls(n, pa.int32()),
            **{column: _fact_undecided(fact, spans) for column, fact in STORED.items()},
            "sampled_by": pa.nulls(n, schema.NAME),
            "adjusted_count": np.ones(n),
            "date": trace_facts.partition_dates(start, ingested),
            "ingested_unix_nano": ingested,
        },
    )


def _named(codes: pa.Array, names: Sequence[str | None]) -> pa.DictionaryArray:
    """Codes as text; code 0 is null."""
    values = numpy_of(codes).astype(np.int32)
    texts = [name or "" for name in names]
    return pa.DictionaryArray.from_arrays(pa.array(values, mask=values == 0), pa.array(texts))


def _rules(scope_rule: pa.DictionaryArray, cache_rule: pa.Array) -> pa.Array:
    """``usage_rule``: the rule of the usage scope and the rule for cached tokens, as one text."""
    scope, cache = scope_rule.cast(pa.string()), cache_rule.cast(pa.string())
    both = pc.binary_join_element_wise(pc.fill_null(scope, ""), pc.fill_null(cache, ""), ", ")
    return pc.if_else(pc.and_(scope.is_valid(), cache.is_valid()), both, scope)
