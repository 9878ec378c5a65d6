"""Spans a processor dropped: what assembly still has to know of them, and whose children theirs become.

A dropped span leaves a tombstone: its ids, its times and its part in the counting of usage, and nothing else.
So its parent's sum stays a sum and a call seen twice counts once, as if the span were there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.engine.traces import counting, counting_columns
from collector.model import schema
from collector.model.batch import SpanBatch

_LEFT = frozenset({"trace_id", *counting_columns.READ})
"""What a tombstone holds of its span: the columns that counting looks at."""

Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]


def tombstones(before: SpanBatch, after: SpanBatch) -> SpanBatch | None:
    """The spans of ``before`` that are not in ``after``, without what they said; None: there are none."""
    gone = ~np.isin(_keys(before), _keys(after))
    if not gone.any():
        return None
    spans = before.filter(gone)
    columns = [
        spans.column(field.name) if field.name in _LEFT else _blank(field, spans.num_rows) for field in schema.SPANS
    ]
    return SpanBatch(pa.record_batch(columns, schema=schema.SPANS))


def rows_of(after: SpanBatch, before: SpanBatch) -> npt.NDArray[np.int64]:
    """The row in ``before`` of each span of ``after``; each of them is there, once."""
    keys = _keys(before)
    order = np.argsort(keys, kind="stable")
    found: npt.NDArray[np.int64] = order[np.searchsorted(keys[order], _keys(after))]
    return found


def kept_parents(trace: npt.NDArray[np.int32], span_id: Words, parent_id: Words, dropped: Bools) -> Words:
    """Each span's nearest ancestor that was not dropped; 0: none.

    Above a dropped span whose own parent is unknown stands that parent.
    """
    if not dropped.any():
        return parent_id
    parent = counting.parents(trace, span_id, parent_id)
    here = np.arange(len(parent))
    up = np.where(dropped & (parent >= 0), parent, here)
    for _ in range(len(up).bit_length()):
        up = up[up]
    below = (parent >= 0) & dropped[parent]
    top = up[parent[below]]
    # What is dropped and has a parent here ends there only on a cycle of dropped spans.
    beyond = np.where(parent[top] < 0, parent_id[top], np.uint64(0))
    shown = parent_id.copy()
    shown[below] = np.where(dropped[top], beyond, span_id[top])
    shown[below & (shown == span_id)] = 0  # a cycle, too: nobody is their own parent
    return shown


def with_parents(spans: SpanBatch, shown: Words) -> SpanBatch:
    """The spans with these parents, as words; 0: none."""
    values = pa.Array.from_buffers(schema.SPAN_ID, len(shown), [None, pa.py_buffer(np.ascontiguousarray(shown))])
    rows = pa.array(np.arange(len(shown)), mask=shown == 0)
    return spans.with_columns({"parent_span_id": values.take(rows)})


def _keys(spans: SpanBatch) -> npt.NDArray[np.bytes_]:
    """Trace and span id of each row."""
    octets = [_octets(spans.column(name)) for name in ("trace_id", "span_id")]
    return np.ascontiguousarray(np.concatenate(octets, axis=1)).view("S24")[:, 0]


def _octets(ids: pa.FixedSizeBinaryArray) -> npt.NDArray[np.uint8]:
    width = ids.type.byte_width
    data = np.frombuffer(ids.buffers()[1], np.uint8) if len(ids) else np.zeros(0, np.uint8)
    return data[ids.offset * width :][: len(ids) * width].reshape(-1, width)


def _blank(field: pa.Field, n: int) -> pa.Array:
    if field.nullable:
        return pa.nulls(n, field.type)
    if pa.types.is_dictionary(field.type):
        kind = field.type.value_type
        value = pa.array([b"" if pa.types.is_binary(kind) else ""], kind)
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), value)
    if pa.types.is_list(field.type):
        return pa.array([[]] * n, field.type)
    return pa.array(["" if pa.types.is_string(field.type) else 0] * n).cast(field.type)
