from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from collector.component.processor import Stage
from collector.component.sampler import DueTraces
from collector.kernels.due_traces import (
    DROPPED,
    INVERT_NOT_SAMPLED,
    INVERT_SAMPLED,
    NOT_SAMPLED,
    SAMPLED,
    Traces,
    fnv1a,
)
from processors._sampling.policy_set import PolicySet
from processors._sampling.probabilistic import threshold_of
from processors.tail_sampling import Config, factory
from tests.processors._sampling.sampling_kit import (
    ALWAYS,
    MS,
    Says,
    adjusted,
    attribute,
    both,
    drop,
    due,
    kept,
    latency,
    never,
    opposite,
    probabilistic,
    random_traces,
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
    ("salt", "text", "expected"),
    [
        (b"", b"", 0xCBF29CE484222325),
        (b"", b"a", 0xAF63DC4C8601EC8C),
        (b"foo", b"bar", 0x85944171F73967E8),
    ],
)
def test_the_hash_is_fnv_1a(salt: bytes, text: bytes, expected: int) -> None:
    assert fnv1a(salt, np.frombuffer(text, np.uint8).reshape(1, len(text))).tolist() == [expected]


@given(st.binary(max_size=20), st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=5))
def test_the_hash_over_columns_equals_the_hash_byte_by_byte(salt: bytes, ids: list[bytes]) -> None:
    def plain(data: bytes) -> int:
        state = 0xCBF29CE484222325
        for byte in data:
            state = (state ^ byte) * 0x100000001B3 % 2**64
        return state

    rows = np.frombuffer(b"".join(ids), np.uint8).reshape(len(ids), 16)
    assert fnv1a(salt, rows).tolist() == [plain(salt + one) for one in ids]


@pytest.mark.parametrize(
    ("ratio", "threshold"),
    [
        (-0.5, 0),
        (0.0, 0),
        (1.0, 2**64 - 1),
        (1.5, 2**64 - 1),
        (0.5, 2**63 - 1),  # 2^63 - 0.5, cut off
        (0.25, 2**62 - 1),
        (0.1, 1844674407370955263),  # 0.1000000000000000055 × (2^64 - 1) to 64 bits, cut off
    ],
)
def test_the_threshold_is_that_of_gos_big_float(ratio: float, threshold: int) -> None:
    assert threshold_of(ratio) == threshold


def test_the_same_share_keeps_the_same_traces_whatever_else_is_due() -> None:
    traces = random_traces(500)
    whole = sampler(probabilistic(30)).decide(traces).keep
    part = DueTraces(traces.traces.slice(123, 200), 0, never)

    assert sampler(probabilistic(30)).decide(part).keep.tolist() == whole[123:323].tolist()
    assert 0.2 < whole.mean() < 0.4


def test_a_larger_share_keeps_what_a_smaller_one_kept_and_another_salt_keeps_others() -> None:
    traces = random_traces(1000)
    small, large = (sampler(probabilistic(p)).decide(traces).keep for p in (20, 50))
    other = sampler(probabilistic(20, "other")).decide(traces).keep

    assert (large | ~small).all()
    assert (other != small).any()
    default = sampler(probabilistic(20, "default-hash-seed")).decide(traces).keep
    assert (default == small).all()


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


def test_a_trace_kept_by_a_rule_stands_for_itself_even_if_chance_kept_it_too() -> None:
    assert adjusted(probabilistic(25), ALWAYS) == {1.0}
    errors = due(*({"status_codes": 0b100} for _ in range(50)))
    assert adjusted(probabilistic(25), status("ERROR"), traces=errors) == {1.0}


def test_a_trace_kept_by_chance_stands_for_one_over_its_probability() -> None:
    assert adjusted(probabilistic(25)) == {4.0}
    assert adjusted(both(probabilistic(25), status("UNSET"))) == {4.0}
    assert adjusted(opposite(probabilistic(80))) == {5.0}
    assert adjusted(drop(probabilistic(50)), ALWAYS) == {2.0}


def test_equal_salts_share_their_chance_and_different_ones_do_not() -> None:
    assert adjusted(probabilistic(25, name="a"), probabilistic(50, name="b")) == {2.0}
    assert adjusted(probabilistic(25, "x", "a"), probabilistic(50, "y", "b")) == {round(1 / (1 - 0.75 * 0.5), 9)}
    assert adjusted(both(probabilistic(25, "x"), probabilistic(50, "y"))) == {8.0}
    assert adjusted(both(probabilistic(25), probabilistic(50))) == {4.0}


def test_a_dropped_trace_stands_for_nothing() -> None:
    verdicts = sampler(probabilistic(10)).decide(random_traces(100))

    assert (verdicts.adjusted_count[~verdicts.keep] == 0).all()
    assert verdicts.sampled_by.null_count == (~verdicts.keep).sum()


@pytest.mark.parametrize(
    "policies",
    [
        (probabilistic(10),),
        (probabilistic(10), status("ERROR")),
        (probabilistic(10, "x", "a"), probabilistic(40, "y", "b"), latency(100)),
        (both(probabilistic(50), latency(100)), both(probabilistic(20, "z"), opposite(latency(100)), name="fast")),
        (drop(probabilistic(30, "d"), status("ERROR")), ALWAYS),
    ],
)
def test_sums_weighted_with_adjusted_count_are_unbiased(policies: tuple[dict[str, Any], ...]) -> None:
    n = 40_000
    random = np.random.default_rng(7)
    values = random.exponential(10, n)
    ids = random.bytes(16 * n)
    traces = due(
        *(
            {
                "trace_id": ids[16 * i : 16 * i + 16],
                "status_codes": 0b100 if i % 10 == 0 else 0b001,
                "end_unix_nano": int(values[i] * 10 * MS),
            }
            for i in range(n)
        )
    )
    verdicts = sampler(*policies).decide(traces)
    weights = verdicts.adjusted_count
    # The estimator's own standard error; five of them is once in two million runs.
    for amounts in (np.ones(n), values):
        deviation = np.sqrt(np.sum(weights * np.maximum(weights - 1, 0) * amounts**2))
        assert abs(np.sum(weights * amounts) - amounts.sum()) < 5 * deviation + 1e-6


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
