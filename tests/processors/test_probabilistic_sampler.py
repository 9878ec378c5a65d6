"""What the sampler promises: shares, consistency, what it writes, what it counts. The Collector's cases are in
``tests/differential``.

Proves shares within statistical bounds, and laws by property. Does not prove equality item by item, which is compared
there.
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from hypothesis import given, strategies as st
from pydantic import ValidationError

from collector.component.base import ComponentId, Settings
from collector.model import trace_state
from collector.telemetry import Telemetry
from collector.testing.builders import logs, spans
from processors import probabilistic_sampler
from processors._probabilistic import carrier, threshold_digits

IDS = [random.Random(n).getrandbits(128) for n in range(4000)]


def sampler(**options: Any) -> tuple[Any, Telemetry]:
    telemetry = Telemetry()
    settings = Settings(ComponentId("c"), telemetry, structlog.stdlib.get_logger(), Path("unused"))
    return probabilistic_sampler.factory.create(probabilistic_sampler.Config(**options), settings), telemetry


def kept(rows: list[dict[str, Any]], **options: Any) -> dict[int, str]:
    """Span id → trace state."""
    numbered = [{"span_id": at + 1, **row} for at, row in enumerate(rows)]
    found = sampler(**options)[0].process(spans(numbered))
    ids = [int.from_bytes(id_, "big") for id_ in found.column("span_id").to_pylist()]
    return dict(zip(ids, found.column("trace_state").to_pylist(), strict=True))


@pytest.mark.parametrize("mode", ["hash_seed", "proportional", "equalizing"])
@pytest.mark.parametrize("percentage", [0.5, 10, 50, 99])
def test_the_share_is_kept_and_stands_for_all(mode: str, percentage: float) -> None:
    found = kept([{"trace_id": id_} for id_ in IDS], mode=mode, sampling_percentage=percentage)
    stands_for = sum(1 / trace_state.probability(state) for state in found.values())
    n, p = len(IDS), percentage / 100
    assert abs(stands_for - n) < 5 * np.sqrt(n * (1 - p) / p) + 1
    assert all(abs(trace_state.probability(state) / p - 1) < 0.02 for state in found.values())


@pytest.mark.parametrize("mode", ["hash_seed", "proportional", "equalizing"])
def test_whoever_keeps_less_keeps_a_part_of_what_others_keep(mode: str) -> None:
    rows = [{"trace_id": id_} for id_ in IDS]
    shares = [set(kept(rows, mode=mode, sampling_percentage=p)) for p in (1, 20, 21, 100)]
    assert all(less <= more for less, more in itertools.pairwise(shares))
    assert len(shares[-1]) == len(rows)


def test_another_seed_is_another_chance() -> None:
    rows = [{"trace_id": id_} for id_ in IDS]
    one, two = (set(kept(rows, sampling_percentage=50, hash_seed=seed)) for seed in (1, 2))
    assert abs(len(one & two) / len(rows) - 0.25) < 0.05


def test_samplers_behind_each_other_multiply_or_level() -> None:
    rows = [{"trace_id": id_} for id_ in IDS]
    first, _ = sampler(mode="proportional", sampling_percentage=50)
    for mode, expected in (("proportional", 0.25), ("equalizing", 0.5)):
        second, _ = sampler(mode=mode, sampling_percentage=50)
        states = second.process(first.process(spans(rows))).column("trace_state").to_pylist()
        assert {trace_state.probability(state) for state in states} == {expected}


def test_what_cannot_be_decided_is_counted() -> None:
    rows = [{"trace_id": 0}, {"trace_id": 1, "trace_state": "ot=th:zz"}, {"trace_id": 2, "trace_state": "bad"}]
    for closed, left in ((True, 0), (False, 3)):
        made, telemetry = sampler(mode="proportional", sampling_percentage=50, fail_closed=closed)
        assert made.process(spans([{**row, "span_id": 1} for row in rows])).num_rows == left
        labels = {"processor": "c"}
        assert telemetry.registry.get_sample_value("spanloom_processor_failed_expressions_total", labels) == 3


def test_a_repeated_key_counts_once_and_nothing_is_written_where_nothing_is_kept() -> None:
    made, _ = sampler(sampling_percentage=0)
    batch = spans([{"attributes": {"sampling.priority": 0}}, {}])
    assert made.process(batch).num_rows == 0
    empty = batch.filter(np.zeros(2, np.bool_))
    assert made.process(empty) is empty


def test_log_records_by_a_whole_percentage() -> None:
    records = [{"attributes": {"keep": 100, "host": str(at)}} for at in range(5)] + [{"attributes": {"host": "x"}}]
    made, _ = sampler(
        sampling_percentage=0.01, attribute_source="record", from_attribute="host", sampling_priority="keep"
    )
    assert made.process(logs(records)).num_rows == 5


@given(value=st.integers(0, threshold_digits.RANGE - 1))
def test_values_are_written_as_they_are_read(value: int) -> None:
    (text,) = carrier.hexadecimal(np.array([value], np.int64)).to_pylist()
    assert text == f"{value:014x}"
    read = carrier.of_trace_state(f"ot=rv:{text};th:{threshold_digits.digits(value)}")
    assert read is not None
    assert (read.random, read.threshold) == (value, value)


@given(text=st.text())
def test_any_trace_state_is_read_or_said_to_be_none(text: str) -> None:
    read = carrier.of_trace_state(text)
    assert read is None or trace_state.members(read.trace_state(0)) is not None


@given(content=st.binary(min_size=16, max_size=16), seed=st.integers(0, 2**32 - 1))
def test_one_hash_is_the_hash_of_a_row(content: bytes, seed: int) -> None:
    rows = np.frombuffer(content, np.uint8).reshape(1, 16)
    assert int(threshold_digits.hashed(rows, seed)[0]) == threshold_digits.hashed_bytes(content, seed)


@pytest.mark.parametrize(
    "options",
    [
        {"sampling_percentage": -1}, {"sampling_percentage": float("nan")}, {"sampling_percentage": float("inf")},
        {"sampling_precision": 0}, {"sampling_precision": 15}, {"mode": "other"}, {"hash_seed": -1},
        {"hash_seed": 2**32}, {"attribute_source": "span"},
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        probabilistic_sampler.Config(**options)
