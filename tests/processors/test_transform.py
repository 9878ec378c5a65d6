"""What ``transform`` does to attributes, resources and columns, and what it refuses.

Proves each operation and each refusal on small batches. Does not prove equality with OTTL:
``differential/test_transform`` does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import ValidationError

from collector.component.base import ComponentId, Settings
from collector.kernels.sql import ottl
from collector.model import attributes
from collector.model.batch import SpanBatch
from collector.telemetry import Telemetry
from collector.testing.builders import logs, metrics, spans
from processors.transform import Config, Transform
from tests.processors.test_filter import TRANSLATIONS

ROW: dict[str, Any] = {
    "span_name": "GET /a",
    "kind": 3,
    "attributes": {"s": "text 12", "i": 7, "d": 1.5, "b": True, "list": ["x", 1], "Key.x": "12 and 34"},
    "resource": {"service.name": "shop", "n": 3},
}


def made(telemetry: Telemetry | None = None, **sql: list[dict[str, Any]]) -> Transform:
    settings = Settings(ComponentId("transform"), telemetry or Telemetry(), structlog.get_logger(), Path("unused"))
    return Transform(Config(sql=sql), settings)  # type: ignore[arg-type]


def changed(*operations: dict[str, Any], rows: list[dict[str, Any]] | None = None) -> SpanBatch:
    out = made(span=list(operations)).process(spans(rows or [ROW], facts=True))
    out.record_batch.validate(full=True)
    assert isinstance(out, SpanBatch)
    return out


def attributes_after(*operations: dict[str, Any], rows: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    return attributes.to_dicts(changed(*operations, rows=rows).column("attributes"))


def resources_after(*operations: dict[str, Any], rows: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    column = changed(*operations, rows=rows).column("resource")
    return [attributes.resource_values(column[i].as_py()) for i in range(len(column))]


@pytest.mark.parametrize(
    ("to", "value"),
    [
        ("'x' || span_name", "xGET /a"),
        ("attributes['i']::int + 1", 8),
        ("attributes['d']::double * 2", 3.0),
        ("123456789012345678::hugeint", 123456789012345678),
        ("0.5", 0.5),
        ("kind = 'CLIENT'", True),
        ("['a', 'b']", ["a", "b"]),
        ("[1, 2]", [1, 2]),
        ("attributes['i']", 7),
        (" attributes [ 'd' ] ", 1.5),
        ("attributes['b']", True),
        ("attributes['list']", ["x", 1]),
        ("resource['n']", 3),
        ("json_extract_string('{\"a\": {\"b\": 1}}', '$.a.b')", "1"),
        ("sha256('x')", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
    ],
)
def test_a_value_keeps_its_type(to: str, value: Any) -> None:
    (after,) = attributes_after({"set": "attributes['new']", "to": to})
    assert after == {**ROW["attributes"], "new": value}
    assert type(after["new"]) is type(value)


def test_an_attribute_is_set_in_its_place_and_null_changes_nothing() -> None:
    (after,) = attributes_after({"set": "attributes['i']", "to": "'seven'"}, {"set": "attributes['s']", "to": "null"})
    assert list(after.items()) == list({**ROW["attributes"], "i": "seven"}.items())
    assert attributes_after({"set": "attributes['new']", "to": "attributes['missing']"}) == [ROW["attributes"]]


def test_operations_follow_each_other_and_only_items_that_meet_the_condition_change() -> None:
    rows = [{"attributes": {"old": n}} for n in range(3)] + [{}]
    after = attributes_after(
        {"set": "attributes['new']", "to": "attributes['old']", "where": "attributes['old']::int > 0"},
        {"delete": ["old"], "where": "attributes['new'] is not null"},
        rows=rows,
    )
    assert after == [{"old": 0}, {"new": 1}, {"new": 2}, {}]


@pytest.mark.parametrize(
    ("operation", "left"),
    [
        ({"delete": ["s", "i", "none"]}, ["d", "b", "list", "Key.x"]),
        ({"delete_matching": "^[a-z]$"}, ["list", "Key.x"]),
        ({"delete_matching": "(?i)^key"}, ["s", "i", "d", "b", "list"]),
        ({"keep": ["b", "Key.x"]}, ["b", "Key.x"]),
        ({"keep": []}, []),
        ({"keep_matching": "i"}, ["i", "list"]),
        ({"limit": 2, "first": ["list"]}, ["s", "list"]),
        ({"limit": 9}, ["s", "i", "d", "b", "list", "Key.x"]),
        ({"limit": 0}, []),
        ({"delete": ["s"], "where": "kind = 'SERVER'"}, ["s", "i", "d", "b", "list", "Key.x"]),
    ],
)
def test_attributes_are_removed(operation: dict[str, Any], left: list[str]) -> None:
    (after,) = attributes_after(operation)
    assert list(after.items()) == [(key, ROW["attributes"][key]) for key in left]


def test_texts_are_replaced_and_cut_and_nothing_else_is() -> None:
    before = ROW["attributes"]
    assert attributes_after({"replace_all": r"(\d)(\d)", "with": r"\2-\1"}) == [
        {**before, "s": "text 2-1", "Key.x": "2-1 and 4-3"}
    ]
    assert attributes_after({"truncate_all": 2}) == [{**before, "s": "te", "Key.x": "12"}]
    assert attributes_after({"truncate_all": 1}, rows=[{"attributes": {"e": "é😀"}}]) == [{"e": "é"}]


def test_resources_change_once_each_and_only_for_the_items_meant() -> None:
    rows = [{**ROW, "span_name": name} for name in ("a", "b", "a")] + [{"resource": {"service.name": "web"}}]
    shop, web = ROW["resource"], {"service.name": "web"}

    assert resources_after({"delete": ["n"], "of": "resource"}, rows=rows) == [{"service.name": "shop"}] * 3 + [web]
    named = {
        "set": "resource['name']",
        "to": "span_name",
        "where": "service_name is not null and length(span_name) = 1",
    }
    assert resources_after(named, rows=rows) == [{**shop, "name": name} for name in ("a", "b", "a")] + [web]
    assert resources_after({"set": "resource['n']", "to": "attributes['i']"}, rows=[ROW]) == [{**shop, "n": 7}]
    out = changed({"replace_all": "shop", "with": "store", "of": "resource", "where": "span_name = 'a'"}, rows=rows)
    assert len(out.column("resource").dictionary) == 3


def test_columns_of_spans_and_log_records_can_be_set() -> None:
    out = changed(
        {"set": "span_name", "to": "replace(span_name, 'GET', 'got')"},
        {"set": "status_code", "to": "case when kind = 'CLIENT' then 'ERROR' end"},
        {"set": "kind", "to": "'SERVER'"},
        {"set": "status_message", "to": "'no'"},
        {"set": "kind", "to": "'NONSENSE'"},
    )
    names = ("span_name", "status_code", "kind", "status_message")
    assert [out.column(name).to_pylist() for name in names] == [["got /a"], [2], [2], ["no"]]

    record = made(log=[{"set": "body", "to": "'now ' || body"}, {"set": "severity_number", "to": "17"}]).process(
        logs([{"body": "x", "severity_number": 1}])
    )
    assert record.column("body_text").to_pylist() == ["now x"]
    assert record.column("severity_number").to_pylist() == [17]
    point = made(metric=[{"set": "attributes['v']", "to": "value"}]).process(metrics([{"value_double": 2.5}]))
    assert attributes.to_dicts(point.column("attributes")) == [{"v": 2.5}]


def test_an_item_that_fails_is_left_as_it_was_and_counted() -> None:
    telemetry = Telemetry()
    rows = [{"attributes": {"n": "5"}}, {"attributes": {"n": "many"}}]
    out = made(telemetry, span=[{"set": "attributes['n']", "to": "attributes['n']::int"}]).process(
        spans(rows, facts=True)
    )

    assert attributes.to_dicts(out.column("attributes")) == [{"n": 5}, {"n": "many"}]
    value = telemetry.registry.get_sample_value(
        "spanloom_processor_failed_expressions_total", {"processor": "transform"}
    )
    assert value == 1


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"set": "span_nam", "to": "'x'"}, "cannot be set .did you mean 'span_name'"),
        ({"set": "attributes['x']", "to": "start_time"}, "cannot hold timestamp"),
        ({"set": "attributes['x']", "to": "count(*)"}, "aggregates"),
        ({"set": "attributes['x']", "to": "random()"}, "another answer each time"),
        ({"set": "attributes['x']", "to": "output"}, "output does not exist here"),
        ({"set": "attributes['x']"}, "'set' needs 'to'"),
        ({"set": "kind", "to": "3"}, "kind is text"),
        ({"set": "span_name", "to": "'x'", "where": "nam = 'x'"}, 'no column is called "nam"'),
        ({"delete": ["a"], "keep": ["b"]}, "exactly one of"),
        ({"where": "true"}, "exactly one of"),
        ({"delete": ["a"], "to": "1"}, "'to' belongs to 'set'"),
        ({"delete_matching": "["}, "missing ]"),
        ({"replace_all": "a", "with": "\\3"}, "3"),
    ],
)
def test_what_cannot_be_run_is_refused(operation: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Config(sql={"span": [operation]})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"trace_statements": ['set(span.name, "x")']}, """{set: "span_name", to: "'x'"}"""),
        (
            {"log_statements": [{"context": "log", "statements": ['set(body, "x") where severity_number < 9']}]},
            """{set: "body", to: "'x'", where: "severity_number < 9"}""",
        ),
        ({"metric_statements": ["convert_sum_to_gauge()"]}, "there is no translation"),
    ],
)
def test_ottl_is_answered_with_its_operation(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        Config(**config)
    assert said in str(error.value)


def test_each_statement_is_answered_at_its_own_place() -> None:
    statements = [
        {"context": "resource", "statements": ['delete_key(attributes, "a")', "append(x)"]},
        "set(span.kind, 1)",
    ]
    with pytest.raises(ValidationError) as caught:
        Config(trace_statements=statements)  # type: ignore[call-arg]
    why = "OTTL is not supported; write operations, under 'sql.span'"
    assert caught.value.errors()[0]["ctx"]["error"].problems == (
        (
            ("trace_statements", 0, "statements", 0),
            f"""{why}: resource: delete_key(attributes, "a") → {{delete: ["a"], of: "resource"}}""",
        ),
        (
            ("trace_statements", 0, "statements", 1),
            f"{why}: resource: append(x) → there is no translation: append() has none",
        ),
        (("trace_statements", 1), f"""{why}: span: set(span.kind, 1) → {{set: "kind", to: "'INTERNAL'"}}"""),
    )


@pytest.mark.parametrize("entry", TRANSLATIONS["statements"], ids=lambda entry: entry["ottl"])
def test_every_documented_statement_is_what_the_translator_says(entry: dict[str, str]) -> None:
    assert ottl.operation_of(entry["ottl"]) == entry["sql"]
