"""Policies with a rate: what passes when, and that kept traces stand for all of them.

Proves it by a clock that the tests turn. Does not prove rates in a service whose ticks come late.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from collector.component.sampler import DueTraces
from collector.model import schema
from processors.tail_sampling import Config, TailSampling
from tests.processors._sampling.sampling_kit import ALWAYS, due, kept, never, probabilistic, sampler, status

SECOND = 10**9


def spans_per_second(n: int, burst: int = 0, name: str = "rate") -> dict[str, Any]:
    options = {"spans_per_second": n, "burst_capacity": burst}
    return {"name": name, "type": "rate_limiting", "rate_limiting": options}


def bytes_per_second(n: int, burst: int = 0) -> dict[str, Any]:
    options = {"bytes_per_second": n, "burst_capacity": burst}
    return {"name": "bytes", "type": "bytes_limiting", "bytes_limiting": options}


def composite(total: int, *parts: dict[str, Any], **percents: int) -> dict[str, Any]:
    options = {
        "max_total_spans_per_second": total,
        "policy_order": [part["name"] for part in parts],
        "composite_sub_policy": list(parts),
        "rate_allocation": [{"policy": policy, "percent": percent} for policy, percent in percents.items()],
    }
    return {"name": "c", "type": "composite", "composite": options}


def at(second: float, *traces: dict[str, Any]) -> DueTraces:
    return DueTraces(due(*traces).traces, int(second * SECOND), never)


def kept_at(made: TailSampling, second: float, *traces: dict[str, Any]) -> int:
    return int(made.decide(at(second, *traces)).keep.sum())


def test_a_bucket_is_full_at_first_and_refills_with_the_rate() -> None:
    made = sampler(spans_per_second(10))

    assert kept_at(made, 100, *[{}] * 30) == 20
    assert kept_at(made, 100, {}) == 0
    assert kept_at(made, 100.5, *[{}] * 30) == 5
    assert kept_at(made, 200, *[{}] * 30) == 20
    assert kept_at(made, 150, {}) == 0  # the clock was set back


def test_what_is_too_large_for_what_is_left_does_not_pass_and_takes_nothing() -> None:
    made = sampler(spans_per_second(10, burst=12))

    assert kept_at(made, 1, {"span_count": 13}) == 0
    assert kept_at(made, 1, {"span_count": 12}) == 1


def test_bytes_are_limited_alike() -> None:
    made = sampler(bytes_per_second(1000))

    assert kept_at(made, 1, {"size_bytes": 2001}, {"size_bytes": 1500}) == 1
    assert kept_at(made, 2, {"size_bytes": 1500}) == 1


def test_only_traces_that_are_asked_about_are_charged() -> None:
    inside = {"name": "and", "type": "and", "and": {"and_sub_policy": [status("ERROR"), spans_per_second(1)]}}
    made = sampler(inside)

    assert kept(made.decide(at(1, {}, {}, {}, {"status_codes": 4}, {"status_codes": 4}))) == [None] * 3 + ["and"] * 2
    first = sampler(status("ERROR"), spans_per_second(1), sample_on_first_match=True)
    assert kept(first.decide(at(1, {"status_codes": 4}, {"status_codes": 4}, {}, {}))) == ["s", "s", "rate", "rate"]


def test_composite_gives_each_policy_its_part_in_every_second() -> None:
    made = sampler(composite(10, status("ERROR", name="errors"), {**ALWAYS, "name": "rest"}, errors=50, rest=30))
    traces = [{"status_codes": 4}] * 8 + [{}] * 8

    first = made.decide(at(1, *traces)).keep
    assert (int(first[:8].sum()), int(first[8:].sum())) == (5, 3)
    assert kept_at(made, 1.9, *traces) == 0
    assert kept_at(made, 2, *traces) == 8


def test_composite_divides_equally_where_a_part_is_0_percent_and_gives_nothing_without_an_entry() -> None:
    parts = (status("ERROR", name="errors"), {**ALWAYS, "name": "rest"})
    traces = [{"status_codes": 4}] * 8 + [{}] * 8

    assert kept_at(sampler(composite(10, *parts, errors=0, rest=0)), 1, *traces) == 10
    made = Config(policies=[composite(10, *parts, errors=50)])  # type: ignore[list-item]
    assert made.policies[0].options.without_share == ["rest"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy_order": ["b", "a"]}, "policy_order is not the order of composite_sub_policy.*write a, b in both"),
        ({"rate_allocation": [{"policy": "x", "percent": 1}]}, "rate_allocation names x"),
        ({"composite_sub_policy": [{"type": "always_sample"}]}, "needs a name of its own"),
        ({"composite_sub_policy": [composite(1, ALWAYS, all=1)]}, "'composite' policy cannot be part of another"),
    ],
)
def test_a_composite_that_does_not_agree_with_itself_is_refused(change: dict[str, Any], message: str) -> None:
    policy = composite(10, {**ALWAYS, "name": "a"}, {**ALWAYS, "name": "b"}, a=50, b=50)
    policy["composite"] = policy["composite"] | change
    with pytest.raises(ValidationError, match=message):
        Config(policies=[policy])  # type: ignore[list-item]


def test_what_a_limiter_kept_stands_for_what_it_was_asked_for() -> None:
    verdicts = sampler(spans_per_second(10)).decide(at(1, *[{}] * 80))

    assert verdicts.adjusted_count[verdicts.keep].tolist() == [4.0] * 20


def test_what_a_rule_keeps_stands_for_itself_though_a_limiter_was_asked() -> None:
    verdicts = sampler(status("ERROR"), spans_per_second(10)).decide(at(1, *[{}] * 60, *[{"status_codes": 4}] * 20))

    assert verdicts.adjusted_count[60:].tolist() == [1.0] * 20
    assert set(verdicts.adjusted_count[:60]) == {0.0, 4.0}


def test_a_tick_that_let_nothing_pass_is_carried_over() -> None:
    made = sampler(spans_per_second(1, burst=10))
    weights = [made.decide(at(second, *[{}] * 10)).adjusted_count for second in (1, 1, 1, 2)]

    assert [weight.sum() for weight in weights] == [10, 0, 0, 30]


@pytest.mark.parametrize(
    "policies",
    [
        (spans_per_second(40),),
        (spans_per_second(40), status("ERROR")),
        (probabilistic(30), spans_per_second(30)),
        (composite(50, status("ERROR", name="errors"), {**ALWAYS, "name": "rest"}, errors=60, rest=40),),
        ({"name": "a", "type": "and", "and": {"and_sub_policy": [probabilistic(50), spans_per_second(20)]}},),
    ],
)
def test_sums_over_what_limiters_kept_are_unbiased(policies: tuple[dict[str, Any], ...]) -> None:
    """Traces of different size and value, the larger ones worth more, in many ticks of a second."""
    random = np.random.default_rng(11)
    made, true, found = sampler(*policies), np.zeros(2), np.zeros(2)
    deviation = np.zeros(2)
    for second in range(400):
        n = int(random.poisson(60))
        sizes = random.integers(1, 6, n)
        values = sizes * random.exponential(10, n)
        verdicts = made.decide(_random_tick(second, random, sizes))
        amounts = np.stack([np.ones(n), values])
        weights = verdicts.adjusted_count
        true += amounts.sum(axis=1)
        found += (weights * amounts).sum(axis=1)
        deviation += (weights * np.maximum(weights - 1, 0) * amounts**2).sum(axis=1)
    assert np.abs(found / true - 1).max() < 0.03
    assert (np.abs(found - true) < 5 * np.sqrt(deviation)).all()


_TICKS = st.lists(
    st.tuples(st.integers(0, 3 * SECOND), st.lists(st.integers(0, 12), max_size=8)), min_size=1, max_size=8
)


@given(_TICKS, st.integers(1, 6), st.integers(0, 10))
def test_no_more_passes_than_the_bucket_ever_held(ticks: list[tuple[int, list[int]]], rate: int, burst: int) -> None:
    made, now, passed = sampler(spans_per_second(rate, burst)), 0, 0
    for later, sizes in ticks:
        now += later
        if sizes:
            keep = made.decide(at(now / SECOND, *({"span_count": size} for size in sizes))).keep
            assert not any(size > (burst or 2 * rate) for size, kept_one in zip(sizes, keep, strict=True) if kept_one)
            passed += int(np.array(sizes)[keep].sum())
    assert passed <= (burst or 2 * rate) + rate * now / SECOND + 1e-6


def _random_tick(second: int, random: np.random.Generator, sizes: np.ndarray[Any, Any]) -> DueTraces:
    ids = random.bytes(16 * len(sizes))
    rows = [
        {"trace_id": ids[16 * i : 16 * i + 16], "span_count": int(size), "status_codes": 4 if i % 10 == 0 else 1}
        for i, size in enumerate(sizes)
    ]
    zeros = ("start_unix_nano", "end_unix_nano", "error_count", "size_bytes", "trigger")
    table = pa.RecordBatch.from_pylist(
        [{**dict.fromkeys(zeros, 0), "upstream_probability": 1.0, **row} for row in rows], schema.TRACE_FACTS
    )
    return DueTraces(table, second * SECOND, never)
