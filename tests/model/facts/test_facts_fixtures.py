"""What real instrumentations sent: facts per span against the expectations that came with them.

Sums run over the spans that carry usage and have no descendant that does, each response id once:
a small stand-in for the counting over whole traces, which has tests of its own.

Proves types, usage, cost and identity on captures. Does not prove counting over whole traces.
"""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from collector.model import schema
from collector.model.batch import Signal, SpanBatch
from collector.model.codec.chosen import decode, prepare_json
from collector.model.facts import resolve

CAPTURES = Path(__file__).parents[2] / "fixtures" / "otlp"
SCENARIOS = [json.loads(line) for line in (CAPTURES / "EXPECT.jsonl").read_text().splitlines()]
COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")

TRACE_LEVEL = {
    # The provided cost sits on the outer of two spans of one call; the counted one inherits it.
    ("pydantic-ai", "anthropic"): {"cost_provided"},
}


def name_of(scenario):
    return f"{scenario['lang']}-{scenario['lib']}-{scenario['scenario']}-{scenario['encoding']}"


def read(files):
    bodies = []
    for name in files:
        if ".traces." in name:
            body = (CAPTURES / name).read_bytes()
            bodies.append(prepare_json(Signal.TRACES, body) if name.endswith(".json") else body)
    return resolve.resolve(SpanBatch.concat(decode(Signal.TRACES, bodies).batches)).record_batch.to_pylist()


def counted(rows):
    by_id = {(row["trace_id"], row["span_id"]): row for row in rows}
    using = [row for row in rows if row["usage"] is not None and row["role"] != schema.ROLE_NEVER]
    outer = {id(above) for row in using for above in ancestors(row, by_id)}
    leaves = [row for row in using if id(row) not in outer]
    return list({(row["trace_id"], row["response_id"] or id(row)): row for row in leaves}.values())


def ancestors(row, by_id):
    seen = set()
    while (row := by_id.get((row["trace_id"], row["parent_span_id"]))) is not None and id(row) not in seen:
        seen.add(id(row))
        yield row


def values(rows, name):
    return {row[name] for row in rows if row[name] is not None}


@pytest.fixture(scope="module")
def answers():
    """Facts of a scenario, resolved once for all tests of this module."""
    known = {}

    def of(scenario):
        key = tuple(scenario["files"])
        if key not in known:
            known[key] = read(key)
        return known[key]

    return of


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
def test_spans_types_and_errors(scenario, answers):
    rows = answers(scenario)
    assert len(rows) == scenario["spans"]
    types = Counter(row["type"] for row in rows)
    assert {kind: types[kind] for kind in scenario.get("types", {})} == scenario.get("types", {})
    assert sum(row["level"] == "ERROR" for row in rows) == scenario["errors"]
    assert "otel" not in values(rows, "dialect") - {"otel"}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
def test_counted_usage(scenario, answers):
    leaves = counted(answers(scenario))
    alone = scenario.get("without_cross_trace_dedupe", {})
    calls = sum(row["type"] == "generation" for row in leaves)
    assert calls in {scenario["leaf_generations"], alone.get("leaf_generations")}
    for name in COUNTS:
        if name in scenario:
            total = sum(row[name] or 0 for row in leaves)
            assert total in {scenario[name], alone.get(name)}, name
    for row in leaves:
        buckets = dict(row["usage"])
        assert min(buckets.values()) >= 0
        if row["input_tokens"] is not None:
            assert sum(v for k, v in buckets.items() if k.startswith("input")) == row["input_tokens"]
        if row["output_tokens"] is not None:
            assert sum(v for k, v in buckets.items() if k.startswith("output")) == row["output_tokens"]
        assert json.loads(row["provided_usage"])
    if "models" in scenario:
        assert values(leaves, "model") == set(scenario["models"])


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if "cost_provided" in s], ids=name_of)
def test_provided_cost(scenario, answers):
    if "cost_provided" in TRACE_LEVEL.get((scenario["lib"], scenario["scenario"]), ()):
        rows = answers(scenario)
    else:
        rows = counted(answers(scenario))
    total = Decimal(sum(row["total_cost"] or 0 for row in rows)) / 10**12
    assert abs(total - Decimal(str(scenario["cost_provided"]))) < Decimal("1e-9")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
def test_identity_providers_and_tools(scenario, answers):
    rows = answers(scenario)
    for name in ("user_id", "session_id"):
        if name in scenario:
            assert values(rows, name) == {scenario[name]}
    if "tags" in scenario:
        strong = [row["tags"] for row in rows if row["tags"] and not row["tags_weak"]]
        weak = [row["tags"] for row in rows if row["tags"]]
        assert {tag for tags in strong or weak for tag in tags} == set(scenario["tags"])
    if "providers" in scenario:
        calls = [row for row in rows if row["type"] in {"generation", "embedding"}]
        assert values(calls, "provider") == set(scenario["providers"])
    if "tool_names" in scenario:
        assert values([r for r in rows if r["type"] == "tool"], "tool_name") == set(scenario["tool_names"])
