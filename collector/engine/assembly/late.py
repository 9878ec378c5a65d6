"""Spans that come after their trace was decided: counted and placed as part of what is written already."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.engine.assembly.decided import Verdict
from collector.engine.journal.decisions import TRACES, empty
from collector.engine.traces import counting
from collector.engine.traces.tombstones import kept_parents


def count(new: counting.Spans, verdicts: list[Verdict]) -> counting.Counted:
    """The counting rule over the skeletons and the new rows together; the answer for the new rows."""
    old = [v.skeleton for v in verdicts]
    owner = np.repeat(np.arange(len(old), dtype=np.int32), [len(s) for s in old])
    skeleton = np.concatenate(old)
    n = len(owner)
    unknown = np.zeros(n, np.int64)
    joined = counting.Spans(
        np.concatenate([owner, new.trace]),
        np.concatenate([skeleton["span_id"], new.span_id]),
        np.concatenate([skeleton["parent_id"], new.parent_id]),
        np.concatenate([skeleton["scope"] != counting.NONE, new.has_usage]),
        np.concatenate([np.zeros(n, np.uint8), new.role]),
        np.concatenate([skeleton["response"], new.response]),
        np.concatenate([unknown, new.tokens]),
        np.concatenate([unknown.view(np.uint64), new.source]),
        np.concatenate([unknown, new.start]),
        np.concatenate([unknown, new.end]),
        np.concatenate([np.zeros(n, np.bool_), new.calls_out]),
        np.concatenate([skeleton["scope"], new.written]),
        np.concatenate([np.zeros(n, np.bool_), new.is_new]),
    )
    result = counting.count(joined)
    inherit = result.inherit[n:]
    return counting.Counted(result.scope[n:], result.rule[n:], np.where(inherit >= n, inherit - n, -1).astype(np.int32))


def parents(new: counting.Spans, verdicts: list[Verdict], dropped: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    """``kept_parents`` of the new rows, below the spans their traces were decided with."""
    old = [v.skeleton for v in verdicts]
    owner = np.repeat(np.arange(len(old), dtype=np.int32), [len(s) for s in old])
    skeleton = np.concatenate(old)
    shown = kept_parents(
        np.concatenate([owner, new.trace]),
        np.concatenate([skeleton["span_id"], new.span_id]),
        np.concatenate([skeleton["parent_id"], new.parent_id]),
        np.concatenate([skeleton["dropped"], dropped]),
    )
    return shown[len(owner) :]


def remembered(trace_ids: list[bytes], verdicts: list[Verdict]) -> pa.RecordBatch:
    """``decisions.TRACES`` as the traces were decided."""
    rows = [{"trace_id": i, **v.facts()} for i, v in zip(trace_ids, verdicts, strict=True)]
    return pa.RecordBatch.from_pylist(rows, schema=TRACES) if rows else empty(TRACES)
