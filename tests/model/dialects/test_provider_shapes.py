# ruff: noqa: E501 - a table reads best with one case per line
"""What providers' APIs hold, as instrumentations hand it on: blocks, items, finish reasons, counts.

Proves one meaning per shape, whoever hands it on. Does not prove that providers still answer so.
"""

import json

import pytest

from tests.model.dialects.rows import answer, call, fact, message, stored, text

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
UNKNOWN = {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}]}}


def output(messages):
    return stored({**CHAT, "gen_ai.output.messages": json.dumps(messages)})["output"]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (UNKNOWN, UNKNOWN),
        ({"type": "container_upload", "file_id": "f"}, {"type": "file", "modality": "document", "file_id": "f"}),
        ({"type": "bash_code_execution_tool_result", "tool_use_id": "t", "content": {"stdout": "o"}}, {"type": "server_tool_call_response", "id": "t", "server_tool_call_response": {"type": "bash_code_execution_tool_result", "content": {"stdout": "o"}}}),
        ({"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "reasoning", "content": "hm"}),
        ({"reasoningContent": {"redactedContent": "AA"}}, {"type": "reasoning", "content": "", "redacted": True, "data": "AA"}),
        ({"document": {"format": "txt", "name": "n", "source": {"text": "inside"}}}, text("inside")),
        ({"document": {"format": "pdf", "source": {"odd": 1}}}, {"type": "generic", "document": {"format": "pdf", "source": {"odd": 1}}}),
        ({"audio": {"format": "wav", "source": {"bytes": "AA"}}}, {"type": "blob", "mime_type": "audio/wav", "modality": "audio", "content": "AA"}),
        ({"type": "document_url", "document_url": "https://a/b.pdf"}, {"type": "uri", "modality": "document", "uri": "https://a/b.pdf"}),
        ({"type": "video_url", "video_url": {"url": "https://a/b.mp4"}}, {"type": "uri", "modality": "video", "uri": "https://a/b.mp4"}),
        ({"type": "video_url", "video_url": {"odd": 1}}, {"type": "generic", "video_url": {"odd": 1}}),
    ],
)  # fmt: skip
def test_block(block, part):
    found = output([{"role": "assistant", "content": [block]}])
    assert found == [message("assistant", {**part, "type": block.get("type", "generic")} if part["type"] == "generic" else part)]  # fmt: skip


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"type": "custom_tool_call", "call_id": "c", "name": "n", "input": "raw"}, message("assistant", call("n", "raw", "c"))),
        ({"type": "custom_tool_call_output", "call_id": "c", "output": "o"}, message("tool", answer("o", "c"))),
        ({"type": "shell_call_output", "call_id": "c", "output": "o"}, message("tool", {"type": "server_tool_call_response", "id": "c", "server_tool_call_response": {"type": "shell_call_output", "output": "o"}})),
        ({"type": "tool_search_call", "id": "w"}, message("assistant", {"type": "server_tool_call", "id": "w", "name": "tool_search", "server_tool_call": {"type": "tool_search_call"}})),
        ({"type": "compaction", "id": "i", "encrypted_content": "z"}, message("", {"type": "compaction", "id": "i", "encrypted_content": "z"})),
        ({"type": "of_tomorrow", "x": 1}, message("", {"type": "of_tomorrow", "x": 1})),
        ({"role": "CHATBOT", "message": "hi"}, message("assistant", text("hi"))),
        ({"role": "assistant", "content": None, "audio": {"id": "a", "data": "AA", "transcript": "hi"}}, message("assistant", text("hi"), {"type": "blob", "modality": "audio", "content": "AA"})),
    ],
)  # fmt: skip
def test_item_beside_a_message(item, expected):
    assert output([item, {"role": "assistant", "content": "after"}]) == [expected, message("assistant", text("after"))]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [("FINISH_REASON_MAX_TOKENS", "length"), ("endTurn", "stop"), ("FINISH", "stop"), ("toolUse", "tool_call"), ("malformed_tool_use", "error"), ("ERROR_TOXIC", "content_filter"), ("IMAGE_SAFETY", "content_filter")],
)  # fmt: skip
def test_finish_reason_of_span_and_message(sent, reason):
    row = stored({**CHAT, "gen_ai.response.finish_reasons": [sent], "gen_ai.output.messages": json.dumps([{**message("assistant", text("x")), "finish_reason": sent}])})  # fmt: skip
    assert (row["finish_reasons"], row["output"][0]["finish_reason"]) == ([reason], reason)


def test_bedrock_request_kept_whole_in_the_parameters():
    sent = {"openinference.span.kind": "LLM", "llm.invocation_parameters": json.dumps({"inputText": "q", "maxTokens": 5})}  # fmt: skip
    row = stored(sent)
    assert (row["input"], row["model_parameters"]) == ([message("user", text("q"))], {"maxTokens": 5})


def test_bedrock_tool_definition():
    spec = {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}}
    row = stored({"openinference.span.kind": "LLM", "llm.tools.0.tool.json_schema": json.dumps({"toolSpec": spec})})
    assert row["tool_definitions"] == [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}]  # fmt: skip


def test_openllmetry_bedrock_counts_exclude_the_cache_although_its_own_total_does_too():
    counts = {"input_tokens": 1000, "output_tokens": 20, "total_tokens": 1020, "cache_read.input_tokens": 300, "cache_creation.input_tokens": 100}  # fmt: skip
    sent = {**CHAT, "gen_ai.provider.name": "aws.bedrock", **{f"gen_ai.usage.{key}": n for key, n in counts.items()}}
    found = fact(sent, scope=("opentelemetry.instrumentation.bedrock", "0.62.4"))
    assert found["usage"] == {"input": 1000, "input_cache_read": 300, "input_cache_write": 100, "output": 20}


@pytest.mark.parametrize("zero", [{}, {"gen_ai.usage.output_tokens": 0}])
def test_the_total_of_an_embedding_is_its_input(zero):
    found = fact({"gen_ai.operation.name": "embeddings", "gen_ai.usage.total_tokens": 9, **zero})
    assert found["usage"] == {"input": 9, **({"output": 0} if zero else {})}


@pytest.mark.parametrize(
    ("system", "provider"),
    [("Chroma", "openai"), ("llama-index", "openai"), ("semantic-kernel", "openai"), ("IBM", "ibm.watsonx.ai"), ("GoogleVertexAI", "gcp.vertex_ai")],
)  # fmt: skip
def test_provider(system, provider):
    assert fact({**CHAT, "gen_ai.request.model": "gpt-4o", "gen_ai.system": system})["provider"] == provider


def test_the_prompt_of_openllmetrys_first_bedrock_names():
    row = stored({"llm.request.type": "completion", "gen_ai.request.model": "m", "gen_ai.prompt.0.user": "q"})
    assert row["input"] == [message("user", text("q"))]
