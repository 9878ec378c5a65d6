"""Real applications with real instrumentations, against a mock of the model's API: their calls are rows.

Proves model, usage, price, content and masking of their calls, as the libraries installed here report them. Does not
prove other versions, nor what the real API would answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import genai_prices
import pytest

from tests.e2e.apps.calls import QUESTION
from tests.e2e.mock_openai import ANSWER, openai_api
from tests.e2e.running import FAST, PORTS, Row, Spanloom, stored_rows

APPS = {
    # what it is called here: (module, protocol, scope of its spans of model calls)
    "otel-genai-grpc": ("otel_genai", "grpc", "opentelemetry.instrumentation.genai.openai"),
    "otel-genai-http": ("otel_genai", "http/protobuf", "opentelemetry.instrumentation.genai.openai"),
    "openinference-grpc": ("openinference", "grpc", "openinference.instrumentation.openai"),
    "openinference-http": ("openinference", "http/protobuf", "openinference.instrumentation.openai"),
    "langfuse": ("langfuse_openai", "http/protobuf", "langfuse-sdk"),
}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a service that all applications have sent to."""
    folder = tmp_path_factory.mktemp("sdks")
    with openai_api() as api, Spanloom(folder, sets=(*PORTS, *FAST)) as service:
        applications = [_start(name, service, api) for name in APPS]
        for application in applications:
            said, _ = application.communicate(timeout=100)
            assert application.returncode == 0, said
            assert "Traceback" not in said, said
        assert service.terminate() == 0
    return folder


@pytest.fixture(scope="module")
def rows(data_dir: Path) -> dict[str, list[Row]]:
    """The rows of every application, by the name it said it has."""
    found: dict[str, list[Row]] = {name: [] for name in APPS}
    for row in stored_rows(data_dir):
        found[row["service_name"]].append(row)
    return found


def _start(name: str, service: Spanloom, api: str) -> subprocess.Popen[str]:
    module, protocol, _ = APPS[name]
    environ = os.environ | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{service.grpc}" if protocol == "grpc" else service.http,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_SERVICE_NAME": name,
        # Messages on the span, or in log events that join it here.
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only" if protocol == "grpc" else "event_only",
        "MOCK_OPENAI": api,
        "LANGFUSE_HOST": service.http,
        "LANGFUSE_PUBLIC_KEY": "pk-lf-1",
        "LANGFUSE_SECRET_KEY": "sk-lf-1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", f"tests.e2e.apps.{module}"], env=environ, cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.fixture(params=list(APPS))
def calls(request: pytest.FixtureRequest, rows: dict[str, list[Row]]) -> list[Row]:
    """The model calls of one application, in their order."""
    mine = [row for row in rows[request.param] if row["type"] in {"generation", "embedding"}]
    return sorted(mine, key=lambda row: row["start_unix_nano"])


def test_every_call_is_a_row_with_model_and_scope(calls: list[Row], request: pytest.FixtureRequest) -> None:
    assert [row["type"] for row in calls] == ["generation"] * 4 + ["embedding", "generation"]
    assert {row["scope_name"] for row in calls} == {APPS[request.node.callspec.params["calls"]][2]}
    assert {row["model"] for row in calls[:4]} == {"gpt-4o-mini-2024-07-18"}
    assert calls[4]["model"] == "text-embedding-3-small"
    assert calls[5]["model"] == "gpt-4o-limited"
    assert {row["provider"] for row in calls} <= {"openai", None}


def test_tokens_and_prices_are_those_of_the_api(calls: list[Row]) -> None:
    for row in calls[:4]:
        assert (row["input_tokens"], row["output_tokens"], row["total_tokens"]) == (100, 20, 120)
        assert row["cache_read_tokens"] == 64
        assert row["usage_scope"] == "counted"
        usage = genai_prices.Usage(input_tokens=100, cache_read_tokens=64, output_tokens=20)
        assert row["total_cost"] == _price(usage, "gpt-4o-mini", row)
    assert calls[4]["input_tokens"] == 8
    assert calls[4]["total_cost"] == _price(genai_prices.Usage(input_tokens=8), "text-embedding-3-small", calls[4])
    assert calls[5]["total_cost"] is calls[5]["input_tokens"] is None


def _price(usage: genai_prices.Usage, model: str, row: Row) -> Decimal:
    price = genai_prices.calc_price(usage, model, provider_id="openai", genai_request_timestamp=row["start_time"])
    return price.total_price


def test_messages_are_masked_and_of_one_form(calls: list[Row]) -> None:
    (asked,) = json.loads(calls[0]["input"])
    assert asked["role"] == "user"
    (part,) = asked["parts"]
    assert part["type"] == "text"
    before, _, after = QUESTION.partition("jane.roe@example.com")
    assert part["content"].startswith(before)
    assert part["content"].endswith(after)
    assert "jane.roe" not in str(calls)
    for row in (calls[0], calls[2]):
        (answer,) = json.loads(row["output"])
        assert answer["role"] == "assistant"
        assert answer["parts"] == [{"type": "text", "content": ANSWER}]
    # Of a stream Langfuse sends the text and no message.
    assert calls[3]["output"] in (ANSWER, calls[2]["output"])


def test_tool_calls_are_parts_of_messages(calls: list[Row]) -> None:
    (answer,) = json.loads(calls[1]["output"])
    (called,) = answer["parts"]
    assert called == {"type": "tool_call", "id": "call_1", "name": "get_weather", "arguments": {"city": "Paris"}}
    *_, result = json.loads(calls[2]["input"])
    assert result["parts"] == [{"type": "tool_call_response", "id": "call_1", "response": "18 degrees"}]
    assert calls[1]["finish_reasons"] in (["tool_calls"], ["tool_call"], None)


def test_a_refused_call_is_an_error_and_nothing_else_is(calls: list[Row]) -> None:
    assert [row["level"] for row in calls] == ["DEFAULT"] * 5 + ["ERROR"]
    assert calls[5]["error_type"] or calls[5]["status_message"]


@pytest.mark.parametrize("name", list(APPS))
def test_user_and_session_are_those_of_the_whole_trace(rows: dict[str, list[Row]], name: str) -> None:
    assert len({row["trace_id"] for row in rows[name]}) == 1
    assert {(row["user_id"], row["session_id"]) for row in rows[name]} == {("user-7", "session-42")}
    assert sum(row["parent_span_id"] is None for row in rows[name]) == 1


@pytest.mark.parametrize("name", ["otel-genai-grpc", "otel-genai-http"])
def test_metrics_of_the_instrumentation_say_the_same_as_its_spans(
    rows: dict[str, list[Row]], data_dir: Path, name: str
) -> None:
    points = [
        point
        for point in stored_rows(data_dir, "metrics")
        if point["service_name"] == name and point["name"] == "gen_ai.client.token.usage"
    ]
    assert {point["kind"] for point in points} == {"histogram"}
    tokens = sum(row["input_tokens"] + (row["output_tokens"] or 0) for row in rows[name] if row["input_tokens"])
    assert sum(point["sum"] for point in points) == tokens


def test_messages_sent_as_log_events_are_on_the_row_and_not_in_its_attributes(
    rows: dict[str, list[Row]], data_dir: Path
) -> None:
    joined = [row for row in rows["otel-genai-http"] if row["type"] == "generation"]
    assert len(joined) == 5
    assert not any("gen_ai.input.messages" in row["attributes"] for row in joined)
    events = {row["span_id"] for row in stored_rows(data_dir, "logs")}
    assert {row["span_id"] for row in joined if row["input"] is not None} <= events
    assert len(events) >= 4
