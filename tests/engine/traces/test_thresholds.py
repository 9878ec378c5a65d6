"""Sampling probabilities that come in a tracestate and go on in one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest

from collector.component.sampler import DueTraces, TraceDecisions
from tests.engine.assembly_kit import SECOND, Bench


@dataclass(frozen=True)
class Share:
    """Keeps everything, as if by chance."""

    probability: float
    decision_wait_ns: int = SECOND
    decision_wait_after_root_ns: int = 0

    def decide(self, due: DueTraces) -> TraceDecisions:
        n = due.traces.num_rows
        return TraceDecisions(
            keep=np.ones(n, np.bool_),
            sampled_by=pa.nulls(n, pa.string()),
            adjusted_count=np.full(n, 1 / self.probability),
        )


def through(sampler: Share | None, *states: str) -> list[tuple[float, str]]:
    """(adjusted_count, trace state) of the spans of one trace; the first is its root."""
    bench = Bench(sampler)
    bench.send([{"span_id": n + 1, "parent_span_id": 1 if n else None, "trace_state": s} for n, s in enumerate(states)])
    found = []
    for decision in bench.tick(10**15):
        for part in bench.reader.read("traces", decision)[0]:
            counts = part.decided.column("adjusted_count").to_pylist()
            found += zip(counts, part.spans.column("trace_state").to_pylist(), strict=True)
    return found


@pytest.mark.parametrize(
    ("sampler", "states", "expected"),
    [
        (Share(1.0), ["a=1", ""], [(1, "a=1"), (1, "")]),
        (Share(0.25), ["a=1", ""], [(4, "ot=th:c,a=1"), (4, "ot=th:c")]),
        (Share(0.5), ["ot=th:8", "ot=th:c"], [(4, "ot=th:c"), (4, "ot=th:c")]),
        (Share(1.0), ["", "ot=th:8;rv:01234567890abc"], [(2, "ot=th:8"), (2, "ot=th:8;rv:01234567890abc")]),
        (None, ["ot=th:8"], [(2, "ot=th:8")]),
    ],
)
def test_a_kept_trace_stands_for_what_was_dropped_before_and_here(
    sampler: Share | None, states: list[str], expected: list[tuple[float, str]]
) -> None:
    assert through(sampler, *states) == expected


def test_what_one_collector_writes_the_next_one_counts() -> None:
    (first,) = through(Share(0.1), "")
    (second,) = through(Share(0.5), first[1])

    assert first[0] == 10
    assert second[0] == pytest.approx(20, rel=1e-3)
