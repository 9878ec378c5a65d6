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
from collector.testing.builders import spans
from processors.transform import Config, Transform
from tests.differential.otelcol import traces_through
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


@pytest.fixture(scope="module")
def through_the_collector(tmp_path_factory: pytest.TempPathFactory) -> tuple[SpanBatch, dict[str, list[Any]]]:
    batch = spans(ROWS, facts=True)
    cases: dict[str, dict[str, Any]] = {}
    for n, text in enumerate(STATEMENTS):
        given = {"context": "span", "statements": [text]}
        cases[f"c{n}"] = {"transform": {"error_mode": "ignore", "trace_statements": [given]}}
    out = traces_through(cases, [batch], tmp_path_factory.mktemp("otelcol"))
    return batch, {STATEMENTS[int(case[1:])]: found for case, found in out.items()}


@pytest.mark.parametrize("text", STATEMENTS)
def test_both_leave_the_same_spans(text: str, through_the_collector: tuple[SpanBatch, dict[str, list[Any]]]) -> None:
    batch, found = through_the_collector
    operation = YAML(typ="safe").load(operation_of(text.replace("$$", "$")) or "")
    settings = Settings(ComponentId("transform"), Telemetry(), structlog.get_logger(), Path("unused"))
    ours = Transform(Config(sql={"span": [operation]}), settings).process(batch)  # type: ignore[arg-type]

    theirs = {span["spanId"]: span for span in found[text]}
    names, codes = (ours.column(name).to_pylist() for name in ("span_name", "status_code"))
    headers = ours.column("resource").to_pylist()
    for row, given in enumerate(attributes.to_dicts(ours.column("attributes"))):
        span = theirs[ours.column("span_id")[row].as_py().hex()]
        assert given == _plain(span.get("attributes", ()))
        assert attributes.resource_values(headers[row]) == _plain(span["resource"].get("attributes", ()))
        assert (names[row], codes[row]) == (span["name"], span.get("status", {}).get("code", 0))


def _plain(listed: Any) -> dict[str, Any]:
    return {entry["key"]: attributes.plain(entry["value"]) for entry in listed}
