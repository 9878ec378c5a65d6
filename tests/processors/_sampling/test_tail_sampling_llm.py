"""Policies that read what a trace says: evaluation results, and arguments of tools. Through assembly, as it comes.

Proves it with a real assembly. Does not prove results that come after the decision: they find it made.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from collector.engine.modelling import Modelling
from collector.model.batch import SpanBatch
from collector.telemetry import Telemetry
from collector.testing import builders
from processors.tail_sampling import Config
from tests.engine.assembly_kit import SECOND, Bench
from tests.processors._sampling.sampling_kit import sampler

RESULT = "gen_ai.evaluation.result"


def policy(kind: str, **options: Any) -> dict[str, Any]:
    return {"name": "p", "type": kind, kind: options}


def evaluation(name: str = "helpful", **result: Any) -> dict[str, Any]:
    given = {"gen_ai.evaluation.name": name} | {
        f"gen_ai.evaluation.score.{key}": value for key, value in result.items()
    }
    return {"name": RESULT, "attributes": given}


def kept(made: dict[str, Any], rows: list[dict[str, Any]], logs: list[dict[str, Any]] | None = None) -> set[int]:
    """Numbers of the traces that the policy keeps."""
    bench = Bench(sampler(made, decision_wait="1s"))
    bench.send(Modelling(Telemetry()).resolve(SpanBatch(builders.spans(rows, facts=False).record_batch)))
    if logs:
        bench.send_logs(logs)
    found: set[int] = set()
    for decision in bench.tick(2 * SECOND):
        found |= {int.from_bytes(row["trace_id"], "big") for row in decision.traces.to_pylist() if row["keep"]}
    return found


SCORED = [
    {"trace_id": 1, "span_id": 1, "events": [evaluation(value=0.9)]},
    {"trace_id": 2, "span_id": 2, "events": [evaluation(value=0.2), evaluation("toxic", value=0.9)]},
    {"trace_id": 3, "span_id": 3, "events": [evaluation(label="bad")]},
    {"trace_id": 4, "span_id": 4},
]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {1, 2, 3}),
        ({"name": "helpful"}, {1, 2, 3}),
        ({"name": "helpful", "min_value": 0.9}, {1}),
        ({"name": "helpful", "max_value": 0.5}, {2}),
        ({"min_value": 0.9}, {1, 2}),
        ({"values": ["bad", "awful"]}, {3}),
        ({"name": "none"}, set()),
    ],
)
def test_score_looks_at_results_in_span_events(options: dict[str, Any], expected: set[int]) -> None:
    assert kept(policy("score", **options), SCORED) == expected


def test_score_looks_at_log_records_that_wait_with_the_trace() -> None:
    rows = [{"trace_id": n, "span_id": n} for n in (1, 2)]
    logs = [
        {"trace_id": n, "span_id": n, "event_name": RESULT, "attributes": evaluation(value=n / 10)["attributes"]}
        for n in (1, 2)
    ]

    assert kept(policy("score", name="helpful", max_value=0.15), rows, logs) == {1}


def call(trace: int, arguments: str, tool: str = "search", **more: Any) -> dict[str, Any]:
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
        "gen_ai.tool.call.arguments": arguments,
    }
    return {"trace_id": trace, "attributes": attributes, **more}


def test_tool_loop_counts_equal_calls() -> None:
    rows = [
        *[call(1, '{"q": "cats"}') for _ in range(3)],
        *[call(2, f'{{"q": "cats {n}"}}') for n in range(3)],
        *[call(3, '{"q": "cats"}') for _ in range(2)],
        *[call(4, '{"q": "cats"}', tool) for tool in ("search", "read", "read")],
        {"trace_id": 5},
    ]

    assert kept(policy("tool_loop"), rows) == {1}
    assert kept(policy("tool_loop", min_repeats=2), rows) == {1, 3, 4}
    assert kept(policy("tool_loop", min_repeats=2, tools=["read"]), rows) == {4}


def test_a_call_that_two_instrumentations_saw_is_one() -> None:
    rows = []
    for n in range(2):
        rows.append(call(1, '{"q": "cats"}', span_id=10 * n + 1))
        rows.append(call(1, '{"q": "cats"}', span_id=10 * n + 2, parent_span_id=10 * n + 1))

    assert kept(policy("tool_loop", min_repeats=3), rows) == set()
    assert kept(policy("tool_loop", min_repeats=2), rows) == {1}


def test_traces_without_tools_and_results_are_not_kept() -> None:
    rows = [{"trace_id": 1}, {"trace_id": 2}]

    assert kept(policy("tool_loop"), rows) == set()
    assert kept(policy("score"), rows) == set()


def test_a_condition_that_fails_is_counted_and_its_trace_kept() -> None:
    made = {"name": "p", "type": "sql", "sql": {"span": ["attributes['n']::int = 1"]}}
    bench = Bench(sampler(made, decision_wait="1s"))
    rows = [{"trace_id": n, "span_id": n, "attributes": {"n": text}} for n, text in ((1, "many"), (2, "2"), (3, "1"))]
    bench.send(Modelling(Telemetry()).resolve(SpanBatch(builders.spans(rows, facts=False).record_batch)))

    assert len(bench.out(now=2 * SECOND)) == 2
    labels = {"pipeline": "traces", "policy": "p"}
    name = "otelcol_processor_tail_sampling_sampling_policy_evaluation_error_total"
    assert bench.telemetry.registry.get_sample_value(name, labels) == 1


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"type": "cost", "cost": {"min_usd": 5, "max_usd": 1}}, "max_usd is below min_usd"),
        ({"type": "tokens", "tokens": {"min_tokens": 5, "max_tokens": 1}}, "max_tokens is below min_tokens"),
        ({"type": "probabilistic", "probabilistic": {"sampling_percentage": -5}}, "greater than or equal to 0"),
    ],
)
def test_a_policy_that_keeps_nothing_is_refused(policy: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Config.model_validate({"policies": [{"name": "p", **policy}]})
