"""What real instrumentations sent, as stored rows: content where EXPECT.jsonl says there is some.

Proves that content is there and spans are whole. Does not prove each word of it: the messages' tests compare texts.
"""

import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from collector.model import schema
from collector.model.batch import LogBatch, Signal, SpanBatch
from collector.model.codec.chosen import decode, encode, prepare_json
from collector.model.codec.wire import REQUEST
from collector.model.facts import resolve
from collector.model.stored.observations import genai_logs, observations
from collector.model.stored.replay import to_spans

CAPTURES = Path(__file__).parents[2] / "fixtures" / "otlp"
SCENARIOS = [json.loads(line) for line in (CAPTURES / "EXPECT.jsonl").read_text().splitlines()]
WITH_CONTENT = [s for s in SCENARIOS if "input_contains" in s or "output_contains" in s]


def read(signal: Signal, files: list[str]) -> list:
    bodies = []
    for name in files:
        if f".{signal}." in name and (CAPTURES / name).exists():
            body = (CAPTURES / name).read_bytes()
            bodies.append(prepare_json(signal, body) if name.endswith(".json") else body)
    return decode(signal, bodies).batches


def decided(rows: int) -> pa.RecordBatch:
    row = {"usage_scope": "counted", "adjusted_count": 1.0, "date": 0, "ingested_unix_nano": 1_795_000_000 * 10**9}
    return pa.RecordBatch.from_pylist([row] * rows, schema=schema.DECIDED)


def stored(files: list[str], faults: Counter | None = None) -> tuple[SpanBatch, pa.Table]:
    spans = resolve.resolve(SpanBatch.concat(read(Signal.TRACES, files)))
    logs = read(Signal.LOGS, files)
    joined = LogBatch.concat(logs) if logs else None
    return spans, observations(spans, decided(spans.num_rows), joined, faults=faults)


def name_of(scenario: dict) -> str:
    return f"{scenario['lang']}-{scenario['lib']}-{scenario['scenario']}-{scenario['encoding']}"


@pytest.mark.parametrize("scenario", WITH_CONTENT, ids=name_of)
def test_captured_content_is_found(scenario):
    faults = Counter()
    _, table = stored(scenario["files"], faults)
    for column in ("input", "output"):
        expected = scenario.get(f"{column}_contains")
        if expected is not None:
            assert any(expected in text for text in table[column].to_pylist() if text), f"no {column} with {expected!r}"
    assert not faults


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s["encoding"] == "binpb"], ids=name_of)
def test_stored_rows_are_the_spans_that_came(scenario):
    """Nothing of a captured span is lost on the way to a row: the row gives the same OTLP again."""
    spans, table = stored(scenario["files"])
    assert canonical(to_spans(table)) == canonical(spans)


def canonical(spans: SpanBatch) -> list[bytes]:
    """Each span with its resource and scope, attributes sorted, in one order."""
    found = []
    for resource_spans in REQUEST[Signal.TRACES].FromString(encode(spans)).resource_spans:
        sort_by_key(resource_spans.resource.attributes)
        origin = resource_spans.resource.SerializeToString(deterministic=True), resource_spans.schema_url
        for scope_spans in resource_spans.scope_spans:
            sort_by_key(scope_spans.scope.attributes)
            scope = scope_spans.scope.SerializeToString(deterministic=True), scope_spans.schema_url
            for span in scope_spans.spans:
                for holder in (span, *span.events, *span.links):
                    sort_by_key(holder.attributes)
                found.append(repr((origin, scope, span.SerializeToString(deterministic=True))))
    return sorted(found)


def sort_by_key(key_values) -> None:
    ordered = sorted(key_values, key=lambda kv: (kv.key, kv.value.SerializeToString(deterministic=True)))
    del key_values[:]
    key_values.extend(ordered)


def test_the_same_call_reads_alike_in_protobuf_and_json():
    """Pairs of captures hold the same spans in both encodings of OTLP."""
    pairs = defaultdict(dict)
    for scenario in SCENARIOS:
        if scenario["lib"] == "vercel-ai-6":
            pairs[scenario["scenario"]][scenario["encoding"]] = scenario["files"]
    assert pairs
    for encodings in pairs.values():
        tables = [
            stored(files)[1].select(["span_id", "input", "output", "tool_definitions"]) for files in encodings.values()
        ]
        rows = [sorted(map(str, table.to_pylist())) for table in tables]
        assert rows[0] == rows[-1]


def test_every_content_record_of_the_official_instrumentation_is_worth_joining():
    files = [f"py/otel-openai-v2_legacy/tools-{n:03}.logs.binpb" for n in range(1, 5)]
    (batch,) = read(Signal.LOGS, files)
    assert genai_logs(batch).all()
    assert np.count_nonzero(genai_logs(batch)) == 15
