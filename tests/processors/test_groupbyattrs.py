"""``groupbyattrs``: what is moved where, what becomes one, what the model then reads. The Collector's cases are in
``tests/differential``.

Proves it by comparison with plain dicts. Does not prove that the Collector groups alike, which is compared there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings, strategies as st
from structlog.testing import capture_logs

from collector.component.base import ComponentId, Settings
from collector.model import attributes as lists
from collector.model.codec.chosen import encode_json
from collector.model.facts import resolve
from collector.telemetry import Telemetry
from collector.testing.builders import logs, metrics, resource, spans
from processors import groupbyattrs

KEYS = st.sampled_from(["a", "b", "c", "d"])
VALUES = (
    st.text(max_size=2) | st.integers(0, 2) | st.booleans() | st.just(0.0) | st.lists(st.integers(0, 1), max_size=2)
)
SAID = st.dictionaries(KEYS, VALUES, max_size=4)


def grouped(batch: Any, *keys: str) -> Any:
    made = Settings(ComponentId("c"), Telemetry(), structlog.stdlib.get_logger(), Path("unused"))
    return groupbyattrs.factory.create(groupbyattrs.Config(keys=keys), made).process(batch)  # type: ignore[union-attr]


def resources(batch: Any) -> list[dict[str, Any]]:
    return [lists.resource_values(header) for header in batch.column("resource").to_pylist()]


def typed(said: dict[str, Any]) -> dict[str, tuple[int, int, str]]:
    """Values as attributes hold them: 1, 1.0 and true are not the same."""
    return {key: lists.encode_value(value) for key, value in said.items()}


@pytest.mark.parametrize("build", [spans, logs, metrics])
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(SAID, SAID), min_size=1, max_size=8), st.lists(KEYS, max_size=3, unique=True))
def test_moving_is_what_dicts_do(
    build: Any, rows: list[tuple[dict[str, Any], dict[str, Any]]], keys: list[str]
) -> None:
    found = grouped(build([{"attributes": own, "resource": of} for own, of in rows]), *keys)
    left = lists.to_dicts(found.column("attributes"))
    for row, (own, of) in enumerate(rows):
        assert typed(left[row]) == typed({key: own[key] for key in own if key not in keys})
        assert typed(resources(found)[row]) == typed(of | {key: own[key] for key in own if key in keys})
    distinct = {tuple(sorted(typed(said).items())) for said in resources(found)}
    assert len(found.column("resource").unique()) == len(distinct)


@given(st.lists(SAID, min_size=1, max_size=4), st.lists(KEYS, max_size=3, unique=True))
@settings(deadline=None)
def test_doing_it_again_changes_nothing(rows: list[dict[str, Any]], keys: list[str]) -> None:
    once = grouped(spans([{"attributes": row, "resource": {"z": 1}} for row in rows]), *keys)
    assert grouped(once, *keys).record_batch.equals(once.record_batch)


def test_without_keys_equal_resources_become_one_and_nothing_is_moved() -> None:
    batch = logs([{"resource": {"a": 1, "b": 2}, "attributes": {"c": 1}}, {"resource": {"b": 2, "a": 1}}])
    found = grouped(batch)
    assert len(json.loads(encode_json(batch))["resourceLogs"]) == 2
    (one,) = json.loads(encode_json(found))["resourceLogs"]
    assert len(one["scopeLogs"][0]["logRecords"]) == 2
    assert found.column("attributes").equals(batch.column("attributes"))
    assert grouped(found) is found


def test_points_of_one_metric_go_to_their_resources() -> None:
    points = [{"metric": 0, "name": "m", "value_int": n, "attributes": {"host": f"h{n % 2}"}} for n in range(4)]
    sent = json.loads(encode_json(grouped(metrics(points), "host")))["resourceMetrics"]
    hosts = [group["resource"]["attributes"][0]["value"]["stringValue"] for group in sent]
    values = [
        [int(point["asInt"]) for point in group["scopeMetrics"][0]["metrics"][0]["gauge"]["dataPoints"]]
        for group in sent
    ]
    assert dict(zip(hosts, values, strict=True)) == {"h0": [0, 2], "h1": [1, 3]}


def test_what_else_a_resource_says_stays() -> None:
    with_url = resource({"b": 1, "a": 1}, schema_url="https://opentelemetry.io/schemas/1.30.0")
    found = grouped(spans([{"resource": with_url, "attributes": {"k": 1}}, {"resource": {"a": 1, "b": 1}}]), "k")
    urls = [lists.parse_resource(header).schema_url for header in found.column("resource").to_pylist()]
    assert urls == ["https://opentelemetry.io/schemas/1.30.0", ""]


def test_a_service_that_was_moved_names_the_service() -> None:
    batch = spans([{"attributes": {"service.name": "shop"}, "resource": {"service.name": "gateway"}}, {}])
    assert resolve.resolve(grouped(batch, "service.name")).column("service_name").to_pylist()[0] == "shop"


def test_keys_without_meaning_are_said() -> None:
    with capture_logs() as said:
        found = grouped(spans([{"attributes": {"a": 1, "": 2}}]), "a", "", "a")
    assert resources(found) == [{"a": 1}]
    assert [(entry["log_level"], entry["keys"]) for entry in said] == [("warning", ["a", "", "a"])]
