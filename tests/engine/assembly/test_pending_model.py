"""Rows that wait for their trace: random spans, log records and ticks, beside a plain model of dicts.

Proves by property that each trace leaves once, whole, for a reason that holds, oldest first and within the bound of
a tick, and that sums and deadlines are those of what is left. Does not prove what is decided about a trace
(``test_assembly``), nor when somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings, strategies as st

from collector.engine.assembly.pending import Early, Pending
from collector.engine.journal.records import Written
from collector.model import schema

WAIT, AFTER_ROOT, MAX_BYTES = 100, 10, 50
REASON_WAIT, REASON_ROOT, REASON_SIZE, REASON_EARLY, REASON_END = range(len(schema.TRIGGERS))


@dataclass
class Trace:
    arrived: int
    deadline: int
    why: set[int] = field(default_factory=set)
    nbytes: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list)
    logs: list[tuple[int, int]] = field(default_factory=list)

    @property
    def rows(self):
        return len(self.spans) + len(self.logs)


class Both:
    """The same steps through ``Pending`` and through a model."""

    def __init__(self):
        self.pending = Pending(WAIT, AFTER_ROOT, MAX_BYTES)
        self.traces: dict[bytes, Trace] = {}
        self.now = 1000
        self.seq = 0

    def _arrives(self, number):
        self.now += 1
        self.seq += 1
        id_ = bytes([number]) * 16
        trace = self.traces.setdefault(id_, Trace(self.now, self.now + WAIT, {REASON_WAIT}))
        return Written(self.seq, self.now, 1), id_, trace

    def add_spans(self, number, sizes, root):
        written, id_, trace = self._arrives(number)
        n = len(sizes)
        rows, roots = np.arange(n, dtype=np.int32), np.array([root] + [False] * (n - 1))
        self.pending.add_spans(written, [id_], np.zeros(n, np.int32), rows, roots, np.array(sizes, np.int64))
        trace.spans += [(self.seq, row) for row in range(n)]
        trace.nbytes += sum(sizes)
        if root and self.now + AFTER_ROOT < trace.deadline:
            trace.deadline = self.now + AFTER_ROOT
            trace.why = {REASON_ROOT}
        if trace.nbytes > MAX_BYTES and self.now < trace.deadline:
            trace.deadline = self.now
            trace.why = {REASON_SIZE}

    def add_logs(self, number, n):
        written, id_, trace = self._arrives(number)
        self.pending.add_logs(written, [id_], np.zeros(n, np.int32), np.arange(n, dtype=np.int32))
        trace.logs += [(self.seq, row) for row in range(n)]

    def _oldest(self, early):
        """The ids of the oldest traces that together hold as much."""
        out = []
        rows = nbytes = 0
        for id_, trace in sorted(self.traces.items(), key=lambda item: item[1].arrived):
            if rows >= early.rows and nbytes >= early.nbytes:
                break
            out.append(id_)
            rows, nbytes = rows + trace.rows, nbytes + trace.nbytes
        return out

    def tick(self, after, max_rows, early, everything):
        now = self.now + after
        due = {id_ for id_, t in self.traces.items() if t.deadline <= now or t.deadline > now + WAIT}
        sooner = self.traces if everything else self._oldest(early)
        for id_ in set(sooner) - due:
            self.traces[id_].why.add(REASON_END if everything else REASON_EARLY)
        due |= set(sooner)
        refs = self.pending.take_due(now, max_rows=max_rows, early=early, everything=everything)
        if refs is None:
            assert not due
            return
        leaving = self._fitting(due, max_rows)
        assert refs.more == (len(leaving) < len(due))
        assert sorted(refs.trace_ids) == sorted(id_ for id_ in leaving if self.traces[id_].spans)
        for at, id_ in enumerate(refs.trace_ids):
            self._same(refs, at, self.traces[id_])
        for id_ in leaving:
            del self.traces[id_]

    def _fitting(self, due, max_rows):
        """The oldest that fit, at least one."""
        out, rows = [], 0
        for id_ in sorted(due, key=lambda id_: self.traces[id_].arrived):
            rows += self.traces[id_].rows
            if out and rows > max_rows:
                break
            out.append(id_)
        return out

    @staticmethod
    def _same(refs, at, trace):
        mine = refs.trace == at
        assert list(zip(refs.seqs[mine].tolist(), refs.rows[mine].tolist(), strict=True)) == trace.spans
        logs = [(log["seq"], log["row"]) for log in refs.logs.to_pylist() if log["trace"] == at]
        assert logs == trace.logs
        assert refs.size_bytes[at] == trace.nbytes
        assert int(refs.trigger[at]) in trace.why

    def check(self):
        pending, traces = self.pending, self.traces.values()
        assert pending.num_traces == len(traces)
        assert pending.num_spans == sum(len(t.spans) for t in traces)
        assert pending.num_rows == sum(t.rows for t in traces)
        assert pending.nbytes == sum(t.nbytes for t in traces)
        assert pending.next_deadline() == min((t.deadline for t in traces), default=None)
        assert pending.last_deadline() == max((t.deadline for t in traces), default=None)


NUMBERS = st.integers(0, 5)
STEPS = st.one_of(
    st.tuples(st.just("add_spans"), NUMBERS, st.lists(st.integers(0, 20), min_size=1, max_size=4), st.booleans()),
    st.tuples(st.just("add_logs"), NUMBERS, st.integers(1, 3)),
    st.tuples(
        st.just("tick"),
        st.sampled_from([0, 0, AFTER_ROOT, WAIT, -1, -WAIT]),
        st.sampled_from([1, 5, 100]),
        st.builds(Early, st.sampled_from([0, 0, 3]), st.sampled_from([0, 0, 30])),
        st.sampled_from([False, False, False, True]),
    ),
)


@given(st.lists(STEPS, max_size=40))
@settings(deadline=None, max_examples=200)
def test_each_trace_leaves_once_whole_and_for_a_reason(steps):
    both = Both()
    for name, *arguments in steps:
        getattr(both, name)(*arguments)
        both.check()
    while both.traces:
        both.tick(0, 3, Early(), True)
        both.check()


def test_more_traces_than_there_was_room_for_at_first_are_kept_apart():
    pending = Pending(WAIT, 0)
    n = 3000
    ids = [number.to_bytes(16, "big") for number in range(n)]
    rows, ones = np.arange(n, dtype=np.int32), np.ones(n, np.int64)
    pending.add_spans(Written(1, 5, 1), ids, rows, rows, np.zeros(n, np.bool_), ones)
    refs = pending.take_due(5 + WAIT, max_rows=10**6, early=Early(), everything=False)
    assert {refs.trace_ids[t]: int(row) for t, row in zip(refs.trace, refs.rows, strict=True)} == {
        id_: number for number, id_ in enumerate(ids)
    }
    assert (pending.num_traces, pending.nbytes, pending.next_deadline()) == (0, 0, None)
