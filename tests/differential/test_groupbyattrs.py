"""The same keys and the same items through the Collector and through Spanloom: the same attributes, on the same
resources, and as many of these.

Proves the same attributes in the same places, signal by signal, on the cases listed. Does not prove the same order of
resources, which nobody promises.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from collector.component.base import ComponentId, Settings
from collector.model.batch import Batch, Signal
from collector.model.codec.chosen import encode_json
from collector.telemetry import Telemetry
from collector.testing.builders import logs, metrics, spans
from processors import groupbyattrs
from tests.differential.otelcol import items, logs_through, metrics_through, traces_through

KEYS: dict[str, list[str]] = {
    "none": [],
    "text": ["host"],
    "absent": ["nowhere"],
    "several": ["host", "number", "flag"],
    "overwrites": ["zone"],
    "nested": ["list", "map"],
    "types": ["mixed"],
    "empty-and-twice": ["host", "", "host", "absent"],
    "service": ["service.name", "zone", "host"],
    "everything": ["host", "zone", "number", "flag", "list", "map", "mixed", "service.name", "share", "empty"],
}
SIGNALS: dict[Signal, tuple[Callable[[list[dict[str, Any]]], Batch], Any]] = {
    Signal.TRACES: (spans, traces_through),
    Signal.LOGS: (logs, logs_through),
    Signal.METRICS: (metrics, metrics_through),
}


def batch(signal: Signal) -> Batch:
    own: list[dict[str, Any]] = [
        {}, {"host": "a"}, {"host": "a", "number": 1, "other": "x"}, {"host": "b", "zone": "us", "flag": True},
        {"zone": "eu", "list": ["a", 1], "map": {"k": [1.5]}}, {"list": [], "map": {"k": "v"}, "share": 0.5},
        {"mixed": 1}, {"mixed": 1.0}, {"mixed": "1"}, {"mixed": True}, {"empty": "", "service.name": "cart"},
    ]  # fmt: skip
    of: list[dict[str, Any]] = [
        {}, {"service.name": "shop", "zone": "eu"}, {"zone": "eu", "service.name": "shop"}, {"zone": "us"},
        {"host": "a", "n": 1},
    ]  # fmt: skip
    # Of a trace all spans have one id in the builder; which item is which is said by an attribute.
    rows = [
        {"attributes": {**said, "item": at}, "resource": resource, "scope": (("lib", "1"), ("lib", "2"))[at % 2]}
        for at, (said, resource) in enumerate(itertools.product(own, of))
    ]
    if signal is Signal.METRICS:
        kinds = itertools.cycle(("gauge", "sum", "gauge"))
        rows = [
            {**row, "kind": kind, "name": f"{kind} {at % 4}", "value_int": at, "temporality": 2 * (kind == "sum")}
            for at, (row, kind) in enumerate(zip(rows, kinds, strict=False))
        ]
    return SIGNALS[signal][0](rows)


def plain(key_values: list[dict[str, Any]]) -> str:
    """In the order of keys, with a number's text and the number alike."""
    said = {entry["key"]: _value(entry.get("value", {})) for entry in key_values}
    return json.dumps(said, sort_keys=True)


def _value(value: dict[str, Any]) -> Any:
    match value:
        case {"doubleValue": number}:
            return ["double", float(number)]
        case {"intValue": number}:
            return ["int", int(number)]
        case {"arrayValue": inner}:
            return [_value(entry) for entry in inner.get("values", [])]
        case {"kvlistValue": inner}:
            return {entry["key"]: _value(entry.get("value", {})) for entry in inner.get("values", [])}
    return value


def flat(signal: Signal, found: list[dict[str, Any]]) -> Counter[tuple[str, ...]]:
    """Resource, scope, and of an item what it is called and its attributes."""
    out: Counter[tuple[str, ...]] = Counter()
    for item in found:
        origin = (plain(item["resource"].get("attributes", [])), json.dumps(item["scope"], sort_keys=True))
        kinds = [item[kind] for kind in ("gauge", "sum") if kind in item] if signal is Signal.METRICS else [None]
        for kind in kinds:
            for point in kind["dataPoints"] if kind else [item]:
                value = str(point.get("asInt", ""))
                out[(*origin, item.get("name", ""), value, plain(point.get("attributes", [])))] += 1
    return out


def changed(signal: Signal, keys: list[str]) -> Any:
    settings = Settings(ComponentId("c"), Telemetry(), structlog.stdlib.get_logger(), Path("unused"))
    made: Any = groupbyattrs.factory.create(groupbyattrs.Config(keys=tuple(keys)), settings)
    return made.process(batch(signal))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[Signal, dict[str, list[dict[str, Any]]]]:
    cases = {name: {"groupbyattrs": {"keys": keys}} for name, keys in KEYS.items()}
    return {
        signal: through(cases, [batch(signal)], tmp_path_factory.mktemp(str(signal)))
        for signal, (_, through) in SIGNALS.items()
    }


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("signal", SIGNALS)
def test_the_same_attributes_are_where_they_are(
    signal: Signal, name: str, theirs: dict[Signal, dict[str, list[dict[str, Any]]]]
) -> None:
    sent = encode_json(changed(signal, KEYS[name]))
    found, expected = flat(signal, list(items(signal, sent))), flat(signal, theirs[signal][name])
    assert found == expected
    assert sum(found.values()) == batch(signal).num_rows


@pytest.mark.parametrize("name", KEYS)
def test_as_many_resources_are_sent(name: str, theirs: dict[Signal, dict[str, list[dict[str, Any]]]]) -> None:
    kept = {plain(item["resource"].get("attributes", [])) for item in theirs[Signal.LOGS][name]}
    assert len(json.loads(encode_json(changed(Signal.LOGS, KEYS[name])))["resourceLogs"]) == len(kept)
