"""Messages that come one per event.

Proves it for records and span events of several instrumentations. Does not prove that records find their span:
``model/stored/test_content`` does.
"""

# ruff: noqa: E501 - a table reads best with one case per line

import json

import pytest

from tests.model.dialects.messages.messages_kit import found
from tests.model.dialects.rows import answer, call, message, text

CONVERSATION = [
    ("gen_ai.system.message", {"content": "be brief"}),
    ("gen_ai.user.message", {"content": "weather?"}),
    ("gen_ai.assistant.message", {"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]}),
    ("gen_ai.tool.message", {"content": "18C", "id": "c1"}),
]  # fmt: skip
CONVERSATION_TOLD = [
    message("system", text("be brief")),
    message("user", text("weather?")),
    message("assistant", call("f", {"a": 1}, "c1")),
    message("tool", answer("18C", "c1")),
]


def test_bodies_of_log_records_are_messages():
    logs = [{"event_name": name, "body": body} for name, body in CONVERSATION]
    assert found("input", logs=logs) == CONVERSATION_TOLD


def test_the_name_of_a_record_may_be_an_attribute():
    logs = [{"attributes": {"event.name": name}, "body": body} for name, body in CONVERSATION]
    assert found("input", logs=logs) == CONVERSATION_TOLD


def test_attributes_of_span_events_are_messages():
    events = [{"name": name, "attributes": body} for name, body in CONVERSATION]
    assert found("input", events=events) == CONVERSATION_TOLD


def test_calls_of_an_event_may_be_json_text():
    sent = json.dumps([{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}])
    events = [{"name": "gen_ai.assistant.message", "attributes": {"tool_calls": sent}}]
    assert found("input", events=events) == [message("assistant", call("f", {"a": 1}, "c1"))]


def test_azure_packs_the_message_into_one_attribute():
    events = [{"name": name, "attributes": {"gen_ai.event.content": json.dumps(body)}} for name, body in CONVERSATION]
    assert found("input", events=events) == CONVERSATION_TOLD


@pytest.mark.parametrize(
    "choice",
    [
        {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": "x"}},
        {"index": 0, "finish_reason": "tool_calls", "message": '{"content": "x"}'},
        {"index": 0, "finish_reason": "tool_calls", "message": '[{"text": "x"}]'},
        {"finish_reason": "tool_calls", "content": "x"},
    ],
)
def test_choices_are_the_output(choice):
    told = [message("assistant", text("x"), finish_reason="tool_call")]
    assert found("output", events=[{"name": "gen_ai.choice", "attributes": choice}]) == told
    assert found("output", logs=[{"event_name": "gen_ai.choice", "body": choice}]) == told


def test_events_without_content_are_no_content():
    logs = [{"event_name": "gen_ai.user.message", "body": {}}, {"event_name": "gen_ai.choice", "body": {"index": 0}}]
    assert found("input", logs=logs) is None
    assert found("output", logs=logs) is None


def test_strands_writes_bedrock_blocks_into_events():
    events = [
        {"name": "gen_ai.user.message", "attributes": {"content": '[{"text": "weather?"}]'}},
        {"name": "gen_ai.choice", "attributes": {
            "message": '[{"toolUse": {"toolUseId": "c", "name": "f", "input": {"a": 1}}}]',
            "tool.result": '[{"toolResult": {"toolUseId": "c", "status": "success", "content": [{"text": "18C"}]}}]'}},
    ]  # fmt: skip
    assert found("input", events=events) == [message("user", text("weather?"))]
    assert found("output", events=events) == [
        message("assistant", call("f", {"a": 1}, "c")),
        message("tool", answer("18C", "c")),
    ]


def test_a_tool_span_of_strands_shows_arguments_and_result():
    events = [
        {"name": "gen_ai.tool.message", "attributes": {"role": "tool", "content": '{"city": "Paris"}', "id": "c"}},
        {"name": "gen_ai.choice", "attributes": {"message": '[{"text": "18C"}]', "id": "c"}},
    ]
    assert found("input", kind_of="tool", events=events) == {"city": "Paris"}
    assert found("output", kind_of="tool", events=events) == "18C"


def test_older_content_events_hold_prompt_and_completion():
    events = [
        {"name": "gen_ai.content.prompt", "attributes": {"gen_ai.prompt": '[{"role": "user", "content": "hi"}]'}},
        {"name": "gen_ai.content.completion", "attributes": {"gen_ai.completion": "hello"}},
    ]
    assert found("input", events=events) == [message("user", text("hi"))]
    assert found("output", events=events) == "hello"
