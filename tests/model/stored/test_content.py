"""Status message, joined log records, model parameters and metadata of stored rows.

Proves them column by column with decisions written by hand. Does not prove that assembly hands over the right log
records.
"""

# ruff: noqa: E501 - a table reads best with one case per line

import json

import pytest

from collector.model.stored.observations import genai_logs
from collector.testing import builders
from tests.model.stored.rows_kit import one

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
