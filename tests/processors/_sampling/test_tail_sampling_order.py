"""Which of several policies decides.

Proves precedence, names and that traces do not see each other. Does not prove single policies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collector.kernels.due_traces import DROPPED, INVERT_NOT_SAMPLED, INVERT_SAMPLED, NOT_SAMPLED, SAMPLED, Traces
from processors._sampling.policy_set import PolicySet
from tests.processors._sampling.sampling_kit import (
    ALWAYS,
    MS,
    Says,
    both,
    drop,
    due,
    kept,
    latency,
    opposite,
    probabilistic,
    sampler,
    status,
)

N, S, D, IN, IS = NOT_SAMPLED, SAMPLED, DROPPED, INVERT_NOT_SAMPLED, INVERT_SAMPLED


@pytest.mark.parametrize(
    ("decisions", "keeper"),
    [
        ([N, N], None),
        ([N, S], "1"),
        ([S, S], "0"),
        ([S, D], None),
        ([S, IN], None),
        ([IN, D], None),
        ([IS, N], None),
        ([IS, S], "1"),
        ([IS, IS], "0"),
        ([IS, IN], None),
        ([IN], None),
        ([IS], "0"),
    ],
)
def test_precedence_of_decisions(decisions: list[int], keeper: str | None) -> None:
    policies: Any = [Says(name=str(n), decisions=(decision,)) for n, decision in enumerate(decisions)]
    decided = PolicySet(policies).decide(Traces(due({})), np.ones(1, bool))

    assert decided.keep.tolist() == [keeper is not None]
    assert (None if decided.keeper[0] < 0 else policies[decided.keeper[0]].name) == keeper


@pytest.mark.parametrize(
    ("decisions", "keeps"), [([S, IN], True), ([IN, S], False), ([N, S], True), ([D, S], False), ([S, D], True)]
)
def test_the_first_match_may_end_the_asking(decisions: list[int], keeps: bool) -> None:
    policies: Any = [Says(name=str(n), decisions=(decision,)) for n, decision in enumerate(decisions)]

    assert PolicySet(policies, first_match=True).decide(Traces(due({})), np.ones(1, bool)).keep.tolist() == [keeps]


def test_drop_comes_before_everything_that_keeps() -> None:
    traces = due({"status_codes": 0b100, "span_count": 9}, {"status_codes": 0b100}, {})
    many = {"name": "many", "type": "span_count", "span_count": {"min_spans": 5}}

    assert kept(sampler(ALWAYS, drop(status("ERROR"), many)).decide(traces)) == [None, "all", "all"]


def test_and_needs_all_and_not_turns_around() -> None:
    slow = {"end_unix_nano": 500 * MS}
    traces = due({}, slow, {"status_codes": 0b100}, {"status_codes": 0b100, **slow})

    assert kept(sampler(both(status("ERROR"), latency(100))).decide(traces)) == [None, None, None, "and"]
    assert kept(sampler(opposite(status("ERROR"))).decide(traces)) == ["not", "not", None, None]
    nested = both(opposite(status("ERROR")), latency(100))
    assert kept(sampler(nested).decide(traces)) == [None, "and", None, None]


def test_the_first_policy_in_the_configured_order_is_named() -> None:
    traces = due({"status_codes": 0b100, "end_unix_nano": 500 * MS}, {"end_unix_nano": 500 * MS}, {})

    assert kept(sampler(status("ERROR"), latency(100), ALWAYS).decide(traces)) == ["s", "l", "all"]


_POLICIES = st.sampled_from(
    [
        ALWAYS,
        status("ERROR"),
        latency(3),
        probabilistic(50),
        drop(status("OK")),
        both(latency(1), probabilistic(30, "x")),
    ]
)
_TRACES = st.fixed_dictionaries(
    {
        "trace_id": st.binary(min_size=16, max_size=16),
        "status_codes": st.integers(0, 7),
        "end_unix_nano": st.integers(0, 9 * MS),
    }
)


@settings(max_examples=50, deadline=None)
@given(st.lists(_POLICIES, min_size=1, max_size=4, unique_by=lambda p: p["name"]), st.lists(_TRACES, max_size=12))
def test_a_verdict_depends_on_its_trace_alone(policies: list[dict[str, Any]], traces: list[dict[str, Any]]) -> None:
    made = sampler(*policies)
    together = made.decide(due(*traces))
    apart = [made.decide(due(trace)) for trace in traces]

    assert together.keep.tolist() == [bool(v.keep[0]) for v in apart]
    assert together.sampled_by.to_pylist() == [v.sampled_by[0].as_py() for v in apart]
    assert together.adjusted_count.tolist() == [float(v.adjusted_count[0]) for v in apart]
    assert all(together.adjusted_count[together.keep] >= 1)
