"""Conditions in OTTL through the Collector, and their translations through Spanloom, drop the same spans.

Proves it for the conditions listed, over random spans. Does not prove it for OTTL that has no translation, nor for
logs and metrics.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog

from collector.component.base import ComponentId, Settings
from collector.kernels.sql.ottl import sql_of
from collector.model.batch import SpanBatch
from collector.telemetry import Telemetry
from collector.testing.builders import START_UNIX_NANO, spans
from processors.filter import Config, Filter
from tests.differential.otelcol import traces_through
from tests.processors.test_filter import TRANSLATIONS

CONDITIONS = (
    *(entry["ottl"] for entry in TRANSLATIONS["conditions"]),
    'attributes["user.id"] != "ann"',
    'not (attributes["user.id"] == "ann")',
    'not (attributes["http.response.status_code"] > 400 and attributes["cached"] == true)',
    'attributes["http.response.status_code"] < 500 or resource.attributes["service.name"] == nil',
    'kind.string == "Client" and name != "chat gpt"',
    'IsMatch(attributes["http.route"], "^/p.*g$")',
    'not IsMatch(attributes["user.id"], "a")',
    "(end_time_unix_nano - start_time_unix_nano) / 1000000 >= 900",
    'Len(name) > 8 and not HasSuffix(name, "gpt")',
    "status.code == 2",
    "1 != status.code",
    "status.code < STATUS_CODE_ERROR and kind > 2",
    "kind == 3 or kind == SPAN_KIND_SERVER",
    "not (kind <= SPAN_KIND_CLIENT)",
    'parent_span_id.string == "0000000000000000"',
    "span_id == SpanID(0x0000000000000007)",
    "parent_span_id != SpanID(0x0000000000000009) and IsRootSpan() != true",
    'attributes["http.route"] == attributes["user.id"]',
    'attributes["http.route"] != attributes["user.id"]',
    "IsRootSpan() == false",
    'IsMatch(attributes["user.id"], "a") != true',
    'ToUpperCase(attributes["user.id"]) == "ANN"',
    'HasPrefix(attributes["http.route"], "/pi") and name != "GET /"',
    "(end_time_unix_nano - start_time_unix_nano) / 1000000 > 900",
    'Int(attributes["http.response.status_code"]) >= 404',
    "Len(name) == 8",
    'Concat([name, "x"], "/") == "GET //x"',
)


def _spans(n: int) -> SpanBatch:
    random = np.random.default_rng(7)
    routes, users, names = (
        ("/ping", "/p", None),
        ("ann", "bob", None),
        ("GET /healthz", "chat gpt", "embeddings x", "GET /"),
    )
    rows = []
    for i in range(n):
        attributes = {
            "http.route": routes[random.integers(3)],
            "user.id": users[random.integers(3)],
            "http.response.status_code": (200, 404, 503, None)[random.integers(4)],
            "cached": (True, False, None)[random.integers(3)],
        }
        start = START_UNIX_NANO + i
        rows.append(
            {
                "trace_id": i // 4 + 1,
                "span_id": i + 1,
                "parent_span_id": i if random.integers(2) else None,
                "span_name": names[random.integers(4)],
                "kind": int(random.integers(1, 6)),
                "status_code": int(random.integers(3)),
                "start_unix_nano": start,
                "end_unix_nano": start + int(random.integers(2_000_000_000)),
                "attributes": {key: value for key, value in attributes.items() if value is not None},
                "resource": {"service.name": "shop"} if random.integers(2) else {},
            }
        )
    return spans(rows, facts=True)


@pytest.fixture(scope="module")
def through_the_collector(tmp_path_factory: pytest.TempPathFactory) -> tuple[SpanBatch, dict[str, set[str]]]:
    batch = _spans(300)
    cases: dict[str, dict[str, Any]] = {
        f"c{n}": {"filter": {"error_mode": "ignore", "traces": {"span": [text]}}} for n, text in enumerate(CONDITIONS)
    }
    out = traces_through(cases, [batch], tmp_path_factory.mktemp("otelcol"))
    return batch, {CONDITIONS[int(case[1:])]: {span["spanId"] for span in found} for case, found in out.items()}


@pytest.mark.parametrize("text", CONDITIONS)
def test_both_drop_the_same_spans(text: str, through_the_collector: tuple[SpanBatch, dict[str, set[str]]]) -> None:
    batch, kept = through_the_collector
    sql = sql_of(text)
    assert sql is not None
    settings = Settings(ComponentId("filter"), Telemetry(), structlog.get_logger(), Path("unused"))
    ours = Filter(Config(sql={"span": [sql]}), settings).process(batch)  # type: ignore[arg-type]

    assert {span_id.hex() for span_id in ours.column("span_id").to_pylist()} == kept[text]
    assert 0 < len(kept[text]) < batch.num_rows
