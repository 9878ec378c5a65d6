"""What was decided about recent traces: a row of the decision record, and a skeleton of the spans."""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from collector.engine.journal.decisions import TRACES, DecisionRecord
from collector.engine.traces import counting
from collector.model.arrow_arrays import numpy_of

SKELETON = np.dtype(
    [
        ("span_id", np.uint64),
        ("parent_id", np.uint64),
        ("response", np.uint64),
        ("scope", np.uint8),
        ("dropped", np.bool_),
    ]
)
_MAX_DECISIONS = 50_000
"""Decisions that remembered traces may come from: a start reads them all, at 0.4 ms each."""
_NO_SPANS = np.empty(0, SKELETON)


_ROW = tuple(name for name in TRACES.names if name != "trace_id")
_KEEP, _SAMPLED_BY = _ROW.index("keep"), _ROW.index("sampled_by")


@dataclass(slots=True)
class DecidedTrace:
    """What is remembered of one decided trace."""

    dseq: int
    """The decision record that decided it."""
    values: tuple[Any, ...]
    """Its row of ``decisions.TRACES`` without the id: a tuple, because a million of them are remembered."""
    packed: bytes
    """The skeleton's bytes."""

    @classmethod
    def of_row(cls, dseq: int, row: Mapping[str, Any], packed: bytes) -> DecidedTrace:
        """From a row of ``decisions.TRACES``."""
        return cls(dseq, tuple(row[name] for name in _ROW), packed)

    @property
    def keep(self) -> bool:
        return bool(self.values[_KEEP])

    @property
    def sampled_by(self) -> str | None:
        return self.values[_SAMPLED_BY]  # type: ignore[no-any-return]

    @property
    def row(self) -> dict[str, Any]:
        """Its row of ``decisions.TRACES`` without the id."""
        return dict(zip(_ROW, self.values, strict=True))

    @property
    def skeleton(self) -> npt.NDArray[np.void]:
        """``SKELETON``, one entry per span written or dropped by a processor; of a dropped trace there is none."""
        return np.frombuffer(self.packed, SKELETON) if self.packed else _NO_SPANS


class DecidedTraces:
    """A bounded memory, oldest decision forgotten first."""

    def __init__(self, max_traces: int, max_spans: int) -> None:
        self._max_traces = max_traces
        self._max_spans = max_spans
        self._traces: OrderedDict[bytes, DecidedTrace] = OrderedDict()
        self._spans = 0
        self._decisions: deque[int] = deque()

    def __contains__(self, trace_id: bytes) -> bool:
        return trace_id in self._traces

    def __len__(self) -> int:
        return len(self._traces)

    def get(self, trace_id: bytes) -> DecidedTrace:
        """Raises ``KeyError`` when the trace is not (or no longer) known."""
        return self._traces[trace_id]

    @property
    def oldest_dseq(self) -> int | None:
        """The first decision still remembered: the ledger keeps it and what follows."""
        for trace in self._traces.values():
            return trace.dseq
        return None

    def remember(self, dseq: int, decision: DecisionRecord) -> None:
        """Adds a decision's traces, or its late spans to traces already known."""
        if not self._decisions or self._decisions[-1] != dseq:
            self._decisions.append(dseq)
        rows = decision.rows
        # Of a dropped span nothing is written, but what comes later is judged as if it were.
        keep = numpy_of(pc.or_(rows["keep"], rows["dropped"]))
        trace = numpy_of(rows["trace"])[keep]
        order = np.argsort(trace, kind="stable")
        spans = np.empty(len(order), SKELETON)
        for name in SKELETON.names or ():
            spans[name] = numpy_of(rows[name])[keep][order]
        bounds = np.searchsorted(trace[order], np.arange(decision.traces.num_rows + 1))
        for i, row in enumerate(decision.traces.to_pylist()):
            self._add(dseq, row, spans[bounds[i] : bounds[i + 1]].tobytes())
        self._trim()

    def counted_responses(self, last: int) -> npt.NDArray[np.uint64]:
        """Hashes of the response ids that counted in the traces decided last, at most so many."""
        recent = itertools.islice(reversed(self._traces.values()), last)
        spans = np.concatenate([_NO_SPANS, *(trace.skeleton for trace in recent if trace.keep)])
        counted = (spans["scope"] == counting.COUNTED) & (spans["response"] != 0)
        found: npt.NDArray[np.uint64] = spans["response"][counted]
        return found

    def kept(self, decision: DecisionRecord) -> npt.NDArray[np.bool_]:
        """Marks the rows of another pipeline's decision that this one has kept already."""
        trace = numpy_of(decision.rows["trace"])
        ids = numpy_of(decision.rows["span_id"])
        decided = [self._traces.get(i) for i in decision.traces["trace_id"].to_pylist()]
        return in_skeletons(decided, trace, ids, written=True)

    def _add(self, dseq: int, row: Mapping[str, Any], packed: bytes) -> None:
        known = self._traces.get(row["trace_id"])
        if known is None:
            self._traces[row["trace_id"]] = DecidedTrace.of_row(dseq, row, packed)
        else:
            known.packed += packed
        self._spans += len(packed) // SKELETON.itemsize

    def _trim(self) -> None:
        oldest = self._decisions[-_MAX_DECISIONS] if len(self._decisions) > _MAX_DECISIONS else 0
        while (dseq := self.oldest_dseq) is not None and (
            dseq < oldest or len(self._traces) > self._max_traces or self._spans > self._max_spans
        ):
            _, gone = self._traces.popitem(last=False)
            self._spans -= len(gone.packed) // SKELETON.itemsize
        while self._decisions and self._decisions[0] < (self.oldest_dseq or 0):
            self._decisions.popleft()


def joined_skeletons(decided: Sequence[DecidedTrace]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.void]]:
    """(per span the index of its trace in ``decided``, ``SKELETON``) of all these traces; there is at least one."""
    skeletons = [trace.skeleton for trace in decided]
    return _owners(skeletons), np.concatenate(skeletons)


def _owners(skeletons: Sequence[npt.NDArray[np.void]]) -> npt.NDArray[np.int32]:
    return np.repeat(np.arange(len(skeletons), dtype=np.int32), [len(one) for one in skeletons])


def in_skeletons(
    decided: Sequence[DecidedTrace | None],
    trace: npt.NDArray[np.int32],
    ids: npt.NDArray[np.uint64],
    *,
    written: bool = False,
) -> npt.NDArray[np.bool_]:
    """Marks the rows whose span was seen in a kept trace before; ``trace`` is each row's index in ``decided``.

    ``written``: only those that no processor dropped.
    """
    skeletons = [_NO_SPANS if known is None or not known.keep else known.skeleton for known in decided]
    if written:
        skeletons = [skeleton[~skeleton["dropped"]] for skeleton in skeletons]
    owner = _owners(skeletons)
    n = len(owner)
    owners = np.concatenate([owner, trace])
    spans = np.concatenate([s["span_id"] for s in skeletons] + [ids])
    # One sort for all traces: a look at each would be quadratic when many are sent again together.
    order = np.lexsort((np.arange(len(owners)), spans, owners))
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(owners[order]) != 0) | (np.diff(spans[order]) != 0)
    leader = order[np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))]
    found = np.empty(len(order), np.bool_)
    found[order] = leader < n
    return found[n:]
