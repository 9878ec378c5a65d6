"""Blocks, messages and tools as the providers' APIs write them.

Proves one canonical part for each block. Does not prove that the list of blocks is complete: providers add to it.
"""

# ruff: noqa: E501 - a table reads best with one case per line

import json

import pytest

from collector.model.dialects.messages import chat
from collector.model.dialects.messages.blocks import blocks
from tests.model.dialects.messages.messages_kit import found
from tests.model.dialects.rows import answer, call, message, text


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
