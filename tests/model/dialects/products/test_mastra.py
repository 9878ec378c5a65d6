"""Mastra: what each rule of the mapping makes of its spans.

Proves that inferences count, and what content is shown. Does not prove Mastra's older exporters.
"""

# ruff: noqa: E501 - a table reads best with one case per line

import json

import pytest

from tests.model.dialects.observed import content, observed, one
from tests.model.dialects.products.products_kit import CHAT, HI, MASTRA


def test_mastra_counts_inferences():
    outer = {
        "mastra.span.type": "model_generation",
        "gen_ai.operation.name": "model_generation",
        "gen_ai.usage.input_tokens": 282,
        "gen_ai.usage.output_tokens": 60,
    }
    inner = {
        "mastra.span.type": "model_inference",
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 141,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.provider.name": "openai.chat",
        "gen_ai.response.finish_reasons": '["stop"]',
        "mastra.completion_start_time": "2025-10-09T08:53:21Z",
    }
    step = {"mastra.span.type": "model_step", "gen_ai.operation.name": "agent_step"}
    rows = observed(
        [
            {**MASTRA, "attributes": outer},
            {**MASTRA, "parent_span_id": 1, "attributes": step},
            {**MASTRA, "parent_span_id": 2, "attributes": inner},
            {**MASTRA, "parent_span_id": 2, "attributes": inner},
        ]
    )
    assert [row["usage_scope"] for row in rows] == ["rollup", None, "counted", "counted"]
    assert (rows[2]["provider"], rows[2]["finish_reasons"]) == ("openai", ["stop"])
    assert rows[2]["completion_start_time"].isoformat() == "2025-10-09T08:53:21+00:00"


@pytest.mark.parametrize("kind", ["model_generation", "agent_run", "workflow_step"])
def test_mastra_content(kind):
    row = one(
        {
            "mastra.span.type": kind,
            f"mastra.{kind}.input": json.dumps({"messages": CHAT}),
            f"mastra.{kind}.output": json.dumps({"text": "yo"}),
        },
        **MASTRA,
    )
    assert content(row["input"]) == HI
    assert content(row["output"]) == {"text": "yo"}


def test_mastra_hands_on_a_call_s_result():
    thought = {"type": "reasoning", "runId": "r", "payload": {"id": "1", "text": "hm"}}
    result = {
        "text": "yo", "reasoning": [thought, {**thought, "payload": {"text": "!"}}], "reasoningText": "hm!", "warnings": [],
        "toolCalls": [{"toolCallId": "1", "toolName": "f", "args": {"a": 1}}], "object": {"is": "the text"},
        "files": [{"mimeType": "image/png", "data": "AAAA"}], "sources": [{"url": "https://a", "sourceType": "url"}],
    }  # fmt: skip
    row = one({"mastra.span.type": "model_generation", "mastra.model_generation.output": json.dumps(result)}, **MASTRA)
    parts = [
        {"type": "reasoning", "content": "hm!"},
        {"type": "text", "content": "yo"},
        {"type": "tool_call", "id": "1", "name": "f", "arguments": {"a": 1}},
        {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AAAA"},
        {"type": "source", "url": "https://a", "sourceType": "url"},
    ]
    assert content(row["output"]) == [{"role": "assistant", "parts": parts}]
    for other in ({**result, "unheard": 1}, {"text": "", "toolCalls": []}):
        row = one({"mastra.span.type": "model_step", "mastra.model_step.output": json.dumps(other)}, **MASTRA)
        assert content(row["output"]) == other
