"""Keys and scopes that no table knows are counted by name, within bounds.

Proves names, bounds and metrics, and that captures hold no unknown LLM key. Does not prove that somebody looks at
them.
"""

from pathlib import Path

import pytest

from collector.engine.modelling import Modelling
from collector.model.batch import Signal
from collector.model.codec.chosen import decode
from collector.model.facts import known_keys, resolve as facts
from collector.model.facts.unmapped import Unmapped, readable
from collector.telemetry import BoundedNames, Telemetry
from collector.testing.builders import spans

FIXTURES = Path(__file__).parents[2] / "fixtures/otlp"


def look(*rows):
    unmapped = Unmapped()
    facts.resolve(spans(list(rows)), unmapped=unmapped)
    return unmapped


def test_unknown_keys_are_counted_and_known_ones_are_not():
    known = {
        "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": 1,
        "gen_ai.request.anything": 1,
        "gen_ai.input.messages": "[]",
        "llm.input_messages.0.message.role": "user",
        "mine.key": 1,
    }
    found = look(
        {"attributes": {**known, "gen_ai.new": 1, "llm.step.0.name": "a", "llm.step.12.name": "b"}},
        {"attributes": {**known, "gen_ai.new": 2}},
    )
    assert found.keys == {"gen_ai.new": 2, "llm.step.N.name": 2}


@pytest.mark.parametrize(
    ("row", "scopes"),
    [
        ({"scope": ("acme.llm", "1"), "attributes": {"llm.acme.prompt": "x"}}, {"acme.llm": 1}),
        ({"scope": ("acme.llm", "1"), "attributes": {"gen_ai.acme.prompt": "x"}}, {"acme.llm": 1}),
        ({"attributes": {"gen_ai.acme.prompt": "x"}}, {"unknown": 1}),
        ({"scope": ("acme.llm", "1"), "attributes": {"gen_ai.operation.name": "chat"}}, {}),
        ({"scope": ("acme.http", "1"), "attributes": {"http.method": "GET"}}, {}),
        ({"scope": ("langfuse-sdk", "5"), "attributes": {"gen_ai.acme.prompt": "x"}}, {}),
    ],
)
def test_spans_that_look_like_llm_and_are_nobodys_are_counted_by_scope(row, scopes):
    assert look({"scope": ("", ""), **row}).scopes == scopes


def test_a_condition_knows_its_keys_but_a_namespace_does_not():
    assert known_keys.is_known("gen_ai.request.is_stream")
    assert known_keys.is_known("llm.anthropic.usage")
    assert not known_keys.is_known("gen_ai.whatever")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("llm.a.0.b.17", "llm.a.N.b.N"),
        ("gen_ai.run.20261126.x", "gen_ai.run.N.x"),
        ("gen_ai.user_12345.x", "gen_ai.user_N.x"),
        ("llm.gpt4.x", "llm.gpt4.x"),
        ("llm." + "x" * 200, "other"),
        ("llm.Jane Doe", "other"),
        ("llm.jané", "other"),
    ],
)
def test_labels_are_short_plain_and_without_numbers(name, label):
    assert readable(name) == label


def test_labels_are_bounded():
    names = BoundedNames(2)
    assert [names.of(name) for name in ("a", "b", "c", "a", "d")] == ["a", "b", "other", "a", "other"]


def test_the_engine_counts_them_in_its_metrics():
    telemetry = Telemetry()
    resolve = Modelling(telemetry).resolve
    for n in range(250):
        resolve(
            spans([{"scope": ("acme", "1"), "attributes": {f"gen_ai.new_{chr(97 + n % 25)}{chr(97 + n // 25)}": 1}}])
        )
    series = {
        tuple(sample.labels.values()): sample.value
        for metric in telemetry.registry.collect()
        if metric.name in {"spanloom_model_unknown_keys", "spanloom_model_unmapped_spans"}
        for sample in metric.samples
        if sample.name.endswith("_total")
    }
    assert series[("acme",)] == 250
    assert series[("other",)] == 50
    assert len(series) == 202


def test_every_captured_llm_key_is_known_to_a_table():
    found = Unmapped()
    bodies = [path.read_bytes() for path in FIXTURES.glob("*/*/*.traces.binpb")]
    for batch in decode(Signal.TRACES, bodies).batches:
        facts.resolve(batch, unmapped=found)
    assert (found.keys, found.scopes) == ({}, {}), "read them, or list them under ignored_keys of their table"
