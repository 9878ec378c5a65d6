"""Spans that processors drop: what becomes of their children, and of the numbers of those that are left.

Proves parents and sums, also of spans that come late, by example and by property. Does not prove what ``filter``
drops.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collector.engine.export.reader import DecisionReader
from collector.engine.ingest.chain import Chain, Step
from collector.engine.ingest.ingest import Route, run_routes
from collector.engine.journal.decisions import ROWS, DecisionRecord
from collector.engine.traces.tombstones import kept_parents
from collector.model import schema
from collector.model.schema import ROLE_OTHER, ROLE_WRAPPER
from collector.testing import builders
from tests.engine.assembly_kit import CALL, SECOND, Bench

pytestmark = pytest.mark.usefixtures("storages")

AGENT = {**CALL, "type": "agent", "role": ROLE_WRAPPER}


class Dropping:
    """Drops the spans of these numbers, as any processor may."""

    def __init__(self, *ids: int) -> None:
        self._ids = [i.to_bytes(8, "big") for i in ids]

    def process(self, batch):
        gone = np.array([i in self._ids for i in batch.column("span_id").to_pylist()], np.bool_)
        return batch.filter(~gone)


class Filtered(Bench):
    """A bench whose spans come through a chain that drops some."""

    def __init__(self, *ids, sampler=None):
        super().__init__(sampler)
        self.reader = DecisionReader(self.records, lambda *_: None, {})
        chain = Chain("traces", (), [Step("drop", Dropping(*ids))], lambda batch: batch, self.telemetry)
        self.route = Route(chain, ("traces", "forward"), assembling=("traces",))

    def come(self, *rows, at=0):
        batch = builders.spans(rows, facts=True)
        for written in self.log.append(run_routes([self.route], [batch]), at):
            self.assembly.add(written, self.records.read(written.address).batch)

    def rows(self, now=10**15):
        """Span → (parent, usage scope) of what is exported."""
        found = {}
        for decision in self.tick(now):
            for part in self.reader.read("traces", decision)[0]:
                ids, parents = (part.spans.column(n).to_pylist() for n in ("span_id", "parent_span_id"))
                scopes = part.decided["usage_scope"].to_pylist()
                found |= {
                    int.from_bytes(i, "big"): (int.from_bytes(p or b"", "big"), scope)
                    for i, p, scope in zip(ids, parents, scopes, strict=True)
                }
        return found


def span(number, parent=0, **facts):
    return {"span_id": number, **({"parent_span_id": parent} if parent else {}), **facts}


def test_children_of_a_dropped_span_move_up_and_its_parents_sum_stays_a_sum() -> None:
    bench = Filtered(2, 3)
    bench.come(span(1, **AGENT), span(2, 1), span(3, 2, **CALL), span(4, 3), span(5, 2))

    assert bench.rows() == {1: (0, "rollup"), 4: (1, None), 5: (1, None)}


def test_a_child_of_a_dropped_root_is_a_root_and_one_of_an_unknown_parent_keeps_it() -> None:
    bench = Filtered(1, 11)
    bench.come(span(1), span(2, 1), span(11, 99), span(12, 11))

    assert bench.rows() == {2: (0, None), 12: (99, None)}


def test_a_dropped_call_is_in_no_sum_and_another_report_of_it_does_not_count_instead() -> None:
    bench = Filtered(3)
    bench.come(span(1, **AGENT), span(2, 1, **CALL, response_id="r"), span(3, 2, **CALL, response_id="r"))

    assert bench.rows() == {1: (0, "rollup"), 2: (1, "duplicate")}


def test_late_spans_see_what_was_dropped_before() -> None:
    bench = Filtered(2, 4)
    bench.come(span(1, **AGENT), span(2, 1, **CALL))
    assert bench.rows(60 * SECOND) == {1: (0, "rollup")}

    bench.come(span(3, 2, **CALL), span(4, 1), span(5, 4), span(2, 1, **CALL), at=61 * SECOND)
    assert bench.rows() == {3: (1, "duplicate"), 5: (1, None)}
    assert bench.dropped("resent") == 1


def test_a_trace_of_which_all_is_dropped_is_nobodys() -> None:
    bench = Filtered(1, 2)
    bench.come(span(1), span(2, 1))
    assert bench.rows() == {}

    bench.come(span(3, 2))
    assert bench.rows() == {3: (0, None)}


def test_a_tombstone_says_nothing_and_goes_to_assembly_alone() -> None:
    bench = Filtered(2)
    secret = {"attributes": {"k": "secret"}, "span_name": "secret", "user_id": "secret", "status_message": "secret"}
    bench.come(span(1), span(2, 1, **CALL, **secret, events=[{"name": "secret"}], resource={"a": "secret"}))
    kept, dropped = (bench.records.read(w.address) for log in bench.records for w in log.tail(0))

    assert (kept.pipelines, kept.dropped, kept.batch.num_rows) == (("traces", "forward"), False, 1)
    assert (dropped.pipelines, dropped.dropped, dropped.batch.num_rows) == (("traces",), True, 1)
    assert b"secret" not in dropped.batch.to_ipc().to_pybytes()
    assert dropped.batch.record_batch.schema.equals(schema.SPANS)
    assert Filtered().route.chain.run(builders.spans([span(1)], facts=True))[1] is None


def test_policies_see_the_spans_that_are_left() -> None:
    seen = []

    class Sampler:
        decision_wait_ns, decision_wait_after_root_ns, maximum_trace_size_bytes = SECOND, 0, 0

        def decide(self, due):
            batch, owner = due.load_spans(["span_id"])
            seen.append((due.traces["span_count"].to_pylist(), batch.num_rows, owner.tolist()))
            return Bench().assembly._sampler.decide(due)

    for ids in ((2,), (1, 2)):
        bench = Filtered(*ids, sampler=Sampler())
        bench.come(span(1), span(2, 1))
        bench.rows()
    assert seen == [([1], 1, [0]), ([0], 0, [])]


def test_a_processor_behind_the_sampler_may_drop_too() -> None:
    bench = Bench()
    bench.reader = DecisionReader(bench.records, lambda *_: None, {"traces": Dropping(2, 3).process})
    bench.send([span(1, span_name="a", **AGENT), span(2, 1), span(3, 2, **CALL), span(4, 3, span_name="d")])
    (decision,) = bench.tick(10**15)
    (part,) = bench.reader.read("traces", decision)[0]

    assert part.spans.column("span_name").to_pylist() == ["a", "d"]
    assert part.spans.column("parent_span_id").to_pylist() == [None, (1).to_bytes(8, "big")]
    assert part.decided["usage_scope"].to_pylist() == ["rollup", None]

    bench.reader = DecisionReader(bench.records, lambda *_: None, {"traces": Dropping(1, 2, 3, 4).process})
    assert bench.reader.read("traces", decision)[0] == ()


def test_a_decision_made_before_there_were_tombstones_can_be_read() -> None:
    bench = Bench()
    bench.send([span(1), span(2, 1)])
    (decision,) = bench.tick(10**15)
    before = ROWS.names[: ROWS.get_field_index("dropped")]
    old = DecisionRecord(decision.traces, decision.rows.select(before), decision.logs, decision.whole)

    assert DecisionRecord.unpack(old.pack()).rows.equals(decision.rows)


TREES = st.integers(2, 9).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 9), min_size=n, max_size=n),
        st.lists(st.sampled_from([CALL, AGENT, {"type": "tool"}, {"role": ROLE_OTHER}]), min_size=n, max_size=n),
        st.lists(st.sampled_from([None, None, "r"]), min_size=n, max_size=n),
        st.sets(st.integers(1, n)),
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
    )
)


@settings(max_examples=100, deadline=None)
@given(TREES)
def test_dropping_changes_no_number_of_what_is_left(tree) -> None:
    parents, kinds, responses, gone, arrival = tree
    spans = [
        span(i + 1, parent if parent <= i else 99 * (parent % 2), **kinds[i], response_id=responses[i])
        for i, parent in enumerate(parents)
    ]
    before, after = {}, {}
    for bench, rows in ((Filtered(), before), (Filtered(*gone), after)):
        for time in range(3):
            if some := [s for s, when in zip(spans, arrival, strict=True) if when == time]:
                bench.come(*some, at=time * 100 * SECOND)
                rows |= bench.rows((time * 100 + 50) * SECOND)

    assert after.keys() == before.keys() - gone
    assert {i: scope for i, (_, scope) in after.items()} == {i: before[i][1] for i in after}
    for i in after:
        # A span that was written before its parent came, and was dropped, stays as it was written.
        assert all(arrival[i - 1] < arrival[above - 1] for above in gone if above == after[i][0])


@given(
    st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=6),
)
def test_no_cycle_of_dropped_spans_is_followed_for_ever(rows) -> None:
    ids = np.arange(1, len(rows) + 1, dtype=np.uint64)
    parents = np.array([parent for parent, _ in rows], np.uint64)
    dropped = np.array([gone for _, gone in rows], np.bool_)
    shown = kept_parents(np.zeros(len(rows), np.int32), ids, parents, dropped)

    assert not np.isin(shown[~dropped], ids[dropped]).any()
    assert (
        shown[~dropped & ~np.isin(parents, ids[dropped])] == parents[~dropped & ~np.isin(parents, ids[dropped])]
    ).all()
