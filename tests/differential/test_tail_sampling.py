"""The same policies and the same spans through the Collector and through Spanloom keep the same traces.

Proves that the same traces are kept when all their spans arrive together. Does not prove equal timing, early
decisions or late spans: the two differ there on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector.config.load import load
from collector.model.batch import Signal, SpanBatch
from collector.model.codec.chosen import encode
from collector.offline.dry_run import dry_run
from collector.testing.builders import START_UNIX_NANO, spans
from tests.differential.otelcol import traces_through

MS = 1_000_000
NUM_TRACES = 400


def policy(kind: str, name: str = "", **options: Any) -> dict[str, Any]:
    return {"name": name or kind, "type": kind, **({kind: options} if options else {})}


def both(*parts: dict[str, Any], name: str = "and") -> dict[str, Any]:
    return policy("and", name, and_sub_policy=list(parts))


def drop(*parts: dict[str, Any]) -> dict[str, Any]:
    return policy("drop", drop_sub_policy=list(parts))


def opposite(part: dict[str, Any]) -> dict[str, Any]:
    return policy("not", not_sub_policy=part)


def composite(*parts: dict[str, Any], total: int, **percents: int) -> dict[str, Any]:
    return policy(
        "composite",
        max_total_spans_per_second=total,
        policy_order=[part["name"] for part in parts],
        composite_sub_policy=list(parts),
        rate_allocation=[{"policy": name, "percent": percent} for name, percent in percents.items()],
    )


ALWAYS = policy("always_sample")
ERRORS = policy("status_code", "errors", status_codes=["ERROR"])
TEXT = policy("string_attribute", "text", key="route", values=["/a", "/b"])
NOT_TEXT = policy("string_attribute", "not-text", key="route", values=["/a", "/b"], invert_match=True)
NUMBER = policy("numeric_attribute", "number", key="n", min_value=3, max_value=6)
NOT_NUMBER = policy("numeric_attribute", "not-number", key="n", min_value=3, max_value=6, invert_match=True)
FLAG = policy("boolean_attribute", "flag", key="ok", value=True)
NOT_FLAG = policy("boolean_attribute", "not-flag", key="ok", value=True, invert_match=True)
THIRD = policy("probabilistic", "third", sampling_percentage=33.3)
SMALL = policy("span_count", "small", max_spans=2)

CASES: dict[str, list[dict[str, Any]]] = {
    "always": [ALWAYS],
    "latency": [policy("latency", threshold_ms=500)],
    "latency-range": [policy("latency", threshold_ms=200, upper_threshold_ms=700)],
    "numeric": [NUMBER],
    "numeric-min": [policy("numeric_attribute", key="n", min_value=4)],
    "numeric-max": [policy("numeric_attribute", key="n", max_value=-2)],
    "numeric-zero": [policy("numeric_attribute", key="n", min_value=-3, max_value=3)],
    "numeric-inverted": [NOT_NUMBER],
    "share": [THIRD],
    "share-1": [policy("probabilistic", sampling_percentage=1)],
    "share-salt": [policy("probabilistic", sampling_percentage=50.5, hash_salt="second")],
    "share-all": [policy("probabilistic", sampling_percentage=250)],
    "share-none": [policy("probabilistic", sampling_percentage=0)],
    "status": [policy("status_code", status_codes=["ERROR", "UNSET"])],
    "status-ok": [policy("status_code", status_codes=["OK"])],
    "text": [TEXT],
    "text-of-resource": [policy("string_attribute", key="service.name", values=["shop"])],
    "text-empty": [policy("string_attribute", key="empty", values=[""])],
    "text-expression": [policy("string_attribute", key="route", values=["^/a", "c$"], enabled_regex_matching=True)],
    "text-expression-cached": [
        policy("string_attribute", key="route", values=["[bc]"], enabled_regex_matching=True, cache_max_size=2)
    ],
    "text-expression-anything": [policy("string_attribute", key="empty", values=[".*"], enabled_regex_matching=True)],
    "text-inverted": [NOT_TEXT],
    "span-count": [policy("span_count", min_spans=2, max_spans=4)],
    "span-count-min": [policy("span_count", min_spans=3)],
    "trace-state": [policy("trace_state", key="vendor", values=["x", "y"])],
    "trace-flags": [policy("trace_flags")],
    "boolean": [FLAG],
    "boolean-false": [policy("boolean_attribute", key="ok", value=False)],
    "boolean-inverted": [NOT_FLAG],
    "and": [both(ERRORS, TEXT, THIRD)],
    "and-inverted": [both(NOT_TEXT, NOT_NUMBER)],
    "and-not": [both(opposite(ERRORS), THIRD)],
    "not": [opposite(policy("latency", threshold_ms=500))],
    "not-inverted": [opposite(NOT_TEXT)],
    "drop": [drop(TEXT, ERRORS), ALWAYS],
    "drop-last": [THIRD, drop(opposite(ERRORS))],
    "drop-inverted": [drop(NOT_TEXT), ALWAYS],
    "inverted-with-always": [NOT_TEXT, ALWAYS],
    "inverted-and-no": [NOT_TEXT, ERRORS],
    "inverted-both": [NOT_TEXT, NOT_FLAG],
    "first-match": [ERRORS, NOT_TEXT, THIRD],
    "many": [drop(FLAG), ERRORS, NUMBER, both(TEXT, SMALL), policy("probabilistic", "p", sampling_percentage=5)],
    "rate-enough": [policy("rate_limiting", spans_per_second=100_000)],
    "bytes-enough": [policy("bytes_limiting", bytes_per_second=100_000_000)],
    "composite": [composite(ERRORS, TEXT, THIRD, total=100_000, errors=50, text=30, third=20)],
    "composite-equal": [composite(ERRORS, TEXT, total=100_000, errors=0, text=0)],
    "composite-without": [composite(ERRORS, TEXT, ALWAYS, total=100_000, errors=50, always_sample=50)],
    "composite-inverted": [composite(NOT_TEXT, both(ERRORS, SMALL), total=100_000, **{"not-text": 50, "and": 50})],
}
OPTIONS: dict[str, dict[str, Any]] = {
    "first-match": {"sample_on_first_match": True},
    "too-large": {"maximum_trace_size_bytes": 10_000},
}
CASES["too-large"] = [ALWAYS]


def options(case: str) -> dict[str, Any]:
    # Nobody waits for it: both decide at the end, on everything.
    return {"decision_wait": "600s", "policies": CASES[case], **OPTIONS.get(case, {})}


def random_trace(random: np.random.Generator, number: int) -> Iterator[dict[str, Any]]:
    """The root comes first and spans all others, so that no order of looking at them changes its duration."""
    trace_id = random.bytes(16)
    took = (2 * int(random.integers(0, 500)) + 1) * MS  # never at a bound, which newer Collectors see differently
    resource = (
        {"service.name": "shop", "n": int(random.integers(-5, 9))} if number % 7 == 0 else {"service.name": "web"}
    )
    for position in range(int(random.integers(1, 6))):
        yield {
            "trace_id": trace_id,
            "span_id": random.bytes(8),
            "parent_span_id": 7 if position else None,
            "start_unix_nano": START_UNIX_NANO + position,
            "end_unix_nano": START_UNIX_NANO + (took if position == 0 else took // 2),
            "status_code": int(random.choice([0, 0, 0, 0, 1, 2])),
            "trace_state": str(
                random.choice(["", "", "", "vendor=x", "a=1, vendor=y", "vendor=z", "vendor=x,vendor=y"])
            ),
            "flags": int(random.choice([0, 0, 0, 256, 257])),
            "resource": resource,
            "attributes": random_attributes(random),
        }


def random_attributes(random: np.random.Generator) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if random.random() < 0.3:
        found["route"] = random.choice(["/a", "/b", "/c", "/aa", ""])
    if random.random() < 0.3:
        found["n"] = int(random.integers(-5, 9)) if random.random() < 0.7 else 4.0
    if random.random() < 0.2:
        found["ok"] = bool(random.random() < 0.5) if random.random() < 0.8 else "true"
    if random.random() < 0.2:
        found["empty"] = ""
    if random.random() < 0.02:
        found["large"] = "x" * 20_000
    return {key: str(value) if isinstance(value, np.str_) else value for key, value in found.items()}


@pytest.fixture(scope="module")
def batches() -> list[SpanBatch]:
    random = np.random.default_rng(5)
    traces = [list(random_trace(random, number)) for number in range(NUM_TRACES)]
    rows = [row for trace in traces[:-100] for row in trace]
    # The spans of some traces come in two requests.
    early = [row for trace in traces[-100:] for row in trace[:1]]
    late = [row for trace in traces[-100:] for row in trace[1:]]
    return [spans(rows), spans(early), spans(late)]


@pytest.fixture(scope="module")
def theirs(batches: list[SpanBatch], tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What the Collector keeps, per case."""
    chains = {case: {"tail_sampling": options(case)} for case in CASES}
    out = traces_through(chains, batches, tmp_path_factory.mktemp("otelcol"))
    return {case: {span["traceId"] for span in found} for case, found in out.items()}


def ours(case: str, batches: list[SpanBatch], folder: Path) -> set[str]:
    config = folder / "config.yaml"
    document = {
        "receivers": {"otlp": {"protocols": {"http": {}}}},
        "processors": {"tail_sampling": options(case)},
        "exporters": {"parquet": {}},
        "service": {
            "pipelines": {"traces": {"receivers": ["otlp"], "processors": ["tail_sampling"], "exporters": ["parquet"]}}
        },
    }
    config.write_text(json.dumps(document))
    checked = load([str(config)], environ={}, data_dir=folder)
    requests = [(Signal.TRACES, encode(batch)) for batch in batches]
    return {trace for table in dry_run(checked, requests) for trace in table.column("trace_id").to_pylist()}


@pytest.mark.parametrize("case", CASES)
def test_the_same_traces_are_kept(
    case: str, theirs: dict[str, set[str]], batches: list[SpanBatch], tmp_path: Path
) -> None:
    found = ours(case, batches, tmp_path)

    assert found == theirs[case]


def test_the_cases_keep_some_and_drop_some(theirs: dict[str, set[str]]) -> None:
    whole = {"always", "share-all", "rate-enough", "bytes-enough", "inverted-with-always"}
    none = {"share-none", "text-empty", "text-expression-anything"}
    split = {case for case, kept in theirs.items() if 0 < len(kept) < NUM_TRACES}

    assert {case for case, kept in theirs.items() if len(kept) == NUM_TRACES} == whole
    assert split >= CASES.keys() - whole - none
