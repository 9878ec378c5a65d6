# ruff: noqa: E501 - a table reads best with one case per line
"""MLflow's tracing: what MAPPING says of each key, one row at a time.

Proves values by hand-written spans, in MLflow's own mode and by conventions. Does not prove assessments:
``model/scores`` does.
"""

import json

import pytest

from tests.model.dialects.rows import call, fact, message, stored, text

MLFLOW = {"scope": ("mlflow.tracing.provider", "")}
CHAT = {"mlflow.spanType": '"CHAT_MODEL"'}


@pytest.mark.parametrize(
    ("kind", "type_", "subtype"),
    [("LLM", "generation", None), ("CHAT_MODEL", "generation", None), ("CHAIN", "chain", None), ("WORKFLOW", "chain", "workflow"), ("TASK", "chain", "task"), ("PARSER", "chain", "parser"), ("AGENT", "agent", None), ("TOOL", "tool", None), ("RETRIEVER", "retriever", None), ("RERANKER", "retriever", "reranker"), ("EMBEDDING", "embedding", None), ("MEMORY", "span", "memory"), ("GUARDRAIL", "guardrail", None), ("EVALUATOR", "evaluator", None), ("UNKNOWN", "span", None)],
)  # fmt: skip
def test_type(kind, type_, subtype):
    for written in (f'"{kind}"', kind, f'"\\"{kind}\\""'):
        found = fact({"mlflow.spanType": written}, **MLFLOW)
        assert (found["type"], found["subtype"], found["dialect"]) == (type_, subtype, "mlflow")


@pytest.mark.parametrize(
    ("attributes", "field", "value"),
    [
        ({"mlflow.trace.user": '"u"'}, "user_id", "u"),
        ({"mlflow.trace.session": '"s"'}, "session_id", "s"),
        ({"mlflow.traceName": '"t"', "traceloop.workflow.name": "w"}, "trace_name", "t"),
        ({"mlflow.experimentId": '"7"'}, "session_id", None),
        ({"mlflow.llm.model": '"m"', "model": '"other"'}, "model", "m"),
        ({"model": '"other"'}, "model", "other"),
        ({"mlflow.llm.provider": '"anthropic"'}, "provider", "anthropic"),
        ({"mlflow.linkedPrompts": '[{"name": "p", "version": "3"}]'}, "prompt_name", "p"),
        ({"mlflow.linkedPrompts": '"[{\\"name\\": \\"p\\", \\"version\\": \\"3\\"}]"'}, "prompt_name", "p"),
        ({"mlflow.spanLogLevel": "30"}, "level", "WARNING"),
    ],
)  # fmt: skip
def test_fields(attributes, field, value):
    assert fact({**CHAT, **attributes}, **MLFLOW)[field] == value


@pytest.mark.parametrize(
    ("usage", "buckets"),
    [
        ({"input_tokens": 1130, "output_tokens": 20, "total_tokens": 1150, "cache_read_input_tokens": 1024}, {"input": 106, "input_cache_read": 1024, "output": 20}),
        ({"input_tokens": 31, "output_tokens": 42, "total_tokens": 73, "cache_read_input_tokens": 2048, "cache_creation_input_tokens": 300}, {"input": 31, "input_cache_read": 2048, "input_cache_write": 300, "output": 42}),
        ({"input_tokens": 1, "output_tokens": 2}, {"input": 1, "output": 2}),
    ],
)  # fmt: skip
def test_usage(usage, buckets):
    for written in (json.dumps(usage), json.dumps(json.dumps(usage))):
        assert fact({**CHAT, "mlflow.chat.tokenUsage": written}, **MLFLOW)["usage"] == buckets


def test_cost():
    found = fact(
        {
            **CHAT,
            "mlflow.chat.tokenUsage": '{"input_tokens": 1}',
            "mlflow.llm.cost": '{"input_cost": 0.25, "output_cost": 0.5, "total_cost": 0.75}',
        },
        **MLFLOW,
    )
    assert (found["input_cost"], found["output_cost"], found["total_cost"]) == (
        250_000_000_000,
        500_000_000_000,
        750_000_000_000,
    )


@pytest.mark.parametrize(
    ("inputs", "content"),
    [
        ({"model": "m", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.2}, [message("user", text("hi"))]),
        ({"model": "m", "max_tokens": 5, "system": "s", "messages": [{"role": "user", "content": "hi"}]}, [message("system", text("s")), message("user", text("hi"))]),
        ({"model": "gemini", "contents": "hi"}, [message("user", text("hi"))]),
        ([[{"type": "human", "content": "hi", "additional_kwargs": {}}]], [message("user", text("hi"))]),
        ({"id": "x", "role": "assistant", "type": "message", "content": [{"type": "text", "text": "hi"}, {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}], "stop_reason": "end_turn"}, [message("assistant", text("hi"), call("f", {"a": 1}, "1"), finish_reason="stop")]),
        ({"candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "finish_reason": "STOP"}]}, [message("assistant", text("hi"), finish_reason="stop")]),
        ({"city": "Paris"}, {"city": "Paris"}),
    ],
)  # fmt: skip
def test_content(inputs, content):
    found = stored(
        {**CHAT, "mlflow.spanInputs": json.dumps(inputs), "mlflow.spanOutputs": json.dumps(inputs)}, **MLFLOW
    )
    assert (found["input"], found["output"]) == (content, content)


def test_semconv_mode():
    found = fact({"gen_ai.operation.name": "RETRIEVER"}, **MLFLOW)
    assert (found["type"], found["dialect"]) == ("retriever", "mlflow")
    assert fact({"gen_ai.operation.name": "CHAIN"}, **MLFLOW)["type"] == "chain"


def test_tokens_of_embeddings_stand_in_the_answer():
    answer = json.dumps({"object": "list", "usage": {"prompt_tokens": 8, "total_tokens": 8}})
    found = fact({"mlflow.spanType": '"EMBEDDING"', "mlflow.spanOutputs": answer}, **MLFLOW)
    assert (found["input_tokens"], found["usage"]) == (8, {"input": 8})
    counted = {"mlflow.chat.tokenUsage": '{"input_tokens": 9}', "mlflow.spanOutputs": answer}
    assert fact({"mlflow.spanType": '"EMBEDDING"', **counted}, **MLFLOW)["input_tokens"] == 9
    assert fact({**CHAT, "mlflow.spanOutputs": answer}, **MLFLOW)["input_tokens"] is None
