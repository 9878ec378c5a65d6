"""What was decided about recent traces: the verdict, the facts filled down, and a skeleton of the spans."""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from collector.engine.journal.decisions import Decision
from collector.engine.traces import counting

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


@dataclass(slots=True)
class Verdict:
    """One decided trace. The facts are those of ``decisions.TRACES``."""

    dseq: int
    keep: bool
    sampled_by: str | None
    adjusted_count: float
    trace_name: str | None
    user_id: str | None
    session_id: str | None
    tags: list[str] | None
    date: Any
    trigger: int | None = None
    packed: bytes = b""
    """The skeleton's bytes: of a dropped trace nobody needs one."""

    @property
    def skeleton(self) -> npt.NDArray[np.void]:
        """``SKELETON``, one entry per span written or dropped by a processor."""
        return np.frombuffer(self.packed, SKELETON) if self.packed else _NO_SPANS

    def facts(self) -> dict[str, Any]:
        """A row of ``decisions.TRACES`` without the id."""
        names = (
            "keep",
            "sampled_by",
            "adjusted_count",
            "trace_name",
            "user_id",
            "session_id",
            "tags",
            "date",
            "trigger",
        )
        return {name: getattr(self, name) for name in names}


class DecidedTraces:
    """A bounded memory, oldest decision forgotten first."""

    def __init__(self, max_traces: int, max_spans: int) -> None:
        self._max_traces = max_traces
        self._max_spans = max_spans
        self._traces: OrderedDict[bytes, Verdict] = OrderedDict()
        self._spans = 0
        self._decisions: deque[int] = deque()

    def __contains__(self, trace_id: bytes) -> bool:
        return trace_id in self._traces

    def __len__(self) -> int:
        return len(self._traces)

    def get(self, trace_id: bytes) -> Verdict:
        """Raises ``KeyError`` when the trace is not (or no longer) known."""
        return self._traces[trace_id]

    @property
    def oldest_dseq(self) -> int | None:
        """The first decision still remembered: the ledger keeps it and what follows."""
        for verdict in self._traces.values():
            return verdict.dseq
        return None

    def remember(self, dseq: int, decision: Decision) -> None:
        """Adds a decision's traces, or its late spans to traces already known."""
        if not self._decisions or self._decisions[-1] != dseq:
            self._decisions.append(dseq)
        rows = decision.rows
        # Of a dropped span nothing is written, but what comes later is judged as if it were.
        keep = pc.or_(rows["keep"], rows["dropped"]).to_numpy(zero_copy_only=False)
        trace = rows["trace"].to_numpy(zero_copy_only=False)[keep]
        order = np.argsort(trace, kind="stable")
        spans = np.empty(len(order), SKELETON)
        for name in SKELETON.names or ():
            spans[name] = rows[name].to_numpy(zero_copy_only=False)[keep][order]
        bounds = np.searchsorted(trace[order], np.arange(decision.traces.num_rows + 1))
        for i, facts in enumerate(decision.traces.to_pylist()):
            self._add(dseq, facts, spans[bounds[i] : bounds[i + 1]].tobytes())
        self._trim()

    def counted_responses(self, last: int) -> npt.NDArray[np.uint64]:
        """Hashes of the response ids that counted in the traces decided last, at most so many."""
        recent = itertools.islice(reversed(self._traces.values()), last)
        spans = np.concatenate([_NO_SPANS, *(verdict.skeleton for verdict in recent if verdict.keep)])
        counted = (spans["scope"] == counting.COUNTED) & (spans["response"] != 0)
        found: npt.NDArray[np.uint64] = spans["response"][counted]
        return found

    def kept(self, decision: Decision) -> npt.NDArray[np.bool_]:
        """Marks the rows of another pipeline's decision that this one has kept already."""
        trace = decision.rows["trace"].to_numpy(zero_copy_only=False)
        ids = decision.rows["span_id"].to_numpy(zero_copy_only=False)
        verdicts = [self._traces.get(i) for i in decision.traces["trace_id"].to_pylist()]
        return in_skeletons(verdicts, trace, ids, written=True)

    def _add(self, dseq: int, facts: dict[str, Any], packed: bytes) -> None:
        trace_id = facts.pop("trace_id")
        known = self._traces.get(trace_id)
        if known is None:
            self._traces[trace_id] = Verdict(dseq, packed=packed, **facts)
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


def in_skeletons(
    verdicts: Sequence[Verdict | None],
    trace: npt.NDArray[np.int32],
    ids: npt.NDArray[np.uint64],
    *,
    written: bool = False,
) -> npt.NDArray[np.bool_]:
    """Marks the rows whose span was seen in a kept trace before; ``trace`` is each row's index in ``verdicts``.

    ``written``: only those that no processor dropped.
    """
    skeletons = [_NO_SPANS if v is None or not v.keep else v.skeleton for v in verdicts]
    if written:
        skeletons = [skeleton[~skeleton["dropped"]] for skeleton in skeletons]
    owner = np.repeat(np.arange(len(skeletons), dtype=np.int32), [len(s) for s in skeletons])
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
