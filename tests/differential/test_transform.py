"""Statements in OTTL through the Collector, and their translations through Spanloom, leave the same spans.

Proves that both leave the same spans for the statements listed. Does not prove it for statements without a
translation, nor for logs and metrics.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
from ruamel.yaml import YAML

from collector.component.base import ComponentId, Settings
from collector.kernels.sql.ottl import operation_of
from collector.model import attributes
from collector.model.batch import SpanBatch
from collector.telemetry import Telemetry
from collector.testing.builders import logs, metrics, spans
from processors.transform import Config, Transform
from tests.differential.otelcol import logs_through, metrics_through, traces_through
from tests.processors.test_filter import TRANSLATIONS

STATEMENTS = (
    *(entry["ottl"] for entry in TRANSLATIONS["statements"]),
    "truncate_all(attributes, 4)",
    'limit(attributes, 3, ["user.id"])',
    'replace_pattern(name, "^(GET) ", "$$1-")',
    'replace_all_patterns(attributes, "value", "(o+)", "<$$1>")',
    'set(resource.attributes["copied"], attributes["count"]) where attributes["count"] > 2',
    'set(status.code, STATUS_CODE_ERROR) where not (attributes["cached"] == true)',
    'keep_matching_keys(attributes, "^http")',
    'set(attributes["text"], Concat([name, "x"], "/"))',
)
IN_CONTEXTS: tuple[tuple[str, str], ...] = (
    ("span", "set(status.code, 1)"),
    ("span", "set(kind, 5) where status.code == 0"),
    ("span", "set(kind, SPAN_KIND_PRODUCER) where kind != 2"),
    ("span", 'set(attributes["code"], STATUS_CODE_ERROR)'),
    ("span", 'set(attributes["whole"], Int(attributes["internal.x"]))'),
    ("span", 'replace_pattern(name, "G(E)T", "a\\\\b$$$$-$$1")'),
    ("span", 'set(attributes["nothing"], nil)'),
    ("span", 'set(attributes["match"], IsMatch(attributes["user.id"], "^a"))'),
    ("span", 'set(status.message, "two\\nlines")'),
    ("span", 'delete_key(resource.attributes, "host.name")'),
    ("resource", 'keep_keys(attributes, ["service.name", "service.version"])'),
    ("resource", 'set(attributes["copied"], attributes["service.name"]) where attributes["host.name"] != nil'),
    ("resource", 'delete_matching_keys(resource.attributes, "^host")'),
    ("resource", 'replace_all_patterns(attributes, "value", "s(h)", "<$$1>")'),
    ("resource", "limit(attributes, 1, [])"),
    ("resource", "truncate_all(attributes, 2)"),
)
ROWS: list[dict[str, Any]] = [
    {
        "attributes": {
            "http.method": "GET",
            "http.route": "/account/12/x",
            "http.url": "http://a/?token=abc&x=1",
            "user.id": "ann",
            "llm.model": "gpt-4o",
            "account": '{"plan": "pro", "n": 1}',
            "count": 3,
            "cached": True,
            "internal.x": 1.5,
            "http.request.header.cookie": "c",
        },
        "span_name": "GET /account",
        "kind": 2,
        "resource": {"service.name": "shop", "service.version": "1", "host.name": "h"},
    },
    {"attributes": {"model": "mine", "llm.model": 4, "count": 1, "user.id": "bob", "room": "foo boo"}, "kind": 3},
    {"attributes": {}, "resource": {"service.name": "web"}},
]


CASES = (*(("span", text) for text in STATEMENTS), *IN_CONTEXTS)


@pytest.fixture(scope="module")
def through_the_collector(tmp_path_factory: pytest.TempPathFactory) -> tuple[SpanBatch, dict[Any, list[Any]]]:
    batch = spans(ROWS, facts=True)
    cases: dict[str, dict[str, Any]] = {}
    for n, (context, text) in enumerate(CASES):
        given = {"context": context, "statements": [text]}
        cases[f"c{n}"] = {"transform": {"error_mode": "ignore", "trace_statements": [given]}}
    out = traces_through(cases, [batch], tmp_path_factory.mktemp("otelcol"))
    return batch, {CASES[int(case[1:])]: found for case, found in out.items()}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_leave_the_same_spans(
    case: tuple[str, str], through_the_collector: tuple[SpanBatch, dict[Any, list[Any]]]
) -> None:
    batch, found = through_the_collector
    context, text = case
    ours = transformed(batch, text, context)

    theirs = {span["spanId"]: span for span in found[case]}
    names, codes, kinds, messages = (
        ours.column(name).to_pylist() for name in ("span_name", "status_code", "kind", "status_message")
    )
    headers = ours.column("resource").to_pylist()
    for row, given in enumerate(attributes.to_dicts(ours.column("attributes"))):
        span = theirs[ours.column("span_id")[row].as_py().hex()]
        status = span.get("status", {})
        assert given == _plain(span.get("attributes", ()))
        assert attributes.resource_values(headers[row]) == _plain(span["resource"].get("attributes", ()))
        assert (names[row], codes[row]) == (span["name"], status.get("code", 0))
        assert (kinds[row], messages[row]) == (span.get("kind", 0), status.get("message", ""))


def transformed(batch: Any, text: str, context: str) -> Any:
    """Through our own processor, by what is suggested for the statement."""
    operation = YAML(typ="safe").load(operation_of(text.replace("$$", "$"), context) or "")
    settings = Settings(ComponentId("transform"), Telemetry(), structlog.get_logger(), Path("unused"))
    item = {"log": "log", "datapoint": "metric"}.get(context, "span")
    return Transform(Config(sql={item: [operation]}), settings).process(batch)  # type: ignore[arg-type]


LOG_STATEMENTS = (
    "set(severity_number, SEVERITY_NUMBER_ERROR2) where severity_number < 9",
    'set(body, "masked") where IsMatch(body, "^secret")',
    'set(attributes["text"], body.string) where body != "plain"',
    'replace_pattern(body, "se(c)ret", "<$$1>")',
    'set(severity_text, "LOW") where severity_number <= SEVERITY_NUMBER_INFO',
    'set(attributes["log"], trace_id.string)',
    'delete_key(attributes, "n") where trace_id.string == "00000000000000000000000000000007"',
)
LOGS: list[dict[str, Any]] = [
    {"body": "secret things", "severity_number": 5, "attributes": {"n": 1}},
    {"body": "plain", "severity_number": 17, "severity_text": "ERROR", "trace_id": bytes(15) + b"\7"},
    {"body": "7", "severity_number": 9, "attributes": {"n": "x"}},
]  # fmt: skip


def test_both_leave_the_same_log_records(tmp_path: Path) -> None:
    batch = logs(LOGS)
    cases: dict[str, dict[str, Any]] = {}
    for n, text in enumerate(LOG_STATEMENTS):
        given = {"context": "log", "statements": [text]}
        cases[f"c{n}"] = {"transform": {"error_mode": "ignore", "log_statements": [given]}}
    out = logs_through(cases, [batch], tmp_path)
    for n, text in enumerate(LOG_STATEMENTS):
        ours = transformed(batch, text, "log")
        columns = [ours.column(name).to_pylist() for name in ("body_text", "severity_number", "severity_text")]
        rows = zip(*columns, attributes.to_dicts(ours.column("attributes")), strict=True)
        theirs = [
            (
                record["body"]["stringValue"],
                record.get("severityNumber", 0),
                record.get("severityText", ""),
                _plain(record.get("attributes", ())),
            )
            for record in out[f"c{n}"]
        ]
        assert sorted(map(repr, rows)) == sorted(map(repr, theirs)), text


POINT_STATEMENTS = (
    'set(attributes["is_up"], true) where metric.name == "up"',
    'delete_key(attributes, "host") where metric.type == METRIC_DATA_TYPE_SUM',
    'set(attributes["monotonic"], "no") where metric.is_monotonic == false',
    'keep_keys(resource.attributes, ["service.name"])',
)
POINTS: list[dict[str, Any]] = [
    {"name": "up", "kind": "gauge", "value_int": 1, "attributes": {"host": "a"}},
    {"name": "requests", "kind": "sum", "is_monotonic": True, "value_int": 4, "attributes": {"host": "a"}},
    {"name": "queue", "kind": "sum", "value_int": 4, "resource": {"service.name": "s", "x": 1}},
]  # fmt: skip


def test_both_leave_the_same_points(tmp_path: Path) -> None:
    batch = metrics(POINTS)
    cases: dict[str, dict[str, Any]] = {}
    for n, text in enumerate(POINT_STATEMENTS):
        given = {"context": "datapoint", "statements": [text]}
        cases[f"c{n}"] = {"transform": {"error_mode": "ignore", "metric_statements": [given]}}
    out = metrics_through(cases, [batch], tmp_path)
    for n, text in enumerate(POINT_STATEMENTS):
        ours = transformed(batch, text, "datapoint")
        resources = map(attributes.resource_values, ours.column("resource").to_pylist())
        rows = zip(
            ours.column("name").to_pylist(), attributes.to_dicts(ours.column("attributes")), resources, strict=True
        )
        theirs = [
            (
                metric["name"],
                _plain(metric[kind]["dataPoints"][0].get("attributes", ())),
                _plain(metric["resource"].get("attributes", ())),
            )
            for metric in out[f"c{n}"]
            for kind in ("gauge", "sum")
            if kind in metric
        ]
        assert sorted(map(repr, rows)) == sorted(map(repr, theirs)), text


def _plain(listed: Any) -> dict[str, Any]:
    return {entry["key"]: attributes.plain(entry["value"]) for entry in listed}
