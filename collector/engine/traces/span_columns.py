"""Columns of spans as numbers, and the first text of each trace.

All functions work on the spans of many traces at once: ``trace`` gives each span's ordinal.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.model.arrow_arrays import numpy_of

Ordinals = npt.NDArray[np.int32]


def words(ids: pa.Array) -> npt.NDArray[np.uint64]:
    """Span ids as integers, 0 for null; the column is fixed-size binary(8)."""
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    data = ids.buffers()[1]
    values = np.frombuffer(data, np.uint64, len(ids), ids.offset * 8) if data is not None else np.zeros(0, np.uint64)
    present: npt.NDArray[np.bool_] = numpy_of(ids.is_valid())
    return np.where(present, values, np.uint64(0))


def hashes(texts: pa.Array) -> npt.NDArray[np.uint64]:
    """A 64-bit hash per text, stable across processes and runs; 0 for null and "".

    Text is hashed once per distinct value.
    """
    encoded = texts if isinstance(texts, pa.DictionaryArray) else texts.dictionary_encode()
    table = np.array([_hash(t) for t in encoded.dictionary.to_pylist()] + [0], np.uint64)
    codes = numpy_of(encoded.indices.fill_null(len(table) - 1))
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
    present = numpy_of(pc.fill_null(pc.not_equal(values, ""), False))
    rows = np.flatnonzero(present)
    order = rows[np.lexsort((start[rows], ~prefer[rows], trace[rows]))]
    owners, at = np.unique(trace[order], return_index=True)
    picked = np.full(num_traces, -1, np.int64)
    picked[owners] = order[at]
    return picked
