"""The counting rule's view of the rows of due traces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.engine.traces import counting
from collector.engine.traces.span_columns import hashes, words
from collector.model.arrow_arrays import numpy_of
from collector.model.batch import SpanBatch

READ = (
    "span_id", "parent_span_id", "start_unix_nano", "end_unix_nano",
    "type", "role", "usage", "total_tokens", "total_cost", "response_id", "scope_name",
)  # fmt: skip
"""The columns of spans that the counting rule looks at."""

_CALLING_OUT = pa.array(["tool", "agent", "retriever", "guardrail", "evaluator"])


def first_of_each(trace: npt.NDArray[np.int32], ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Marks the first row of each (trace, span id): the rest were sent again."""
    order = np.lexsort((np.arange(len(ids)), ids, trace))
    same = (trace[order[1:]] == trace[order[:-1]]) & (ids[order[1:]] == ids[order[:-1]])
    first = np.ones(len(ids), np.bool_)
    first[order[1:][same]] = False
    return first


def spans(trace: npt.NDArray[np.int32], facts: pa.RecordBatch, fresh: npt.NDArray[np.bool_]) -> counting.Spans:
    """The counting rule's view; spans seen before get no part in it."""
    n = len(trace)
    # A repeated span must not stand for its id, or its children would hang on the wrong row.
    span_id = np.where(fresh, words(facts["span_id"]), np.uint64(0))
    return counting.Spans(
        trace=trace,
        span_id=span_id,
        parent_id=np.where(fresh, words(facts["parent_span_id"]), np.uint64(0)),
        has_usage=reports(facts) & fresh,
        role=numpy_of(facts["role"]),
        response=np.where(fresh, hashes(facts["response_id"]), np.uint64(0)),
        tokens=numpy_of(facts["total_tokens"].fill_null(0)),
        source=hashes(facts["scope_name"]),
        start=numpy_of(facts["start_unix_nano"]),
        end=numpy_of(facts["end_unix_nano"]),
        calls_out=_calls_out(trace, span_id, facts) & fresh,
        written=np.zeros(n, np.uint8),
        is_new=np.ones(n, np.bool_),
    )


def reports(spans: SpanBatch | pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """What reports usage, or money alone: spent is spent, though nobody says on how many tokens."""
    usage: npt.NDArray[np.bool_] = numpy_of(spans.column("usage").is_valid())
    cost = spans.column("total_cost").fill_null(0)
    paid: npt.NDArray[np.bool_] = numpy_of(cost) > 0
    return usage | paid


def _calls_out(
    trace: npt.NDArray[np.int32], span_id: npt.NDArray[np.uint64], facts: pa.RecordBatch
) -> npt.NDArray[np.bool_]:
    """What a model call can have below it that is not the call itself; an embedding under a generation, too."""
    kinds = facts["type"].cast(pa.string())
    out: npt.NDArray[np.bool_] = numpy_of(pc.is_in(kinds, value_set=_CALLING_OUT))
    embeddings = np.flatnonzero(numpy_of(pc.equal(kinds, "embedding")))
    if not embeddings.size:
        return out
    parent = counting.parents(trace, span_id, words(facts["parent_span_id"]))[embeddings]
    generation = numpy_of(pc.equal(kinds, "generation"))
    found = out.copy()
    found[embeddings[(parent >= 0) & generation[parent]]] = True
    return found
