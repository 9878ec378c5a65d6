"""Waiting rows alone: what is due when, what goes early, and which records must stay.

Proves order, bounds and the oldest record per log, with rows of two logs whose numbers have no common order. Does not
prove what is decided about the rows.
"""

from __future__ import annotations

import numpy as np
import pytest

from collector.engine.assembly.pending import Early, Pending
from collector.engine.journal.addresses import address
from collector.engine.journal.records import Written

SECOND = 10**9


class Traces:
    """Traces by one-letter names; each row of a record is a span of the trace it is named after."""

    def __init__(self, wait=30 * SECOND, after_root=0, max_trace_bytes=0):
        self.pending = Pending(wait, after_root, max_trace_bytes)

    def add(self, names, seq, at=0, *, log=0, size=10, logs=False, roots=""):
        written = Written(seq, at, 1, log)
        distinct = [name.encode() for name in sorted(set(names))]
        codes = np.array([distinct.index(name.encode()) for name in names])
        rows = np.arange(len(names), dtype=np.int32)
        if logs:
            self.pending.add_logs(written, distinct, codes, rows)
        else:
            marks = np.array([name in roots for name in names], np.bool_)
            self.pending.add_spans(written, distinct, codes, rows, marks, np.full(len(names), size, np.int64))

    def due(self, now, *, max_rows=1000, rows=0, nbytes=0, everything=False):
        """Name → its (log, number, row) in the order of the answer."""
        refs = self.pending.take_due(now, max_rows=max_rows, early=Early(rows, nbytes), everything=everything)
        if refs is None:
            return None
        found = {name.decode(): [] for name in refs.trace_ids}
        for trace, record, row in zip(refs.trace.tolist(), refs.seqs.tolist(), refs.rows.tolist(), strict=True):
            found[refs.trace_ids[trace].decode()].append((record >> 48, record & ((1 << 48) - 1), row))
        return found


def test_a_trace_is_due_with_all_its_rows_of_all_logs():
    traces = Traces()
    traces.add("ab", 900, at=0)
    traces.add("aa", 1, at=5, log=1)
    traces.add("b", 2, at=5, log=1, logs=True)
    assert traces.due(29 * SECOND) is None
    refs = traces.pending.take_due(30 * SECOND, max_rows=1000, early=Early(), everything=False)
    assert (refs.trace_ids, refs.num_traces) == ([b"a", b"b"], 2)
    assert refs.seqs.tolist() == [900, 900, address(1, 1), address(1, 1)]
    assert (refs.ingested.tolist(), refs.size_bytes.tolist()) == ([0, 0], [30, 10])
    assert refs.logs.to_pylist() == [{"seq": address(1, 2), "row": 0, "trace": 1}]
    assert (traces.pending.num_rows, traces.pending.nbytes, traces.pending.oldest) == (0, 0, [])


def test_the_oldest_record_is_known_of_each_log():
    traces = Traces()
    traces.add("a", 50, at=0, log=1)
    traces.add("b", 7, at=1)
    traces.add("b", 60, at=2, log=1)
    traces.add("c", 3, at=3, logs=True)
    assert sorted(traces.pending.oldest) == [3, 7, address(1, 50)]
    traces.due(30 * SECOND)  # a
    assert sorted(traces.pending.oldest) == [3, 7, address(1, 60)]
    traces.due(30 * SECOND + 1)  # b
    assert traces.pending.oldest == [3]


@pytest.mark.parametrize(("early", "gone"), [({"rows": 1}, "a"), ({"rows": 3}, "ab"), ({"nbytes": 31}, "abc")])
def test_what_goes_early_are_the_oldest_traces_that_hold_that_much(early, gone):
    traces = Traces()
    for seq, name in enumerate("aabbcc", 1):  # 20 bytes each
        traces.add(name, seq, at=seq, size=10 if name != "c" else 1)
    if early == {"nbytes": 31}:
        early = {"nbytes": 41}
    assert "".join(traces.due(10, **early)) == gone
    assert traces.due(10) is None


def test_age_is_when_a_trace_came_not_where_its_records_lie():
    traces = Traces()
    traces.add("n", 1, at=9)
    traces.add("o", 1, at=1, log=3)
    assert list(traces.due(10, rows=1)) == ["o"]


def test_the_oldest_go_first_when_not_all_that_is_due_fits_and_one_always_does():
    traces = Traces()
    for seq, name in enumerate("dcba", 1):
        traces.add(name * 3, seq, at=seq)
    refs = traces.pending.take_due(40 * SECOND, max_rows=7, early=Early(), everything=False)
    assert (sorted(refs.trace_ids), refs.more) == ([b"c", b"d"], True)
    assert list(traces.due(40 * SECOND, max_rows=1)) == ["b"]
    refs = traces.pending.take_due(40 * SECOND, max_rows=1, early=Early(), everything=False)
    assert (refs.trace_ids, refs.more) == ([b"a"], False)
    assert traces.pending.num_traces == 0


def test_places_of_traces_that_are_gone_are_used_again_without_a_trace_of_them():
    traces = Traces(after_root=SECOND, max_trace_bytes=25)
    for turn in range(3000):
        name = "xyz"[turn % 3]
        traces.add(name, turn + 1, at=turn, roots=name)
        assert traces.due(turn + SECOND) == {name: [(0, turn + 1, 0)]}
    assert len(traces.pending._ids) == 1
    traces.add("x", 9999, at=0)
    assert traces.pending.next_deadline() == 30 * SECOND


def test_a_trace_above_its_bound_is_due_at_once_whatever_log_made_it_grow():
    traces = Traces(max_trace_bytes=25)
    traces.add("aa", 1, at=5)
    assert traces.due(5) is None
    traces.add("a", 1, at=6, log=1)
    assert traces.due(6) == {"a": [(0, 1, 0), (0, 1, 1), (1, 1, 0)]}


def test_waiting_spans_are_found_by_the_time_they_came_nearest_first():
    traces = Traces()
    for seq, (at, log) in enumerate([(100, 0), (10, 1), (50, 0), (70, 1), (52, 1)], 1):
        traces.add("ab", seq, at=at, log=log)
    found = [(record, rows.tolist()) for record, rows in traces.pending.span_rows(40, 70, max_records=2)]
    assert found == [(address(1, 5), [0, 1]), (3, [0, 1])]
    assert [record for record, _ in traces.pending.span_rows(0, 1000, max_records=99)] == [
        1, address(1, 4), address(1, 5), 3, address(1, 2),
    ]  # fmt: skip
    assert list(traces.pending.span_rows(200, 300, max_records=9)) == []
