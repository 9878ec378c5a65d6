# ruff: noqa: E501 - lists of values
"""Every key the tables know, with values of every type: each span is stored and forwarded, nothing leaks.

Proves that a service stores and forwards all of them. Does not prove which columns they fill:
``model/dialects/test_malformed_values`` does.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from collector.model.batch import LogBatch, SpanBatch
from collector.model.codec.chosen import encode
from collector.model.dialects import table_files
from collector.model.dialects.messages import content_tables as contents
from collector.testing.builders import logs, spans
from tests.e2e.running import PORTS, Spanloom, duckdb_rows, parquet_rows
from tests.model.dialects.test_malformed import all_keys

SECRET = "jane.canary@" + "example.org"
VALUES: list[Any] = [
    "", " ", "abc", '"', "null", "{", '{"a":', "[" * 2_000, "x" * 1_000_000, "9" * 400, "NaN", "-1", "1e999", "\\ud800", '"\\ud800"', "\0\1",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "{'a': (1,", '{"total": 1e999, "input": "-1", "output": ' + "9" * 400 + "}",
    '[{"role": 5, "parts": [{"type": "blob", "modality": [1]}], "content": {"type": []}, "tool_calls": {"a": 1}}]',
    '{"messages": "x", "contents": 5, "choices": [5], "usage": {"inputTokens": {"low": 1}}, "generations": {"a": 1}}',
    True, 5, -(2**63), 2**63 - 1, 1e308, float("nan"), float("-inf"), b"", b"\xff\x00", [], {}, [[]], [None, 1, "a", {"b": None}],
    {"role": "user", "content": {"z": 1}, "low": 1, "high": "x"}, {"deep": [{"k": SECRET}, f"mail {SECRET}"]}, None,
]  # fmt: skip
EVENTS = (
    "exception", "gen_ai.choice", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.evaluation.result",
    "gen_ai.client.inference.operation.details", "gen_ai.content.prompt", "tool.output",
)  # fmt: skip
MEMBERS = (
    "message", "content", "tool_calls", "index", "gen_ai.event.content", "gen_ai.prompt", "gen_ai.input.messages", "exception.message",
    "gen_ai.evaluation.name", "gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label", "spanloom.score.id",
    "spanloom.score.metadata",
)  # fmt: skip
SCOPES = (
    "",
    "ai",
    "langfuse-sdk",
    "openinference.instrumentation.x",
    "opentelemetry.instrumentation.openai",
    "pydantic-ai",
)
FORWARD = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "localhost:0"}}, http: {{endpoint: "localhost:0"}}}}}}
processors:
  pii: {{}}
  cost: {{}}
  tail_sampling: {{decision_wait: 1s, decision_wait_after_root_received: 1s, policies: [{{name: all, type: always_sample}}]}}
exporters:
  duckdb: {{}}
  parquet: {{}}
  otlp_http/semconv: {{endpoint: "{url}", dialect: semconv}}
  otlp_http/openinference: {{endpoint: "{url}", dialect: openinference}}
  otlp_http/langfuse: {{endpoint: "{url}", dialect: langfuse}}
service:
  admin: {{endpoint: "localhost:0"}}
  pipelines:
    traces:
      receivers: [otlp]
      processors: [pii, cost, tail_sampling]
      exporters: [duckdb, parquet, otlp_http/semconv, otlp_http/openinference, otlp_http/langfuse]
    logs: {{receivers: [otlp], processors: [pii], exporters: [duckdb, parquet]}}
"""


def keys() -> list[str]:
    known = {key for file in table_files.files() if file.dialect for key in all_keys(file.dialect)}
    for row in contents.rows():
        if row.name:
            known |= {row.name, f"{row.name.removesuffix('.')}.0.message.content"}
    return sorted(known)


def odd_spans(chance: random.Random) -> Iterator[SpanBatch]:
    """Spans with ten odd attributes each: every key with every value once."""
    pairs = [(key, value) for key in keys() for value in VALUES]
    chance.shuffle(pairs)
    big = [pair for pair in pairs if isinstance(pair[1], str) and len(pair[1]) > 10_000]
    pairs = [pair for pair in pairs if pair not in big] + big[:30]
    rest, number = iter(pairs), 0
    while batch := [dict(islice(rest, 10)) for _ in range(100)]:
        rows = []
        for attributes in filter(None, batch):
            number += 1
            event = {
                "name": chance.choice(EVENTS),
                "attributes": {k: chance.choice(VALUES[:5] + VALUES[9:]) for k in chance.sample(MEMBERS, 3)},
            }
            rows.append(
                {
                    "trace_id": number,
                    "scope": chance.choice(SCOPES),
                    "attributes": attributes,
                    "events": [event],
                    "span_id": 1,
                }
            )
        if not rows:
            return
        yield spans(rows)


def odd_logs(chance: random.Random) -> LogBatch:
    small = [value for value in VALUES if not (isinstance(value, str) and len(value) > 10_000)]
    return logs(
        [
            {
                "trace_id": number + 1,
                "span_id": 1,
                "event_name": chance.choice(EVENTS),
                "body": chance.choice(small),
                "attributes": {"gen_ai.evaluation.name": "q"}
                | {key: chance.choice(small) for key in chance.sample(MEMBERS, 4)},
            }
            for number in range(500)
        ]
    )


@pytest.mark.parametrize("seed", [1])
def test_no_value_of_any_key_holds_anything_up(tmp_path: Path, seed: int) -> None:
    chance, sent = random.Random(seed), 0
    with Spanloom(tmp_path / "backend", sets=PORTS) as backend:
        config = tmp_path / "forward.yaml"
        config.write_text(FORWARD.format(url=backend.http))
        with Spanloom(tmp_path / "first", config=[config], sets=()) as service:
            assert service.post("/v1/logs", encode(odd_logs(chance))) == b""
            for batch in odd_spans(chance):
                assert service.post("/v1/traces", encode(batch)) == b""
                sent += batch.num_rows
            assert service.terminate() == 0
        assert backend.terminate() == 0
    assert [line for line in service.log + backend.log if json.loads(line)["level"] not in {"info", "debug"}] == []
    assert sent > 1_000
    for data_dir in (tmp_path / "first", tmp_path / "backend"):
        assert duckdb_rows(data_dir, "select count(*) from observations") == [(sent,)]
        assert parquet_rows(data_dir, "select count(*) from {t}") == [(sent,)]
    assert duckdb_rows(tmp_path / "first", "select count(*) > 50 from scores") == [(True,)]
    held = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert held == []
