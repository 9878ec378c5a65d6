"""What each policy keeps; how they are combined stands in ``test_tail_sampling``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from collector.kernels.sql.ottl import sql_of
from processors._sampling.ottl_refusal import refusal
from processors.tail_sampling import Config
from tests.processors._sampling.sampling_kit import ALWAYS, due, kept, probabilistic, sampler, status, with_spans

USD = 10**12


def policy(kind: str, name: str = "p", **options: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, kind: options}


@pytest.mark.parametrize(
    ("state", "keeps"),
    [
        ("a=1", True),
        ("b=9, a=2 ,c=3", True),
        ("a=3", False),
        ("", False),
        ("a=1,a=1", False),  # no trace state at all, so nothing in it counts
        ("a=1,A=2", False),
        ("x@a=1", False),
        (",".join(["a=1", *(f"k{n}=v" for n in range(31))]), True),
        (",".join(["a=1", *(f"k{n}=v" for n in range(32))]), False),
    ],
)
def test_trace_state_compares_a_member(state: str, keeps: bool) -> None:
    traces = with_spans({"trace_id": 1, "trace_state": "z=1"}, {"trace_id": 1, "trace_state": state})
    decided = sampler(policy("trace_state", key="a", values=["1", "2", ""])).decide(traces)

    assert kept(decided) == ["p" if keeps else None]


def test_trace_flags_look_for_the_sampled_flag_on_any_span() -> None:
    traces = with_spans(
        {"trace_id": 1, "flags": 0x300}, {"trace_id": 1, "flags": 0x101}, {"trace_id": 2, "flags": 0x302}
    )

    assert kept(sampler({"name": "p", "type": "trace_flags"}).decide(traces)) == ["p", None]


def test_cost_has_inclusive_bounds_in_dollars_and_unknown_is_not_zero() -> None:
    traces = due(
        *({"total_cost": cost} for cost in (USD // 10 - 1, USD // 10, 2 * USD, 2 * USD + 1)), {"total_tokens": 7}, {}
    )

    assert kept(sampler(policy("cost", min_usd="0.10")).decide(traces)) == [None, "p", "p", "p", None, None]
    assert kept(sampler(policy("cost", min_usd=0.1, max_usd=2)).decide(traces)) == [None, "p", "p", None, None, None]
    unknown_too = sampler(policy("cost", min_usd=2, unpriced=True)).decide(traces)
    assert kept(unknown_too) == [None, None, "p", "p", "p", None]


def test_tokens_have_inclusive_bounds() -> None:
    traces = due({"total_tokens": 9}, {"total_tokens": 10}, {"total_tokens": 11}, {})

    assert kept(sampler(policy("tokens", min_tokens=10)).decide(traces)) == [None, "p", "p", None]
    assert kept(sampler(policy("tokens", max_tokens=10)).decide(traces)) == ["p", "p", None, None]


def test_model_looks_at_asked_answering_and_priced_model() -> None:
    traces = with_spans(
        {"trace_id": 1, "request_model": "gpt-4o"},
        {"trace_id": 2, "response_model": "gpt-4o-2024-08-06"},
        {"trace_id": 3, "model": "claude-sonnet-4"},
        {"trace_id": 4, "type": "span"},
    )

    assert kept(sampler(policy("model", values=["gpt-4o", "claude-sonnet-4"])).decide(traces)) == [
        "p", None, "p", None,
    ]  # fmt: skip
    by_expression = policy("model", values=["^gpt-"], enabled_regex_matching=True)
    assert kept(sampler(by_expression).decide(traces)) == ["p", "p", None, None]


def test_observation_type_looks_for_any_of_the_types() -> None:
    traces = with_spans(*({"trace_id": n + 1, "type": kind} for n, kind in enumerate(["tool", "agent", "span"])))

    assert kept(sampler(policy("observation_type", types=["tool", "agent"])).decide(traces)) == ["p", "p", None]


def in_sessions(n: int, of: int) -> Any:
    ids = np.random.default_rng(3).bytes(16 * n)
    return due(*({"trace_id": ids[16 * i : 16 * i + 16], "session_id": f"chat {i % of}"} for i in range(n)))


def test_sessions_are_kept_or_dropped_whole() -> None:
    decided = sampler(policy("session", sampling_percentage=30)).decide(in_sessions(2000, of=400))
    keep = decided.keep.reshape(5, 400)

    assert (keep == keep[0]).all()
    assert 0.2 < keep[0].mean() < 0.4
    assert set(decided.adjusted_count[decided.keep].round(9)) == {round(1 / 0.3, 9)}


def test_a_trace_without_a_session_is_one_by_itself() -> None:
    ids = np.random.default_rng(4).bytes(16 * 1000)
    traces = due(*({"trace_id": ids[16 * i : 16 * i + 16]} for i in range(1000)))

    assert 0.2 < sampler(policy("session", sampling_percentage=30)).decide(traces).keep.mean() < 0.4


def test_chance_over_sessions_is_not_chance_over_traces() -> None:
    traces = in_sessions(500, of=500)
    decided = sampler(policy("session", sampling_percentage=50), probabilistic(50, name="t")).decide(traces)

    assert set(decided.adjusted_count[decided.keep].round(9)) == {round(1 / 0.75, 9)}


def test_a_trace_that_is_too_large_is_dropped_without_asking() -> None:
    made = sampler(ALWAYS, maximum_trace_size_bytes=100)
    decided = made.decide(due({"size_bytes": 100}, {"size_bytes": 101}))

    assert kept(decided) == ["all", None]
    assert made.maximum_trace_size_bytes == 100
    assert decided.policy_verdicts is not None
    assert decided.policy_verdicts.table.tolist() == [[1, -1]]


@pytest.mark.parametrize("drops", [True, False])
def test_what_waits_at_shutdown_may_be_dropped(drops: bool) -> None:
    made = sampler(ALWAYS, drop_pending_traces_on_shutdown=drops)

    assert kept(made.decide(due({"trigger": 4}, {"trigger": 0}))) == [None if drops else "all", "all"]


def test_decisions_come_with_the_verdict_of_each_policy() -> None:
    no = {
        "name": "no",
        "type": "drop",
        "drop": {"drop_sub_policy": [{"type": "span_count", "span_count": {"min_spans": 9}}]},
    }
    decided = sampler(ALWAYS, status("ERROR"), no).decide(due({"span_count": 9}, {}, {"status_codes": 4}))

    assert decided.policy_verdicts is not None
    assert list(decided.policy_verdicts.policies) == ["no", "all", "s"]
    assert decided.policy_verdicts.table.tolist() == [[2, 0, 0], [-1, 1, 1], [-1, 0, 1]]


@pytest.mark.parametrize(
    ("condition", "sql"),
    [
        ('attributes["http.route"] == "/x"', "attributes['http.route'] = '/x'"),
        ('resource.attributes["a"] != nil', "resource['a'] is not null"),
        ('status.code == STATUS_CODE_ERROR and name == "it\'s"', "status_code = 'ERROR' and span_name = 'it''s'"),
        ('span.kind.string == "Server"', "kind = 'SERVER'"),
        ("IsRootSpan()", "parent_span_id is null"),
        ('not IsMatch(span.name, "^chat")', "(regexp_matches(span_name, '^chat')) is not true"),
        ("(end_time_unix_nano - start_time_unix_nano) > 1000", "end_unix_nano - start_unix_nano > 1000"),
        ("FNV(name) == nil", None),
        ("flags == 1", None),
    ],
)
def test_ottl_is_answered_with_its_sql(condition: str, sql: str | None) -> None:
    assert sql_of(condition) == sql


def test_ottl_is_refused_with_what_to_write_instead() -> None:
    given = {"error_mode": "ignore", "span": ['name == "chat"'], "spanevent": ['name == "x"']}
    with pytest.raises(
        ValidationError, match=r"""sql: \{span: \["span_name = 'chat'"\]\}; conditions on span events"""
    ):
        Config(policies=[{"name": "o", "type": "ottl_condition", "ottl_condition": given}])  # type: ignore[list-item]


@given(st.text(alphabet="az.[]\"'\\\\ =!<()andIsRootSpan", max_size=40))
def test_whatever_stands_for_ottl_is_refused_with_words(text: str) -> None:
    said = refusal({"span": [text, 5], "spanevent": text})

    assert said.startswith("OTTL is not supported")
    assert refusal(None).startswith("OTTL is not supported")
