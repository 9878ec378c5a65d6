"""No planted value leaves through any carrier, in any signal.

Proves it for every column that can carry text, with known values. Does not prove how values hide in encodings:
``test_pii_planted`` does.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings

from collector.model import attributes, schema
from collector.model.batch import Batch, LogBatch, MetricBatch, Signal, SpanBatch
from collector.model.codec.chosen import encode, encode_json
from collector.testing.builders import logs, metrics, resource, scope, spans
from collector.testing.laws import check_processor, same_rows
from collector.testing.strategies import batches
from tests.processors._pii.pii_kit import (
    AWS_KEY,
    CARD,
    EMAIL,
    IBAN,
    OPENAI_KEY,
    PASSWORD,
    SSN,
    counted,
    mask_attributes,
    processor,
)

PLANTED = (CARD, EMAIL, IBAN, SSN, OPENAI_KEY, AWS_KEY)
_MASKER = processor()


def _forms(value: str) -> list[bytes]:
    """The value as it could stand in the output: plain, or as a base64 string at each alignment."""
    raw = value.encode()
    forms = [raw, raw.replace(b"@", b"\\u0040")]
    for pad in range(3):
        encoded = base64.b64encode(b"\0" * pad + raw)
        forms.append(encoded[(4 if pad else 0) : -4])
    return forms


def _assert_clean(batch: Batch, values: tuple[str, ...] = PLANTED) -> None:
    encoded = (bytes(batch.to_ipc()), encode(batch), encode_json(batch))
    for value in values:
        for form in _forms(value):
            assert not any(form in output for output in encoded), f"{form!r} got through"


def _values(value: str) -> dict[str, Any]:
    """Attributes that hold a value in every way an attribute can."""
    nested = {"deep": [{"er": f"see {value}"}], value: value, "bytes": value.encode(), "int": int(CARD)}
    return {
        "plain": value,
        "in.text": f"before {value}, after",
        "json": json.dumps({"a": [value, {"b": f"x\n{value}"}]}),
        "json.twice": json.dumps({"a": json.dumps({"b": json.dumps([f'"{value}"'])})}),
        "json.ascii": json.dumps({"é": f"{value}"}).replace("@", "\\u0040"),
        "array": [value, [value], {"k": value}],
        "kvlist": nested,
        "bytes": f"bytes {value}".encode(),
        f"key.{value}": 1,
        f"{value}": "v",
        "http.request.header.authorization": [PASSWORD],
        "gen_ai.request.model": value,
        "gen_ai.response.id": value,
        "user.id": value,
        "session.id": f"s {value}",
    }


@pytest.mark.parametrize("value", PLANTED)
def test_nothing_planted_in_a_span_leaves(value: str) -> None:
    batch = spans(
        [
            {
                "span_name": f"call {value}",
                "status_message": f"failed for {value}",
                "trace_state": f"vendor={value}",
                "attributes": _values(value),
                "events": [{"name": f"event {value}", "attributes": _values(value)}],
                "links": [
                    {
                        "trace_id": b"1" * 16,
                        "span_id": b"2" * 8,
                        "trace_state": f"v={value}",
                        "attributes": _values(value),
                    }
                ],
                "resource": resource(_values(value), schema_url=f"https://x/{value}"),
                "scope": scope(f"scope {value}", value, _values(value), schema_url=f"https://x/{value}"),
            },
            {"span_name": "clean"},
        ]
    )
    masked = _MASKER.process(batch)
    _assert_clean(masked, (value, PASSWORD))
    _assert_clean(_MASKER.process(batch.slice(0, 1)), (value, PASSWORD))
    assert masked.column("trace_id").equals(batch.column("trace_id"))
    assert masked.column("span_id").equals(batch.column("span_id"))


@pytest.mark.parametrize("value", PLANTED)
@pytest.mark.parametrize("body", ["text", "json", "kvlist", "array", "bytes"])
def test_nothing_planted_in_a_log_record_leaves(value: str, body: str) -> None:
    bodies: dict[str, Any] = {
        "text": f"user {value} said",
        "json": json.dumps({"m": value}),
        "kvlist": {"m": value, "password": PASSWORD},
        "array": [value],
        "bytes": value.encode(),
    }
    row = {
        "severity_text": value,
        "event_name": value,
        "body": bodies[body],
        "attributes": _values(value),
        "resource": resource(_values(value)),
        "scope": scope("s", "", _values(value)),
    }
    masked = _MASKER.process(logs([row, {"body": 7}, {}]))
    _assert_clean(masked, (value, PASSWORD))
    assert masked.column("body_num").to_pylist()[1:] == [7, 0]


@pytest.mark.parametrize("value", PLANTED)
def test_nothing_planted_in_a_metric_leaves(value: str) -> None:
    row = {
        "name": f"m {value}",
        "description": f"for {value}",
        "unit": f"{{{value}}}",
        "metadata": _values(value),
        "attributes": _values(value),
        "value_int": 4111111111111111,
        "exemplars": [
            {"time_unix_nano": 1, "value_int": 1, "trace_id": b"", "span_id": b"", "attributes": _values(value)}
        ],
        "resource": resource(_values(value)),
    }
    masked = _MASKER.process(metrics([row]))
    assert masked.column("value_int").to_pylist() == [4111111111111111]
    _assert_clean(masked.with_columns({"value_int": masked.column("count").cast("int64")}), (value, PASSWORD))


def test_resolved_facts_are_masked_too_when_they_are_there() -> None:
    batch = spans(
        [
            {
                "user_id": EMAIL,
                "session_id": EMAIL,
                "tags": [EMAIL, "t"],
                "name": EMAIL,
                "provided_usage": f'{{"a":"{EMAIL}"}}',
            }
        ]
    )
    masked = _MASKER.process(batch)
    _assert_clean(masked, (EMAIL,))
    assert masked.column("user_id").to_pylist()[0].startswith("user-")


def test_numbers_and_counts_are_left_alone() -> None:
    values = {
        "gen_ai.usage.input_tokens": 4111111111111111,
        "gen_ai.usage.output_tokens": "12",
        "llm.token_count.total": 9,
        "cost": 4111111111111111.0,
        "flag": True,
        "max_tokens": 4096,
        "gen_ai.request.model": "claude-sonnet-4@20250514",
        "gen_ai.response.id": "chatcmpl-4111-1111-1111-1111",
        "empty": None,
    }
    assert mask_attributes(_MASKER, values) == values


def test_integers_are_searched_when_asked_for() -> None:
    masker = processor(redact_all_types=True)
    values = {"card": int(CARD), "double": 4111111111111111.0, "n": 5, "gen_ai.usage.input_tokens": 123456}
    masked = mask_attributes(masker, values)
    assert masked == {**values, "card": "[CREDIT_CARD]", "double": "[CREDIT_CARD]"}


def test_values_under_the_names_of_secrets_are_never_kept() -> None:
    names = (
        "authorization",
        "http.request.header.authorization",
        "http.request.header.x-api-key",
        "cookie",
        "set-cookie",
        "db.password",
        "openaiApiKey",
        "OPENAI_API_KEY",
        "client_secret",
        "refresh_token",
        "llm.headers.Authorization.0",
    )
    masked = mask_attributes(_MASKER, dict.fromkeys(names, PASSWORD))
    assert masked == dict.fromkeys(names, "[SECRET]")
    kept = {
        "gen_ai.usage.input_tokens": "5",
        "secretary": PASSWORD,
        "token": PASSWORD,
        "tokens": PASSWORD,
        "password": "",
    }
    assert mask_attributes(_MASKER, kept) == kept
    own = processor(blocked_key_patterns=[r"app\.(pin|code)"])
    assert mask_attributes(own, {"app.pin": 1234, "app.pins": 1234}) == {"app.pin": "[SECRET]", "app.pins": 1234}


def test_columns_without_a_find_are_the_same_objects() -> None:
    batch = spans([{"span_name": "chat", "attributes": {"a": "b", "n": 1}, "events": [{"name": "e"}]}] * 3)
    masked = _MASKER.process(batch)
    assert masked is batch
    dirty = spans([{"span_name": "chat", "attributes": {"a": EMAIL}, "resource": {"service.name": "x"}}])
    masked = _MASKER.process(dirty)
    changed = [n for n in dirty.record_batch.schema.names if not masked.column(n).equals(dirty.column(n))]
    assert changed == ["attributes"]


def test_what_was_masked_is_counted_by_entity() -> None:
    masker = processor()
    masker.process(spans([{"span_name": EMAIL, "attributes": {"x": f"{EMAIL} {CARD}", "password": "p"}}] * 2))
    assert counted(masker) == {"email": 4, "credit_card": 2, "secret": 2}


def _seed(batch: Batch) -> Batch:
    """The batch with something to find in its text columns."""
    name = {"traces": "span_name", "logs": "event_name", "metrics": "description"}[batch.signal.value]
    return batch.with_columns({name: pa.array([PLANTED[i % 6] for i in range(batch.num_rows)], schema.TEXT)})


@pytest.mark.parametrize("signal", Signal)
def test_keeps_the_laws_of_processors(signal: Signal) -> None:
    @settings(max_examples=25, deadline=None)
    @given(batches(signal, facts=False))
    def laws(batch: Batch) -> None:
        seeded = _seed(batch)
        check_processor(_MASKER, [seeded])
        once = _MASKER.process(seeded)
        assert same_rows(_MASKER.process(once), once)

    laws()


def test_masks_the_planted_rows_of_a_large_batch_and_no_other() -> None:
    rows: list[dict[str, Any]] = [{"attributes": {"a": f"row {i}", "b": i, "c": ""}} for i in range(3000)]
    for i in range(0, 3000, 100):
        rows[i]["attributes"]["a"] = f"row {i} {EMAIL}"
    masked = attributes.to_dicts(_MASKER.process(spans(rows)).column("attributes"))
    assert [d["a"] for d in masked] == [f"row {i} [EMAIL]" if i % 100 == 0 else f"row {i}" for i in range(3000)]


@pytest.mark.parametrize("kind", [SpanBatch, LogBatch, MetricBatch])
def test_empty_batches_keep_their_schema(kind: type[Batch]) -> None:
    make = {SpanBatch: spans, LogBatch: logs, MetricBatch: metrics}[kind]
    empty = make([])  # type: ignore[operator]
    assert _MASKER.process(empty).record_batch.schema.equals(empty.record_batch.schema)
