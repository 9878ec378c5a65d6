"""``spanloom explain``: it tells what the pipeline did, and changes nothing of it.

Proves that rows stay as they are, and reasons for each kind of value. Does not prove that every reason is told:
attributes nobody reads are only listed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from collector.cli.app import app
from collector.config.load import load
from collector.model.stored.as_json import json_objects
from collector.offline.captures import read_capture
from collector.offline.dry_run import dry_run
from collector.offline.explain.explanation import Explanation, Line, explain
from collector.offline.explain.lines import lines

HERE = Path(__file__).parents[2]
GOLDEN = HERE / "golden"
FIXTURES = HERE / "fixtures/otlp"
NOW = 1_790_000_100 * 10**9
COLUMNS = ("type", "model", "input", "output", "user_id", "input_tokens", "total_cost", "usage_scope", "tags")
CAPTURES = [
    "js/anthropic-sdk-native",
    "js/genkit",
    "js/langfuse-openai",
    "js/mastra-otel",
    "js/vercel-ai-6",
    "py/langfuse-v3",
    "py/litellm-otel",
    "py/logfire",
    "py/mlflow",
    "py/openinference-langchain",
    "py/openllmetry-langchain",
    "py/strands",
]


def requests(paths: Sequence[Path]) -> list[Any]:
    return [request for path in sorted(paths) for request in read_capture(path)]


def explained(case: str, tmp_path: Path) -> dict[str, Explanation]:
    config = load([GOLDEN / case / "config.yaml"], overrides=[], environ={}, data_dir=tmp_path)
    inputs = requests(list((GOLDEN / case).glob("in*.json")))
    return {e.span_id[-1]: e for e in explain(config, inputs, clock=lambda: NOW).observations}


def field(explanation: Explanation, name: str) -> Line:
    return next(line for line in explanation.fields if line.field == name)


@pytest.mark.parametrize("folder", CAPTURES)
def test_explaining_changes_no_row_and_shows_the_rows_values(folder: str, tmp_path: Path) -> None:
    config = load([], overrides=[], environ={}, data_dir=tmp_path)
    inputs = requests(list((FIXTURES / folder).glob("*.binpb")))
    rows = [row for table in dry_run(config, inputs, clock=lambda: NOW) for row in json_objects(table)]
    for row, explanation in zip(rows, explain(config, inputs, clock=lambda: NOW).observations, strict=True):
        assert (explanation.trace_id, explanation.span_id) == (row["trace_id"], row["span_id"])
        assert explanation.dialect == row["dialect"]
        shown = {line.field: line.value for line in explanation.fields}
        assert {name: row[name] for name in shown if name in row} == {n: v for n, v in shown.items() if n in row}
        assert {name for name in COLUMNS if row[name] is not None} <= shown.keys()
        assert [line for line in lines(explanation) if len(line) > 120 and " " in line.strip()] == []


def test_a_value_names_its_key_its_rule_and_what_came_too_late(tmp_path: Path) -> None:
    line = field(explained("masked-chat", tmp_path)["1"], "model")
    assert (line.value, line.said and line.said.origin, line.said and line.said.rule) == (
        "gpt-4o-mini-2024-07-18",
        "field response_model",
        "otel_genai rank 3",
    )
    assert [(said.value, said.origin) for said in line.also] == [("gpt-4o-mini", "field request_model")]


def test_values_are_masked_as_the_pipeline_masks_them(tmp_path: Path) -> None:
    explanation = explained("masked-chat", tmp_path)["1"]
    sent = (GOLDEN / "masked-chat/in.otlp.json").read_text()
    assert "jane@example.com" in sent
    assert "jane@example.com" not in "\n".join(map(str, [explanation, *lines(explanation)]))
    assert str(field(explanation, "user_id").value).startswith("user-")


def test_a_rule_whose_condition_does_not_hold_is_named_with_it(tmp_path: Path) -> None:
    (early,) = (s for s in field(explained("provided-cost", tmp_path)["1"], "type").also if s.why_not)
    assert (early.rule, early.why_not) == ("langfuse rank 2", "condition does not hold")
    assert "scope version <=3.3.0" in early.when
    assert early.decided_by == "language is not known"


def test_the_attribute_that_told_the_dialect_is_named(tmp_path: Path) -> None:
    explanation = explained("provided-cost", tmp_path)["1"]
    assert explanation.detected_by.startswith("has one of langfuse.* (here langfuse.")


def test_a_duplicate_names_the_span_that_counts(tmp_path: Path) -> None:
    outer, inner = (explained("duplicate-sdk-span", tmp_path)[n] for n in "12")
    assert field(outer, "usage_scope").value == "duplicate"
    assert "0000000000000002 'anthropic.messages.create'" in str(field(outer, "usage_scope").note)
    assert field(inner, "usage_scope").value == "counted"
    assert not [line for line in outer.fields if line.field in {"input_tokens", "total_cost"} and line.value]


def test_a_roll_up_names_what_is_counted_below(tmp_path: Path) -> None:
    found = explained("agent-rollup", tmp_path)
    scopes = {e.span_id: line.value for e in found.values() for line in e.fields if line.field == "usage_scope"}
    (rollup,) = (e for e in found.values() if scopes.get(e.span_id) == "rollup")
    counted = [span_id for span_id, scope in scopes.items() if scope == "counted"]
    note = str(field(rollup, "usage_scope").note)
    assert counted
    assert all(span_id in note for span_id in counted)


def test_a_roll_up_names_what_is_counted_below_spans_that_never_came(tmp_path: Path) -> None:
    config = load([GOLDEN / "agent-rollup" / "config.yaml"], overrides=[], environ={}, data_dir=tmp_path)
    sent = (GOLDEN / "agent-rollup" / "in.otlp.json").read_text()
    lost = tmp_path / "in.json"
    lost.write_text(sent.replace('"parentSpanId": "0000000000000001"', '"parentSpanId": "0000000000000099"'))
    assert lost.read_text() != sent
    root, *_ = explain(config, requests([lost]), clock=lambda: NOW).observations
    scope = field(root, "usage_scope")
    assert scope.value == "rollup"
    assert "0000000000000002" in str(scope.note)


def test_content_names_its_carrier_and_its_row(tmp_path: Path) -> None:
    said = field(explained("log-joined-content", tmp_path)["1"], "input").said
    assert said is not None
    assert said.origin == "log record gen_ai.system.message, gen_ai.user.message"
    assert said.rule.endswith(", event_inputs")


def test_provided_cost_names_its_object_and_a_count_its_member(tmp_path: Path) -> None:
    explanation = explained("provided-cost", tmp_path)["1"]
    cost, count = field(explanation, "cost_object"), field(explanation, "input_total")
    assert (cost.value, cost.said and cost.said.origin) == (Decimal("0.003"), "langfuse.observation.cost_details")
    assert count.said is not None
    assert count.said.origin == "langfuse.observation.usage_details → input"
    assert field(explanation, "cost_source").note == "sent with the span, see cost_* above; from an object of costs"


def test_filled_down_facts_name_their_span_and_unread_attributes_are_listed(tmp_path: Path) -> None:
    attributes = {"1": {"user.id": "u-1", "gen_ai.nobody.knows": "x"}, "2": {"gen_ai.request.model": "m", "mine": 1}}
    file = tmp_path / "in.json"
    file.write_text(json.dumps(_request(attributes)))
    config = load([], overrides=[], environ={}, data_dir=tmp_path)
    root, child = sorted(explain(config, requests([file])).observations, key=lambda e: e.span_id)
    assert field(child, "user_id").note == f"filled down from span {root.span_id} (user.id)"
    assert field(child, "trace_name").note == "the name of the root span"
    assert (root.unknown, child.unknown) == (("gen_ai.nobody.knows",), ("mine",))


def _request(spans: dict[str, dict[str, Any]]) -> dict[str, Any]:
    def value(v: Any) -> dict[str, Any]:
        return {"intValue": str(v)} if isinstance(v, int) else {"stringValue": v}

    made = [
        {
            "traceId": "0" * 31 + "1",
            "spanId": number.rjust(16, "0"),
            "parentSpanId": "" if number == "1" else "0" * 15 + "1",
            "name": f"span {number}",
            "startTimeUnixNano": str(NOW),
            "endTimeUnixNano": str(NOW + 1),
            "attributes": [{"key": k, "value": value(v)} for k, v in attributes.items()],
        }
        for number, attributes in spans.items()
    ]
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "mine"}, "spans": made}]}]}


def call(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["explain", *arguments])


def test_the_command_takes_a_trace_and_a_span_and_prints_text_or_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = str(GOLDEN / "duplicate-sdk-span/in.otlp.json")
    text = call(file, "--span", "0000000000000002")
    assert text.exit_code == 0
    assert text.stdout.startswith('span 0000000000000002 "anthropic.messages.create"\n  trace ')
    objects = [json.loads(line) for line in call(file, "--trace", "0000", "--output", "json").stdout.splitlines()]
    assert [o["span_id"][-1] for o in objects] == ["1", "2"]
    assert objects[0]["fields"][0] == {
        "field": "type",
        "value": "generation",
        "said": {
            "value": "generation",
            "origin": "openinference.span.kind",
            "sent": "LLM",
            "table": "openinference",
            "rank": 5,
            "reading": "text",
            "when": "",
            "why_not": None,
            "decided_by": "",
        },
        "note": None,
        "also": objects[0]["fields"][0]["also"],
    }
    none = call(file, "--trace", "ffff")
    assert (none.exit_code, none.stdout) == (1, "")
    assert none.stderr == "error: no such span among what the pipeline keeps\n"


TWO = """\
receivers: {otlp: {protocols: {http: {endpoint: "localhost:0"}}}}
processors: {pii: }
exporters: {duckdb: }
service:
  pipelines:
    traces: {receivers: [otlp], processors: [pii], exporters: [duckdb]}
    traces/raw: {receivers: [otlp], exporters: [duckdb]}
"""


def test_of_several_pipelines_one_is_explained_with_its_own_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.yaml").write_text(TWO)
    file = str(GOLDEN / "masked-chat/in.otlp.json")
    first, raw = call("-c", "two.yaml", file), call("-c", "two.yaml", file, "--pipeline", "traces/raw")
    assert "of the traces pipelines traces is explained; --pipeline chooses another" in first.stderr
    assert ("jane@example.com" in first.stdout, "jane@example.com" in raw.stdout) == (False, True)
    wrong = call("-c", "two.yaml", file, "--pipeline", "x")
    assert (wrong.exit_code, wrong.stderr.splitlines()[-1]) == (1, "error: no traces pipeline 'x': traces, traces/raw")


def test_what_the_pipeline_drops_is_said(tmp_path: Path) -> None:
    config = load([GOLDEN / "sampling-by-status/config.yaml"], overrides=[], environ={}, data_dir=tmp_path)
    inputs = requests(list((GOLDEN / "sampling-by-status").glob("in*.json")))
    found = explain(config, inputs, clock=lambda: NOW)
    kept = [row for table in dry_run(config, inputs, clock=lambda: NOW) for row in json_objects(table)]
    assert len(found.observations) == len(kept)
    assert found.not_kept > 0


def test_a_count_shows_the_buckets_it_is_the_sum_of(tmp_path: Path) -> None:
    explanation = explained("masked-chat", tmp_path)["1"]
    assert field(explanation, "input_tokens").note == "input 200 + input_cache_read 1000"
