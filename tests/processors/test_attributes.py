"""``attributes`` and ``resource``: what they do, what the model then reads, and what they refuse.

Proves actions by comparison with plain dicts. Does not prove equality with the Collector:
``differential/test_attributes`` does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import ValidationError

from collector.component.base import ComponentId, Settings
from collector.kernels.attribute_edits.actions import AttributeAction
from collector.kernels.attribute_edits.chosen_rows import Match
from collector.kernels.attribute_edits.conversions import attribute_text
from collector.model import attributes as lists
from collector.telemetry import Telemetry
from collector.testing.builders import logs, metrics, spans
from processors import attributes, resource

SETTINGS = Settings(ComponentId("c"), Telemetry(), structlog.stdlib.get_logger(), Path("unused"))
KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.text(max_size=4) | st.integers(-5, 5) | st.booleans() | st.lists(st.integers(0, 3), max_size=2)
ROWS = st.lists(st.dictionaries(KEYS, VALUES, max_size=3), min_size=1, max_size=6)


def changed(batch: Any, *actions: dict[str, Any], **match: Any) -> list[dict[str, Any]]:
    config = attributes.Config(actions=actions, **match)  # type: ignore[arg-type]
    return lists.to_dicts(attributes.Attributes(config, SETTINGS).process(batch).column("attributes"))


SETS = st.one_of(
    st.builds(lambda kind, key, value: {"action": kind, "key": key, "value": value},
              st.sampled_from(["insert", "update", "upsert"]), KEYS, VALUES),
    st.builds(lambda kind, key, source: {"action": kind, "key": key, "from_attribute": source},
              st.sampled_from(["insert", "update", "upsert"]), KEYS, KEYS),
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS, st.lists(SETS, min_size=1, max_size=4))
def test_setting_is_what_dicts_do(rows: list[dict[str, Any]], actions: list[dict[str, Any]]) -> None:
    expected = rows
    for action in actions:
        expected = [_set(row, action) for row in expected]
    assert changed(spans([{"attributes": row} for row in rows]), *actions) == expected


def _set(row: dict[str, Any], action: dict[str, Any]) -> dict[str, Any]:
    key, source, kind = action["key"], action.get("from_attribute"), action["action"]
    if (source and source not in row) or (kind == "insert" and key in row) or (kind == "update" and key not in row):
        return row
    return {**row, key: row[source] if source else action["value"]}


def test_order_and_repeated_keys_stay() -> None:
    before = spans([{"attributes": {"z": 1, "a": 2}}, {"attributes": {}}, {"attributes": {"a": 3, "z": 4}}])
    found = changed(
        before, {"action": "upsert", "key": "a", "value": "x"}, {"action": "insert", "key": "k", "value": 0}
    )
    assert [list(row.items()) for row in found] == [
        [("z", 1), ("a", "x"), ("k", 0)], [("a", "x"), ("k", 0)], [("a", "x"), ("z", 4), ("k", 0)],
    ]  # fmt: skip


def test_logs_and_metrics_are_chosen_by_what_they_have() -> None:
    act = {"action": "upsert", "key": "met", "value": 1}
    records = logs([{"body": "hello you", "severity_text": "WARN"}, {"body": "bye"}, {"body": {"a": "hello"}}])
    assert changed(records, act, include={"match_type": "regexp", "log_bodies": ["^hello"]}) == [{"met": 1}, {}, {}]
    assert changed(records, act, exclude={"match_type": "strict", "log_severity_texts": ["WARN"]})[0] == {}
    points = metrics([{"name": "a.b"}, {"name": "c"}])
    assert changed(points, act, include={"match_type": "strict", "metric_names": ["c"]}) == [{}, {"met": 1}]
    assert changed(points, act, include={"match_type": "strict", "span_names": ["c"]}) == [{}, {}]


def test_what_nobody_asks_for_is_passed_on_as_it_is() -> None:
    batch = spans([{"attributes": {"a": 1}}])
    for action in ({"action": "delete", "key": "b"}, {"action": "update", "key": "b", "value": 1}):
        config = attributes.Config(actions=[action])  # type: ignore[arg-type]
        assert attributes.Attributes(config, SETTINGS).process(batch) is batch
    config = resource.Config(attributes=[{"action": "hash", "key": "b"}])  # type: ignore[arg-type]
    assert resource.Resource(config, SETTINGS).process(batch) is batch


def test_resources_that_become_equal_are_one() -> None:
    batch = spans([{"resource": {"pod": "a", "s": 1}}, {"resource": {"pod": "b", "s": 1}}, {"resource": {"s": 1}}])
    config = resource.Config(attributes=[{"action": "delete", "key": "pod"}])  # type: ignore[arg-type]
    column = resource.Resource(config, SETTINGS).process(batch).column("resource")
    assert len(column.dictionary) == 1
    assert column.indices.to_pylist() == [0, 0, 0]
    assert lists.resource_values(column.dictionary[0].as_py()) == {"s": 1}


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"action": "insert", "key": "a"}, "either a 'value' or a 'from_attribute'"),
        ({"action": "insert", "key": "a", "value": 1, "from_attribute": "b"}, "either"),
        ({"action": "update", "value": 1}, "needs a 'key'"),
        ({"action": "delete"}, "'key' or a 'pattern'"),
        ({"action": "extract", "key": "a"}, "needs a 'pattern'"),
        ({"action": "extract", "key": "a", "pattern": "(no) name"}, "unnamed"),
        ({"action": "hash", "pattern": "("}, "pattern '\\('"),
        ({"action": "convert", "key": "a"}, "converted_type"),
        ({"action": "upsert", "key": "a", "from_context": "metadata.tenant"}, "from_context"),
        ({"action": "rename", "key": "a"}, "action"),
    ],
)
def test_what_cannot_work_is_refused(action: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AttributeAction(**action)


def test_a_match_asks_something_that_compiles() -> None:
    with pytest.raises(ValidationError, match="at least one thing"):
        Match(match_type="strict")
    with pytest.raises(ValidationError, match="no RE2 expression"):
        Match(match_type="regexp", span_names=("(",))


@pytest.mark.parametrize(
    ("number", "text"),
    [(1.0, "1"), (1e20, "100000000000000000000"), (1e21, "1e+21"), (1.5e-9, "1.5e-9"), (0.1, "0.1"), (-0.0, "-0"),
     (float("inf"), "Infinity"), (float("-inf"), "-Infinity"), (1e-6, "0.000001")],
)  # fmt: skip
def test_doubles_as_text(number: float, text: str) -> None:
    assert attribute_text(lists.encode_value(number)) == text
