"""A dialect nobody has seen, as one file: renamed keys and known shapes give right rows without any code.

Proves that facts, content, detection and order are said in that file alone. Does not prove shapes nobody has used.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import collector

ACME = """\
title: Acme
about: Nobody's SDK.
dialect: acme
before: openinference # whose keys its spans carry, too
detect:
  - {scope: acme.sdk}
rows:
  - {field: type, from: {key: acme.kind}, values: {model-call: generation, agent-run: agent}}
  - {field: role, from: {key: acme.kind}, values: {agent-run: wrapper, model-call: call}}
  - {field: request_model, from: {key: acme.model.asked}}
  - {field: response_model, from: {json: acme.answer, path: meta.model}}
  - {field: provider, from: {key: acme.vendor}, convert: provider}
  - {field: user_id, from: {key: acme.person}}
  - {field: tags, from: {key: acme.labels}, convert: list}
  - {field: input_total, from: {key: acme.tokens.in}, convert: count, when: {version: ">=2"}}
  - {field: output_total, from: {key: acme.tokens.out}, convert: count}
  - {field: cache_read, from: {key: acme.tokens.cached}, convert: count}
  - {field: cost_total, from: {key: acme.price}, convert: money}
content:
  - {content: input, from: {key: acme.asked}, shape: messages}
  - {content: output, from: {indexed: acme.said}, shape: openinference_messages}
  - {content: metadata, from: {prefix: acme.note.}, shape: metadata_values}
  # Older versions wrote the tool's arguments where Langfuse's users put anything: asked before Langfuse is.
  - {content: tool_definitions, before: langfuse, from: {key: acme.tools}, shape: tool_definitions}
inclusion:
  - {rule: acme, includes_cache: false, certain: true, when: {scope: acme.sdk}}
usage_keys: [acme.tokens.*]
cost_keys: [acme.price]
"""
CALL = {
    "acme.kind": "model-call",
    "acme.model.asked": "gpt-4o",
    "acme.answer": json.dumps({"meta": {"model": "gpt-4o-2024-08-06"}}),
    "acme.vendor": "azure",
    "acme.person": "u-1",
    "acme.labels": "a,b",
    "acme.tokens.in": 1000,
    "acme.tokens.out": 20,
    "acme.tokens.cached": 900,
    "acme.price": 0.25,
    "acme.asked": json.dumps([{"role": "human", "content": "hello"}]),
    "acme.said.0.message.role": "assistant",
    "acme.said.0.message.content": "hi",
    "acme.note.plan": "gold",
    "acme.tools": json.dumps([{"name": "weather"}]),
    # What OpenInference's rows read: they are asked after Acme's.
    "openinference.span.kind": "TOOL",
    "llm.model_name": "somebody else's",
    "llm.token_count.prompt": 7,
    "input.value": "asked of OpenInference",
    "output.value": "said by OpenInference",
    "llm.input_messages.0.message.role": "user",
    "llm.input_messages.0.message.content": "asked of OpenInference",
}
AGENT = {"acme.kind": "agent-run", "acme.tokens.in": 1000, "acme.tokens.out": 20}


@pytest.fixture
def acme(tmp_path):
    """A folder with a copy of ``collector`` that has one table more."""
    source = Path(collector.__file__).parent
    shutil.copytree(source, tmp_path / "collector", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "collector/model/dialects/acme.yaml").write_text(ACME, encoding="utf-8")
    return tmp_path


def _span(number, parent, attributes):
    def value(v):
        kind = {int: "intValue", float: "doubleValue", str: "stringValue"}[type(v)]
        return {kind: str(v) if kind == "intValue" else v}

    return {
        "traceId": "0" * 31 + "1",
        "spanId": f"{number:016x}",
        "parentSpanId": f"{parent:016x}" if parent else "",
        "name": "run",
        "startTimeUnixNano": "1790000000000000000",
        "endTimeUnixNano": "1790000001000000000",
        "attributes": [{"key": k, "value": value(v)} for k, v in attributes.items()],
    }


def test_renamed_keys_and_known_shapes_need_no_code(acme):
    spans = [_span(1, 0, AGENT), _span(2, 1, CALL)]
    scope = {"name": "acme.sdk", "version": "2.1.0"}
    request = {"resourceSpans": [{"scopeSpans": [{"scope": scope, "spans": spans}]}]}
    (acme / "in.json").write_text(json.dumps(request))
    command = [sys.executable, "-m", "collector", "dry-run", "in.json"]
    done = subprocess.run(command, cwd=acme, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    agent, call = sorted(map(json.loads, done.stdout.splitlines()), key=lambda row: row["span_id"])
    expected = {
        "dialect": "acme",
        "type": "generation",
        "request_model": "gpt-4o",
        "model": "gpt-4o-2024-08-06",
        "provider": "azure.ai.openai",
        "user_id": "u-1",
        "tags": ["a", "b"],
        "usage": {"input": 1000, "input_cache_read": 900, "output": 20},
        "usage_rule": "leaf, exclusive:acme",
        "input_tokens": 1900,
        "total_cost": "0.250000000000",
        "cost_source": "provided",
        "input": '[{"role":"user","parts":[{"type":"text","content":"hello"}]}]',
        "output": '[{"role":"assistant","parts":[{"type":"text","content":"hi"}]}]',
        "metadata": '{"plan":"gold"}',
        "tool_definitions": '[{"type":"function","name":"weather"}]',
    }
    assert {name: call[name] for name in expected} == expected
    assert (agent["type"], agent["usage_scope"], agent["user_id"]) == ("agent", "rollup", "u-1")
