"""Genkit: what each rule of the mapping makes of its spans.

Proves counting, content and errors by hand-written spans. Does not prove plug-ins of Genkit that write other forms.
"""

import json

from tests.model.dialects.observed import content, observed, one
from tests.model.dialects.products.products_kit import GENKIT, HI, YO


def test_genkit_counts_the_model_action_and_not_the_util_around_it():
    usage = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "inputCharacters": 44}
    output = json.dumps(
        {"message": {"role": "model", "content": [{"text": "yo"}]}, "finishReason": "stop", "usage": usage}
    )
    request = json.dumps({"messages": [{"role": "user", "content": [{"text": "hi"}]}], "config": {"temperature": 0.5}})
    util = {"genkit:type": "util", "genkit:name": "generate", "genkit:input": request, "genkit:output": output}
    model = {
        "genkit:type": "action",
        "genkit:metadata:subtype": "model",
        "genkit:name": "googleai/gemini-2.5-flash",
        "genkit:input": request,
        "genkit:output": output,
    }
    rows = observed([{**GENKIT, "attributes": util}, {**GENKIT, "parent_span_id": 1, "attributes": model}])
    assert [(row["type"], row["usage_scope"]) for row in rows] == [("span", None), ("generation", "counted")]
    assert rows[1]["usage"] == {"input": 10, "output": 5}
    assert content(rows[1]["input"]) == HI
    assert content(rows[1]["output"]) == [{**YO[0], "finish_reason": "stop"}]
    assert content(rows[1]["model_parameters"]) == {"temperature": 0.5}


def test_genkit_gemini_thoughts_are_beside_the_output():
    output = {
        "usage": {
            "inputTokens": 10,
            "outputTokens": 30,
            "thoughtsTokens": 20,
            "totalTokens": 60,
            "cachedContentTokens": 4,
        }
    }
    row = one({"genkit:metadata:subtype": "model", "genkit:name": "googleai/g", "genkit:output": json.dumps(output)})
    assert row["usage"] == {"input": 6, "input_cache_read": 4, "output": 30, "output_reasoning": 20}


def test_genkit_parts():
    parts = [
        {"text": "see"},
        {"media": {"url": "data:image/png;base64,AAAA", "contentType": "image/png"}},
        {"media": {"url": "gs://b/v.mp4", "contentType": "video/mp4"}},
        {"toolRequest": {"ref": "1", "name": "f", "input": {"a": 1}}},
        {"toolResponse": {"ref": "1", "name": "f", "output": {"r": 2}}},
        {"reasoning": "hm", "metadata": {"thoughtSignature": "s"}},
        {"data": {"x": 1}},
        {"custom": {"executableCode": {"language": "PYTHON", "code": "1+1"}}},
    ]
    row = one(
        {
            "genkit:metadata:subtype": "model",
            "genkit:input": json.dumps({"messages": [{"role": "model", "content": parts}]}),
        }
    )
    assert content(row["input"]) == [
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "see"},
                {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AAAA"},
                {"type": "uri", "mime_type": "video/mp4", "modality": "video", "uri": "gs://b/v.mp4"},
                {"type": "tool_call", "id": "1", "name": "f", "arguments": {"a": 1}},
                {"type": "tool_call_response", "id": "1", "response": {"r": 2}, "name": "f"},
                {"type": "reasoning", "content": "hm"},
                {"type": "generic", "data": {"x": 1}},
                {"type": "generic", "custom": {"executableCode": {"language": "PYTHON", "code": "1+1"}}},
            ],
        }
    ]


def test_genkit_answers_of_plugins_that_wrap_them_in_candidates():
    raw = {"input_tokens": 33, "cache_read_input_tokens": 2048, "cache_creation_input_tokens": 1024}
    message = {"role": "model", "content": [{"text": "yo"}]}
    output = {
        "candidates": [{"index": 0, "finishReason": "stop", "message": message}],
        "usage": {"inputTokens": 33, "outputTokens": 27},
        "raw": {"usage": raw},
    }
    row = one({"genkit:metadata:subtype": "model", "genkit:name": "anthropic/c", "genkit:output": json.dumps(output)})
    assert row["usage"] == {"input": 33, "input_cache_read": 2048, "input_cache_write": 1024, "output": 27}
    assert row["finish_reasons"] == ["stop"]
    assert content(row["output"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "yo"}], "finish_reason": "stop"}
    ]


def test_genkit_cached_and_reasoning_tokens_of_openai():
    details = {"prompt_tokens_details": {"cached_tokens": 64}, "completion_tokens_details": {"reasoning_tokens": 16}}
    output = {
        "usage": {"inputTokens": 127, "outputTokens": 50, "totalTokens": 177},
        "raw": {"usage": {"prompt_tokens": 127, "completion_tokens": 50, "total_tokens": 177, **details}},
    }
    row = one({"genkit:metadata:subtype": "model", "genkit:name": "openai/g", "genkit:output": json.dumps(output)})
    assert row["usage"] == {"input": 63, "input_cache_read": 64, "output": 34, "output_reasoning": 16}


def test_genkit_vectors_are_no_content():
    output = json.dumps({"embeddings": [{"embedding": [0.1, 0.2]}]})
    row = one({"genkit:metadata:subtype": "embedder", "genkit:output": output})
    assert "0.1" not in (row["output"] or "")


def test_genkit_errors():
    row = one({"genkit:state": "error", "genkit:name": "f"}, **GENKIT)
    assert row["level"] == "ERROR"
