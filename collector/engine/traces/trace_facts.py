"""What is known of whole traces: aggregates for policies, and the facts filled down over a trace.

All functions work on the spans of many traces at once: ``trace`` gives each span's ordinal, and
``spans`` is a RecordBatch with the columns of ``NEEDED``.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.engine.traces.thresholds import upstream_probabilities
from collector.model import schema
from collector.model.facts.recorder import Recorder

NEEDED = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "trace_state",
    "start_unix_nano",
    "end_unix_nano",
    "status_code",
    "name",
    "trace_name",
    "level",
    "user_id",
    "session_id",
    "tags",
    "tags_weak",
    "role",
    "response_id",
    "total_tokens",
    "usage",
    "total_cost",
    "scope_name",
    "type",
)

FILLED_DOWN = ("trace_name", "user_id", "session_id")
"""Facts of a trace that are the text of one of its spans."""

Ordinals = npt.NDArray[np.int32]
_DAY = 86_400 * 10**9


def words(ids: pa.Array) -> npt.NDArray[np.uint64]:
    """Span ids as integers, 0 for null; the column is fixed-size binary(8)."""
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    data = ids.buffers()[1]
    values = np.frombuffer(data, np.uint64, len(ids), ids.offset * 8) if data is not None else np.zeros(0, np.uint64)
    present: npt.NDArray[np.bool_] = ids.is_valid().to_numpy(zero_copy_only=False)
    return np.where(present, values, np.uint64(0))


def hashes(texts: pa.Array) -> npt.NDArray[np.uint64]:
    """A 64-bit hash per text, stable across processes and runs; 0 for null and "".

    Text is hashed once per distinct value.
    """
    encoded = texts if isinstance(texts, pa.DictionaryArray) else texts.dictionary_encode()
    table = np.array([_hash(t) for t in encoded.dictionary.to_pylist()] + [0], np.uint64)
    codes = encoded.indices.fill_null(len(table) - 1).to_numpy(zero_copy_only=False)
    picked: npt.NDArray[np.uint64] = table[codes]
    return picked


def _hash(text: str | None) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") if text else 0


def first_by_start(
    trace: Ordinals, start: npt.NDArray[np.int64], values: pa.Array, num_traces: int, *, prefer: npt.NDArray[np.bool_]
) -> pa.Array:
    """Per trace the first non-empty text: preferred rows before others, then by start time."""
    picked = first_rows(trace, start, values, num_traces, prefer=prefer)
    values = values.cast(pa.string()) if pa.types.is_dictionary(values.type) else values
    return values.take(pa.array(picked, mask=picked < 0))


def first_rows(
    trace: Ordinals, start: npt.NDArray[np.int64], values: pa.Array, num_traces: int, *, prefer: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """The rows that ``first_by_start`` takes its texts from; -1: there is none."""
    values = values.cast(pa.string()) if pa.types.is_dictionary(values.type) else values
    present = pc.fill_null(pc.not_equal(values, ""), False).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(present)
    order = rows[np.lexsort((start[rows], ~prefer[rows], trace[rows]))]
    owners, at = np.unique(trace[order], return_index=True)
    picked = np.full(num_traces, -1, np.int64)
    picked[owners] = order[at]
    return picked


def merged_tags(trace: Ordinals, start: npt.NDArray[np.int64], spans: pa.RecordBatch, num_traces: int) -> pa.Array:
    """Per trace the union of its spans' tags in order of start; weak ones only when there are no others."""
    column = spans["tags"]
    rows = np.flatnonzero(pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False) > 0)
    out: list[list[str] | None] = [None] * num_traces
    if rows.size:
        weak = spans["tags_weak"].to_numpy(zero_copy_only=False)
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


def trace_facts(
    trace: Ordinals,
    trace_ids: pa.Array,
    spans: pa.RecordBatch,
    counted: npt.NDArray[np.bool_],
    *,
    size_bytes: npt.NDArray[np.int64],
    trigger: npt.NDArray[np.uint8],
    recorder: Recorder | None = None,
) -> pa.RecordBatch:
    """``schema.TRACE_FACTS``, one row per entry of ``trace_ids``; every trace has at least one span.

    ``recorder`` is told which spans the facts filled down come from.
    """
    n = len(trace_ids)
    start = spans["start_unix_nano"].to_numpy(zero_copy_only=False)
    end = spans["end_unix_nano"].to_numpy(zero_copy_only=False)
    earliest, latest = _extremes(trace, start, end, n)
    status = spans["status_code"].to_numpy(zero_copy_only=False)
    bits = np.zeros(n, np.uint8)
    known = (status >= 0) & (status < 8)
    np.bitwise_or.at(bits, trace[known], (np.uint8(1) << status[known].astype(np.uint8)).astype(np.uint8))
    errors = pc.equal(spans["level"], "ERROR").to_numpy(zero_copy_only=False)
    is_root = words(spans["parent_span_id"]) == 0
    explicit = first_by_start(trace, start, spans["trace_name"], n, prefer=is_root)
    fallback = first_by_start(
        trace[is_root], start[is_root], spans["name"].filter(pa.array(is_root)), n, prefer=is_root[is_root]
    )
    states = first_by_start(trace, start, spans["trace_state"], n, prefer=is_root)
    columns = [
        trace_ids,
        pa.array(earliest),
        pa.array(latest),
        pa.array(np.bincount(trace, minlength=n).astype(np.int64)),
        pa.array(bits),
        pa.array(np.bincount(trace[errors], minlength=n).astype(np.int64)),
        _sums(trace, spans["total_cost"], counted, n),
        _sums(trace, spans["total_tokens"], counted, n),
        pc.coalesce(explicit, fallback),
        first_by_start(trace, start, spans["user_id"], n, prefer=is_root),
        first_by_start(trace, start, spans["session_id"], n, prefer=is_root),
        merged_tags(trace, start, spans, n),
        pa.array(size_bytes),
        pa.array(trigger),
        pa.array(upstream_probabilities(states)),
    ]
    if recorder is not None:
        for name in FILLED_DOWN:
            rows = first_rows(trace, start, spans[name], n, prefer=is_root)
            recorder.filled_down(name, trace_ids, spans["span_id"], rows)
    return pa.record_batch(columns, schema=schema.TRACE_FACTS)


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
    rows = np.flatnonzero(counted & values.is_valid().to_numpy(zero_copy_only=False))
    totals = np.zeros(n, np.int64)
    seen = np.zeros(n, np.bool_)
    np.add.at(totals, trace[rows], values.fill_null(0).to_numpy(zero_copy_only=False)[rows])
    seen[trace[rows]] = True
    return pa.array(totals, mask=~seen)


def partition_dates(start: npt.NDArray[np.int64], ingested: npt.NDArray[np.int64]) -> pa.Array:
    """UTC date of each trace's start, clamped to ingest −30/+1 days, so that no clock makes odd partitions."""
    clamped = np.clip(start, ingested - 30 * _DAY, ingested + _DAY)
    return pa.array((clamped // _DAY).astype(np.int32), pa.int32()).cast(pa.date32())
