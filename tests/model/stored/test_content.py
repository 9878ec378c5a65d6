"""From decided spans to stored rows: the columns, one rule at a time."""

# ruff: noqa: E501 - a table reads best with one case per line
import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import example, given, settings, strategies as st

from collector.model import attributes, schema
from collector.model.dialects.messages import content_tables
from collector.model.stored.observations import genai_logs, observations
from collector.testing import builders

START = builders.START_UNIX_NANO
INGESTED = START + 5_000_000_000


def decided(rows: list[dict]) -> pa.RecordBatch:
    default = {"adjusted_count": 1.0, "date": 0, "ingested_unix_nano": INGESTED}
    return pa.RecordBatch.from_pylist([{**default, **row} for row in rows], schema=schema.DECIDED)


def store(spans: list[dict], decisions: list[dict] | None = None, logs: list[dict] | None = None, faults=None) -> list:
    batch = builders.spans(spans, facts=True)
    joined = None if logs is None else builders.logs(logs)
    table = observations(batch, decided(decisions or [{}] * len(spans)), joined, faults=faults)
    table.validate(full=True)
    assert table.schema == schema.OBSERVATIONS
    return table.to_pylist()


def one(span: dict, decision: dict | None = None, **more) -> dict:
    (row,) = store([span], [decision or {}], **more)
    return row


# ids, names, times


def test_ids_are_lower_case_hex():
    row = one({"trace_id": "0AF7651916CD43DD8448EB211C80319C", "span_id": "B7AD6B7169203331", "parent_span_id": 7})
    assert row["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert row["span_id"] == "b7ad6b7169203331"
    assert row["parent_span_id"] == "0000000000000007"


def test_ids_of_a_slice_are_those_of_its_rows():
    batch = builders.spans([{"span_id": n, "parent_span_id": n or None} for n in range(5)], facts=True).slice(2, 2)
    table = observations(batch, decided([{}, {}]))
    assert table["span_id"].to_pylist() == ["0000000000000002", "0000000000000003"]
    assert table["parent_span_id"].to_pylist() == ["0000000000000002", "0000000000000003"]


@pytest.mark.parametrize("parent", [None, 0])
def test_a_root_has_no_parent(parent):
    assert one({"parent_span_id": parent})["parent_span_id"] is None


@pytest.mark.parametrize(
    ("number", "name"), list(enumerate(["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]))
)
def test_kinds_have_names(number, name):
    row = one({"kind": number})
    assert (row["kind"], row["otlp"]) == (name, None)


def test_an_unknown_enum_number_is_unspecified_and_kept():
    row = one({"kind": 42, "status_code": -1})
    assert (row["kind"], row["status_code"]) == ("UNSPECIFIED", "UNSET")
    assert json.loads(row["otlp"]) == {"kind": 42, "status_code": -1}


def test_times_are_microseconds_beside_exact_nanoseconds():
    row = one({"start_unix_nano": START + 1_999, "end_unix_nano": START + 5_001})
    assert row["start_time"] == datetime(2025, 10, 9, 8, 53, 20, 1, tzinfo=UTC)
    assert (row["start_unix_nano"], row["end_unix_nano"]) == (START + 1_999, START + 5_001)
    assert row["duration_ns"] == 3_002
    assert row["ingested_at"] == datetime(2025, 10, 9, 8, 53, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        (START, 0, (START, START)),
        (0, START, (START, START)),
        (0, 0, (INGESTED, INGESTED)),
    ],
)
def test_a_missing_time_is_the_other_one_and_flagged(start, end, told):
    row = one({"start_unix_nano": start, "end_unix_nano": end})
    assert (row["start_unix_nano"], row["end_unix_nano"]) == told
    assert row["duration_ns"] == 0
    sent = {"start_unix_nano": start, "end_unix_nano": end}
    assert json.loads(row["otlp"]) == {name: 0 for name, value in sent.items() if value == 0}


def test_a_time_beyond_int64_has_no_timestamp_but_its_number():
    row = one({"start_unix_nano": -1, "end_unix_nano": START})
    assert row["start_time"] is None
    assert row["start_unix_nano"] == -1
    assert row["duration_ns"] is None
    assert row["end_time"] is not None


def test_time_to_first_token_runs_from_the_start():
    row = one({"start_unix_nano": START, "completion_start_unix_nano": START + 250_000_000})
    assert row["time_to_first_token_ns"] == 250_000_000
    assert row["completion_start_time"] == datetime(2025, 10, 9, 8, 53, 20, 250_000, tzinfo=UTC)


def test_a_first_token_before_the_start_has_no_latency():
    row = one({"start_unix_nano": START, "completion_start_unix_nano": START - 1})
    assert row["time_to_first_token_ns"] is None
    assert row["completion_start_time"] is not None


# counted once, money


USAGE = {
    "input_tokens": 10,
    "output_tokens": 5,
    "total_tokens": 15,
    "cache_read_tokens": 4,
    "usage": [("input", 6), ("input_cache_read", 4), ("output", 5)],
    "cost": [("input", 1_500_000), ("output", 3)],
    "input_cost": 1_500_000,
    "output_cost": 3,
    "total_cost": 1_500_003,
    "cost_source": "computed",
    "price_ref": "p",
    "provided_usage": '{"input":10}',
    "provided_cost": '{"total":1}',
    "usage_rule": "leaf",
}


def test_a_counted_row_tells_usage_and_exact_money():
    row = one(USAGE, {"usage_scope": "counted"})
    assert row["input_tokens"] == 10
    assert dict(row["usage"]) == {"input": 6, "input_cache_read": 4, "output": 5}
    assert row["total_cost"] == Decimal("0.000001500003")
    assert dict(row["cost"]) == {"input": Decimal("0.0000015"), "output": Decimal("0.000000000003")}
    assert (row["cost_source"], row["usage_rule"]) == ("computed", "leaf")


@pytest.mark.parametrize("scope", ["rollup", "duplicate", None])
def test_a_row_that_is_not_counted_keeps_only_what_was_sent(scope):
    row = one(USAGE, {"usage_scope": scope, "usage_rule": "wrapper"})
    assert row["usage_scope"] == scope
    assert row["usage_rule"] == "wrapper"
    for name in ("input_tokens", "total_tokens", "usage", "cost", "total_cost", "cost_source", "price_ref"):
        assert row[name] is None, name
    assert (row["provided_usage"], row["provided_cost"]) == ('{"input":10}', '{"total":1}')


def test_counted_and_other_rows_side_by_side():
    scopes = [{"usage_scope": s} for s in ("rollup", "counted", None, "counted")]
    rows = store([USAGE, USAGE, {}, {**USAGE, "usage": [("input", 1)], "cost": [("input", 7)]}], scopes)
    assert [r["usage"] and dict(r["usage"]) for r in rows] == [
        None,
        {"input": 6, "input_cache_read": 4, "output": 5},
        None,
        {"input": 1},
    ]
    assert dict(rows[3]["cost"]) == {"input": Decimal("0.000000000007")}


@pytest.mark.parametrize(
    ("picos", "dollars"),
    [
        (0, Decimal(0)),
        (-1, Decimal("-0.000000000001")),
        (10**18 - 1, Decimal("999999.999999999999")),
        (-(10**18) + 1, Decimal("-999999.999999999999")),
    ],
)
def test_money_is_exact_up_to_the_last_digit(picos, dollars):
    assert one({"total_cost": picos}, {"usage_scope": "counted"})["total_cost"] == dollars


@pytest.mark.parametrize("picos", [10**18, 2**63 - 1, -(2**63)])
def test_more_than_a_decimal_holds_is_null_and_counted(picos):
    faults = Counter()
    row = one({"total_cost": picos, "cost": [("input", picos)]}, {"usage_scope": "counted"}, faults=faults)
    assert row["total_cost"] is None
    assert dict(row["cost"]) == {"input": None}
    assert faults == {"cost": 1}


def test_what_the_decision_says_of_the_trace_stands_on_every_row():
    decision = {
        "trace_name": "checkout",
        "user_id": "u",
        "session_id": "s",
        "tags": ["a"],
        "sampled_by": "all",
        "adjusted_count": 4.0,
    }
    row = one({"user_id": "other", "trace_name": "other"}, decision)
    assert {name: row[name] for name in decision} == decision


# one call seen twice


def test_the_leaf_takes_what_only_the_duplicate_knew():
    duplicate = {
        "attributes": {
            "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]',
            "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"outer"}]}]',
            "gen_ai.request.temperature": 0.5,
        },
        "prompt_name": "greet",
        "total_cost": 7,
        "cost_source": "provided",
    }
    leaf = {
        "attributes": {"gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"own"}]}]'},
        "total_cost": 5,
        "cost_source": "computed",
    }
    decisions = [{"usage_scope": "duplicate"}, {"usage_scope": "counted", "inherit_from": 0}]
    outer, inner = store([duplicate, leaf], decisions)
    assert "hi" in inner["input"]
    assert "own" in inner["output"]
    assert json.loads(inner["model_parameters"]) == {"temperature": 0.5}
    assert inner["prompt_name"] == "greet"
    assert (inner["total_cost"], inner["cost_source"]) == (Decimal("0.000000000007"), "provided")
    assert outer["total_cost"] is None


def test_a_leaf_with_a_provided_cost_keeps_it():
    rows = [{"total_cost": 7, "cost_source": "provided"}, {"total_cost": 5, "cost_source": "provided"}]
    _, inner = store(rows, [{"usage_scope": "duplicate"}, {"usage_scope": "counted", "inherit_from": 0}])
    assert inner["total_cost"] == Decimal("0.000000000005")


# status message


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ({"status_message": "otlp"}, "otlp"),
        ({"status_message": "otlp", "attributes": {"langfuse.observation.status_message": "lf"}}, "lf"),
        ({"attributes": {"error.message": "attribute"}}, "attribute"),
        ({"status_message": "otlp", "attributes": {"error.message": "attribute"}}, "otlp"),
        ({}, None),
    ],
)
def test_the_status_message_is_the_most_specific_one(span, message):
    row = one(span)
    assert row["status_message"] == message


def test_the_last_exception_explains_a_silent_status():
    events = [{"name": "exception", "attributes": {"exception.message": text}} for text in ("first", "last")]
    assert one({"events": events})["status_message"] == "last"


def test_an_exception_record_explains_a_silent_status():
    record = {
        "event_name": "gen_ai.client.operation.exception",
        "trace_id": 1,
        "span_id": 1,
        "attributes": {"exception.message": "429"},
    }
    assert one({}, logs=[record])["status_message"] == "429"


# log records


def test_log_records_join_by_trace_and_span_in_the_order_of_their_time():
    def record(event, time, span=1, **body):
        return {"event_name": event, "time_unix_nano": time, "trace_id": 1, "span_id": span, "body": body}

    logs = [
        record("gen_ai.choice", 40, message={"content": "sunny"}, finish_reason="stop"),
        record("gen_ai.user.message", 20, content="weather?"),
        record("gen_ai.system.message", 10, content="be brief"),
        record("gen_ai.user.message", 20, span=9, content="another span's"),
    ]
    row = one({}, logs=logs)
    assert [m["role"] for m in json.loads(row["input"])] == ["system", "user"]
    (answer,) = json.loads(row["output"])
    assert answer == {"role": "assistant", "parts": [{"type": "text", "content": "sunny"}], "finish_reason": "stop"}


def test_records_without_a_time_count_by_their_observed_time():
    logs = [
        {"event_name": "gen_ai.user.message", "trace_id": 1, "span_id": 1, "body": {"content": text},
         "time_unix_nano": 0, "observed_time_unix_nano": observed}
        for text, observed in (("second", 2), ("first", 1))
    ]  # fmt: skip
    row = one({}, logs=logs)
    assert [m["parts"][0]["content"] for m in json.loads(row["input"])] == ["first", "second"]


def test_messages_spread_over_several_records_of_one_operation_are_joined():
    def record(time, text):
        messages = [{"role": "assistant", "parts": [{"type": "text", "content": text}]}]
        return {
            "event_name": "gen_ai.client.inference.operation.details",
            "time_unix_nano": time,
            "trace_id": 1,
            "span_id": 1,
            "attributes": {"gen_ai.output.messages": messages},
        }

    row = one({}, logs=[record(1, "a"), record(2, "b"), record(3, "b")])
    assert [m["parts"][0]["content"] for m in json.loads(row["output"])] == ["a", "b"]


def test_span_attributes_come_before_log_records():
    attribute = '[{"role":"user","parts":[{"type":"text","content":"on the span"}]}]'
    logs = [{"event_name": "gen_ai.user.message", "trace_id": 1, "span_id": 1, "body": {"content": "in the log"}}]
    row = one({"attributes": {"gen_ai.input.messages": attribute}}, logs=logs)
    assert "on the span" in row["input"]
    assert "in the log" not in row["input"]


def test_only_genai_events_with_both_ids_are_worth_joining():
    batch = builders.logs(
        [
            {"event_name": "gen_ai.choice", "trace_id": 1, "span_id": 1},
            {"attributes": {"event.name": "gen_ai.user.message"}, "trace_id": 1, "span_id": 1},
            {"attributes": {"event.name": 7}, "trace_id": 1, "span_id": 1},
            {"event_name": "http.request", "trace_id": 1, "span_id": 1},
            {"event_name": "gen_ai.choice", "trace_id": 1},
            {"event_name": "gen_ai.choice", "span_id": 1},
            {"event_name": "gen_ai.choice", "trace_id": 0, "span_id": 0},
        ]
    )
    assert genai_logs(batch).tolist() == [True, True, False, False, False, False, False]


# model parameters and metadata


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"gen_ai.request.model": "m", "gen_ai.request.temperature": 0.2, "gen_ai.request.seed": 0}, {"temperature": 0.2, "seed": 0}),
        ({"gen_ai.request.stop_sequences": [], "gen_ai.request.user": ""}, None),
        ({"llm.invocation_parameters": '{"model":"m","top_p":1}', "gen_ai.request.seed": 1}, {"top_p": 1}),
        ({"llm.invocation_parameters": '{"model":"m"}', "gen_ai.request.seed": 1}, {"seed": 1}),
        ({"langfuse.observation.model.parameters": '{"max_tokens":"Infinity"}'}, {"max_tokens": "Infinity"}),
        ({"ai.settings.maxRetries": 2, "ai.settings.context.userId": "u"}, {"maxRetries": 2}),
        ({"genkit:input": '{"messages":[],"config":{"temperature":1}}'}, {"temperature": 1}),
        ({"llm.invocation_parameters": "no json"}, None),
    ],
)  # fmt: skip
def test_model_parameters(sent, told):
    text = one({"attributes": sent, "type": "generation"})["model_parameters"]
    assert (text and json.loads(text)) == told


def test_the_service_tier_is_a_model_parameter():
    row = one({"type": "generation", "service_tier": "flex", "attributes": {"gen_ai.request.seed": 1}})
    assert json.loads(row["model_parameters"]) == {"seed": 1, "service_tier": "flex"}
    assert json.loads(one({"type": "generation", "service_tier": "flex"})["model_parameters"]) == {
        "service_tier": "flex"
    }


LANGFUSE = {"scope": ("langfuse-sdk", "5.0.4")}


@pytest.mark.parametrize(
    ("span", "told"),
    [
        # Python SDK 5 writes every value as JSON text, earlier ones and the JS SDK only containers.
        ({**LANGFUSE, "resource": {"telemetry.sdk.language": "python"},
          "attributes": {"langfuse.observation.metadata.plan": '"pro"', "langfuse.observation.metadata.n": "5",
                         "langfuse.observation.metadata.on": "true"}}, {"plan": "pro", "n": 5, "on": True}),
        ({**LANGFUSE, "resource": {"telemetry.sdk.language": "nodejs"},
          "attributes": {"langfuse.observation.metadata.n": "5", "langfuse.observation.metadata.o": '{"a":1}'}},
         {"n": "5", "o": {"a": 1}}),
        ({"scope": ("langfuse-sdk", "3.15.0"), "resource": {"telemetry.sdk.language": "python"},
          "attributes": {"langfuse.observation.metadata.n": 5, "langfuse.observation.metadata.s": "5",
                         "langfuse.observation.metadata.l": "[1]"}}, {"n": 5, "s": "5", "l": [1]}),
        ({**LANGFUSE, "resource": {"telemetry.sdk.language": "python"},
          "attributes": {"langfuse.observation.metadata.broken": "{no"}}, {"broken": "{no"}),
        ({"attributes": {"langfuse.observation.metadata": '{"a":1}', "langfuse.observation.metadata.a": "2"}}, {"a": 1}),
        ({"attributes": {"langfuse.observation.metadata": "just text"}}, {"metadata": "just text"}),
        ({"attributes": {"langfuse.observation.metadata.k": "own", "langfuse.trace.metadata.k": "trace",
                         "langfuse.trace.metadata.t": "x"}}, {"k": "own", "t": "x"}),
        ({"attributes": {"metadata": '{"tier":"gold"}'}}, {"tier": "gold"}),
        ({"attributes": {"traceloop.association.properties.user_id": "u", "traceloop.association.properties.n": 1}},
         {"user_id": "u", "n": 1}),
        ({"attributes": {"ai.telemetry.metadata.userId": "u", "ai.telemetry.metadata.tier": "gold"}}, {"tier": "gold"}),
        ({"attributes": {"metadata.user_api_key_team_id": "", "metadata.k": "v"}}, {"k": "v"}),
        ({"attributes": {"plain": "attribute"}}, None),
    ],
)  # fmt: skip
def test_metadata(span, told):
    text = one(span)["metadata"]
    assert (text and json.loads(text)) == told


# what cannot be read


def test_one_odd_row_costs_no_other_row_its_content():
    deep = "[" * 100_000 + "]" * 100_000
    rows = store(
        [
            {"attributes": {"gen_ai.input.messages": deep}},
            {"attributes": {"gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]'}},
            {"attributes": {"gen_ai.input.messages": '[{"role":"user","parts":'}},
        ]
    )
    assert rows[0]["input"] == deep
    assert "hi" in rows[1]["input"]
    assert rows[2]["input"] == '[{"role":"user","parts":'


def test_lone_surrogates_and_nan_leave_valid_text():
    sent = '[{"role":"user","content":"\\ud83d"}]'
    row = one({"attributes": {"langfuse.observation.input": sent, "gen_ai.request.temperature": float("nan")}})
    assert json.loads(row["input"])[0]["parts"][0]["content"] == "\ud83d"
    assert json.loads(row["model_parameters"]) == {"temperature": "NaN"}


KEYS = sorted(
    {
        key
        for table_row in content_tables.ROWS
        if table_row.name and "*" not in table_row.name
        for key in {
            "key": [table_row.name],
            "prefix": [table_row.name + "x", table_row.name + "text", table_row.name + "toolCalls"],
            "indexed": [f"{table_row.name}.{tail}" for tail in ("0", "0.role", "10.message.content", "2.message.contents.0.message_content.type", "1.tool_calls.0.id")],
            "events": [],
        }[table_row.source]
    }
)  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(
        [
            "text",
            "tool_use",
            "tool-call",
            "user",
            "tool",
            "image",
            "[",
            "{}",
            '"',
            "data:image/png;base64,AA",
            "https://x",
        ]
    )
)
MEMBERS = st.sampled_from(
    ["role", "content", "parts", "type", "text", "tool_calls", "function", "arguments", "id", "message", "messages",
     "choices", "image_url", "source", "input", "output", "toolUse", "toolResult", "functionCall", "summary", "kwargs",
     "lc", "generations", "candidates", "image", "file", "data", "thinking", "media", "toolRequest", "tool_call_id"]
)  # fmt: skip
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4))
VALUES = JSON | JSON.map(json.dumps)


TYPES = st.sampled_from(["generation", "tool", "embedding"])
SPANS = st.fixed_dictionaries({"attributes": st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5), "type": TYPES})


@settings(max_examples=50, deadline=None)
@given(st.lists(SPANS, min_size=3))
@example([{"attributes": {"spanloom.model_parameters": "null"}, "type": "generation"}])
def test_no_value_of_any_key_is_too_odd(spans):
    faults = Counter()
    for row in store(spans, faults=faults):
        for name in ("model_parameters", "metadata", "attributes"):
            assert row[name] is None or isinstance(json.loads(row[name]), dict)
    assert not faults


EVENT_NAMES = sorted({name for table_row in content_tables.ROWS for name in table_row.events})
RECORDS = st.fixed_dictionaries(
    {
        "event_name": st.sampled_from(EVENT_NAMES),
        "span_id": st.integers(1, 6),
        "body": VALUES,
        "attributes": st.dictionaries(MEMBERS, VALUES, max_size=3),
    }
)


@settings(max_examples=50, deadline=None)
@given(st.lists(RECORDS, min_size=3))
def test_no_log_record_is_too_odd(records):
    faults = Counter()
    spans = [{"type": kind} for kind in ("tool", "generation", "span")] * 2
    assert len(store(spans, logs=[{"trace_id": 1, **record} for record in records], faults=faults)) == 6
    assert not faults


def test_no_rows_are_no_rows():
    assert store([]) == []


def test_nothing_is_taken_out_of_the_attributes():
    sent = {"gen_ai.input.messages": "[]", "my.key": 1, "tags": ["a", "b"], "ratio": 1.0}
    row = one({"attributes": sent})
    assert json.loads(row["attributes"]) == sent
    assert attributes.to_dicts(attributes.from_dicts([sent])) == [sent]
