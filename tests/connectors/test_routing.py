"""The routing connector: which row applies, what fails, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import structlog
from hypothesis import given, strategies as st
from pydantic import ValidationError

from collector.component.base import ComponentId, Settings
from collector.component.sampler import DueTraces
from collector.telemetry import Telemetry
from collector.testing.builders import logs, metrics, spans
from connectors._routing.request import HeaderCondition
from connectors.routing import Config, Routing
from tests.processors._sampling.sampling_kit import due as facts_of


def made(*rows: dict[str, Any], default: tuple[str, ...] = ()) -> Routing:
    settings = Settings(ComponentId("routing"), Telemetry(), structlog.stdlib.get_logger(), Path("unused"))
    return Routing(Config.model_validate({"table": rows, "default_pipelines": default}), settings)


def row(to: str, **keys: Any) -> dict[str, Any]:
    return {"pipelines": to.split(), **keys}


ERROR = row("logs/err traces/err", context="log", sql="severity_number >= 17")
SHOP = row("logs/shop metrics/shop", key="service.name", values=["shop", "o'shop"])
TENANT = row("logs/t", context="request", condition='request["X-Tenant"] == "acme"')


def where(routing: Routing, batch: Any, *met: str) -> dict[str, list[int]]:
    routes = routing.route(batch, frozenset(met))
    return {str(output): np.flatnonzero(sent).tolist() for output, sent in routes.outputs.items()}


LOGS = [
    {"severity_number": 17, "resource": {"service.name": "shop"}},
    {"severity_number": 9, "resource": {"service.name": "shop"}},
    {"severity_number": 9, "resource": {"service.name": "o'shop"}},
    {"severity_number": 9},
]


def test_the_first_row_that_applies_decides() -> None:
    routing = made(ERROR, SHOP, default=("logs/rest",))
    assert where(routing, logs(LOGS)) == {"logs/err": [0], "logs/shop": [1, 2], "logs/rest": [3]}
    assert where(made(SHOP, ERROR), logs(LOGS)) == {"logs/shop": [0, 1, 2], "logs/err": []}


def test_rows_of_other_signals_do_not_apply() -> None:
    routing = made(row("metrics/spans", context="span", sql="true"), ERROR, SHOP)
    points = metrics([{"name": "a", "resource": {"service.name": "shop"}}, {"name": "b"}])
    assert where(routing, points) == {"metrics/spans": [], "metrics/shop": [0]}
    named = made(row("metrics/a", context="datapoint", sql="name = 'a'"))
    assert where(named, points) == {"metrics/a": [0]}


def test_a_row_may_send_to_several_pipelines() -> None:
    both = made(row("logs/a logs/b", context="log", key="k", values=["1", "true"]))
    rows = [{"attributes": {"k": 1}}, {"attributes": {"k": True}}, {"attributes": {"k": "x"}}, {}]
    assert where(both, logs(rows)) == {"logs/a": [0, 1], "logs/b": [0, 1]}


def test_where_a_condition_fails_the_default_pipelines_are_taken() -> None:
    routing = made(row("logs/n", context="log", sql="cast(attributes['n'] as int) > 1"), SHOP, default=("logs/rest",))
    routes = routing.route(logs([{"attributes": {"n": n}, **LOGS[1]} for n in ("5", "x", "1")]), frozenset())
    assert {str(output): sent.tolist() for output, sent in routes.outputs.items()} == {
        "logs/n": [True, False, False], "logs/shop": [False, False, True], "logs/rest": [False, True, False],
    }  # fmt: skip
    assert routes.failed is not None
    assert routes.failed.tolist() == [False, True, False]


def test_conditions_over_requests() -> None:
    key = HeaderCondition.parse(TENANT["condition"]).key
    assert where(made(TENANT, SHOP), logs(LOGS), key, "other") == {"logs/t": [0, 1, 2, 3], "logs/shop": []}
    assert where(made(TENANT, SHOP), logs(LOGS), "other") == {"logs/t": [], "logs/shop": [0, 1, 2]}


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ('request["X-Tenant"] == "acme"', ["acme"], True),
        (' request[ "x-tenant" ]=="acme" ', ["b", "acme"], True),
        ('request["X-Tenant"] == "acme"', ["Acme"], False),
        ('request["X-Tenant"] == "acme"', [], False),
        ('request["X-Tenant"] != "acme"', ["b"], True),
        ('request["X-Tenant"] != "acme"', [], False),
        ('request["X-Tenant"] != "acme"', ["acme"], False),
        ('request["X-Tenant"] != "acme"', ["b", "acme"], True),
        ('request["X-Tenant"] == "a\\"\\u00e4"', ['a"ä'], True),
    ],
)
def test_what_a_request_meets(condition: str, values: list[str], expected: bool) -> None:
    met = HeaderCondition.parse(condition).is_met(lambda name: values if name == "x-tenant" else [])
    assert met is expected


@given(header=st.text(), value=st.text(), differs=st.booleans())
def test_what_is_kept_of_a_condition_is_a_name_without_its_value(header: str, value: str, differs: bool) -> None:
    sign = "!=" if differs else "=="
    parsed = HeaderCondition.parse(f"request[{json.dumps(header)}] {sign} {json.dumps(value)}")
    assert parsed == HeaderCondition(header, value, differs)
    assert len(parsed.key) == 32
    assert parsed.key.isalnum()
    assert parsed.key == HeaderCondition(header.lower(), value, differs).key
    assert parsed.key != HeaderCondition(header, value, not differs).key


def due(*met: list[str]) -> DueTraces:
    """The traces below; ``met``: what requests of each met."""
    batch = spans(TRACES, facts=True).with_columns({"usage_scope": pa.array(["counted"] * len(TRACES))})
    owner = np.array([one["trace_id"] - 1 for one in TRACES], np.int32)
    load_matched_conditions = [frozenset(texts) for texts in met]
    return replace(
        facts_of({}, {}, {}),
        load_spans=lambda _=None: (batch, owner),
        load_matched_conditions=lambda: load_matched_conditions,
    )


TRACES = [
    {"trace_id": 1, "span_id": 1, "span_name": "root", "resource": {"service.name": "web"}},
    {"trace_id": 1, "span_id": 2, "span_name": "chat", "resource": {"service.name": "shop"}, "total_tokens": 60},
    {"trace_id": 2, "span_id": 3, "span_name": "root", "attributes": {"n": "x"}, "total_tokens": 30},
    {"trace_id": 2, "span_id": 4, "span_name": "chat", "attributes": {"n": "7"}, "total_tokens": 30},
    {"trace_id": 3, "span_id": 5, "span_name": "other"},
]


@pytest.mark.parametrize(
    ("given_rows", "expected"),
    [
        ([row("traces/a", key="service.name", values=["shop"])], {"traces/a": [0]}),
        ([row("traces/a", context="span", sql="span_name = 'chat'")], {"traces/a": [0, 1]}),
        ([row("traces/a", context="span", key="n", values=["7"])], {"traces/a": [1]}),
        ([row("traces/a", context="trace", sql="sum(total_tokens) >= 60")], {"traces/a": [0, 1]}),
        ([row("traces/a", context="trace", sql="count(*) = 1"), row("traces/b", sql="true", context="span")],
         {"traces/a": [2], "traces/b": [0, 1]}),
        ([row("traces/a", context="span", sql="cast(attributes['n'] as int) = 7")], {"traces/a": []}),
        ([row("traces/a", context="request", condition='request["t"] != "x"')], {"traces/a": [1]}),
    ],
)  # fmt: skip
def test_traces_go_as_a_whole(given_rows: list[dict[str, Any]], expected: dict[str, list[int]]) -> None:
    met = HeaderCondition.parse('request["t"] != "x"').key
    routes = made(*given_rows, default=("traces/rest",)).route_traces(due([], ["y", met], []))
    found = {str(output): np.flatnonzero(sent).tolist() for output, sent in routes.outputs.items()}
    rest = found.pop("traces/rest")
    assert found == expected
    assert sorted([*rest, *(trace for traces in found.values() for trace in traces)]) == [0, 1, 2]


@pytest.mark.parametrize(
    ("given_row", "said"),
    [
        ({}, "give one of 'condition'"),
        ({"sql": "true", "key": "k", "values": ["v"]}, "give one of 'condition'"),
        ({"key": "k"}, "'key' and 'values' go together"),
        ({"sql": "x", "values": ["v"]}, "'key' and 'values' go together"),
        ({"context": "request", "sql": "true"}, "'condition' and the context 'request' go together"),
        ({"context": "request", "condition": "request['a'] == 'b'"}, 'a condition over a request is request["KEY"]'),
        ({"context": "request", "condition": 'request["a"] == "b" or true'}, "a condition over a request is"),
        ({"context": "trace", "key": "k", "values": ["v"]}, "with context trace give 'sql'"),
        ({"sql": "span_name = 'x'"}, "no column is called"),
        ({"sql": "severity_number > 9"}, "only resource['key'] can be looked at"),
        ({"sql": "attributes['x'] = 'y'"}, "only resource['key'] can be looked at"),
        ({"context": "span", "sql": "sum(total_tokens) > 1"}, "aggregate"),
        ({"context": "span", "sql": "input is null"}, "does not exist before the decision"),
        ({"context": "log", "sql": "bdy = 'x'"}, "did you mean 'body'?"),
        ({"condition": 'attributes["X"] == "acme"'}, "resource['X'] = 'acme'"),
        ({"context": "span", "condition": 'attributes["X"] == "acme"'}, "attributes['X'] = 'acme'"),
        ({"statement": 'route() where attributes["X"] == "acme"'}, "resource['X'] = 'acme'"),
        ({"context": "log", "condition": "severity_number < SEVERITY_NUMBER_ERROR"}, "severity_number < 17"),
        ({"context": "datapoint", "sql": "name"}, "a condition is true or false, this is text"),
    ],
)
def test_rows_that_cannot_work(given_row: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        made(row("traces/a", **given_row))
    assert said in str(caught.value)


def test_refusing_whole_requests_is_no_mode() -> None:
    with pytest.raises(ValidationError, match="'propagate' would refuse whole requests"):
        Config.model_validate({"table": [row("logs/a", context="log", sql="true")], "error_mode": "propagate"})
