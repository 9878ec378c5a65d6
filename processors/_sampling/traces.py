"""What policies see of the traces that are due, and what they may answer."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.component import DueTraces
from collector.model.batch import SpanBatch

Bools = npt.NDArray[np.bool_]
Decisions = npt.NDArray[np.int8]
"""One of the codes below per trace."""

NOT_SAMPLED, SAMPLED, DROPPED, INVERT_NOT_SAMPLED, INVERT_SAMPLED = range(5)
"""A policy's decision. The INVERT ones come from the Collector's deprecated ``invert_match``."""

_T = TypeVar("_T")

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_UINT64 = 2**64 - 1


class Traces:
    """The due traces, with what several policies need computed once."""

    def __init__(self, due: DueTraces) -> None:
        self._due = due
        self._memo: dict[Hashable, Any] = {}
        self._fixed: Mapping[str, int] = {}

    def __len__(self) -> int:
        return int(self._due.traces.num_rows)

    def ints(self, column: str) -> npt.NDArray[np.int64]:
        """A column of whole numbers of ``schema.TRACE_FACTS``, which has no nulls."""
        return self._due.traces.column(column).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]

    def once(self, key: Hashable, compute: Callable[[], _T]) -> _T:
        """``compute()``, remembered while these traces are decided."""
        if key not in self._memo:
            self._memo[key] = compute()
        return self._memo[key]  # type: ignore[no-any-return]

    def spans(self) -> tuple[SpanBatch, npt.NDArray[np.int32]]:
        """(all spans of the traces, for each the position of its trace); read back from disk."""
        return self.once("spans", self._due.load_spans)

    def hashes(self, salt: str) -> npt.NDArray[np.uint64]:
        """FNV-1a (64 bit) of the salt and each trace id; what chance is made of."""
        if salt in self._fixed:
            return np.full(len(self), self._fixed[salt], np.uint64)
        return self.once(("hash", salt), lambda: fnv1a(salt.encode(), _rows_of_bytes(self._due.traces)))

    def as_if(self, hashes: Mapping[str, int]) -> Traces:
        """The same traces, had their hashes under these salts been these."""
        other = Traces(self._due)
        other._memo, other._fixed = self._memo, hashes
        return other


def where(sampled: Bools) -> Decisions:
    """SAMPLED where true, else NOT_SAMPLED."""
    return sampled.astype(np.int8)


def fnv1a(salt: bytes, rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """FNV-1a (64 bit) of ``salt`` followed by each row of bytes."""
    state = _FNV_OFFSET
    for byte in salt:
        state = (state ^ byte) * _FNV_PRIME & _UINT64
    hashes = np.full(len(rows), state, np.uint64)
    for column in rows.T:
        hashes = (hashes ^ column) * np.uint64(_FNV_PRIME)  # wraps, as FNV wants
    return hashes


def _rows_of_bytes(traces: pa.RecordBatch) -> npt.NDArray[np.uint8]:
    ids = traces.column("trace_id")
    width = ids.type.byte_width
    data = np.frombuffer(ids.buffers()[1] or b"", np.uint8, len(ids) * width, ids.offset * width)
    return data.reshape(len(ids), width)
