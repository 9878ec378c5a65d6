"""The byte budget: never above its bound, never lost.

Proves sums and bounds, by property, in one task. Does not prove that holders give back: the receivers' tests do.
"""

import contextlib

import pytest
from hypothesis import given, strategies as st

from collector.serving.budget import ByteBudget, Share
from collector.telemetry import Telemetry

TELEMETRY = Telemetry()


@given(st.integers(1, 1000), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 600)), max_size=30))
def test_shares_add_up_to_what_is_used_and_never_exceed_the_limit(limit, steps):
    budget = ByteBudget(limit, TELEMETRY)
    shares = [Share(budget) for _ in range(4)]
    for who, size in steps:
        share, before = shares[who], shares[who].held
        if size % 3 == 0:
            share.shrink_to(size)
        else:
            grown = share.grow_to(size)
            assert share.held == (max(before, size) if grown else before)
        assert budget.used == sum(s.held for s in shares) <= limit
    for share in shares:
        share.release()
        share.release()
    assert budget.used == 0


def test_gauges_follow():
    telemetry = Telemetry()
    budget = ByteBudget(100, telemetry)
    budget.try_take(30)
    assert telemetry.registry.get_sample_value("spanloom_receiver_budget_used_bytes") == 30
    assert telemetry.registry.get_sample_value("spanloom_receiver_budget_limit_bytes") == 100


def test_giving_back_more_than_was_taken_is_an_error():
    budget = ByteBudget(100, Telemetry())
    with pytest.raises(ValueError, match="cannot give back"):
        budget.give_back(1)


def test_while_memory_is_short_one_request_at_a_time_gets_all_it_needs():
    short = True
    budget = ByteBudget(100, Telemetry(), is_memory_short=lambda: short)
    first, second = Share(budget), Share(budget)
    assert first.grow_to(10)
    assert not second.grow_to(1)
    assert first.grow_to(90)
    first.release()
    assert second.grow_to(1)
    assert not first.grow_to(1)
    short = False
    assert first.grow_to(99)
    assert not second.grow_to(2)


def test_small_requests_are_taken_together_even_while_memory_is_short():
    budget = ByteBudget(128 * 10, Telemetry(), is_memory_short=lambda: True)
    assert [Share(budget).grow_to(n) for n in (4, 6, 1)] == [True, True, False]


def test_slow_arrivals_make_room_the_largest_first_and_only_as_many_as_needed():
    now = [0.0]
    budget = ByteBudget(100, Telemetry(), clock=lambda: now[0])
    gone = []
    with contextlib.ExitStack() as stack:
        for name, size in (("small", 10), ("large", 50), ("middle", 30)):
            share = Share(budget)
            assert share.grow_to(size)
            stack.enter_context(share.arrives(lambda name=name: gone.append(name)))
        other = Share(budget)
        assert not other.grow_to(20)
        now[0] = 10
        assert not other.grow_to(101)
        assert gone == []
        assert other.grow_to(60)
        assert gone == ["large"]
        assert other.grow_to(70)
        assert gone == ["large", "middle"]
    other.release()
    assert budget.used == 10


def test_what_arrives_fast_or_has_arrived_is_left_alone():
    now = [0.0]
    budget = ByteBudget(1 << 20, Telemetry(), clock=lambda: now[0])
    fast, done, other = Share(budget), Share(budget), Share(budget)
    assert fast.grow_to(500_000)
    assert done.grow_to(500_000)
    with fast.arrives(lambda: None) as arrival:
        with done.arrives(lambda: None):
            pass
        now[0] = 10
        arrival.received = 10 * 65536
        assert not other.grow_to(500_000)
        arrival.received -= 1
        assert other.grow_to(500_000)
        assert arrival.turned_out
