"""Messages of OpenTelemetry GenAI.

Proves that conforming messages stay and deviations are straightened. Does not prove masking or storage of what is
found.
"""

# ruff: noqa: E501 - a table reads best with one case per line

import json

import pytest

from tests.model.dialects.messages.messages_kit import found
from tests.model.dialects.rows import answer, call, message, text

CANONICAL = [
    message("system", text("be brief")),
    message(
        "user", text("weather?"), {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AA=="}
    ),
    message("assistant", {"type": "reasoning", "content": "hm"}, call("get_weather", {"city": "Paris"}, "c1")),
    message("tool", answer({"temp": 18}, "c1")),
]


@pytest.mark.parametrize("form", [json.dumps, lambda value: value], ids=["json text", "native"])
def test_canonical_messages_stay_as_they_are(form):
    assert found("input", {"gen_ai.input.messages": form(CANONICAL)}) == CANONICAL


@pytest.mark.parametrize("form", [json.dumps, lambda value: value], ids=["json text", "native"])
def test_system_instructions_stand_in_front(form):
    sent = {
        "gen_ai.system_instructions": form([{"type": "text", "content": "be brief"}]),
        "gen_ai.input.messages": form(CANONICAL[1:]),
    }
    assert found("input", sent) == CANONICAL


def test_system_instructions_in_plain_words_are_a_message_too():
    sent = {
        "gen_ai.system_instructions": "Be terse",
        "gen_ai.input.messages": json.dumps([message("user", text("hi"))]),
    }
    assert found("input", sent)[0] == message("system", text("Be terse"))


def test_system_instructions_are_not_repeated():
    sent = {"gen_ai.system_instructions": '[{"type":"text","content":"be brief"}]', "gen_ai.input.messages": CANONICAL}
    assert found("input", sent) == CANONICAL


def test_system_instructions_alone_are_an_input():
    assert found("input", {"gen_ai.system_instructions": "Be terse"}) == [message("system", text("Be terse"))]


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        # Pydantic AI: arguments as JSON text, results as `result` under role user, thinking parts.
        (message("assistant", {"type": "tool_call", "id": "c", "name": "f", "arguments": '{"a": 1}'}),
         message("assistant", call("f", {"a": 1}, "c"))),
        (message("user", {"type": "tool_call_response", "id": "c", "name": "f", "result": {"t": 1}}),
         message("user", {**answer({"t": 1}, "c"), "name": "f"})),
        (message("assistant", {"type": "thinking", "content": "hm"}), message("assistant", {"type": "reasoning", "content": "hm"})),
        # The JS instrumentation of OpenAI writes `text` in reasoning, LiteLLM OpenAI's calls beside parts.
        (message("assistant", {"type": "reasoning", "text": "hm"}), message("assistant", {"type": "reasoning", "content": "hm"})),
        ({"role": "assistant", "parts": [], "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
         message("assistant", call("f", {}, "c"))),
        ({"role": "tool", "tool_call_id": "c", "parts": [text("18C")]}, message("tool", answer("18C", "c"))),
        # OpenLIT: a text part that holds blocks; Semantic Kernel: no parts at all.
        (message("system", {"type": "text", "content": [{"type": "text", "text": "be brief"}]}), message("system", text("be brief"))),
        ({"role": "user", "content": "hi", "name": "Ann"}, message("user", text("hi"), name="Ann")),
        # OpenLLMetry: the summary of a reasoning as JSON text.
        (message("assistant", {"type": "reasoning", "content": '[{"text":"hm","type":"summary_text"}]'}),
         message("assistant", {"type": "reasoning", "content": "hm"})),
        (message("assistant", text("hi"), finish_reason="end_turn", name=None), message("assistant", text("hi"), finish_reason="stop")),
        (message("user", {"type": "uri", "modality": "image", "uri": "https://x/y.png", "mime_type": None}),
         message("user", {"type": "uri", "modality": "image", "uri": "https://x/y.png"})),
        (message("user", {"type": "hologram", "x": 1}), message("user", {"type": "hologram", "x": 1})),
    ],
)  # fmt: skip
def test_deviations_from_the_schema_are_straightened(sent, told):
    assert found("output", {"gen_ai.output.messages": json.dumps([sent])}) == [told]


@pytest.mark.parametrize("value", ["plain words", '["sunny day","rain"]', '{"broken": '])
def test_what_is_no_message_stays_as_it_came(value):
    stored = found("input", {"gen_ai.input.messages": value})
    assert stored == value or json.dumps(stored, separators=(",", ":")) == value


def test_messages_without_any_part_leave_room_for_other_carriers():
    sent = {"gen_ai.output.messages": '[{"role":"assistant","parts":[],"finish_reason":"tool_calls"}]',
            "gen_ai.completion.0.function_call.name": "f", "gen_ai.completion.0.function_call.arguments": '{"a":1}'}  # fmt: skip
    assert found("output", sent) == [message("assistant", call("f", {"a": 1}))]


def test_a_reference_to_stored_messages_is_kept():
    assert found("input", {"gen_ai.input.messages_ref": "s3://bucket/key"}) == "s3://bucket/key"


def test_the_operation_event_carries_messages_like_the_span():
    event = {"name": "gen_ai.client.inference.operation.details",
             "attributes": {"gen_ai.input.messages": json.dumps(CANONICAL[1:]), "gen_ai.system_instructions": "be brief"}}  # fmt: skip
    assert found("input", events=[event]) == CANONICAL
    log = {"event_name": event["name"], "attributes": {"gen_ai.input.messages": CANONICAL}}
    assert found("input", logs=[log]) == CANONICAL


def test_tool_spans_show_arguments_and_result():
    sent = {"gen_ai.tool.call.arguments": '{"city": "Paris"}', "gen_ai.tool.call.result": "18C"}
    assert found("input", sent, kind_of="tool") == {"city": "Paris"}
    assert found("output", sent, kind_of="tool") == "18C"
    assert found("input", {"gen_ai.tool.call.arguments": {"city": "Paris"}}, kind_of="tool") == {"city": "Paris"}


def test_arguments_of_a_tool_on_a_model_call_are_not_its_input():
    assert found("input", {"gen_ai.tool.call.arguments": '{"city": "Paris"}'}) is None
