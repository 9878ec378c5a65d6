"""What ``filter`` drops, what it refuses, and that OTTL is answered with its SQL.

Proves dropping, failing and refusing on small batches. Does not prove what becomes of a dropped span's children
(``engine/traces/test_tombstones``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given, strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML
from structlog.testing import capture_logs

from collector.component.base import ComponentId, Settings
from collector.kernels.sql import ottl
from collector.kernels.sql.expressions import sql_condition
from collector.kernels.sql.relations import SPAN_RELATION
from collector.telemetry import Telemetry
from collector.testing.builders import logs, metrics, spans
from processors.filter import Config, Filter

TRANSLATIONS = YAML(typ="safe").load((Path(ottl.__file__).parent / "ottl.yaml").read_text())


def made(error_mode: str = "ignore", **sql: list[str]) -> Filter:
    settings = Settings(ComponentId("filter"), Telemetry(), structlog.stdlib.get_logger(), Path("unused"))
    return Filter(Config(sql=sql, error_mode=error_mode), settings)  # type: ignore[arg-type]


def left(rows: list[dict[str, Any]], *conditions: str) -> list[int]:
    """Which rows of spans are passed on."""
    numbered = [{"span_id": n + 1, **row} for n, row in enumerate(rows)]
    kept = made(span=list(conditions)).process(spans(numbered, facts=True))
    return [int.from_bytes(id_, "big") - 1 for id_ in kept.column("span_id").to_pylist()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("span_name = 'GET /healthz'", [1, 2]),
        ("kind = 'SERVER' or status_code = 'ERROR'", [2]),
        ("attributes['route'] = '/ping'", [0, 2]),
        ("try_cast(attributes['n'] as int) > 5", [1, 2]),
        ("attributes['N'] is not null", [0, 1]),
        ("attributes['ok'] = 'true' and resource['service.name'] = 'shop'", [0, 2]),
        ("total_tokens > 10 and type = 'generation'", [0, 1]),
        ("regexp_matches(span_name, '^chat')", [0, 1]),
        ("attributes['route'] is null", [1]),
        ("duration_ns > 500000", []),
        ("total_cost >= 0.5", [0, 1]),
        ("null", [0, 1, 2]),
        ("true -- all of them", []),
    ],
)
def test_a_span_is_dropped_when_a_condition_is_true(text: str, expected: list[int]) -> None:
    rows = [
        {"span_name": "GET /healthz", "kind": 2, "attributes": {"n": 7}},
        {"status_code": 2, "attributes": {"route": "/ping", "ok": True}, "resource": {"service.name": "shop"}},
        {
            "span_name": "chat gpt",
            "type": "generation",
            "total_tokens": 11,
            "total_cost": 5 * 10**11,
            "attributes": {"N": 1.5, "n": "many"},
        },
    ]
    assert left(rows, text) == expected


def test_any_condition_drops() -> None:
    assert left([{"span_name": "a"}, {"span_name": "b"}, {"span_name": "c"}], "name = 'a'", "name = 'c'") == [1]


def test_log_records_and_metric_points_have_conditions_of_their_own() -> None:
    both = made(
        log=["severity_number < 9", "body = 'noise' and service_name = 'shop'"], metric=["value > 3", "name = 'up'"]
    )
    records = [
        {"severity_number": 5},
        {"severity_number": 9, "body": "noise", "resource": {"service.name": "shop"}},
        {"severity_number": 9, "body": "noise"},
    ]
    points = [{"name": "a", "value_int": 4}, {"name": "a", "value_double": 2.5}, {"name": "up", "value_int": 1}]

    assert both.process(logs(records)).column("severity_number").to_pylist() == [9]
    assert both.process(metrics(points)).column("value_double").to_pylist() == [2.5]
    assert both.process(spans([{}], facts=True)).num_rows == 1


@pytest.mark.parametrize(("mode", "told"), [("ignore", 1), ("silent", 0)])
def test_an_item_a_condition_fails_on_is_kept_and_counted(mode: str, told: int) -> None:
    telemetry = Telemetry()
    config = Config(sql={"span": ["attributes['n']::int > 1", "span_name = 'x'"]}, error_mode=mode)  # type: ignore[arg-type]
    rows = [
        {"attributes": {"n": n}, "span_name": name} for n, name in ((1, "a"), ("secret", "b"), (2, "c"), ("?", "x"))
    ]
    with capture_logs() as said:
        filter_ = Filter(config, Settings(ComponentId("filter"), telemetry, structlog.get_logger(), Path("unused")))
        out = [filter_.process(spans(rows, facts=True)) for _ in range(2)]

    assert [batch.column("span_name").to_pylist() for batch in out] == [["a", "b"]] * 2
    labels = {"processor": "filter"}
    assert telemetry.registry.get_sample_value("spanloom_processor_failed_expressions_total", labels) == 4
    assert len(said) == told
    assert "secret" not in repr(said)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("span_nam = 'x'", r'no column is called "span_nam" \(did you mean \'span_name\'\?\)'),
        ("span_name =", "syntax error"),
        ("span_name", "a condition is true or false, this is text"),
        ("duration_ns + 1", "this is a whole number"),
        ("count(*) > 1", "cannot contain aggregates"),
        ("row_number() over () > 1", "window"),
        ("unnest([true, false])", "UNNEST"),
        ("random() > 0.5", "random gives another answer each time"),
        ("start_time < now()", "now gives another answer each time"),
        ("start_time < current_timestamp", "current_timestamp gives another answer"),
        ("sleep_ms(100) is null", "sleep_ms"),
        ("(select true)", "without SELECT"),
        ("length(output) > 5", "output does not exist here"),
        ("usage_scope = 'counted'", "usage_scope does not exist here"),
        ("attributes['a'] > ", "syntax error"),
        ("regexp_matches(span_name, '[')", "missing ]"),
        ("read_text('/etc/passwd') is null", "read_text"),
    ],
)
def test_what_cannot_be_run_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Config(sql={"span": [text]})  # type: ignore[arg-type]


def test_all_that_is_wrong_is_said_at_once_and_something_is_needed() -> None:
    with pytest.raises(ValidationError, match=r"(?s)span: 'a'.*log: 'b'"):
        Config(sql={"span": ["a"], "log": ["b"]})  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="give conditions under"):
        Config(sql={})  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="passed on as it was and counted: write ignore or silent"):
        Config(sql={"span": ["true"]}, error_mode="propagate")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"traces": {"span": ['name == "x"']}}, """span: name == "x" → span_name = 'x'"""),
        ({"traces": {"spanevent": ['name == "x"']}}, 'spanevent: name == "x" → there is no translation'),
        ({"metrics": {"datapoint": ['metric.name == "up"']}}, "→ name = 'up'"),
        ({"logs": {"log_record": ["severity_number < SEVERITY_NUMBER_INFO"]}}, "→ severity_number < 9"),
        ({"trace_conditions": ['span.attributes["n"] > 3']}, "→ try_cast(attributes['n'] as double) > 3"),
        ({"log_conditions": [{"context": "log", "conditions": ['log.body == "x"']}]}, "→ body = 'x'"),
        ({"spans": {"include": {"match_type": "strict"}}}, "OTTL (spans) is not supported"),
    ],
)
def test_ottl_is_answered_with_its_sql(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        Config(**config)
    assert said in str(error.value)


@pytest.mark.parametrize("entry", TRANSLATIONS["conditions"], ids=lambda entry: entry["ottl"])
def test_every_documented_condition_is_what_the_translator_says_and_runs(entry: dict[str, str]) -> None:
    assert ottl.sql_of(entry["ottl"]) == entry["sql"]
    sql_condition(SPAN_RELATION, entry["sql"])


@pytest.mark.parametrize(
    "text",
    ["name ==", "F(name)", 'attributes["a"]["b"] == 1', "nil > 3", 'name == "x', "events == nil", "and", "name ~ 1"],
)
def test_what_has_no_translation_has_none(text: str) -> None:
    assert ottl.sql_of(text) is None


@given(st.text(alphabet='abn()"\\[]=! <>andornot.,1$', max_size=30))
def test_the_translator_never_fails(text: str) -> None:
    assert ottl.sql_of(text) != ""
