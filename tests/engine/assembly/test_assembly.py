"""Assembly: traces are decided whole, spans sent again are dropped, late ones judged as the rest was.

Proves deciding, late spans, bounds and memory of one assembly by a clock that the tests turn. Does not prove which
decisions survive a crash, nor that the core asks in time.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from collector.component.sampler import TraceDecisions
from collector.engine.assembly import assembly, decided
from collector.engine.assembly.assembly import KeepAll
from collector.engine.assembly.decided import in_skeletons
from collector.model.schema import ROLE_CALL, ROLE_OTHER, ROLE_PLACEHOLDER, ROLE_WRAPPER
from collector.testing import builders
from tests.engine.assembly_kit import CALL, SECOND, Bench

pytestmark = pytest.mark.usefixtures("storages")


def test_a_trace_waits_for_its_root_or_its_time():
    bench = Bench(KeepAll(30 * SECOND, 2 * SECOND))
    bench.send([{"trace_id": 1, "span_id": 2, "parent_span_id": 1}], at=0)
    bench.send([{"trace_id": 2, "span_id": 1}], at=0)
    assert bench.tick(1 * SECOND) == []
    assert [r["span"] for r in bench.out(2 * SECOND)] == ["span 0"]
    assert bench.tick(29 * SECOND) == []
    assert len(bench.out(30 * SECOND)) == 1


def test_the_deadline_counts_from_the_acknowledgement_so_a_restart_changes_nothing():
    bench = Bench(KeepAll(30 * SECOND, 2 * SECOND))
    bench.send([{"trace_id": 1, "span_id": 2, "parent_span_id": 1}], at=7 * SECOND)
    assert bench.assembly.next_deadline() == 37 * SECOND


@pytest.mark.parametrize(
    ("outer", "inner", "scope"),
    [
        ("generation", "evaluator", "counted"),
        ("generation", "guardrail", "counted"),
        ("generation", "retriever", "counted"),
        ("generation", "embedding", "counted"),
        ("generation", "generation", "duplicate"),
        ("embedding", "embedding", "duplicate"),
    ],
)
def test_a_call_is_not_the_other_calls_that_were_made_for_it(outer, inner, scope):
    bench = Bench()
    bench.send([{"span_id": 1, "span_name": "outer", **CALL, "type": outer}])
    role = ROLE_CALL if inner in {"generation", "embedding"} else ROLE_OTHER
    bench.send([{"span_id": 2, "parent_span_id": 1, "span_name": "inner", **CALL, "type": inner, "role": role}])
    scopes = {r["span"]: r["usage_scope"] for r in bench.out(everything=True)}
    assert scopes == {"outer": scope, "inner": "counted"}


def test_children_in_other_requests_and_before_their_parents_are_counted_once():
    bench = Bench()
    bench.send([{"span_id": 3, "parent_span_id": 2, "span_name": "chat", **CALL}])
    bench.send([{"span_id": 2, "parent_span_id": 1, "span_name": "step"}])
    bench.send([{"span_id": 1, "span_name": "agent", **CALL, "role": ROLE_WRAPPER}])
    scopes = {r["span"]: r["usage_scope"] for r in bench.out(everything=True)}
    assert scopes == {"agent": "rollup", "step": None, "chat": "counted"}


def test_rules_of_scope_and_cache_stand_together():
    bench = Bench()
    bench.send([{"span_id": 1, **CALL}, {"span_id": 2}])
    assert [r["usage_rule"] for r in bench.out(everything=True)] == ["leaf, no_cache", None]


def test_spans_sent_again_are_dropped_while_pending_and_after_the_decision():
    bench = Bench()
    rows = [{"trace_id": 1, "span_id": i + 1} for i in range(4)]
    bench.send(rows)
    bench.send(rows[1:3])
    assert len(bench.out(everything=True)) == 4
    bench.send(rows[::-1])
    assert bench.out(everything=True) == []
    assert bench.dropped("resent") == 2 + 4


def test_a_span_repeated_inside_one_late_request_is_taken_once():
    bench = Bench()
    bench.send([{"span_id": 1}])
    bench.tick(0, everything=True)
    bench.send([{"span_id": 2, "parent_span_id": 1}, {"span_id": 2, "parent_span_id": 1}])
    assert len(bench.out(everything=True)) == 1
    bench.send([{"span_id": 2, "parent_span_id": 1}])
    assert bench.out(everything=True) == []


def test_late_spans_follow_the_verdict_and_the_facts_of_their_trace():
    bench = Bench(KeepOdd())
    bench.send([{"trace_id": 1, "span_id": 1, "user_id": "ann"}, {"trace_id": 2, "span_id": 1}])
    bench.tick(0, everything=True)
    bench.send([{"trace_id": 1, "span_id": 2, "parent_span_id": 1}, {"trace_id": 2, "span_id": 2, "parent_span_id": 1}])
    (late,) = bench.out(everything=True)
    assert (late["user_id"], late["sampled_by"], late["adjusted_count"]) == ("ann", "odd", 2.0)


def test_a_late_call_below_a_counted_agent_does_not_count_again():
    bench = Bench()
    bench.send([{"span_id": 1, **CALL, "role": ROLE_WRAPPER}])
    bench.tick(0, everything=True)
    bench.send([{"span_id": 2, "parent_span_id": 1, **CALL}])
    assert [r["usage_scope"] for r in bench.out(everything=True)] == ["duplicate"]


def test_placeholders_of_spans_to_come_are_dropped_and_counted():
    bench = Bench()
    bench.send([{"span_id": 1, "role": ROLE_PLACEHOLDER}, {"span_id": 2, "span_name": "real"}])
    assert [row["span"] for row in bench.out(everything=True)] == ["real"]
    assert bench.dropped("placeholder") == 1


def test_user_session_and_tags_fill_down_and_own_values_stay():
    bench = Bench()
    bench.send([{"span_id": 1, "user_id": "ann", "session_id": "s", "tags": ["a", "b"]}])
    bench.send(
        [{"span_id": 2, "parent_span_id": 1, "user_id": "bob", "tags": ["b", "c"]}, {"span_id": 3, "parent_span_id": 1}]
    )
    rows = bench.out(everything=True)
    assert sorted(r["user_id"] for r in rows) == ["ann", "ann", "bob"]
    assert {r["session_id"] for r in rows} == {"s"}
    assert all(r["tags"] == ["a", "b", "c"] for r in rows)


def test_weak_tags_count_only_where_there_are_no_others():
    bench = Bench()
    bench.send(
        [{"span_id": 1, "tags": ["step"], "tags_weak": True}, {"span_id": 2, "parent_span_id": 1, "tags": ["real"]}]
    )
    bench.send([{"trace_id": 2, "span_id": 1, "tags": ["only"], "tags_weak": True}])
    assert sorted(tuple(r["tags"]) for r in bench.out(everything=True)) == [("only",), ("real",), ("real",)]


def test_the_trace_is_named_by_its_root_unless_somebody_says_otherwise():
    bench = Bench()
    bench.send([{"span_id": 2, "parent_span_id": 1, "span_name": "child"}, {"span_id": 1, "span_name": "root"}])
    bench.send(
        [{"trace_id": 2, "span_id": 2, "parent_span_id": 1, "trace_name": "said"}, {"trace_id": 2, "span_id": 1}]
    )
    assert sorted(r["trace_name"] for r in bench.out(everything=True)) == ["root", "root", "said", "said"]


@pytest.mark.parametrize("log_first", [True, False])
def test_log_records_go_with_their_trace_whichever_comes_first(log_first):
    bench = Bench()
    span, log = (
        {"trace_id": 5, "span_id": 1},
        {"trace_id": 5, "span_id": 1, "event_name": "gen_ai.choice", "body": "hi"},
    )
    if log_first:
        bench.send_logs([log])
        bench.send([span])
    else:
        bench.send([span])
        bench.send_logs([log])
    (row,) = bench.out(everything=True)
    assert row["logs"].column("body_text").to_pylist() == ["hi"]
    assert bench.assembly.oldest_pending == []


def test_log_records_whose_span_never_comes_are_let_go():
    bench = Bench()
    bench.send_logs([{"trace_id": 5, "span_id": 1, "event_name": "gen_ai.choice"}])
    assert bench.out(everything=True) == []
    assert bench.assembly.oldest_pending == []
    bench.send([{"trace_id": 5, "span_id": 1}])
    assert len(bench.out(everything=True)) == 1


def test_over_the_bound_the_oldest_traces_are_decided_early_and_nothing_is_lost():
    bench = Bench(KeepAll(10**12, 0), max_pending_spans=10)
    for trace in range(20):
        bench.send(
            [{"trace_id": trace + 1, "span_id": 1}, {"trace_id": trace + 1, "span_id": 2, "parent_span_id": 1}],
            at=trace,
        )
    early = bench.out(now=100)
    assert {len(early), bench.assembly._pending.num_spans} == {30, 10}
    assert len(bench.out(now=100, everything=True)) == 10


def test_a_trace_larger_than_a_batch_comes_in_several_decisions_complete():
    bench = Bench()
    n = 20_000
    rows = builders.spans(
        [{"span_id": i + 1, "parent_span_id": 1 if i else None, "start_unix_nano": 10**18} for i in range(n)],
        facts=True,
    )
    bench.send(rows)
    decisions = bench.tick(0, everything=True)
    assert [d.rows.num_rows for d in decisions] == [8192, 8192, n - 2 * 8192]
    bench.send(rows.slice(0, 10))
    assert bench.out(everything=True) == []


def test_what_was_restored_from_decisions_equals_what_was_remembered():
    bench = Bench()
    bench.send([{"span_id": 1, **CALL}, {"span_id": 2, "parent_span_id": 1}])
    decisions = bench.tick(0, everything=True)
    fresh = Bench()
    for dseq, decision in enumerate(decisions, 1):
        fresh.assembly.restore(dseq, decision)
    fresh.send([{"span_id": 1, **CALL}, {"span_id": 2, "parent_span_id": 1}])
    assert fresh.out(everything=True) == []


def test_forgotten_traces_are_bounded():
    bench = Bench(max_decided_traces=3)
    for trace in range(10):
        bench.send([{"trace_id": trace + 1, "span_id": 1}])
        bench.tick(0, everything=True)
    assert len(bench.assembly.decided) == 3
    assert bench.assembly.decided.oldest_dseq == 8


def test_traces_of_too_many_decisions_are_forgotten_so_that_a_start_stays_short(monkeypatch):
    monkeypatch.setattr(decided, "_MAX_DECISIONS", 4)
    bench = Bench()
    bench.send([{"trace_id": 100, "span_id": 1}])
    for trace in range(10):
        bench.send([{"trace_id": trace + 1, "span_id": 1}, {"trace_id": 100, "span_id": trace + 1}])
        bench.tick(0, everything=True)
    assert len(bench.assembly.decided) <= 4
    assert bench.dseq - bench.assembly.decided.oldest_dseq < 4


def test_late_spans_of_a_trace_forgotten_meanwhile_are_decided_as_new(monkeypatch):
    monkeypatch.setattr(assembly, "_MAX_DUE_ROWS", 1)
    bench = Bench(max_decided_spans=3)
    bench.send([{"trace_id": t, "span_id": 1} for t in (1, 2)])
    assert len(bench.out()) == 2
    for span in (2, 3, 4):
        bench.send([{"trace_id": 2, "span_id": span}])
    bench.send([{"trace_id": 1, "span_id": 2}])
    assert len(bench.out()) == 4


class KeepOdd(KeepAll):
    """Keeps traces whose id ends in an odd byte, as half of all."""

    def decide(self, due):
        keep = np.array([i[-1] % 2 == 1 for i in due.traces["trace_id"].to_pylist()])
        return TraceDecisions(
            keep=keep,
            sampled_by=pa.array([("odd" if k else None) for k in keep], pa.string()),
            adjusted_count=np.where(keep, 2.0, 1.0),
        )


def test_a_clock_set_back_keeps_no_trace_waiting_for_longer_than_its_wait():
    bench = Bench(KeepAll(30 * SECOND, 2 * SECOND))
    year = 365 * 86_400 * SECOND
    bench.send([{"trace_id": 1, "span_id": 2, "parent_span_id": 1}], at=year)
    bench.send([{"trace_id": 2, "span_id": 2, "parent_span_id": 1}], at=SECOND)
    assert len(bench.out(2 * SECOND)) == 1
    assert bench.assembly.next_deadline() == 31 * SECOND


def test_a_wait_longer_than_64_bits_of_nanoseconds_waits_and_breaks_nothing():
    bench = Bench(KeepAll(2**64, 2**64))
    bench.send([{"trace_id": 1, "span_id": 1}], at=1_800_000_000 * SECOND)
    assert bench.tick(1_900_000_000 * SECOND) == []
    assert len(bench.out(1_900_000_000 * SECOND, everything=True)) == 1


def test_log_records_of_traces_that_never_come_are_bounded_too():
    bench = Bench(KeepAll(3600 * SECOND, 0), max_pending_spans=10)
    for i in range(5):
        bench.send_logs([{"trace_id": 10 * i + j + 1, "span_id": 1, "event_name": "e"} for j in range(10)], at=i)
        bench.tick(i)
    assert bench.assembly._pending.num_rows <= 11
    assert {bench.records.info(record).time_unix_nano for record in bench.assembly.oldest_pending} == {4}


@pytest.mark.parametrize("max_rows", [1, 3, 1000])
def test_late_spans_sent_many_times_are_kept_once_however_they_are_grouped(monkeypatch, max_rows):
    monkeypatch.setattr(assembly, "_MAX_DUE_ROWS", max_rows)
    bench = Bench()
    bench.send([{"trace_id": t, "span_id": 1} for t in (1, 2)])
    assert len(bench.out()) == 2
    for _ in range(3):
        bench.send([{"trace_id": t, "span_id": s} for t in (2, 1) for s in (1, 2)])
    assert len(bench.out()) == 2
    assert bench.dropped("resent") == 10


def test_a_span_is_found_in_its_own_traces_skeleton_only():
    bench = Bench()
    bench.send([{"trace_id": t, "span_id": s} for t, s in [(1, 1), (1, 2), (2, 3)]])
    bench.tick(10**15)
    verdicts = [bench.assembly.decided.get((t).to_bytes(16, "big")) for t in (2, 1)]
    words = [int(x) for x in np.concatenate([v.skeleton["span_id"] for v in (verdicts[1], verdicts[0])])]
    pairs = [(trace, word) for trace in range(3) for word in [*words, 99]]
    trace, ids = (np.array(column) for column in zip(*pairs, strict=True))
    found = in_skeletons([*verdicts, None], trace.astype(np.int32), ids.astype(np.uint64))
    expected = {(0, words[2]), (1, words[0]), (1, words[1])}
    assert {pair for pair, hit in zip(pairs, found, strict=True) if hit} == expected


def test_a_user_and_a_session_that_only_log_records_name_are_the_traces():
    details = {"event_name": "gen_ai.client.inference.operation.details", "span_id": 1}
    bench = Bench()
    bench.send_logs([{**details, "trace_id": 1, "attributes": {"user.id": "late"}, "time_unix_nano": 9}])
    bench.send([{"trace_id": 1, "span_id": 1}, {"trace_id": 2, "span_id": 1, "user_id": "said"}])
    bench.send_logs(
        [
            {**details, "trace_id": 1, "attributes": {"user.id": "ann"}, "time_unix_nano": 5},
            {**details, "trace_id": 2, "attributes": {"user.id": "log", "gen_ai.conversation.id": "c-2"}},
        ]
    )
    found = {(row["user_id"], row["session_id"]) for row in bench.out(everything=True)}
    assert found == {("ann", None), ("said", "c-2")}


def test_money_alone_is_counted_where_nothing_below_reports_any():
    bench = Bench()
    generation = {"type": "generation", "role": ROLE_CALL, "trace_id": 1}
    bench.send(
        [
            {**generation, "span_id": 1, "span_name": "root", "type": "agent", "role": ROLE_WRAPPER, "total_cost": 30},
            {**generation, "span_id": 2, "parent_span_id": 1, "span_name": "paid", "total_cost": 10},
            {**generation, "span_id": 3, "parent_span_id": 1, "span_name": "free", "total_cost": 0},
            {
                **generation,
                "span_id": 4,
                "parent_span_id": 1,
                "span_name": "both",
                "total_cost": 20,
                "usage": [("input", 5)],
            },
        ]
    )
    assert {row["span"]: row["usage_scope"] for row in bench.out()} == {
        "root": "rollup", "paid": "counted", "free": None, "both": "counted",
    }  # fmt: skip
