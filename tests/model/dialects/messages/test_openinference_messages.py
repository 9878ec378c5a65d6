"""Messages that OpenInference spreads over numbered attributes.

Proves that messages are rebuilt in order and within bounds. Does not prove OpenInference's facts
(``dialects/test_openinference``).
"""

import json

import pytest

from tests.model.dialects.messages.messages_kit import found
from tests.model.dialects.rows import answer, call, message, text

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
