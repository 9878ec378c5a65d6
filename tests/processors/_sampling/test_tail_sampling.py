"""Each policy of tail sampling for itself, and its options.

Proves bounds and edges of each policy that the Collector has too. Does not prove when traces are due, nor equality
with the Collector (``differential``).
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from collector.component.processor import Stage
from collector.component.sampler import DueTraces
from processors.tail_sampling import Config, factory
from tests.processors._sampling.sampling_kit import (
    ALWAYS,
    MS,
    attribute,
    both,
    drop,
    due,
    kept,
    latency,
    probabilistic,
    sampler,
    status,
    with_spans,
)


def test_it_is_a_sampler_that_waits_as_the_collector_does() -> None:
    assert factory.stage is Stage.SAMPLING
    made = sampler(ALWAYS, decision_wait="10s", decision_wait_after_root_received="500ms")

    assert (made.decision_wait_ns, made.decision_wait_after_root_ns) == (10 * 10**9, 5 * 10**8)
    assert (sampler(ALWAYS).decision_wait_ns, sampler(ALWAYS).decision_wait_after_root_ns) == (30 * 10**9, 0)


def test_always_sample_keeps_every_trace() -> None:
    verdicts = sampler(ALWAYS).decide(due({}, {}))

    assert kept(verdicts) == ["all", "all"]
    assert verdicts.adjusted_count.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("above", "to", "took", "keeps"),
    [
        (100, 0, 100 * MS, False),
        (100, 0, 101 * MS - 1, False),
        (100, 0, 101 * MS, True),
        (100, 200, 100 * MS, False),
        (100, 200, 201 * MS - 1, True),
        (100, 200, 201 * MS, False),
    ],
)
def test_latency_compares_whole_milliseconds(above: int, to: int, took: int, keeps: bool) -> None:
    verdicts = sampler(latency(above, to)).decide(due({"start_unix_nano": 7, "end_unix_nano": 7 + took}))

    assert kept(verdicts) == ["l" if keeps else None]


def test_status_code_looks_for_any_span_with_one_of_the_codes() -> None:
    traces = due({"status_codes": 0b001}, {"status_codes": 0b010}, {"status_codes": 0b101})

    assert kept(sampler(status("ERROR")).decide(traces)) == [None, None, "s"]
    assert kept(sampler(status("OK", "ERROR")).decide(traces)) == [None, "s", "s"]
    assert kept(sampler(status("UNSET")).decide(traces)) == ["s", None, "s"]


def test_span_count_has_inclusive_bounds() -> None:
    policy = {"name": "n", "type": "span_count", "span_count": {"min_spans": 2, "max_spans": 3}}
    traces = due(*({"span_count": n} for n in (1, 2, 3, 4)))

    assert kept(sampler(policy).decide(traces)) == [None, "n", "n", None]
    policy["span_count"] = {"min_spans": 2}
    assert kept(sampler(policy).decide(traces)) == [None, "n", "n", "n"]


TEXTS = with_spans(
    {"trace_id": 1, "attributes": {"k": "a"}},
    {"trace_id": 2, "attributes": {"other": "a"}},
    {"trace_id": 2, "attributes": {"k": "xay"}},
    {"trace_id": 3, "resource": {"k": "a"}},
    {"trace_id": 4, "attributes": {"k": 1}, "resource": {"k": 2}},
    {"trace_id": 5, "attributes": {"k": ""}},
)


def test_string_attribute_looks_at_spans_and_resources() -> None:
    assert kept(sampler(attribute("string", values=["a", "b"])).decide(TEXTS)) == ["x", None, "x", None, None]
    assert kept(sampler(attribute("string", values=["^a", "b"], enabled_regex_matching=True)).decide(TEXTS)) == [
        "x", None, "x", None, None,
    ]  # fmt: skip
    assert kept(sampler(attribute("string", values=["a"], enabled_regex_matching=True)).decide(TEXTS)) == [
        "x", "x", "x", None, None,
    ]  # fmt: skip


def test_an_empty_textnever_matches_exactly() -> None:
    assert kept(sampler(attribute("string", values=["", "zz"])).decide(TEXTS)) == [None] * 5


def test_numeric_attribute_has_inclusive_bounds_and_other_types_count_as_zero() -> None:
    traces = with_spans(
        *({"trace_id": n + 1, "attributes": {"k": value}} for n, value in enumerate([4, 5, 7, 8, "text", 6.0])),
        {"trace_id": 7, "resource": {"k": 5}},
        {"trace_id": 8},
    )

    expected = [None, "x", "x", None, None, None, "x", None]
    assert kept(sampler(attribute("numeric", min_value=5, max_value=7)).decide(traces)) == expected
    up_to_five = ["x", "x", None, None, "x", "x", "x", None]
    assert kept(sampler(attribute("numeric", max_value=5)).decide(traces)) == up_to_five


def test_boolean_attribute_compares_and_other_types_count_as_false() -> None:
    traces = with_spans(
        *({"trace_id": n + 1, "attributes": {"k": value}} for n, value in enumerate([True, False, "true"])),
        {"trace_id": 4},
    )

    assert kept(sampler(attribute("boolean", value=True)).decide(traces)) == ["x", None, None, None]
    assert kept(sampler(attribute("boolean", value=False)).decide(traces)) == [None, "x", "x", None]


def test_an_inverted_match_turns_its_decision_around() -> None:
    inverted = attribute("string", values=["a"], invert_match=True)

    assert kept(sampler(inverted).decide(TEXTS)) == [None, "x", None, "x", "x"]
    assert kept(sampler(inverted, ALWAYS).decide(TEXTS)) == ["all", "x", "all", "x", "x"]
    assert kept(sampler(inverted, status("ERROR")).decide(TEXTS)) == [None, "x", None, "x", "x"]
    assert kept(sampler(both(inverted, status("UNSET"))).decide(TEXTS)) == [None, "and", None, "and", "and"]


def test_an_inverted_match_may_veto_and_otherwise_keep_unless_another_policy_says_no() -> None:
    inverted = attribute("string", values=["a"], invert_match=True)

    def keeps(*policies: Any) -> list[str | None]:
        return kept(sampler(*policies, inverted_decisions=True).decide(TEXTS))

    assert keeps(inverted) == [None, "x", None, "x", "x"]
    assert keeps(inverted, ALWAYS) == [None, "all", None, "all", "all"]
    assert keeps(inverted, status("ERROR")) == [None] * 5
    assert keeps(both(inverted, status("UNSET"))) == [None, "and", None, "and", "and"]


def test_spans_are_read_once_for_all_policies_and_all_outcomes_of_chance() -> None:
    reads: list[int] = []

    def load(columns: Any = None) -> Any:
        reads.append(1)
        return TEXTS.load_spans()

    policies = [attribute("string", name=str(n), values=[str(n)]) for n in range(3)]
    verdicts = sampler(*policies, probabilistic(50)).decide(DueTraces(TEXTS.traces, 0, load))

    assert len(verdicts.keep) == 5
    assert reads == [1]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"policies": []}, "at least 1 item"),
        ({"policies": [{"name": "c", "type": "composite"}]}, "composite\\s+Field required"),
        ({"policies": [{"name": "c", "type": "latncy"}]}, "does not match any of the expected tags"),
        ({"policies": [{"type": "always_sample"}]}, "the policy needs a 'name'"),
        ({"policies": [ALWAYS, ALWAYS]}, "different names; more than one is called all"),
        ({"policies": [status()]}, "at least 1 item"),
        ({"policies": [status("ERR")]}, "'OK', 'ERROR' or 'UNSET'"),
        ({"policies": [attribute("string", values=[])]}, "at least 1 item"),
        ({"policies": [attribute("string", values=["("], enabled_regex_matching=True)]}, "no RE2 expression"),
        ({"policies": [attribute("numeric")]}, "give min_value or max_value"),
        ({"policies": [latency(100, 50)]}, "upper_threshold_ms must be above threshold_ms"),
        ({"policies": [both(drop(ALWAYS))]}, "cannot be part of another policy"),
        ({"policies": [{**ALWAYS, "latency": {}}]}, "Extra inputs"),
        ({"policies": [ALWAYS], "decision_wait": "0s"}, "must be longer than 0"),
        ({"policies": [ALWAYS], "sampling_strategy": "span-ingest"}, "trace-complete"),
        ({"policies": [ALWAYS], "maximum_trace_size_bytes": -1}, "greater than or equal to 0"),
        ({"policies": [ALWAYS], "tail_storage": "x"}, "Extra inputs"),
        ({"policies": [probabilistic(1, str(n), str(n)) for n in range(13)]}, "too many policies of chance"),
    ],
)
def test_what_cannot_work_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Config(**config)


def test_options_of_the_collector_without_a_meaning_here_are_taken() -> None:
    Config(
        policies=[ALWAYS],  # type: ignore[arg-type]
        num_traces=100,
        expected_new_traces_per_sec=10,
        decision_cache={"sampled_cache_size": 1000, "non_sampled_cache_size": 1000},  # type: ignore[arg-type]
        block_on_overflow=True,
        num_shards=4,
    )
