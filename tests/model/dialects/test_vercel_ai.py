# ruff: noqa: E501 - a table reads best with one case per line
"""Vercel AI SDK 4 to 7: what MAPPING says of each key, one row at a time.

Proves values by hand-written spans of each version. Does not prove counting in traces where a provider's SDK reports
too.
"""

import json

import pytest

from tests.model.dialects.rows import answer, call, fact, message, stored, text

DO_GENERATE = {"ai.operationId": "ai.generateText.doGenerate"}
AI = ("ai", "")


def provider_metadata(**value):
    return {"ai.response.providerMetadata": json.dumps(value)}


@pytest.mark.parametrize(
    ("attributes", "type_", "subtype"),
    [
        ({"ai.operationId": "ai.generateText.doGenerate"}, "generation", None),
        ({"ai.operationId": "ai.streamText.doStream"}, "generation", None),
        ({"ai.operationId": "ai.generateObject.doGenerate"}, "generation", None),
        ({"ai.operationId": "ai.streamObject.doStream"}, "generation", None),
        ({"ai.operationId": "ai.embed.doEmbed"}, "embedding", None),
        ({"ai.operationId": "ai.embedMany.doEmbed"}, "embedding", None),
        ({"ai.operationId": "ai.rerank.doRerank"}, "retriever", "reranker"),
        ({"ai.operationId": "ai.toolCall"}, "tool", None),
        ({"ai.operationId": "ai.rerank"}, "chain", None),
        ({"operation.name": "ai.streamText.doStream chat"}, "generation", None),
        ({"operation.name": "ai.rerank.doRerank x"}, "retriever", "reranker"),
        ({"operation.name": "ai.toolCall"}, "tool", None),
        ({"operation.name": "ai.generateText chat"}, "chain", None),
        ({"ai.operationId": "ai.generateText", "gen_ai.request.model": "m"}, "chain", None),
        ({"ai.operationId": "ai.generateText.doGenerate", "openinference.span.kind": "TOOL"}, "tool", None),
    ],
)
def test_type(attributes, type_, subtype):
    found = fact(attributes, scope=AI)
    assert (found["type"], found["subtype"], found["dialect"] in {"vercel_ai", "openinference"}) == (
        type_,
        subtype,
        True,
    )


def test_the_name_of_an_operation_alone_tells_the_dialect():
    assert fact({"operation.name": "ai.generateText my-function"})["dialect"] == "vercel_ai"
    assert fact({"operation.name": "aiohttp.request"})["dialect"] == "otel"


@pytest.mark.parametrize(
    "operation", ["generateText", "streamText", "generateObject", "streamObject", "embed", "rerank"]
)
def test_outer_spans_are_wrappers_by_either_name(operation):
    by_id = fact({"ai.operationId": f"ai.{operation}"}, scope=AI)["role"]
    assert fact({"operation.name": f"ai.{operation} my-function"}, scope=AI)["role"] == by_id
    assert fact({"operation.name": f"ai.{operation}.doIt my-function"}, scope=AI)["role"] != by_id


@pytest.mark.parametrize(
    ("reported", "provider"),
    [
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
        ("anthropic.messages", "anthropic"),
        ("google.generative-ai", "gcp.gemini"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("vertex.anthropic.messages", "gcp.vertex_ai"),
        ("amazon-bedrock", "aws.bedrock"),
        ("azure.chat", "azure.ai.openai"),
        ("azure-openai.responses", "azure.ai.openai"),
        ("xai.chat", "x_ai"),
        ("mistral.chat", "mistral_ai"),
        ("my-own.chat", "my-own"),
        ("my-own.embedding", "my-own"),
    ],
)
def test_provider(reported, provider):
    assert fact({**DO_GENERATE, "ai.model.provider": reported}, scope=AI)["provider"] == provider
    assert (
        fact({**DO_GENERATE, "gen_ai.system": reported, "ai.model.provider": "groq.chat"}, scope=AI)["provider"]
        == provider
    )


def test_the_gateway_is_no_provider():
    attributes = {
        **DO_GENERATE,
        "gen_ai.system": "gateway",
        "ai.model.provider": "gateway",
        "ai.model.id": "anthropic/claude-sonnet-4",
    }
    found = fact(attributes, scope=AI)
    assert (found["provider"], found["model"]) == ("anthropic", "anthropic/claude-sonnet-4")


@pytest.mark.parametrize(
    ("usage", "provider", "buckets", "rule"),
    [
        # 4: the provider's metadata alone knows the cache; Anthropic and Bedrock leave it out of the prompt
        ({"ai.usage.promptTokens": 3000, "ai.usage.completionTokens": 20, **provider_metadata(anthropic={"cacheReadInputTokens": 500, "cacheCreationInputTokens": 100})}, "anthropic.messages", {"input": 3000, "input_cache_read": 500, "input_cache_write": 100, "output": 20}, "exclusive:vercel_ai_5_raw"),
        ({"ai.usage.promptTokens": 33, "ai.usage.completionTokens": 20, **provider_metadata(anthropic={"cacheReadInputTokens": 500})}, "anthropic.messages", {"input": 33, "input_cache_read": 500, "output": 20}, "exclusive:cache_exceeds_input"),
        ({"ai.usage.promptTokens": 127, "ai.usage.completionTokens": 50, **provider_metadata(openai={"cachedPromptTokens": 64, "reasoningTokens": 16})}, "openai.chat", {"input": 63, "input_cache_read": 64, "output": 34, "output_reasoning": 16}, "inclusive:default"),
        ({"ai.usage.promptTokens": 900, "ai.usage.completionTokens": 5, **provider_metadata(bedrock={"usage": {"cacheReadInputTokens": 300, "cacheWriteInputTokens": 30}})}, "amazon-bedrock", {"input": 900, "input_cache_read": 300, "input_cache_write": 30, "output": 5}, "exclusive:vercel_ai_5_raw"),
        # 5: a total that Anthropic's raw counts add up to says nothing of the cache
        ({"ai.usage.inputTokens": 3000, "ai.usage.outputTokens": 20, "ai.usage.totalTokens": 3020, "ai.usage.cachedInputTokens": 500}, "anthropic.messages", {"input": 3000, "input_cache_read": 500, "output": 20}, "exclusive:vercel_ai_5_raw"),
        ({"ai.usage.inputTokens": 127, "ai.usage.outputTokens": 20, "ai.usage.totalTokens": 147, "ai.usage.cachedInputTokens": 64, "ai.usage.reasoningTokens": 0}, "openai.responses", {"input": 63, "input_cache_read": 64, "output": 20, "output_reasoning": 0}, "inclusive:total"),
        # 6: details, and with them the cache is part of the input
        ({"ai.usage.inputTokens": 3105, "ai.usage.outputTokens": 27, "ai.usage.inputTokenDetails.noCacheTokens": 33, "ai.usage.inputTokenDetails.cacheReadTokens": 2048, "ai.usage.inputTokenDetails.cacheWriteTokens": 1024}, "anthropic.messages", {"input": 33, "input_cache_read": 2048, "input_cache_write": 1024, "output": 27}, "inclusive:vercel_ai_details"),
        # 5 on Gemini: thoughts and cache in the metadata alone, however many the thoughts are
        ({"ai.usage.promptTokens": 100, "ai.usage.completionTokens": 50, **provider_metadata(google={"usageMetadata": {"cachedContentTokenCount": 64, "thoughtsTokenCount": 30, "totalTokenCount": 180}})}, "google.generative-ai", {"input": 36, "input_cache_read": 64, "output": 50, "output_reasoning": 30}, "inclusive:total"),
        ({"ai.usage.promptTokens": 100, "ai.usage.completionTokens": 80, **provider_metadata(vertex={"usageMetadata": {"thoughtsTokenCount": 30, "totalTokenCount": 180}})}, "google.vertex", {"input": 100, "output": 50, "output_reasoning": 30}, "no_cache"),
        ({"ai.usage.promptTokens": 127, "ai.usage.completionTokens": 42, **provider_metadata(openrouter={"usage": {"promptTokensDetails": {"cachedTokens": 64}, "completionTokensDetails": {"reasoningTokens": 2}}})}, "openrouter", {"input": 63, "input_cache_read": 64, "output": 40, "output_reasoning": 2}, "inclusive:default"),
        # 6 on generateObject: a sum without details
        ({"ai.request.headers.user-agent": "ai/6.0.326", "ai.usage.promptTokens": 3105, "ai.usage.completionTokens": 27, **provider_metadata(anthropic={"usage": {"cache_read_input_tokens": 2048, "cache_creation_input_tokens": 1024}})}, "anthropic.messages", {"input": 33, "input_cache_read": 2048, "input_cache_write": 1024, "output": 27}, "inclusive:vercel_ai_details"),
        ({"ai.request.headers.user-agent": "ai/7.0.173", "ai.usage.inputTokens": 3105, "ai.usage.outputTokens": 27, "ai.usage.totalTokens": 3132, "ai.usage.cachedInputTokens": 2048}, "anthropic.messages", {"input": 1057, "input_cache_read": 2048, "output": 27}, "inclusive:total"),
        ({"ai.request.headers.user-agent": "ai/5.0.277", "ai.usage.promptTokens": 3105, "ai.usage.completionTokens": 27, **provider_metadata(anthropic={"usage": {"cache_read_input_tokens": 2048}})}, "anthropic.messages", {"input": 3105, "input_cache_read": 2048, "output": 27}, "exclusive:vercel_ai_5_raw"),
        # lifetimes of what was written
        ({"ai.usage.promptTokens": 9, "ai.usage.completionTokens": 5, **provider_metadata(anthropic={"usage": {"cache_read_input_tokens": 100, "cache_creation_input_tokens": 30, "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}}})}, "anthropic.messages", {"input": 9, "input_cache_read": 100, "input_cache_write_5m": 10, "input_cache_write_1h": 20, "output": 5}, "exclusive:cache_exceeds_input"),
        # Gemini counts thoughts beside the visible output: the total says so
        ({"ai.usage.inputTokens": 100, "ai.usage.outputTokens": 50, "ai.usage.reasoningTokens": 20, "ai.usage.totalTokens": 170}, "google.generative-ai", {"input": 100, "output": 50, "output_reasoning": 20}, "no_cache"),
    ],
)  # fmt: skip
def test_usage(usage, provider, buckets, rule):
    found = fact({**DO_GENERATE, "ai.model.provider": provider, **usage}, scope=AI)
    assert (found["usage"], found["usage_rule"]) == (buckets, rule)
    assert found["total_tokens"] == sum(buckets.values())


@pytest.mark.parametrize("said", [{"openrouter": {"usage": {"cost": 0.0015}}}, {"gateway": {"cost": "0.0015"}}])
def test_what_a_gateway_charged(said):
    found = fact({**DO_GENERATE, "ai.usage.inputTokens": 5, **provider_metadata(**said)}, scope=AI)
    assert (found["total_cost"], found["cost_source"]) == (1_500_000_000, "provided")


def test_aliases_of_one_number_are_never_added():
    usage = {
        "gen_ai.usage.input_tokens": 127,
        "ai.usage.inputTokens": 127,
        "ai.usage.promptTokens": 127,
        "gen_ai.usage.output_tokens": 42,
        "ai.usage.outputTokens": 42,
    }
    assert fact({**DO_GENERATE, **usage}, scope=AI)["usage"] == {"input": 127, "output": 42}


def test_nan_counts_of_streams_without_usage_are_absent():
    usage = {"ai.usage.promptTokens": float("nan"), "ai.usage.completionTokens": float("nan")}
    found = fact({**DO_GENERATE, **usage}, scope=AI)
    assert (found["usage"], found["input_tokens"]) == (None, None)
    assert json.loads(found["provided_usage"]).keys() == usage.keys()


def test_embeddings_report_one_number():
    assert fact({"ai.operationId": "ai.embed.doEmbed", "ai.usage.tokens": 7}, scope=AI)["usage"] == {"input": 7}


@pytest.mark.parametrize(
    ("attributes", "field", "value"),
    [
        ({"ai.telemetry.metadata.userId": "u", "ai.settings.context.userId": "v"}, "user_id", "u"),
        ({"ai.settings.context.userId": "v", "traceloop.association.properties.user_id": "w"}, "user_id", "v"),
        ({"user.id": "x", "ai.telemetry.metadata.userId": "u"}, "user_id", "x"),
        ({"langfuse.user.id": "y", "user.id": "x"}, "user_id", "y"),
        ({"ai.telemetry.metadata.sessionId": "s", "ai.telemetry.metadata.threadId": "t"}, "session_id", "s"),
        ({"ai.telemetry.metadata.threadId": "t"}, "session_id", "t"),
        ({"gen_ai.conversation.id": "c", "ai.telemetry.metadata.sessionId": "s"}, "session_id", "c"),
        ({"ai.telemetry.metadata.userId": 42}, "user_id", "42"),
        ({"ai.telemetry.metadata.tags": ["a", "b", "a"]}, "tags", ["a", "b"]),
        ({"ai.telemetry.metadata.tags": '["a", "b"]'}, "tags", ["a", "b"]),
        ({"ai.telemetry.metadata.tags": "a, b"}, "tags", ["a", "b"]),
        ({"ai.settings.context.tags": ["c"], "ai.telemetry.metadata.tags": ["a"]}, "tags", ["a"]),
        ({"ai.telemetry.functionId": "hi"}, "name", "hi:ai.generateText.doGenerate"),
        ({"ai.toolCall.name": "f", "ai.telemetry.functionId": "hi"}, "name", "f"),
        ({"ai.model.id": "a", "ai.response.model": "b"}, "model", "b"),
        ({"ai.model.id": "a", "gen_ai.response.model": "c", "ai.response.model": "b"}, "model", "c"),
        ({"ai.model.id": "a", "gen_ai.request.model": "d"}, "request_model", "d"),
        ({"ai.response.finishReason": "tool-calls"}, "finish_reasons", ["tool_call"]),
        ({"gen_ai.response.finish_reasons": ["stop"], "ai.response.finishReason": "x"}, "finish_reasons", ["stop"]),
        (provider_metadata(openai={"serviceTier": "flex"}), "service_tier", "flex"),
        ({"gen_ai.response.service_tier": "priority", **provider_metadata(openai={"serviceTier": "flex"})}, "service_tier", "priority"),
        ({"ai.telemetry.metadata.langfusePrompt": '{"name": "p", "version": 3, "isFallback": false}'}, "prompt_name", "p"),
        ({"ai.telemetry.metadata.langfusePrompt": '{"name": "p", "version": 3, "isFallback": false}'}, "prompt_version", "3"),
        ({"ai.response.id": "r"}, "response_id", "r"),
    ],
)  # fmt: skip
def test_fields(attributes, field, value):
    assert fact({**DO_GENERATE, **attributes}, scope=AI)[field] == value


@pytest.mark.parametrize(
    ("key", "value", "nanos"),
    [
        ("ai.response.msToFirstChunk", 68.5, 68_500_000),
        ("ai.stream.msToFirstChunk", 68, 68_000_000),
        ("gen_ai.client.operation.time_to_first_chunk", 0.5, 500_000_000),
    ],
)
def test_first_chunk(key, value, nanos):
    found = fact({**DO_GENERATE, key: value}, scope=AI)
    assert found["completion_start_unix_nano"] - found["start_unix_nano"] == nanos


PNG = {"0": 137, "1": 80}


@pytest.mark.parametrize(
    ("attributes", "input_"),
    [
        ({"ai.prompt": '{"system": "s", "prompt": "hi"}'}, [message("system", text("s")), message("user", text("hi"))]),
        ({"ai.prompt": json.dumps({"messages": [{"role": "user", "content": "hi"}]})}, [message("user", text("hi"))]),
        ({"ai.prompt": json.dumps({"prompt": [{"role": "user", "content": [{"type": "image", "image": PNG}]}]})}, [message("user", {"type": "blob", "modality": "image", "content": "iVA="})]),
        ({"ai.prompt.messages": json.dumps([{"role": "user", "content": [{"type": "file", "mediaType": "image/png", "data": "iVA="}]}])}, [message("user", {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "iVA="})]),
        ({"ai.prompt.messages": json.dumps([{"role": "user", "content": [{"type": "file", "mimeType": "application/pdf", "data": {"type": "Buffer", "data": [1, 2]}}]}])}, [message("user", {"type": "blob", "mime_type": "application/pdf", "modality": "document", "content": "AQI="})]),
        ({"ai.prompt.messages": json.dumps([{"role": "assistant", "content": [{"type": "reasoning", "text": "hm"}, {"type": "tool-call", "toolCallId": "1", "toolName": "f", "args": {"a": 1}}]}, {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "1", "toolName": "f", "result": {"t": 18}}]}])}, [message("assistant", {"type": "reasoning", "content": "hm"}, call("f", {"a": 1}, "1")), message("tool", answer({"t": 18}, "1"))]),
        ({"ai.prompt.messages": json.dumps([{"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "1", "toolName": "f", "input": {"a": 1}}]}, {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "1", "toolName": "f", "output": {"type": "json", "value": {"t": 18}}}]}])}, [message("assistant", call("f", {"a": 1}, "1")), message("tool", answer({"t": 18}, "1"))]),
        ({"ai.prompt.messages": json.dumps([{"role": "tool", "content": [{"type": "tool-error", "toolCallId": "1", "toolName": "f", "error": "no"}]}])}, [message("tool", {**answer("no", "1"), "is_error": True})]),
        ({"ai.prompt.messages": json.dumps([{"role": "tool", "content": [{"type": "tool-approval-response", "approvalId": "1", "approved": True}]}])}, [message("tool", {"type": "tool-approval-response", "approvalId": "1", "approved": True})]),
        ({"ai.prompt.messages": json.dumps([{"role": "assistant", "content": [{"type": "redacted-reasoning", "data": "x"}]}])}, [message("assistant", {"type": "reasoning", "content": "", "redacted": True, "data": "x"})]),
        ({"ai.prompt.messages": "[not json"}, "[not json"),
        ({"ai.value": '"sunny day"'}, "sunny day"),
        ({"ai.values": ['"a"', '"b"']}, ["a", "b"]),
    ],
)  # fmt: skip
def test_input(attributes, input_):
    assert stored({**DO_GENERATE, **attributes}, scope=AI)["input"] == input_


@pytest.mark.parametrize(
    ("attributes", "output"),
    [
        ({"ai.response.text": "hi", "ai.response.finishReason": "stop"}, [message("assistant", text("hi"), finish_reason="stop")]),
        ({"ai.response.reasoning": "hm", "ai.response.text": "hi"}, [message("assistant", {"type": "reasoning", "content": "hm"}, text("hi"))]),
        ({"ai.response.toolCalls": json.dumps([{"toolCallType": "function", "toolCallId": "1", "toolName": "f", "args": '{"a": 1}'}])}, [message("assistant", call("f", {"a": 1}, "1"))]),
        ({"ai.response.toolCalls": json.dumps([{"toolCallId": "1", "toolName": "f", "input": '{"a": 1}'}]), "ai.response.text": ""}, [message("assistant", call("f", {"a": 1}, "1"))]),
        ({"ai.response.files": json.dumps([{"type": "file", "mediaType": "image/png", "data": "AA=="}])}, [message("assistant", {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AA=="})]),
        ({"ai.response.object": '{"a": 1}'}, {"a": 1}),
        # OpenLLMetry moves the text, and the reasoning stays
        ({"ai.response.reasoning": "hm", "gen_ai.output.messages": json.dumps([message("assistant", text("hi"), finish_reason="stop")])}, [message("assistant", {"type": "reasoning", "content": "hm"}, text("hi"), finish_reason="stop")]),
        ({"ai.response.reasoning": "hm", "gen_ai.output.messages": "[]"}, [message("assistant", {"type": "reasoning", "content": "hm"})]),
        ({"ai.result.text": "old", "ai.finishReason": "stop"}, [message("assistant", text("old"))]),
        ({"ai.result.toolCalls": json.dumps([{"toolCallId": "1", "toolName": "f", "args": {"a": 1}}])}, [message("assistant", call("f", {"a": 1}, "1"))]),
    ],
)  # fmt: skip
def test_output(attributes, output):
    assert stored({**DO_GENERATE, **attributes}, scope=AI)["output"] == output


def test_tool_call():
    attributes = {
        "ai.operationId": "ai.toolCall",
        "ai.toolCall.name": "f",
        "ai.toolCall.id": "1",
        "ai.toolCall.args": '{"a": 1}',
        "ai.toolCall.result": '{"t": 18}',
    }
    found = stored(attributes, scope=AI)
    assert (found["tool_name"], found["tool_call_id"], found["input"], found["output"]) == (
        "f",
        "1",
        {"a": 1},
        {"t": 18},
    )


def test_tools_are_a_list_of_json_texts():
    tool = {"type": "function", "name": "f", "description": "d", "inputSchema": {"type": "object"}}
    found = stored({**DO_GENERATE, "ai.prompt.tools": [json.dumps(tool)]}, scope=AI)
    assert found["tool_definitions"] == [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
    ]


def test_parameters_are_those_of_the_request_and_the_settings():
    attributes = {
        **DO_GENERATE,
        "gen_ai.request.model": "m",
        "gen_ai.request.temperature": 0.5,
        "ai.settings.temperature": 0.4,
        "ai.settings.maxRetries": 2,
        "ai.settings.context.userId": "u",
    }
    assert stored(attributes, scope=AI)["model_parameters"] == {"temperature": 0.5, "maxRetries": 2}


def test_metadata_leaves_out_what_has_columns():
    attributes = {
        **DO_GENERATE,
        "ai.telemetry.metadata.plan": "pro",
        "ai.telemetry.metadata.n": 3,
        "ai.telemetry.metadata.userId": "u",
        "ai.telemetry.metadata.langfusePrompt": "{}",
    }
    assert stored(attributes, scope=AI)["metadata"] == {"plan": "pro", "n": 3}
