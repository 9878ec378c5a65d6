"""Rows that wait for their trace's decision: plain numpy columns, and one dict touched per trace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.engine.journal.addresses import log_of, oldest
from collector.engine.journal.records import Written
from collector.model import schema

_NEVER = np.iinfo(np.int64).max
_LONGEST_NS = 100 * 365 * 86_400 * 10**9
"""A wait above a century is one: deadlines have to fit into 64 bits."""
_WAIT, _ROOT, _SIZE, _OVERFLOW, _END = range(len(schema.TRIGGERS))
_ROW = np.dtype([("trace", np.int32), ("row", np.int32), ("seq", np.int64), ("time", np.int64)])
"""``seq`` is the address of the record, ``time`` when it was acknowledged."""


@dataclass(frozen=True, slots=True)
class Refs:
    """Traces that are due, with references to their rows."""

    trace_ids: list[bytes]
    trace: npt.NDArray[np.int32]
    """Per row, the index of its trace in ``trace_ids``."""
    seqs: npt.NDArray[np.int64]
    """Per row, the address of its record."""
    rows: npt.NDArray[np.int32]
    times: npt.NDArray[np.int64]
    """Per row, when its record was acknowledged, ns since the epoch."""
    logs: pa.RecordBatch
    """``decisions.REFS`` and the trace's index (``trace``): log records of these traces."""
    size_bytes: npt.NDArray[np.int64]
    trigger: npt.NDArray[np.uint8]
    """Per trace, as in ``schema.TRACE_FACTS``."""
    more: bool = False
    """More traces are due."""

    @property
    def num_traces(self) -> int:
        return len(self.trace_ids)

    @property
    def ingested(self) -> npt.NDArray[np.int64]:
        """Per trace, when the first of its rows was acknowledged, ns since the epoch."""
        first = np.full(self.num_traces, _NEVER)
        np.minimum.at(first, self.trace, self.times)
        return first

    @classmethod
    def of_late(
        cls,
        trace_ids: list[bytes],
        trace: npt.NDArray[np.int32],
        seqs: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int32],
        times: npt.NDArray[np.int64],
    ) -> Refs:
        n = len(trace_ids)
        nothing = _log_table(np.empty(0, _ROW))
        return cls(trace_ids, trace, seqs, rows, times, nothing, np.zeros(n, np.int64), np.zeros(n, np.uint8))


class Early(NamedTuple):
    """What has to be decided before its time, to make room."""

    rows: int = 0
    nbytes: int = 0

    def __bool__(self) -> bool:
        return self.rows > 0 or self.nbytes > 0


class Pending:
    """Waiting traces with their deadlines.

    A trace is due ``wait_ns`` after its first span was acknowledged, or ``after_root_ns`` after its
    root was (0: the root changes nothing), whichever comes first; at once when it grows above
    ``max_trace_bytes`` (0: no bound). When the clock was set back, what waits for longer than a whole
    wait is due at once.
    """

    def __init__(self, wait_ns: int, after_root_ns: int, max_trace_bytes: int = 0) -> None:
        self._wait = min(wait_ns, _LONGEST_NS)
        self._after_root = min(after_root_ns, _LONGEST_NS)
        self._longest = max(self._wait, self._after_root)
        self._max_trace_bytes = max_trace_bytes
        self._ordinals: dict[bytes, int] = {}
        self._ids: list[bytes] = []
        self._free: list[int] = []
        self._deadline = np.full(1024, _NEVER, np.int64)
        self._arrived = np.zeros(1024, np.int64)
        self._bytes = np.zeros(1024, np.int64)
        self._trigger = np.zeros(1024, np.uint8)
        self._nbytes = 0
        self._spans = _Rows()
        self._logs = _Rows()

    @property
    def num_traces(self) -> int:
        return len(self._ordinals)

    @property
    def num_spans(self) -> int:
        return len(self._spans)

    @property
    def num_rows(self) -> int:
        """Spans and log records."""
        return len(self._spans) + len(self._logs)

    @property
    def nbytes(self) -> int:
        """Bytes of the spans that wait, wherever they are."""
        return self._nbytes

    @property
    def oldest(self) -> list[int]:
        """The oldest records that waiting rows lie in, of each log; addresses, some more than once."""
        return [*self._spans.oldest.values(), *self._logs.oldest.values()]

    def span_rows(
        self, first_unix_nano: int, last_unix_nano: int, *, max_records: int
    ) -> Iterator[tuple[int, npt.NDArray[np.int32]]]:
        """The waiting spans of records acknowledged between two times: (address of the record, rows in it).

        Of more than ``max_records`` records those acknowledged nearest to the middle of that time.
        """
        rows = self._spans.all()
        rows = rows[(rows["time"] >= first_unix_nano) & (rows["time"] <= last_unix_nano)]
        rows = rows[np.argsort(rows["seq"], kind="stable")]
        records, starts = np.unique(rows["seq"], return_index=True)
        found = list(zip(records.tolist(), np.split(rows["row"], starts[1:]), strict=False))
        off = np.abs(rows["time"][starts] - (first_unix_nano // 2 + last_unix_nano // 2))
        yield from (found[at] for at in np.argsort(off, kind="stable")[:max_records].tolist())

    def add_spans(
        self,
        written: Written,
        distinct: list[bytes],
        codes: npt.NDArray[np.integer],
        rows: npt.NDArray[np.int32],
        roots: npt.NDArray[np.bool_],
        sizes: npt.NDArray[np.int64],
    ) -> None:
        """``codes`` gives each row's trace in ``distinct``; ``roots`` marks rows without a parent; ``sizes``
        are bytes of each row.
        """
        trace = self._open(written, distinct, codes)
        if self._after_root and roots.any():
            self._due_by(np.unique(trace[roots]), written.time_unix_nano + self._after_root, _ROOT)
        np.add.at(self._bytes, trace, sizes)
        self._nbytes += int(sizes.sum())
        if self._max_trace_bytes and len(trace):
            grown = np.unique(trace)
            self._due_by(grown[self._bytes[grown] > self._max_trace_bytes], written.time_unix_nano, _SIZE)
        self._spans.append(trace, rows, written)

    def _due_by(self, traces: npt.NDArray[np.int32], deadline: int, why: int) -> None:
        """These traces are due then, if they were not before."""
        earlier = traces[self._deadline[traces] > deadline]
        self._deadline[earlier] = deadline
        self._trigger[earlier] = why

    def add_logs(
        self, written: Written, distinct: list[bytes], codes: npt.NDArray[np.integer], rows: npt.NDArray[np.int32]
    ) -> None:
        """Log records wait with their trace; a trace may begin with one."""
        self._logs.append(self._open(written, distinct, codes), rows, written)

    def _open(self, written: Written, distinct: list[bytes], codes: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
        table = np.zeros(len(distinct), np.int32)
        for code in np.unique(codes).tolist():
            table[code] = self._ordinal(distinct[code], written.time_unix_nano)
        return np.take(table, codes)

    def _ordinal(self, trace_id: bytes, now: int) -> int:
        ordinal = self._ordinals.get(trace_id)
        if ordinal is not None:
            return ordinal
        if self._free:
            ordinal = self._free.pop()
            self._ids[ordinal] = trace_id
        else:
            ordinal = len(self._ids)
            self._ids.append(trace_id)
            if ordinal == len(self._deadline):
                self._deadline = np.append(self._deadline, np.full(ordinal, _NEVER))
                self._arrived = np.append(self._arrived, np.zeros(ordinal, np.int64))
                self._bytes = np.append(self._bytes, np.zeros(ordinal, np.int64))
                self._trigger = np.append(self._trigger, np.zeros(ordinal, np.uint8))
        self._ordinals[trace_id] = ordinal
        self._deadline[ordinal] = now + self._wait
        self._arrived[ordinal] = now
        self._bytes[ordinal] = 0
        self._trigger[ordinal] = _WAIT
        return ordinal

    def next_deadline(self) -> int | None:
        """The earliest deadline, ns since the epoch; None when nothing waits."""
        if not self._ordinals:
            return None
        return int(self._deadline[: len(self._ids)].min())

    def last_deadline(self) -> int | None:
        """When all that waits is due, ns since the epoch; None when nothing waits."""
        deadline = self._deadline[: len(self._ids)]
        return int(deadline[deadline < _NEVER].max()) if self._ordinals else None

    def take_due(self, now: int, *, max_rows: int, early: Early, everything: bool) -> Refs | None:
        """Removes and returns traces that are due, about ``max_rows`` rows at most; None when none is.

        ``early``: that much is to go before its time, from the oldest traces.
        """
        if not self._ordinals:
            return None
        deadline = self._deadline[: len(self._ids)]
        waiting = deadline < _NEVER
        due = waiting & ((deadline <= now) | (deadline > now + self._longest))
        if everything:
            self._trigger[: len(due)][waiting & ~due] = _END
            due = waiting
        elif early:
            oldest = self._oldest(early)
            self._trigger[: len(due)][oldest & ~due] = _OVERFLOW
            due = due | oldest
        if not due.any():
            return None
        chosen, more = self._limit(due, max_rows)
        return self._remove(chosen, more=more)

    def _held(self) -> npt.NDArray[np.int64]:
        """Rows of each trace."""
        rows = (self._spans.all(), self._logs.all())
        return sum(np.bincount(some["trace"], minlength=len(self._ids)) for some in rows)  # type: ignore[return-value]

    def _oldest(self, early: Early) -> npt.NDArray[np.bool_]:
        """Marks the oldest traces that together hold at least that much."""
        n = len(self._ids)
        order = np.argsort(np.where(self._deadline[:n] < _NEVER, self._arrived[:n], _NEVER))
        reached = [
            int(np.searchsorted(np.cumsum(held[order]), least)) + 1 if least > 0 else 0
            for held, least in ((self._held(), early.rows), (self._bytes[:n], early.nbytes))
        ]
        marked = np.zeros(n, np.bool_)
        marked[order[: max(reached)]] = True
        return marked & (self._deadline[:n] < _NEVER)

    def _limit(self, due: npt.NDArray[np.bool_], max_rows: int) -> tuple[npt.NDArray[np.bool_], bool]:
        """The due traces that fit, oldest first, at least one; and whether any are left."""
        held = self._held()
        order = np.flatnonzero(due)
        order = order[np.argsort(self._arrived[order], kind="stable")]
        fit = max(1, int(np.searchsorted(np.cumsum(held[order]), max_rows, side="right")))
        chosen = np.zeros(len(due), np.bool_)
        chosen[order[:fit]] = True
        return chosen, fit < len(order)

    def _remove(self, chosen: npt.NDArray[np.bool_], *, more: bool) -> Refs:
        taken = self._spans.take(chosen)
        logs = self._logs.take(chosen)
        # A trace that only ever had log records has nothing to decide: its records went through the
        # logs pipeline, and waited here for a span that never came.
        ordinals = np.unique(taken["trace"])
        position = np.zeros(len(chosen), np.int32)
        position[ordinals] = np.arange(len(ordinals), dtype=np.int32)
        ids = [self._ids[o] for o in ordinals.tolist()]
        size, trigger = self._bytes[ordinals], self._trigger[ordinals]
        self._nbytes -= int(size.sum())
        for ordinal in np.flatnonzero(chosen).tolist():
            del self._ordinals[self._ids[ordinal]]
            self._deadline[ordinal] = _NEVER
            self._bytes[ordinal] = 0
            self._free.append(ordinal)
        trace = position[taken["trace"]]
        logs = logs[np.isin(logs["trace"], ordinals)]
        logs["trace"] = position[logs["trace"]]
        seqs, rows, times = (taken[name].copy() for name in ("seq", "row", "time"))
        return Refs(ids, trace, seqs, rows, times, _log_table(logs), size, trigger, more)


def _log_table(logs: npt.NDArray[np.void]) -> pa.RecordBatch:
    columns = [pa.array(logs["seq"].copy()), pa.array(logs["row"].copy()), pa.array(logs["trace"].copy())]
    return pa.RecordBatch.from_arrays(columns, names=["seq", "row", "trace"])


class _Rows:
    """References to rows, appended in chunks and compacted when they are looked at."""

    def __init__(self) -> None:
        self._chunks: list[npt.NDArray[np.void]] = []
        self._count = 0
        self.oldest: dict[int, int] = {}
        """Log → the oldest record that a row lies in; addresses."""

    def __len__(self) -> int:
        return self._count

    def append(self, trace: npt.NDArray[np.int32], rows: npt.NDArray[np.int32], written: Written) -> None:
        if not len(rows):
            return
        chunk = np.empty(len(rows), _ROW)
        chunk["trace"], chunk["row"], chunk["seq"], chunk["time"] = trace, rows, written.address, written.time_unix_nano
        self._chunks.append(chunk)
        self._count += len(rows)
        self.oldest[written.log] = min(written.address, self.oldest.get(written.log, written.address))

    def all(self) -> npt.NDArray[np.void]:
        if len(self._chunks) != 1:
            self._chunks = [np.concatenate(self._chunks) if self._chunks else np.empty(0, _ROW)]
        return self._chunks[0]

    def take(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.void]:
        """Removes and returns the rows of the chosen traces."""
        rows = self.all()
        mine = np.take(chosen, rows["trace"])
        rest = rows[~mine]
        self._chunks = [rest]
        self._count = len(rest)
        self.oldest = {log_of(record): record for record in oldest(rest["seq"])}
        return np.compress(mine, rows)
