"""Each shape of messages: what an instrumentation writes and the canonical messages it means."""

# ruff: noqa: E501 - a table reads best with one case per line

import json
from collections import Counter

import pytest

from collector.model.dialects.messages import chat, choices as resolve, content_tables
from collector.model.dialects.messages.blocks import blocks
from collector.model.dialects.messages.carriers import contents
from collector.model.dialects.messages.shapes import SHAPES
from collector.testing import builders
from tests.model.dialects.rows import answer, call, message, text


def stored_text(content, kind):
    faults = Counter()
    texts = dict(zip(resolve.KINDS, resolve.texts(content, faults), strict=True))
    assert not faults
    return texts[kind]


def found(kind, attributes=None, *, kind_of="generation", events=(), logs=None):
    """The input, output or tool definitions of a span of this type, as Python values."""
    spans = builders.spans([{"attributes": attributes or {}, "events": list(events), "type": kind_of}])
    joined = None if logs is None else builders.logs([{"trace_id": 1, "span_id": 1, **log} for log in logs])
    (content,) = contents(spans, joined)
    stored = stored_text(content, kind)
    try:
        return json.loads(stored) if stored is not None else None
    except ValueError:
        return stored


# OpenTelemetry GenAI

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


# one message per event

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


# OpenInference

OI = {"openinference.span.kind": "LLM"}


def test_openinference_messages_are_rebuilt_in_numeric_order():
    sent = {f"llm.input_messages.{n}.message.content": str(n) for n in (10, 2, 0)}
    sent |= {f"llm.input_messages.{n}.message.role": "user" for n in (2, 10, 0)}
    assert found("input", {**OI, **sent}) == [message("user", text(t)) for t in ("0", "2", "10")]


def test_blocks_of_a_message_are_in_numeric_order_too():
    stem = "llm.input_messages.0.message.contents"
    sent = {f"{stem}.{n}.message_content.text": str(n) for n in (11, 3, 1)}
    (told,) = found("input", {**OI, "llm.input_messages.0.message.role": "user", **sent})
    assert [p["content"] for p in told["parts"]] == ["1", "3", "11"]


def test_a_huge_index_costs_nothing_and_an_endless_list_is_cut():
    assert found("input", {**OI, "llm.input_messages.999999999.message.content": "x"}) == [
        message("assistant", text("x"))
    ]
    many = {f"llm.input_messages.{n}.message.content": "x" for n in range(10_050)}
    assert len(found("input", {**OI, **many})) == 10_001


def test_openinference_tool_calls_and_answers():
    sent = {
        **OI,
        "llm.input_messages.0.message.role": "assistant",
        "llm.input_messages.0.message.tool_calls.0.tool_call.id": "c1",
        "llm.input_messages.0.message.tool_calls.0.tool_call.function.name": "f",
        "llm.input_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"a": 1}',
        "llm.input_messages.1.message.role": "tool",
        "llm.input_messages.1.message.tool_call_id": "c1",
        "llm.input_messages.1.message.name": "f",
        "llm.input_messages.1.message.content": "18C",
    }
    assert found("input", sent) == [
        message("assistant", call("f", {"a": 1}, "c1")),
        message("tool", answer("18C", "c1"), name="f"),
    ]


def test_a_tool_call_written_twice_is_one():
    stem = "llm.output_messages.0.message"
    sent = {
        **OI,
        f"{stem}.role": "assistant",
        f"{stem}.contents.0.message_content.type": "text",
        f"{stem}.contents.0.message_content.text": "Let me check.",
        f"{stem}.contents.1.message_content.type": "tool_use",
        f"{stem}.contents.1.tool_call.id": "c1",
        f"{stem}.contents.1.tool_call.function.name": "f",
        f"{stem}.contents.1.tool_call.function.arguments": "{}",
        f"{stem}.tool_calls.0.tool_call.id": "c1",
        f"{stem}.tool_calls.0.tool_call.function.name": "f",
        f"{stem}.tool_calls.0.tool_call.function.arguments": "{}",
    }
    assert found("output", sent) == [message("assistant", text("Let me check."), call("f", {}, "c1"))]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "image", "image.image.url": "data:image/png;base64,AA=="},
         {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AA=="}),
        ({"type": "image", "image.image.url": "https://x/y.png"}, {"type": "uri", "modality": "image", "uri": "https://x/y.png"}),
        ({"type": "audio", "audio.audio.url": "https://x/y.wav", "audio.audio.mime_type": "audio/wav"},
         {"type": "uri", "mime_type": "audio/wav", "modality": "audio", "uri": "https://x/y.wav"}),
        ({"type": "reasoning", "text": "hm"}, {"type": "reasoning", "content": "hm"}),
        ({"type": "output_text", "text": "hi"}, text("hi")),
    ],
)  # fmt: skip
def test_openinference_blocks(block, part):
    sent = {f"llm.input_messages.0.message.contents.0.message_content.{k}": v for k, v in block.items()}
    assert found("input", {**OI, "llm.input_messages.0.message.role": "user", **sent}) == [message("user", part)]


def test_openinference_prompts_and_completions_are_text():
    sent = {**OI, "llm.prompts.0.prompt.text": "Once", "llm.choices.0.completion.text": "upon"}
    assert (found("input", sent), found("output", sent)) == ("Once", "upon")


def test_a_whole_response_is_read_when_there_are_no_messages():
    response = {
        "id": "x",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
    }
    sent = {**OI, "output.value": json.dumps(response), "output.mime_type": "application/json"}
    assert found("output", sent) == [message("assistant", text("hi"), finish_reason="stop")]


def test_retrieved_documents_have_their_metadata_as_json():
    stem = "retrieval.documents.0.document"
    sent = {"openinference.span.kind": "RETRIEVER", f"{stem}.id": "d1", f"{stem}.content": "doc", f"{stem}.score": 0.9,
            f"{stem}.metadata": '{"src":"a.md"}'}  # fmt: skip
    assert found("output", sent, kind_of="retriever") == [
        {"id": "d1", "content": "doc", "score": 0.9, "metadata": {"src": "a.md"}}
    ]


def test_embeddings_show_their_texts_and_no_vectors():
    sent = {"openinference.span.kind": "EMBEDDING", "embedding.embeddings.0.embedding.text": "sunny",
            "embedding.embeddings.0.embedding.vector": [0.1, 0.2], "embedding.embeddings.1.embedding.text": "rain",
            "output.value": '{"data":[{"embedding":[0.1,0.2],"index":0}],"model":"m"}'}  # fmt: skip
    assert found("input", sent, kind_of="embedding") == ["sunny", "rain"]
    assert found("output", sent, kind_of="embedding") == {"data": [{"index": 0}], "model": "m"}


def test_arguments_of_a_tool_span_are_not_its_schema():
    schema = '{"type": "object", "properties": {"x": {"type": "integer"}}}'
    kind = {"openinference.span.kind": "TOOL"}
    assert found("input", {**kind, "input.value": '{"x": 1}', "tool.parameters": schema}, kind_of="tool") == {"x": 1}
    assert found("input", {**kind, "tool.parameters": schema}, kind_of="tool") is None
    assert found("input", {**kind, "tool.parameters": '{"x": 1}'}, kind_of="tool") == {"x": 1}


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


# providers' blocks


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "hi"}, text("hi")),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
         {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AA=="}),
        ({"type": "input_image", "image_url": "https://x/y"}, {"type": "uri", "modality": "image", "uri": "https://x/y"}),
        ({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
         {"type": "blob", "mime_type": "audio/wav", "modality": "audio", "content": "AA"}),
        ({"type": "file", "file": {"file_id": "f1"}}, {"type": "file", "modality": "document", "file_id": "f1"}),
        ({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}, call("f", {}, "c")),
        ({"type": "function_call_output", "call_id": "c", "output": "18C"}, answer("18C", "c")),
        ({"type": "refusal", "refusal": "no"}, text("no")),
        ({"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}, call("f", {"a": 1}, "c")),
        ({"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "18C"}]}, answer("18C", "c")),
        ({"type": "tool_result", "tool_use_id": "c", "content": "x", "is_error": True}, {**answer("x", "c"), "is_error": True}),
        ({"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "reasoning", "content": "hm"}),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}},
         {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AA"}),
        ({"type": "image", "source": {"type": "url", "url": "https://x/y"}}, {"type": "uri", "modality": "image", "uri": "https://x/y"}),
        ({"type": "server_tool_use", "id": "c", "name": "web_search", "input": {"q": "x"}},
         {"type": "server_tool_call", "id": "c", "name": "web_search", "server_tool_call": {"type": "web_search", "input": {"q": "x"}}}),
        ({"text": "hm", "thought": True}, {"type": "reasoning", "content": "hm"}),
        ({"functionCall": {"name": "f", "args": {"a": 1}}}, call("f", {"a": 1})),
        ({"functionResponse": {"name": "f", "response": {"t": 1}}}, {**answer({"t": 1}), "name": "f"}),
        ({"inlineData": {"mimeType": "video/mp4", "data": "AA"}},
         {"type": "blob", "mime_type": "video/mp4", "modality": "video", "content": "AA"}),
        ({"file_data": {"mime_type": "application/pdf", "file_uri": "gs://x"}},
         {"type": "uri", "mime_type": "application/pdf", "modality": "document", "uri": "gs://x"}),
        ({"toolUse": {"toolUseId": "c", "name": "f", "input": {}}}, call("f", {}, "c")),
        ({"type": "toolUse", "toolUseId": "c", "name": "f", "input": {}}, call("f", {}, "c")),
        ({"toolResult": {"toolUseId": "c", "content": [{"json": {"t": 1}}]}}, answer({"t": 1}, "c")),
        ({"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"type": "reasoning", "content": "hm"}),
        ({"image": {"format": "png", "source": {"bytes": "AA"}}},
         {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AA"}),
        ({"toolRequest": {"ref": "c", "name": "f", "input": {}}}, call("f", {}, "c")),
        ({"toolResponse": {"ref": "c", "name": "f", "output": 1}}, {**answer(1, "c"), "name": "f"}),
        ({"media": {"url": "https://x/y", "contentType": "image/png"}},
         {"type": "uri", "mime_type": "image/png", "modality": "image", "uri": "https://x/y"}),
        ({"type": "image", "image": "AA", "mimeType": "image/png"},
         {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AA"}),
        ({"type": "image", "image": {"1": 80, "0": 137}, "mimeType": "image/png"},
         {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "iVA="}),
        ({"type": "file", "data": "AA", "mediaType": "application/pdf"},
         {"type": "blob", "mime_type": "application/pdf", "modality": "document", "content": "AA"}),
    ],
)  # fmt: skip
def test_blocks_of_every_provider(block, part):
    assert blocks.parts_of([block]) == [part]


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"role": "developer", "content": "be brief"}, message("system", text("be brief"))),
        ({"role": "model", "parts": [{"text": "hi"}]}, message("assistant", text("hi"))),
        ({"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}, message("assistant", call("f", {}))),
        ({"role": "assistant", "reasoning_content": "hm", "content": "hi"},
         message("assistant", {"type": "reasoning", "content": "hm"}, text("hi"))),
        ({"type": "human", "content": "hi", "additional_kwargs": {}}, message("user", text("hi"))),
        ({"type": "ai", "content": "", "tool_calls": [{"name": "f", "args": {"a": 1}, "id": "c"}]},
         message("assistant", call("f", {"a": 1}, "c"))),
        ({"type": "tool", "content": "18C", "tool_call_id": "c", "name": "f"}, message("tool", answer("18C", "c"), name="f")),
        ({"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"], "kwargs": {"content": "hi"}}, message("user", text("hi"))),
        ({"role": "user", "content": {"text": "hi"}}, message("user", text("hi"))),
        ({"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}],
          "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}, message("assistant", call("f", {}, "c"))),
    ],
)  # fmt: skip
def test_messages_of_every_api(sent, told):
    assert chat.read(sent) == told


@pytest.mark.parametrize(
    "value",
    [
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP"}]},
        {"output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}}, "stopReason": "end_turn"},
        {"generations": [[{"text": "hi", "message": {"lc": 1, "type": "constructor", "id": ["AIMessage"], "kwargs": {"content": "hi"}},
                           "generation_info": {"finish_reason": "stop"}}]]},
        {"message": {"role": "model", "content": [{"text": "hi"}]}, "finishReason": "stop", "usage": {}},
        {"role": "assistant", "type": "message", "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"},
    ],
    ids=["gemini", "bedrock", "langchain", "genkit", "anthropic"],
)  # fmt: skip
def test_whole_responses_are_recognised(value):
    assert chat.recognise(value) == [message("assistant", text("hi"), finish_reason="stop")]


@pytest.mark.parametrize(
    "value", [None, 3, "text", [], {}, [1], [{"a": 1}], {"prompt": "hi"}, {"output": "x", "model": "m"}]
)
def test_other_values_are_not_mistaken_for_messages(value):
    assert chat.recognise(value) is None


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}},
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}},
        {"name": "f", "description": "d", "input_schema": {"type": "object"}},
        {"name": "f", "description": "d", "parameters_json_schema": {"type": "object"}},
    ],
)
def test_tool_definitions_have_one_form(tool):
    told = [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}]
    assert found("tool_definitions", {"gen_ai.tool.definitions": json.dumps([tool])}) == told
    assert found("tool_definitions", {"gen_ai.tool.definitions": [tool]}) == told
    assert found("tool_definitions", {"llm.tools.0.tool.json_schema": json.dumps(tool)}) == told
    assert (
        found("tool_definitions", {"langfuse.observation.input": json.dumps({"messages": [], "tools": [tool]})}) == told
    )


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


@pytest.mark.parametrize("row", content_tables.ROWS, ids=lambda row: f"{row.content} {row.name or sorted(row.events)}")
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
