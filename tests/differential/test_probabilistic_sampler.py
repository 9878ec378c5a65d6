"""The same options and the same items through the Collector and through Spanloom: the same ones are kept, with the
same trace states and the same attributes.

Proves item by item that the same ones are kept, for the modes and percentages listed. Does not prove shares over long
runs: ``processors/test_probabilistic_sampler`` does.
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
import structlog

from collector.component.base import ComponentId, Settings
from collector.model.batch import Batch, LogBatch, Signal, SpanBatch
from collector.model.codec.chosen import encode_json
from collector.telemetry import Telemetry
from collector.testing.builders import logs, spans
from processors import probabilistic_sampler
from tests.differential.otelcol import items, logs_through, traces_through

HIGH, LOW = 0x112233445566778899AABBCCDDEEFF00, 0x1
STATES = (
    "", "ot=th:8", "ot=th:c;rv:9b8233f7e3a151", "ot=rv:ffffffffffffff;x:1,a=b", "ot=th:zz", "bad", "a=1,ot=th:fff0",
    "ot=th:0", "ot=rv:12", "b=2,ot=th:1;p:8,a=1", "ot=TH:1", "ot=th:A", "ot=th:1;th:2", "  a=1 ,, b=2", "ot=;a=1",
    "ot=th:80", f"a={'x' * 250},b={'x' * 250},c={'x' * 250},d={'x' * 250},e=xxxxxx",
)  # fmt: skip
PRIORITIES = (0, 1, -1, 0.0, 2.5, "0", "1", "x", "", True, [1], " 1", "1e3", "0x1p2", "nan", "inf", "1_0")


def case(percentage: float, **options: Any) -> dict[str, dict[str, Any]]:
    return {"probabilistic_sampler": {"sampling_percentage": percentage, **options}}


SPAN_CASES = {
    f"{mode}-{percentage}-{precision}-{closed}-{seed}": case(
        percentage, mode=mode, sampling_precision=precision, fail_closed=closed, hash_seed=seed
    )
    for mode, percentage, precision, closed, seed in itertools.product(
        ("hash_seed", "proportional", "equalizing"),
        (0, 0.001, 1, 33.333, 50, 100, 250),
        (1, 4, 14),
        (True, False),
        (0,),
    )
} | {f"seed-{seed}-{percentage}": case(percentage, hash_seed=seed) for seed in (1, 2**32 - 1) for percentage in (5, 60)}


def span_batch() -> SpanBatch:
    chosen = random.Random(7)
    rows: list[dict[str, Any]] = [{"trace_id": id_, "trace_state": s} for id_ in (HIGH, LOW, 2**127) for s in STATES]
    rows += [{"trace_id": LOW, "attributes": {"sampling.priority": value}} for value in PRIORITIES]
    rows += [
        {"trace_id": HIGH, "trace_state": state, "attributes": {"sampling.priority": value}}
        for state in STATES for value in (1, 0, -5)
    ]  # fmt: skip
    rows += [{"trace_id": 0}, {"trace_id": 0, "trace_state": "a=1", "attributes": {"sampling.priority": 1}}]
    for _ in range(200):
        state = f"ot=th:{chosen.getrandbits(12):x}" + (
            f";rv:{chosen.getrandbits(56):014x}" if chosen.random() < 0.5 else ""
        )
        rows.append({"trace_id": chosen.getrandbits(128), "trace_state": state if chosen.random() < 0.5 else ""})
    return spans([{**row, "span_id": at + 1} for at, row in enumerate(rows)])


LOG_CASES = {
    f"{mode}-{percentage}-{source}-{closed}": case(
        percentage, mode=mode, attribute_source=source, from_attribute="key", fail_closed=closed,
        sampling_priority="priority", hash_seed=9,
    )
    for mode, percentage, source, closed in itertools.product(
        ("hash_seed", "proportional", "equalizing"), (0, 20, 75, 100), ("traceID", "record"), (True, False)
    )
} | {"plain": case(40), "plain-14": case(40, mode="equalizing", sampling_precision=14)}  # fmt: skip


def log_batch() -> LogBatch:
    chosen = random.Random(8)
    said = [
        {}, {"sampling.threshold": "8"}, {"sampling.threshold": "c", "sampling.randomness": "f00000000000ff"},
        {"sampling.randomness": "00000000000001"}, {"sampling.threshold": "xx"}, {"sampling.randomness": "12"},
        {"sampling.threshold": 8}, {"sampling.threshold": ""},
    ]  # fmt: skip
    keys = ["a", "", 5, 2.5, True, ["x", 1], {"k": "v"}, None]
    rows = []
    for at in range(400):
        attributes: dict[str, Any] = dict(chosen.choice(said)) if at % 3 else {}
        if (key := chosen.choice(keys)) is not None:
            attributes["key"] = key if chosen.random() < 0.5 else f"{key}-{at}"
        if chosen.random() < 0.3:
            attributes["priority"] = chosen.choice([0.0, 5.5, 50.0, 100.0, -1.0, "50", True])
        ids = {"trace_id": chosen.getrandbits(128), "span_id": 1} if chosen.random() < 0.6 else {}
        rows.append({"body": str(at), "attributes": attributes, **ids})
    return logs(rows)


def ours(chain: dict[str, dict[str, Any]], batch: Batch) -> list[dict[str, Any]]:
    factory = probabilistic_sampler.factory
    settings = Settings(ComponentId("c"), Telemetry(), structlog.stdlib.get_logger(), Path("unused"))
    kept: Any = factory.create(factory.config(**chain["probabilistic_sampler"]), settings).process(batch)  # type: ignore[union-attr]
    return list(items(kept.signal, encode_json(kept)))


@pytest.fixture(scope="module")
def spans_kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    return traces_through(SPAN_CASES, [span_batch()], tmp_path_factory.mktemp("spans"))


@pytest.fixture(scope="module")
def records_kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    return logs_through(LOG_CASES, [log_batch()], tmp_path_factory.mktemp("logs"))


@pytest.mark.parametrize("name", SPAN_CASES)
def test_the_same_spans_are_kept(name: str, spans_kept: dict[str, list[dict[str, Any]]]) -> None:
    found, expected = (
        {span["spanId"]: span.get("traceState", "") for span in side}
        for side in (ours(SPAN_CASES[name], span_batch()), spans_kept[name])
    )
    assert found == expected


@pytest.mark.parametrize("name", LOG_CASES)
def test_the_same_log_records_are_kept(name: str, records_kept: dict[str, list[dict[str, Any]]]) -> None:
    found, expected = (
        {record["body"]["stringValue"]: {a["key"]: a["value"] for a in record.get("attributes", [])} for record in side}
        for side in (ours(LOG_CASES[name], log_batch()), records_kept[name])
    )
    assert found == expected


def test_there_is_something_to_keep_and_to_drop() -> None:
    assert {batch.signal for batch in (span_batch(), log_batch())} == {Signal.TRACES, Signal.LOGS}
    assert 50 < len(ours(case(50), span_batch())) < span_batch().num_rows
    assert 50 < len(ours(case(50), log_batch())) < log_batch().num_rows
