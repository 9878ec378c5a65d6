"""Spans that come after their trace was decided: counted and placed as part of what is written already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.engine.assembly.decided import DecidedTrace, joined_skeletons
from collector.engine.journal.decisions import TRACES, empty
from collector.engine.traces import counting
from collector.engine.traces.tombstones import kept_parents


def count(new: counting.Spans, decided: Sequence[DecidedTrace]) -> counting.Counted:
    """The counting rule over the skeletons and the new rows together; the answer for the new rows."""
    written = _skeletons(decided)
    n = len(written.trace)
    counted = counting.count(written.followed_by(new))
    inherit = counted.inherit[n:]
    return counting.Counted(
        scope=counted.scope[n:],
        rule=counted.rule[n:],
        inherit=np.where(inherit >= n, inherit - n, -1).astype(np.int32),
    )


def _skeletons(decided: Sequence[DecidedTrace]) -> counting.Spans:
    """The spans that the traces were decided with, as the counting rule sees rows written earlier."""
    trace, skeleton = joined_skeletons(decided)
    n = len(trace)
    unknown = np.zeros(n, np.int64)
    return counting.Spans(
        trace=trace,
        span_id=skeleton["span_id"],
        parent_id=skeleton["parent_id"],
        has_usage=skeleton["scope"] != counting.NONE,
        role=np.zeros(n, np.uint8),
        response=skeleton["response"],
        tokens=unknown,
        source=unknown.view(np.uint64),
        start=unknown,
        end=unknown,
        calls_out=np.zeros(n, np.bool_),
        written=skeleton["scope"],
        is_new=np.zeros(n, np.bool_),
    )


def parents(
    new: counting.Spans, decided: Sequence[DecidedTrace], dropped: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint64]:
    """``kept_parents`` of the new rows, below the spans their traces were decided with."""
    trace, skeleton = joined_skeletons(decided)
    shown = kept_parents(
        np.concatenate([trace, new.trace]),
        np.concatenate([skeleton["span_id"], new.span_id]),
        np.concatenate([skeleton["parent_id"], new.parent_id]),
        np.concatenate([skeleton["dropped"], dropped]),
    )
    return shown[len(trace) :]


def remembered(trace_ids: Sequence[bytes], decided: Sequence[DecidedTrace]) -> pa.RecordBatch:
    """``decisions.TRACES`` as the traces were decided."""
    rows = [{"trace_id": trace_id, **trace.row} for trace_id, trace in zip(trace_ids, decided, strict=True)]
    return pa.RecordBatch.from_pylist(rows, schema=TRACES) if rows else empty(TRACES)
