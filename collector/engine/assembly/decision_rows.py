"""From trace decisions to decision records: rows in trace order, cut into records of bounded size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.engine.assembly.pending import Refs
from collector.engine.journal.decisions import REFS, ROWS, WHOLE, DecisionRecord, empty
from collector.engine.traces import counting
from collector.engine.traces.span_columns import hashes, words
from collector.model import schema
from collector.model.arrow_arrays import numpy_of, table_of, with_column


@dataclass(frozen=True)
class DueSpans:
    """The spans of due traces and what was decided about each."""

    due: Refs
    facts: pa.RecordBatch
    """``trace_facts.NEEDED``, row-aligned with ``due``."""
    counted: counting.Counted
    keep: npt.NDArray[np.bool_]
    dropped: npt.NDArray[np.bool_]
    """Tombstones in kept traces."""
    kept_parent: npt.NDArray[np.uint64]

    @cached_property
    def order(self) -> npt.NDArray[np.int64]:
        """By trace, then by start time: the order of everything an exporter sees."""
        start = numpy_of(self.facts["start_unix_nano"])
        return np.lexsort((np.arange(len(start)), start, self.due.trace))


def decision_rows(spans: DueSpans) -> pa.RecordBatch:
    """``decisions.ROWS`` in trace order."""
    order = spans.order
    back = np.empty(len(order), np.int32)
    back[order] = np.arange(len(order), dtype=np.int32)
    inherit = spans.counted.inherit[order]
    return table_of(
        ROWS,
        {
            "seq": spans.due.seqs[order],
            "row": spans.due.rows[order],
            "trace": spans.due.trace[order],
            "keep": spans.keep[order],
            "span_id": words(spans.facts["span_id"])[order],
            "parent_id": words(spans.facts["parent_span_id"])[order],
            "response": hashes(spans.facts["response_id"])[order],
            "scope": spans.counted.scope[order],
            "rule": spans.counted.rule[order],
            "inherit": np.where(inherit >= 0, back[inherit], -1),
            "stored": np.zeros(len(order), np.bool_),
            "dropped": spans.dropped[order],
            "kept_parent_id": spans.kept_parent[order],
        },
    )


def split(
    traces: pa.RecordBatch, rows: pa.RecordBatch, logs: pa.RecordBatch, row_bytes: npt.NDArray[np.float64]
) -> list[DecisionRecord]:
    """Cuts into decisions of at most a batch's rows and bytes, between traces where possible.

    ``rows`` are in trace order. A trace larger than a batch spans several decisions.
    """
    out = []
    trace = numpy_of(rows["trace"])
    starts = _cuts(trace, row_bytes)
    log_trace = numpy_of(logs["trace"])
    for start, end in zip(starts, [*starts[1:], rows.num_rows], strict=True):
        first, last = int(trace[start]), int(trace[end - 1])
        mine = pa.array((log_trace >= first) & (log_trace <= last))
        out.append(
            DecisionRecord(
                traces=traces.slice(first, last - first + 1),
                rows=_rebased(rows.slice(start, end - start), first, start),
                logs=logs.filter(mine).select(REFS.names).cast(REFS),
                whole=empty(WHOLE),
            )
        )
    return out


def _cuts(trace: npt.NDArray[np.int32], row_bytes: npt.NDArray[np.float64]) -> list[int]:
    """Where decisions begin."""
    cuts = [0]
    total = np.cumsum(row_bytes)
    while True:
        start = cuts[-1]
        spent = total[start - 1] if start else 0.0
        end = min(
            start + schema.MAX_BATCH_ROWS,
            int(np.searchsorted(total, spent + schema.MAX_BATCH_BYTES, side="right")),
        )
        end = max(end, start + 1)
        if end >= len(trace):
            return cuts
        boundary = int(np.searchsorted(trace, trace[end], side="left"))
        cuts.append(boundary if boundary > start else end)


def _rebased(rows: pa.RecordBatch, first_trace: int, first_row: int) -> pa.RecordBatch:
    """Ordinals relative to the slice; what inherits from a row outside of it inherits nothing."""
    trace = numpy_of(rows["trace"]) - first_trace
    inherit = numpy_of(rows["inherit"]) - first_row
    inherit = np.where((inherit >= 0) & (inherit < rows.num_rows), inherit, -1)
    return with_column(with_column(rows, "trace", trace), "inherit", inherit)
