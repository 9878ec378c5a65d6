"""Conditions in SQL over the spans of a trace."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from collector.component.sampler import DueTraces
from collector.kernels.sql.duck import connect
from collector.kernels.sql.trace_columns import COLUMNS, UNKNOWN_YET
from collector.kernels.sql.trace_conditions import TraceConditions
from collector.model import schema
from processors.tail_sampling import Config
from tests.processors._sampling.sampling_kit import ALWAYS, drop, due, kept, opposite, sampler, spans, status

USD = 10**12


def sql(*trace: str, span: tuple[str, ...] = (), name: str = "q") -> dict[str, Any]:
    return {"name": name, "type": "sql", "sql": {"trace": list(trace), "span": list(span)}}


def traces(*rows: dict[str, Any], facts: tuple[dict[str, Any], ...] = ()) -> DueTraces:
    """Spans with facts, and ``usage_scope`` as assembly adds it."""
    scopes = pa.array([row.get("usage_scope", "counted") for row in rows], pa.string())
    batch = spans([{k: v for k, v in row.items() if k != "usage_scope"} for row in rows], facts=True)
    batch = batch.with_columns({"usage_scope": scopes})
    owner = np.array([row["trace_id"] - 1 for row in rows], np.int32)
    table = due(*(facts or ({},) * (int(owner.max()) + 1))).traces
    return DueTraces(table, 0, lambda columns=None: (batch, owner))


def test_aggregates_are_over_the_spans_of_a_trace() -> None:
    rows = [{"trace_id": 1, "type": "tool"} for _ in range(3)] + [{"trace_id": 2, "type": "tool"}, {"trace_id": 2}]
    many_tools = sql("count(*) filter (where type = 'tool') > 2")

    assert kept(sampler(many_tools).decide(traces(*rows))) == ["q", None]
    assert kept(sampler(sql("count(*) = 2", "false")).decide(traces(*rows))) == [None, "q"]


def test_money_is_exact_and_only_counted_rows_have_any() -> None:
    cents = [{"trace_id": 1, "total_cost": USD // 100} for _ in range(10)]
    wrapper = [{"trace_id": 2, "total_cost": USD, "total_tokens": 5, "usage_scope": "rollup"}]

    assert kept(sampler(sql("sum(total_cost) >= 0.10")).decide(traces(*cents, *wrapper))) == ["q", None]
    assert kept(sampler(sql("sum(total_cost) > 0.10")).decide(traces(*cents, *wrapper))) == [None, None]
    assert kept(sampler(sql("sum(total_tokens) is null")).decide(traces(*cents, *wrapper))) == ["q", "q"]


def test_a_span_condition_is_met_by_any_span() -> None:
    rows = [
        {"trace_id": 1, "type": "tool"},
        {"trace_id": 1, "level": "ERROR"},
        {"trace_id": 2, "type": "tool", "level": "ERROR"},
    ]

    assert kept(sampler(sql(span=("type = 'tool' and level = 'ERROR'",))).decide(traces(*rows))) == [None, "q"]
    assert kept(sampler(sql(span=("level = 'ERROR' -- said so",))).decide(traces(*rows))) == ["q", "q"]


def test_attributes_are_there_under_their_keys_as_text() -> None:
    rows = [
        {"trace_id": 1, "attributes": {"n": 7, "it's": "x"}, "resource": {"service.name": "shop"}},
        {"trace_id": 2, "attributes": {"n": 3, "flag": True}, "resource": {"service.name": "web", "w": 1.5}},
        {"trace_id": 3},
    ]

    def keeps(condition: str) -> list[str | None]:
        return kept(sampler(sql(span=(condition,))).decide(traces(*rows)))

    assert keeps("attributes['n']::int > 5") == ["q", None, None]
    assert keeps("attributes['it''s'] = 'x' and 'attributes[''n'']' <> ''") == ["q", None, None]
    assert keeps("attributes['flag'] = 'true' or resource [ 'service.name' ] = 'shop'") == ["q", "q", None]
    assert keeps("attributes['n'] is null") == [None, None, "q"]
    assert keeps("resource['w']::double = 1.5") == [None, "q", None]


def test_what_a_trace_says_of_itself_holds_for_all_its_spans() -> None:
    rows = [{"trace_id": 1}, {"trace_id": 1, "user_id": "someone else"}, {"trace_id": 2}]
    facts = ({"user_id": "ann", "session_id": "s"}, {})

    assert kept(sampler(sql("count(user_id) = 2 and min(user_id) = 'ann'")).decide(traces(*rows, facts=facts))) == [
        "q",
        None,
    ]


@pytest.mark.parametrize("traces_there", [1, 2, 7])
def test_a_condition_that_fails_keeps_the_traces_it_fails_on_and_no_others(traces_there: int) -> None:
    rows = [{"trace_id": n + 1, "attributes": {"n": "many" if n == 3 else str(n)}} for n in range(traces_there)]
    decided = sampler(sql(span=("attributes['n']::int = 1",)), sql("count(*) = 5", name="r")).decide(traces(*rows))

    expected: list[str | None] = [None, "q", None, "q", None, None, None]
    assert kept(decided) == expected[:traces_there]
    assert decided.policy_verdicts is not None
    assert (decided.policy_verdicts.table == 5).sum() == (1 if traces_there > 3 else 0)
    assert decided.adjusted_count[decided.keep].tolist() == [1.0] * int(decided.keep.sum())


def test_failing_inside_another_policy_keeps_too() -> None:
    fails = {"type": "sql", "sql": {"span": ["attributes['n']::int = 1"]}}
    rows = ({"trace_id": 1, "attributes": {"n": "many"}}, {"trace_id": 2, "attributes": {"n": "1"}})

    def keeps(*policies: dict[str, Any]) -> list[str | None]:
        return kept(sampler(*policies).decide(traces(*rows)))

    assert keeps(opposite(fails)) == ["not", None]
    assert keeps({"name": "and", "type": "and", "and": {"and_sub_policy": [fails, status("UNSET")]}}) == ["and", "and"]
    assert keeps({"name": "and", "type": "and", "and": {"and_sub_policy": [fails, status("ERROR")]}}) == [None, None]
    assert keeps(drop(fails)) == ["drop", None]
    assert keeps(drop(fails), ALWAYS) == ["drop", None]


def test_all_conditions_of_all_policies_are_one_query(monkeypatch: pytest.MonkeyPatch) -> None:
    queries: list[int] = []
    whole = TraceConditions._run
    monkeypatch.setattr(TraceConditions, "_run", lambda *given: (queries.append(len(given[1])), whole(*given))[1])
    made = sampler(sql("count(*) > 1", "count(*) > 2"), drop({"type": "sql", "sql": {"trace": ["count(*) > 3"]}}))

    made.decide(traces({"trace_id": 1}))
    assert queries == [3]


def test_nothing_is_ever_written_to_disk() -> None:
    settings = dict(connect().sql("SELECT name, value FROM duckdb_settings()").fetchall())

    assert settings["temp_directory"] in ("", None)
    assert settings["enable_external_access"] == "false"


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("sum(totl_cost) > 1", r"column .totl_cost. not found.*did you mean 'total_cost'"),
        ("count(*) >", "syntax error"),
        ("length(input) > 5", "input does not exist before the decision"),
        ("max(attributes) is null", "attributes does not exist before the decision; an attribute does"),
        ("(select count(*) from spans) > 3", "without SELECT"),
        ("total_cost > 1", "must appear in the GROUP BY"),
    ],
)
def test_what_cannot_be_run_is_refused(condition: str, message: str) -> None:
    with pytest.raises(ValidationError, match=re.compile(message, re.IGNORECASE)):
        Config(policies=[sql(condition)])  # type: ignore[list-item]


def test_an_aggregate_is_no_condition_over_one_span_and_some_condition_is_needed() -> None:
    with pytest.raises(ValidationError, match="give conditions under 'trace' or 'span'"):
        Config(policies=[sql()])  # type: ignore[list-item]
    with pytest.raises(ValidationError, match="aggregate"):
        Config(policies=[sql(span=("type = 'tool' and sum(total_cost) > 1",))])  # type: ignore[list-item]


def test_every_stored_column_is_there_or_refused() -> None:
    assert COLUMNS.keys() | UNKNOWN_YET == set(schema.OBSERVATIONS.names)
    assert {"input", "output", "metadata", "sampled_by"} <= UNKNOWN_YET
    for name in COLUMNS:
        Config(policies=[sql(f"max({name}) is null")])  # type: ignore[list-item]


def test_all_conditions_that_cannot_be_run_are_named_at_once() -> None:
    with pytest.raises(ValidationError, match=r"'nothing > 1': .*; 'length\(output\) > 1': .*; 'typ = 1': .*"):
        Config(policies=[sql("nothing > 1", "count(*) > 1", "length(output) > 1", span=("typ = 1",))])  # type: ignore[list-item]
