"""Computes what is known of whole traces: one function for each fact that ``model.trace_schema`` declares.

All functions work on the spans of many traces at once: ``trace`` gives each span's ordinal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.engine.traces import counting_columns
from collector.engine.traces.span_columns import Ordinals, first_by_start, first_rows, words
from collector.engine.traces.thresholds import upstream_probabilities
from collector.model import schema
from collector.model.arrow_arrays import numpy_of, table_of
from collector.model.facts.recorder import Recorder
from collector.model.trace_schema import STORED, SpanValue

FILLED_DOWN = tuple(
    fact.name for fact in STORED.values() if fact.span_value is not SpanValue.NEVER and fact.dtype == schema.TEXT
)
"""Facts of a trace that are the text of one of its spans."""

_DAY = 86_400 * 10**9


def merged_tags(trace: Ordinals, start: npt.NDArray[np.int64], spans: pa.RecordBatch, num_traces: int) -> pa.Array:
    """Per trace the union of its spans' tags in order of start; weak ones only when there are no others."""
    column = spans["tags"]
    rows = np.flatnonzero(numpy_of(pc.fill_null(pc.list_value_length(column), 0)) > 0)
    out: list[list[str] | None] = [None] * num_traces
    if rows.size:
        weak = numpy_of(spans["tags_weak"])
        order = rows[np.lexsort((start[rows], weak[rows], trace[rows]))]
        strong: set[int] = set()
        for row, tags in zip(order.tolist(), column.take(pa.array(order)).to_pylist(), strict=True):
            owner = int(trace[row])
            if weak[row] and owner in strong:
                continue
            if not weak[row]:
                strong.add(owner)
            out[owner] = list(dict.fromkeys([*(out[owner] or ()), *tags]))
    return pa.array(out, pa.list_(schema.TEXT))


@dataclass(frozen=True)
class TraceSpans:
    """The spans that trace facts are computed from: those of many traces, at least one of each."""

    trace: Ordinals
    """Per span, the row of its trace in ``trace_ids``."""
    trace_ids: pa.Array
    spans: pa.RecordBatch
    """The columns of ``NEEDED``."""
    counted: npt.NDArray[np.bool_]
    """Which spans' usage counts."""
    size_bytes: npt.NDArray[np.int64]
    """Per trace."""
    trigger: npt.NDArray[np.uint8]
    """Per trace, index in ``schema.TRIGGERS``."""

    @property
    def num_traces(self) -> int:
        return len(self.trace_ids)

    @cached_property
    def start(self) -> npt.NDArray[np.int64]:
        """Unix nanoseconds; 0: not known."""
        return numpy_of(self.spans["start_unix_nano"])

    @cached_property
    def is_root(self) -> npt.NDArray[np.bool_]:
        """Spans without a parent."""
        roots: npt.NDArray[np.bool_] = words(self.spans["parent_span_id"]) == 0
        return roots

    @cached_property
    def extremes(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Earliest start and latest end of each trace."""
        end = numpy_of(self.spans["end_unix_nano"])
        return _extremes(self.trace, self.start, end, self.num_traces)

    def first_text(self, column: str) -> pa.Array:
        """Per trace the first text in this column that is not empty: of its root, else by start."""
        return first_by_start(self.trace, self.start, self.spans[column], self.num_traces, prefer=self.is_root)


Compute = Callable[[TraceSpans], pa.Array | npt.NDArray[Any]]
"""Computes one trace fact: a value per trace."""

COMPUTED: dict[str, Compute] = {}
"""What computes each fact, by its name."""
_READ = {"trace_id", *counting_columns.READ, *FILLED_DOWN}


def _computes(name: str, *, reads: Sequence[str] = ()) -> Callable[[Compute], Compute]:
    """Registers what computes the trace fact of this name from these columns of spans."""

    def register(compute: Compute) -> Compute:
        COMPUTED[name] = compute
        _READ.update(reads)
        return compute

    return register


@_computes("trace_id")
def _trace_id(due: TraceSpans) -> pa.Array:
    return due.trace_ids


@_computes("start_unix_nano", reads=["start_unix_nano", "end_unix_nano"])
def _start(due: TraceSpans) -> npt.NDArray[np.int64]:
    return due.extremes[0]


@_computes("end_unix_nano", reads=["start_unix_nano", "end_unix_nano"])
def _end(due: TraceSpans) -> npt.NDArray[np.int64]:
    return due.extremes[1]


@_computes("span_count")
def _span_count(due: TraceSpans) -> npt.NDArray[np.int64]:
    return np.bincount(due.trace, minlength=due.num_traces).astype(np.int64)


@_computes("status_codes", reads=["status_code"])
def _status_codes(due: TraceSpans) -> npt.NDArray[np.uint8]:
    status = numpy_of(due.spans["status_code"])
    bits = np.zeros(due.num_traces, np.uint8)
    known = (status >= 0) & (status < 8)
    np.bitwise_or.at(bits, due.trace[known], (np.uint8(1) << status[known].astype(np.uint8)).astype(np.uint8))
    return bits


@_computes("error_count", reads=["level"])
def _error_count(due: TraceSpans) -> npt.NDArray[np.int64]:
    errors = numpy_of(pc.equal(due.spans["level"], "ERROR"))
    return np.bincount(due.trace[errors], minlength=due.num_traces).astype(np.int64)


@_computes("total_cost", reads=["total_cost"])
def _total_cost(due: TraceSpans) -> pa.Array:
    return _sums(due.trace, due.spans["total_cost"], due.counted, due.num_traces)


@_computes("total_tokens", reads=["total_tokens"])
def _total_tokens(due: TraceSpans) -> pa.Array:
    return _sums(due.trace, due.spans["total_tokens"], due.counted, due.num_traces)


@_computes("trace_name", reads=["trace_name", "name", "parent_span_id"])
def _trace_name(due: TraceSpans) -> pa.Array:
    root = due.is_root
    names = due.spans["name"].filter(pa.array(root))
    fallback = first_by_start(due.trace[root], due.start[root], names, due.num_traces, prefer=root[root])
    return pc.coalesce(due.first_text("trace_name"), fallback)


@_computes("user_id", reads=["user_id", "parent_span_id"])
def _user_id(due: TraceSpans) -> pa.Array:
    return due.first_text("user_id")


@_computes("session_id", reads=["session_id", "parent_span_id"])
def _session_id(due: TraceSpans) -> pa.Array:
    return due.first_text("session_id")


@_computes("tags", reads=["tags", "tags_weak"])
def _tags(due: TraceSpans) -> pa.Array:
    return merged_tags(due.trace, due.start, due.spans, due.num_traces)


@_computes("size_bytes")
def _size_bytes(due: TraceSpans) -> npt.NDArray[np.int64]:
    return due.size_bytes


@_computes("trigger")
def _trigger(due: TraceSpans) -> npt.NDArray[np.uint8]:
    return due.trigger


@_computes("upstream_probability", reads=["trace_state", "parent_span_id"])
def _upstream_probability(due: TraceSpans) -> npt.NDArray[np.float64]:
    return upstream_probabilities(due.first_text("trace_state"))


NEEDED = tuple(name for name in schema.SPANS.names if name in _READ)
"""The columns of spans that facts, the counting of usage and decision records are made from."""


def trace_facts(due: TraceSpans, recorder: Recorder | None = None) -> pa.RecordBatch:
    """``schema.TRACE_FACTS``, one row per trace.

    ``recorder`` takes down which spans the facts filled down come from.
    """
    if recorder is not None:
        for name in FILLED_DOWN:
            rows = first_rows(due.trace, due.start, due.spans[name], due.num_traces, prefer=due.is_root)
            recorder.filled_down(name, due.trace_ids, due.spans["span_id"], rows)
    return table_of(schema.TRACE_FACTS, {name: compute(due) for name, compute in COMPUTED.items()})


def _extremes(
    trace: Ordinals, start: npt.NDArray[np.int64], end: npt.NDArray[np.int64], n: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Earliest start and latest end; a missing time (0) is not a time, unless there is no other."""
    never = np.iinfo(np.int64).max
    earliest = np.full(n, never)
    latest = np.zeros(n, np.int64)
    for times in (start, end):
        some = times > 0
        np.minimum.at(earliest, trace[some], times[some])
        np.maximum.at(latest, trace[some], times[some])
    return np.where(earliest == never, 0, earliest), latest


def _sums(trace: Ordinals, values: pa.Array, counted: npt.NDArray[np.bool_], n: int) -> pa.Array:
    """Exact int64 sums over counted rows; null where no counted row has a value."""
    rows = np.flatnonzero(counted & numpy_of(values.is_valid()))
    totals = np.zeros(n, np.int64)
    seen = np.zeros(n, np.bool_)
    np.add.at(totals, trace[rows], numpy_of(values.fill_null(0))[rows])
    seen[trace[rows]] = True
    return pa.array(totals, mask=~seen)


def partition_dates(start: npt.NDArray[np.int64], ingested: npt.NDArray[np.int64]) -> pa.Array:
    """UTC date of each trace's start, clamped to ingest −30/+1 days, so that no clock makes odd partitions."""
    clamped = np.clip(start, ingested - 30 * _DAY, ingested + _DAY)
    return pa.array((clamped // _DAY).astype(np.int32), pa.int32()).cast(pa.date32())
