"""A call that a provider's SDK reports in a trace of its own, beside an instrumentation's span, counts once.

Proves it in each order of arrival, while traces wait and after they were decided. Does not prove links over traces
that were forgotten: memory is bounded.
"""

from __future__ import annotations

import pytest

from collector.engine.assembly.assembly import KeepAll
from collector.model.schema import ROLE_CALL, ROLE_NATIVE
from tests.engine.assembly_kit import CALL, SECOND, Bench

pytestmark = pytest.mark.usefixtures("storages")

INSTRUMENTED = {**CALL, "trace_id": 1, "span_id": 1, "span_name": "instrumented", "response_id": "msg_1"}
NATIVE = {**CALL, "trace_id": 2, "span_id": 1, "span_name": "native", "response_id": "msg_1", "role": ROLE_NATIVE}


def scopes(rows):
    return {row["span"]: row["usage_scope"] for row in rows}


@pytest.mark.parametrize("rows", [[INSTRUMENTED, NATIVE], [NATIVE, INSTRUMENTED]])
def test_the_sdks_span_yields_when_both_are_due(rows):
    bench = Bench()
    bench.send(rows)
    assert scopes(bench.out(everything=True)) == {"instrumented": "counted", "native": "duplicate"}


def test_the_sdks_span_yields_to_one_that_still_waits():
    bench = Bench(KeepAll(30 * SECOND, 2 * SECOND))
    bench.send([{**INSTRUMENTED, "span_id": 2, "parent_span_id": 1}])
    bench.send([NATIVE])
    assert scopes(bench.out(2 * SECOND)) == {"native": "duplicate"}
    assert scopes(bench.out(30 * SECOND)) == {"instrumented": "counted"}


def test_the_sdks_span_yields_to_one_that_was_decided():
    bench = Bench()
    bench.send([INSTRUMENTED])
    bench.tick(0, everything=True)
    bench.send([NATIVE])
    (row,) = bench.out(everything=True)
    assert (row["usage_scope"], row["usage_rule"]) == ("duplicate", "same_response_id_elsewhere, no_cache")


def test_what_comes_after_a_written_native_span_yields_to_it():
    bench = Bench()
    bench.send([NATIVE])
    assert [row["usage_rule"] for row in bench.out(everything=True)] == ["native_call, no_cache"]
    bench.send([INSTRUMENTED])
    assert scopes(bench.out(everything=True)) == {"instrumented": "duplicate"}


def test_late_spans_are_linked_too():
    bench = Bench()
    bench.send([NATIVE, {"trace_id": 1, "span_id": 9}])
    bench.tick(0, everything=True)
    bench.send([{**INSTRUMENTED, "parent_span_id": 9}])
    assert scopes(bench.out(everything=True)) == {"instrumented": "duplicate"}


def test_two_instrumentations_in_two_traces_stand_each_for_itself():
    bench = Bench()
    bench.send([INSTRUMENTED, {**NATIVE, "role": ROLE_CALL}])
    assert set(scopes(bench.out(everything=True)).values()) == {"counted"}


def test_a_native_span_alone_counts():
    bench = Bench()
    bench.send([NATIVE, {**INSTRUMENTED, "response_id": "msg_2"}])
    assert set(scopes(bench.out(everything=True)).values()) == {"counted"}


def test_a_native_span_below_its_instrumentations_counts_whatever_else_waits_in_their_record():
    outer = {**INSTRUMENTED, "span_id": 1}
    inner = {**NATIVE, "trace_id": 1, "span_id": 2, "parent_span_id": 1}
    bench = Bench(KeepAll(30 * SECOND, 2 * SECOND))
    bench.send([outer, inner, {"trace_id": 3, "span_id": 2, "parent_span_id": 1, "span_name": "waits"}])
    assert scopes(bench.out(2 * SECOND)) == {"instrumented": "duplicate", "native": "counted"}


@pytest.mark.parametrize(("seconds", "scope"), [(10, "duplicate"), (11, "counted")])
def test_the_other_span_is_looked_for_near_in_time_however_many_records_lie_between(seconds, scope):
    bench = Bench(KeepAll(60 * SECOND, 2 * SECOND))
    bench.send([{**INSTRUMENTED, "span_id": 2, "parent_span_id": 1}], at=20 * SECOND)
    for trace in range(10, 90):
        bench.send([{"trace_id": trace, "span_id": 2, "parent_span_id": 1}], at=21 * SECOND)
    bench.send([NATIVE], at=(20 + seconds) * SECOND)
    assert scopes(bench.out((22 + seconds) * SECOND)) == {"native": scope}
