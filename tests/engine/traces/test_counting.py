# ruff: noqa: E501 - a table reads best with one case per line
"""Usage counts once, whatever the shape of the trace and the order its spans came in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collector.engine.traces import counting
from collector.engine.traces.counting import RULES, SCOPE_NAMES, Spans, count
from collector.model.schema import ROLE_CALL, ROLE_NEVER, ROLE_OTHER, ROLE_WRAPPER


def spans(rows, written=None, **known):
    """Rows of (trace, span, parent, usage, role, response); ``written``: scopes decided before.

    ``known``: lists of tokens, source, start or end, where a test has something to say about them.
    """
    trace, span, parent, usage, role, response = zip(*rows, strict=True)
    scopes = np.array(written or [0] * len(rows), np.uint8)
    nothing = [0] * len(rows)
    return Spans(
        trace=np.array(trace, np.int32),
        span_id=np.array(span, np.uint64),
        parent_id=np.array(parent, np.uint64),
        has_usage=np.array(usage, np.bool_),
        role=np.array(role, np.uint8),
        response=np.array(response, np.uint64),
        tokens=np.array(known.get("tokens", nothing), np.int64),
        source=np.array(known.get("source", nothing), np.uint64),
        start=np.array(known.get("start", nothing), np.int64),
        end=np.array(known.get("end", nothing), np.int64),
        calls_out=np.array(known.get("calls_out", nothing), np.bool_),
        written=scopes,
        is_new=scopes == 0,
    )


def scopes_and_rules(rows, written=None, **known):
    result = count(spans(rows, written, **known))
    return [(SCOPE_NAMES[s], RULES[r]) for s, r in zip(result.scope, result.rule, strict=True)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([(0, 1, 0, False, ROLE_OTHER, 0)], [(None, None)], id="no usage, nothing to say"),
        pytest.param([(0, 1, 0, True, ROLE_CALL, 0)], [("counted", "leaf")], id="a call alone counts"),
        pytest.param(
            [(0, 1, 0, True, ROLE_WRAPPER, 0)],
            [("counted", "wrapper_without_calls")],
            id="a remote agent without children is the leaf",
        ),
        pytest.param(
            [(0, 1, 0, True, ROLE_WRAPPER, 0), (0, 2, 1, True, ROLE_CALL, 0), (0, 3, 1, True, ROLE_CALL, 0)],
            [("rollup", "descendant_has_usage"), ("counted", "leaf"), ("counted", "leaf")],
            id="an agent's sum yields to its calls",
        ),
        pytest.param(
            [(0, 1, 0, True, ROLE_WRAPPER, 0), (0, 2, 1, False, ROLE_OTHER, 0), (0, 3, 2, True, ROLE_CALL, 0)],
            [("rollup", "descendant_has_usage"), (None, None), ("counted", "leaf")],
            id="spans without usage in between do not hide the calls",
        ),
        pytest.param(
            [(0, 1, 0, True, ROLE_CALL, 7), (0, 2, 1, True, ROLE_CALL, 7)],
            [("duplicate", "same_call_below"), ("counted", "leaf")],
            id="a framework's span over the SDK's own is the same call",
        ),
        pytest.param(
            [(0, 1, 0, True, ROLE_CALL, 7), (0, 2, 0, True, ROLE_CALL, 7)],
            [("counted", "leaf"), ("duplicate", "same_response_id")],
            id="siblings with one response id are one call",
        ),
        pytest.param(
            [(0, 1, 0, True, ROLE_CALL, 7), (1, 1, 0, True, ROLE_CALL, 7)],
            [("counted", "leaf"), ("counted", "leaf")],
            id="each trace stands for itself",
        ),
        pytest.param(
            [(0, 1, 0, True, ROLE_NEVER, 0), (0, 2, 1, True, ROLE_CALL, 0)],
            [("rollup", "never_counted"), ("counted", "leaf")],
            id="cumulative counters never count",
        ),
        pytest.param(
            [(0, 1, 2, True, ROLE_CALL, 0), (0, 2, 1, True, ROLE_CALL, 0), (0, 3, 3, True, ROLE_CALL, 0)],
            [("counted", "leaf"), ("counted", "leaf"), ("counted", "leaf")],
            id="a cycle of parents loses nothing",
        ),
        pytest.param(
            [(0, 2, 99, True, ROLE_CALL, 0)], [("counted", "leaf")], id="a parent that never arrives changes nothing"
        ),
        pytest.param(
            [(0, 1, 0, True, ROLE_CALL, 0), (1, 2, 1, True, ROLE_CALL, 0)],
            [("counted", "leaf"), ("counted", "leaf")],
            id="parents are looked for in the same trace only",
        ),
    ],
)
def test_each_shape_counts_its_calls_once(rows, expected):
    assert scopes_and_rules(rows) == expected


LOST = 99


@pytest.mark.parametrize(
    ("rows", "scopes"),
    [
        pytest.param([(0, 1, 0, True, ROLE_WRAPPER, 0), (0, 3, LOST, True, ROLE_CALL, 0)], ["rollup", "counted"], id="below the root"),
        pytest.param([(0, 3, LOST, True, ROLE_CALL, 0), (0, 1, 0, True, ROLE_WRAPPER, 0)], ["counted", "rollup"], id="before the root"),
        pytest.param([(0, 1, 0, True, ROLE_WRAPPER, 0), (0, 3, LOST, True, ROLE_CALL, 0), (0, 4, 3, True, ROLE_CALL, 0)], ["rollup", "duplicate", "counted"], id="with children of its own"),
        pytest.param([(0, 1, 0, True, ROLE_CALL, 0), (0, 3, LOST, True, ROLE_CALL, 0)], ["counted", "counted"], id="a call may have called the tool that is missing"),
        pytest.param([(0, 1, 0, True, ROLE_WRAPPER, 0), (0, 2, 0, True, ROLE_WRAPPER, 0), (0, 3, LOST, True, ROLE_CALL, 0)], ["counted", "counted", "counted"], id="nobody knows below which of two roots"),
        pytest.param([(0, 1, LOST, True, ROLE_WRAPPER, 0), (0, 3, LOST, True, ROLE_CALL, 0)], ["counted", "counted"], id="no root"),
        pytest.param([(0, 1, 0, True, ROLE_WRAPPER, 0), (1, 3, LOST, True, ROLE_CALL, 0)], ["counted", "counted"], id="the root of another trace"),
    ],
)  # fmt: skip
def test_a_span_whose_parent_never_comes_is_below_the_root_of_its_trace(rows, scopes):
    assert [scope for scope, _ in scopes_and_rules(rows)] == scopes


def test_a_late_call_below_a_counted_row_does_not_count_again():
    rows = [(0, 1, 0, True, ROLE_WRAPPER, 0), (0, 2, 1, False, ROLE_OTHER, 0), (0, 3, 2, True, ROLE_CALL, 0)]
    written = [counting.COUNTED, counting.NONE, counting.NONE]
    result = count(
        Spans(
            **{**_fields(spans(rows)), "written": np.array(written, np.uint8), "is_new": np.array([False, False, True])}
        )
    )
    assert SCOPE_NAMES[result.scope[2]] == "duplicate"
    assert RULES[result.rule[2]] == "ancestor_counted"


def test_a_late_agent_over_counted_calls_is_a_rollup():
    rows = [(0, 1, 0, True, ROLE_WRAPPER, 0), (0, 2, 1, True, ROLE_CALL, 0), (0, 3, 1, True, ROLE_CALL, 0)]
    assert scopes_and_rules(rows, [0, counting.COUNTED, counting.COUNTED])[0] == ("rollup", "descendant_has_usage")


def test_a_late_span_with_a_counted_response_id_is_a_duplicate():
    rows = [(0, 1, 0, True, ROLE_CALL, 5), (0, 2, 0, True, ROLE_CALL, 5)]
    assert scopes_and_rules(rows, [counting.COUNTED, 0])[1] == ("duplicate", "same_response_id")


NESTED = [(0, 1, 0, True, ROLE_CALL, 0), (0, 2, 1, True, ROLE_CALL, 0)]


@pytest.mark.parametrize(
    ("responses", "tokens", "scope"),
    [
        pytest.param((0, 0), (9, 9), "duplicate", id="equal tokens: one call seen twice"),
        pytest.param((0, 0), (9, 0), "duplicate", id="tokens that are not known contradict nothing"),
        pytest.param((0, 0), (9, 4), "rollup", id="other tokens: a call within a call"),
        pytest.param((5, 5), (9, 4), "duplicate", id="the response id decides before tokens"),
        pytest.param((5, 6), (9, 9), "duplicate", id="equal tokens under two ids: a gateway gives one of its own"),
        pytest.param((5, 6), (9, 4), "rollup", id="other ids and other tokens"),
        pytest.param((5, 6), (9, 0), "rollup", id="other ids, and no tokens to compare"),
        pytest.param((5, 0), (9, 9), "duplicate", id="one response id alone decides nothing"),
    ],
)
def test_a_call_over_a_call_is_its_duplicate_only_if_both_report_the_same(responses, tokens, scope):
    rows = [(*row[:5], response) for row, response in zip(NESTED, responses, strict=True)]
    assert [said for said, _ in scopes_and_rules(rows, tokens=tokens)] == [scope, "counted"]


@pytest.mark.parametrize(
    ("source", "times", "counted"),
    [
        pytest.param((3, 3), ((10, 20), (20, 30)), 2, id="one after the other: an id that repeats"),
        pytest.param((3, 4), ((10, 20), (20, 30)), 1, id="two instrumentations"),
        pytest.param((3, 3), ((10, 20), (15, 30)), 1, id="overlapping"),
        pytest.param((3, 3), ((10, 10), (10, 10)), 1, id="one moment"),
        pytest.param((3, 3), ((10, 20), (0, 0)), 1, id="no times"),
        pytest.param((0, 0), ((10, 20), (20, 30)), 1, id="no scopes"),
    ],
)
def test_one_instrumentation_does_not_report_a_call_twice_in_a_row(source, times, counted):
    rows = [(0, 1, 0, True, ROLE_CALL, 7), (0, 2, 0, True, ROLE_CALL, 7)]
    start, end = zip(*times, strict=True)
    for which in (rows, rows[::-1]):
        scopes = [scope for scope, _ in scopes_and_rules(which, source=source, start=start, end=end)]
        assert scopes.count("counted") == counted


CALL_TOOL_CALL = [
    (0, 1, 0, True, ROLE_CALL, 0),
    (0, 2, 1, False, ROLE_OTHER, 0),
    (0, 3, 2, True, ROLE_WRAPPER, 0),
    (0, 4, 3, True, ROLE_CALL, 0),
]
"""A model call, the tool it called, an agent behind the tool, and that agent's model call."""


def test_a_call_made_by_a_tool_that_a_call_used_is_another_call():
    told = [scope for scope, _ in scopes_and_rules(CALL_TOOL_CALL, calls_out=[False, True, True, False])]
    assert told == ["counted", None, "rollup", "counted"]


def test_a_remote_agent_with_usage_below_a_call_is_another_call_too():
    rows = [(0, 1, 0, True, ROLE_CALL, 0), (0, 2, 1, True, ROLE_WRAPPER, 0)]
    assert [scope for scope, _ in scopes_and_rules(rows, calls_out=[False, True])] == ["counted", "counted"]


def test_an_agent_around_calls_and_tools_with_calls_of_their_own_stays_a_rollup():
    rows = [(0, 9, 0, True, ROLE_WRAPPER, 0), (0, 1, 9, True, ROLE_CALL, 0), *CALL_TOOL_CALL[1:]]
    told = [scope for scope, _ in scopes_and_rules(rows, calls_out=[True, False, True, True, False])]
    assert told == ["rollup", "counted", None, "rollup", "counted"]


@pytest.mark.parametrize(("tokens", "outer"), [(9, "duplicate"), (12, "rollup")])
def test_a_call_seen_twice_is_known_by_what_is_this_side_of_a_tool(tokens, outer):
    rows = [*CALL_TOOL_CALL, (0, 5, 1, True, ROLE_CALL, 0)]
    calls_out = [False, True, True, False, False]
    told = [scope for scope, _ in scopes_and_rules(rows, calls_out=calls_out, tokens=[tokens, 0, 4, 4, 9])]
    assert told == [outer, None, "rollup", "counted", "counted"]


def test_a_late_call_below_a_tool_of_a_counted_call_counts():
    late = {"written": np.array([counting.COUNTED, 0, 0, 0], np.uint8), "is_new": np.array([False, True, True, True])}
    fields = _fields(spans(CALL_TOOL_CALL, calls_out=[False, True, True, False]))
    result = count(Spans(**{**fields, **late}))
    assert [SCOPE_NAMES[s] for s in result.scope] == ["counted", None, "rollup", "counted"]


def test_the_counted_row_inherits_from_the_call_it_replaces():
    result = count(
        spans([(0, 1, 0, True, ROLE_CALL, 0), (0, 2, 1, False, ROLE_OTHER, 0), (0, 3, 2, True, ROLE_CALL, 0)])
    )
    assert result.inherit.tolist() == [-1, -1, 0]


def _fields(value):
    return {name: getattr(value, name) for name in Spans.__slots__}


@st.composite
def forests(draw):
    """Traces with random parents: trees, orphans, cycles, repeated response ids."""
    n = draw(st.integers(1, 24))
    rows = []
    for i in range(n):
        trace = draw(st.integers(0, 2))
        parent = draw(st.integers(0, n + 2))
        usage = draw(st.booleans())
        role = draw(st.sampled_from([ROLE_OTHER, ROLE_CALL, ROLE_WRAPPER]))
        response = draw(st.sampled_from([0, 0, 0, 5, 6]))
        rows.append((trace, i + 1, parent, usage, role, response))
    return rows


@given(forests())
def test_no_path_from_root_to_leaf_counts_twice(rows):
    result = count(spans(rows))
    parent_of = {(r[0], r[1]): (r[0], r[2]) for r in rows}
    scope_of = {(r[0], r[1]): int(s) for r, s in zip(rows, result.scope, strict=True)}
    for key, scope in scope_of.items():
        if scope != counting.COUNTED:
            continue
        seen = {key}
        at = parent_of[key]
        while at in parent_of and at not in seen:
            seen.add(at)
            if _on_cycle(parent_of, at):
                break
            assert scope_of[at] != counting.COUNTED
            at = parent_of[at]


@given(forests())
def test_every_trace_with_usage_counts_something_and_response_ids_count_once(rows):
    result = count(spans(rows))
    for trace in {r[0] for r in rows if r[3]}:
        mine = [(r, s) for r, s in zip(rows, result.scope, strict=True) if r[0] == trace]
        counted = [r for r, s in mine if s == counting.COUNTED]
        assert counted
        responses = [r[5] for r in counted if r[5]]
        assert len(responses) == len(set(responses))


@given(forests(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_change_the_total(rows, random):
    """Which of two equals counts may depend on order; how many do may not."""
    shuffled = list(rows)
    random.shuffle(shuffled)
    first, second = count(spans(rows)), count(spans(shuffled))
    assert sorted(first.scope.tolist()) == sorted(second.scope.tolist())


def _on_cycle(parent_of, start):
    at, seen = start, set()
    while at in parent_of and at not in seen:
        seen.add(at)
        at = parent_of[at]
    return at == start
