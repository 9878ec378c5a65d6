"""Messages as Langfuse, OpenLLMetry, the AI SDK and other libraries write them.

Proves shape by shape what becomes a message and what stays as sent. Does not prove which dialect a span has.
"""

# ruff: noqa: E501 - a table reads best with one case per line

import json

import pytest

from collector.model.dialects.messages import choices as resolve, content_tables
from collector.model.dialects.messages.carriers import contents
from collector.model.dialects.messages.shapes import SHAPES
from collector.testing import builders
from tests.model.dialects.messages.messages_kit import found, stored_text
from tests.model.dialects.rows import answer, call, message, text

# Langfuse


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ('[{"role": "user", "content": "hi"}]', [message("user", text("hi"))]),
        ('{"role": "assistant", "content": "yo"}', [message("assistant", text("yo"))]),
        ('{"messages": [{"role": "user", "content": "hi"}], "tools": []}', [message("user", text("hi"))]),
        ("just text", "just text"),
        ("3", 3),
        ('{"args": ["Paris"], "kwargs": {}}', {"args": ["Paris"], "kwargs": {}}),
        ('[{"role": "admin", "since": 2020}]', [{"role": "admin", "since": 2020}]),
        ('{"messages": [{"role": "user", "content": "hi"}], "step": 3}',
         {"messages": [{"role": "user", "content": "hi"}], "step": 3}),
        ('[{"id": "rs", "type": "reasoning", "summary": [{"text": "hm"}]}, {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}]',
         [message("assistant", {"type": "reasoning", "content": "hm"}), message("assistant", text("hi"))]),
        ('{"messages": [{"type": "human", "content": "hi"}, {"type": "ai", "content": "yo"}]}',
         [message("user", text("hi")), message("assistant", text("yo"))]),
    ],
)  # fmt: skip
def test_langfuse_values_become_messages_only_when_they_are_messages(sent, told):
    assert found("input", {"langfuse.observation.input": sent}) == told


def test_tools_among_the_messages_of_langfuse_are_definitions():
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    sent = json.dumps([{"role": "user", "content": "hi"}, {"role": "tool", "content": tool}])
    told = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
    assert found("input", {"langfuse.observation.input": sent}) == [message("user", text("hi"))]
    assert found("tool_definitions", {"langfuse.observation.input": sent}) == told


def test_tools_among_the_invocation_parameters_are_definitions():
    sent = {"llm.invocation_parameters": '{"stream":false,"tools":[{"name":"f","input_schema":{"type":"object"}}]}'}
    assert found("tool_definitions", sent) == [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
    assert found("model_parameters", sent) == {"stream": False}


def test_a_langfuse_string_keeps_its_quotes():
    spans = builders.spans([{"attributes": {"langfuse.observation.output": '"quoted"'}, "type": "span"}])
    (content,) = contents(spans, None)
    assert stored_text(content, "output") == '"quoted"'


def test_a_media_reference_of_langfuse_is_a_uri():
    token = "@@@langfuseMedia:type=image/png|id=x|source=base64_data_uri@@@"
    sent = json.dumps([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": token}}]}])
    told = [message("user", {"type": "uri", "modality": "image", "uri": token})]
    assert found("input", {"langfuse.observation.input": sent}) == told


def test_the_input_of_the_trace_stands_in_for_that_of_the_observation():
    sent = {"langfuse.trace.input": '{"q": 1}', "langfuse.observation.output": "own", "langfuse.trace.output": "trace"}
    assert (found("input", sent, kind_of="span"), found("output", sent, kind_of="span")) == ({"q": 1}, "own")


# OpenLLMetry


def test_openllmetry_prompts_and_completions():
    sent = {
        "gen_ai.prompt.0.role": "user",
        "gen_ai.prompt.0.content": "weather?",
        "gen_ai.prompt.1.role": "assistant",
        "gen_ai.prompt.1.tool_calls.0.id": "c1",
        "gen_ai.prompt.1.tool_calls.0.name": "f",
        "gen_ai.prompt.1.tool_calls.0.arguments": '{"a": 1}',
        "gen_ai.prompt.2.role": "user",
        "gen_ai.prompt.2.content": '[{"type": "tool_result", "tool_use_id": "c1", "content": "18C"}]',
        "gen_ai.prompt.name": "not an entry",
        "gen_ai.completion.0.content": "sunny",
        "gen_ai.completion.0.finish_reason": "end_turn",
        "llm.request.functions.0.name": "f",
        "llm.request.functions.0.input_schema": '{"type": "object"}',
    }
    assert found("input", sent) == [
        message("user", text("weather?")),
        message("assistant", call("f", {"a": 1}, "c1")),
        message("user", answer("18C", "c1")),
    ]
    assert found("output", sent) == [message("assistant", text("sunny"), finish_reason="stop")]
    assert found("tool_definitions", sent) == [{"type": "function", "name": "f", "parameters": {"type": "object"}}]


def test_a_workflow_shows_what_its_function_was_given():
    sent = {"traceloop.entity.input": '{"args":["Paris"],"kwargs":{}}', "traceloop.entity.output": '"18C"'}
    assert found("input", sent, kind_of="chain") == {"args": ["Paris"], "kwargs": {}}
    assert found("output", sent, kind_of="chain") == "18C"


# Vercel AI SDK


def test_ai_sdk_prompts_of_both_levels():
    inner = [{"role": "user", "content": [{"type": "text", "text": "hi"}]},
             {"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "c", "toolName": "f", "input": {"a": 1}}]},
             {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "c", "toolName": "f",
                                           "output": {"type": "json", "value": {"t": 1}}}]}]  # fmt: skip
    told = [
        message("user", text("hi")),
        message("assistant", call("f", {"a": 1}, "c")),
        message("tool", answer({"t": 1}, "c")),
    ]
    assert found("input", {"ai.prompt.messages": json.dumps(inner)}) == told
    outer = {"system": "be brief", "prompt": "hi"}
    assert found("input", {"ai.prompt": json.dumps(outer)}) == [
        message("system", text("be brief")),
        message("user", text("hi")),
    ]


def test_ai_sdk_responses_are_one_message():
    sent = {"ai.response.reasoning": "hm", "ai.response.text": "yo", "ai.response.finishReason": "tool-calls",
            "ai.response.toolCalls": '[{"toolCallId":"c","toolName":"f","args":"{\\"a\\":1}"}]'}  # fmt: skip
    told = [
        message(
            "assistant",
            {"type": "reasoning", "content": "hm"},
            text("yo"),
            call("f", {"a": 1}, "c"),
            finish_reason="tool_call",
        )
    ]
    assert found("output", sent) == told
    assert found("output", {"ai.response.object": '{"a":1}', "ai.response.id": "x"}) == {"a": 1}
    assert found("output", {"ai.response.id": "x"}) is None


def test_ai_sdk_tools_are_json_texts_in_an_array():
    sent = {"ai.prompt.tools": ['{"type":"function","name":"f","inputSchema":{"type":"object"}}']}
    assert found("tool_definitions", sent) == [{"type": "function", "name": "f", "parameters": {"type": "object"}}]


def test_ai_sdk_embedded_values():
    assert found("input", {"ai.value": '"sunny"'}, kind_of="embedding") == "sunny"
    assert found("input", {"ai.values": ['"sunny"', '"rain"']}, kind_of="embedding") == ["sunny", "rain"]


# values


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"mlflow.spanInputs": '{"city": "Paris"}'}, {"city": "Paris"}),
        ({"mlflow.spanInputs": '"just text"'}, "just text"),
        ({"mlflow.spanInputs": json.dumps('{"city": "Paris"}')}, {"city": "Paris"}),
        ({"gen_ai.prompt": '{"messages":[{"role":"user","content":"hi"}],"model":"m"}'}, [message("user", text("hi"))]),
        ({"gcp.vertex.agent.llm_request": "{}"}, None),
        ({"langwatch.input": '{"type":"text","value":"hi"}'}, "hi"),
        ({"mastra.tool_call.input": '{"a":1}'}, {"a": 1}),
        ({"input.value": "text"}, "text"),
        ({"input": '{"a":1}'}, {"a": 1}),
        ({"genkit:input": '{"messages":[{"role":"user","content":[{"text":"hi"}]}],"config":{}}'}, [message("user", text("hi"))]),
        ({"all_messages_events": '[{"event.name":"gen_ai.user.message","content":"hi"}]'}, [message("user", text("hi"))]),
    ],
)  # fmt: skip
def test_values_of_other_libraries(attributes, told):
    assert found("input", attributes, kind_of="chain") == told


@pytest.mark.parametrize(
    "row", content_tables.rows(), ids=lambda row: f"{row.content} {row.name or sorted(row.events)}"
)
def test_every_row_of_the_table_can_be_applied(row):
    assert row.shape in SHAPES
    assert row.content in resolve.KINDS


def test_a_choice_where_messages_belong_is_a_message():
    calls = [{"id": "c", "function": {"name": "f", "arguments": '{"x":1}'}}]
    choices = [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": None,
            "message": {"role": "assistant", "content": "hi", "refusal": None},
        },
        {"index": 1, "finish_reason": "tool_calls", "message": {"content": None, "tool_calls": calls}},
    ]
    assert found("output", {"gen_ai.output.messages": json.dumps(choices)}) == [
        message("assistant", text("hi"), finish_reason="stop"),
        message("assistant", call("f", {"x": 1}, "c"), finish_reason="tool_call"),
    ]


def test_what_a_message_says_besides_how_it_ended_is_kept():
    assert found("output", {"gen_ai.output.messages": [{"finish_reason": "stop", "odd": {"a": 1}}]}) is not None
    assert found("output", {"gen_ai.output.messages": [{"finish_reason": "stop"}]}) is None


def test_log_bodies_that_are_json_texts_of_messages():
    logs = [
        {"event_name": name, "body": json.dumps(body), "attributes": {"gen_ai.system": "openai"}}
        for name, body in (
            ("gen_ai.system.message", {"role": "system", "content": "be nice", "name": "weather"}),
            ("gen_ai.tool.message", {"role": "tool", "content": "sunny", "tool_call_id": "c"}),
            ("gen_ai.choice", {"message": {"role": "assistant", "content": "It is sunny."}, "finish_reason": "stop"}),
        )
    ]
    logs.append({"event_name": "gen_ai.user.message", "body": '{"city": "Paris"}'})
    assert found("input", logs=logs) == [
        message("system", text("be nice"), name="weather"),
        message("tool", answer("sunny", "c")),
        message("user", text('{"city": "Paris"}')),
    ]
    assert found("output", logs=logs) == [message("assistant", text("It is sunny."), finish_reason="stop")]
