"""Chance in tail sampling: which traces a share keeps, and what a kept one stands for.

Proves the hash digit by digit, consistent shares and unbiased sums. Does not prove the shares over a service's life.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collector.component.sampler import DueTraces
from collector.kernels.due_traces import fnv1a
from processors._sampling.probabilistic import threshold_of
from tests.processors._sampling.sampling_kit import (
    ALWAYS,
    MS,
    adjusted,
    both,
    drop,
    due,
    latency,
    never,
    opposite,
    probabilistic,
    random_traces,
    sampler,
    status,
)


@pytest.mark.parametrize(
    ("salt", "text", "expected"),
    [
        (b"", b"", 0xCBF29CE484222325),
        (b"", b"a", 0xAF63DC4C8601EC8C),
        (b"foo", b"bar", 0x85944171F73967E8),
    ],
)
def test_the_hash_is_fnv_1a(salt: bytes, text: bytes, expected: int) -> None:
    assert fnv1a(salt, np.frombuffer(text, np.uint8).reshape(1, len(text))).tolist() == [expected]


@given(st.binary(max_size=20), st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=5))
def test_the_hash_over_columns_equals_the_hash_byte_by_byte(salt: bytes, ids: list[bytes]) -> None:
    def plain(data: bytes) -> int:
        state = 0xCBF29CE484222325
        for byte in data:
            state = (state ^ byte) * 0x100000001B3 % 2**64
        return state

    rows = np.frombuffer(b"".join(ids), np.uint8).reshape(len(ids), 16)
    assert fnv1a(salt, rows).tolist() == [plain(salt + one) for one in ids]


@pytest.mark.parametrize(
    ("ratio", "threshold"),
    [
        (-0.5, 0),
        (0.0, 0),
        (1.0, 2**64 - 1),
        (1.5, 2**64 - 1),
        (0.5, 2**63 - 1),  # 2^63 - 0.5, cut off
        (0.25, 2**62 - 1),
        (0.1, 1844674407370955263),  # 0.1000000000000000055 × (2^64 - 1) to 64 bits, cut off
    ],
)
def test_the_threshold_is_that_of_gos_big_float(ratio: float, threshold: int) -> None:
    assert threshold_of(ratio) == threshold


def test_the_same_share_keeps_the_same_traces_whatever_else_is_due() -> None:
    traces = random_traces(500)
    whole = sampler(probabilistic(30)).decide(traces).keep
    part = DueTraces(traces.traces.slice(123, 200), 0, never)

    assert sampler(probabilistic(30)).decide(part).keep.tolist() == whole[123:323].tolist()
    assert 0.2 < whole.mean() < 0.4


def test_a_larger_share_keeps_what_a_smaller_one_kept_and_another_salt_keeps_others() -> None:
    traces = random_traces(1000)
    small, large = (sampler(probabilistic(p)).decide(traces).keep for p in (20, 50))
    other = sampler(probabilistic(20, "other")).decide(traces).keep

    assert (large | ~small).all()
    assert (other != small).any()
    default = sampler(probabilistic(20, "default-hash-seed")).decide(traces).keep
    assert (default == small).all()


def test_a_trace_kept_by_a_rule_stands_for_itself_even_if_chance_kept_it_too() -> None:
    assert adjusted(probabilistic(25), ALWAYS) == {1.0}
    errors = due(*({"status_codes": 0b100} for _ in range(50)))
    assert adjusted(probabilistic(25), status("ERROR"), traces=errors) == {1.0}


def test_a_trace_kept_by_chance_stands_for_one_over_its_probability() -> None:
    assert adjusted(probabilistic(25)) == {4.0}
    assert adjusted(both(probabilistic(25), status("UNSET"))) == {4.0}
    assert adjusted(opposite(probabilistic(80))) == {5.0}
    assert adjusted(drop(probabilistic(50)), ALWAYS) == {2.0}


def test_equal_salts_share_their_chance_and_different_ones_do_not() -> None:
    assert adjusted(probabilistic(25, name="a"), probabilistic(50, name="b")) == {2.0}
    assert adjusted(probabilistic(25, "x", "a"), probabilistic(50, "y", "b")) == {round(1 / (1 - 0.75 * 0.5), 9)}
    assert adjusted(both(probabilistic(25, "x"), probabilistic(50, "y"))) == {8.0}
    assert adjusted(both(probabilistic(25), probabilistic(50))) == {4.0}


def test_a_dropped_trace_stands_for_nothing() -> None:
    verdicts = sampler(probabilistic(10)).decide(random_traces(100))

    assert (verdicts.adjusted_count[~verdicts.keep] == 0).all()
    assert verdicts.sampled_by.null_count == (~verdicts.keep).sum()


@pytest.mark.parametrize(
    "policies",
    [
        (probabilistic(10),),
        (probabilistic(10), status("ERROR")),
        (probabilistic(10, "x", "a"), probabilistic(40, "y", "b"), latency(100)),
        (both(probabilistic(50), latency(100)), both(probabilistic(20, "z"), opposite(latency(100)), name="fast")),
        (drop(probabilistic(30, "d"), status("ERROR")), ALWAYS),
    ],
)
def test_sums_weighted_with_adjusted_count_are_unbiased(policies: tuple[dict[str, Any], ...]) -> None:
    n = 40_000
    random = np.random.default_rng(7)
    values = random.exponential(10, n)
    ids = random.bytes(16 * n)
    traces = due(
        *(
            {
                "trace_id": ids[16 * i : 16 * i + 16],
                "status_codes": 0b100 if i % 10 == 0 else 0b001,
                "end_unix_nano": int(values[i] * 10 * MS),
            }
            for i in range(n)
        )
    )
    verdicts = sampler(*policies).decide(traces)
    weights = verdicts.adjusted_count
    # The estimator's own standard error; five of them is once in two million runs.
    for amounts in (np.ones(n), values):
        deviation = np.sqrt(np.sum(weights * np.maximum(weights - 1, 0) * amounts**2))
        assert abs(np.sum(weights * amounts) - amounts.sum()) < 5 * deviation + 1e-6
