"""A processor as a function of one span.

Proves that changes to one span's view arrive in the columns and nothing else changes. Does not prove speed: a
function per span is for small amounts.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from collector.model import attributes
from collector.model.batch import SpanBatch
from collector.testing.builders import spans
from collector.testing.laws import check_processor, same_rows
from collector.testing.strategies import span_batches
from spanloom import Span, rowwise

BATCH = spans(
    [
        {
            "span_name": "chat",
            "attributes": {"model": "m", "list": [1, {"a": float("nan")}]},
            "resource": {"service.name": "shop", "n": 3},
            "scope": ("openai", "1"),
            "type": "generation",
        },
        {"span_name": "tool", "parent_span_id": 1, "status_code": 2, "status_message": "no"},
    ]
)


def test_a_span_says_what_it_is() -> None:
    seen: list[Span] = []
    rowwise(lambda span: seen.append(span) or span).process(BATCH)  # type: ignore[func-returns-value]
    chat, tool = seen
    assert (chat.name, chat.attributes["model"], chat.facts["type"]) == ("chat", "m", "generation")
    assert (chat.resource, chat.scope_name) == ({"service.name": "shop", "n": 3}, "openai")
    assert (tool.parent_span_id, tool.status_code, tool.status_message) == ("0000000000000001", 2, "no")
    assert (chat.parent_span_id, len(chat.trace_id), len(chat.span_id)) == (None, 32, 16)


def test_what_is_changed_is_changed_and_the_rest_stays_as_it_was() -> None:
    def process(span: Span) -> Span:
        if span.name == "tool":
            span.name, span.attributes, span.status_code = "TOOL", {"x": [1, "a", None]}, 1
        return span

    out = rowwise(process).process(BATCH)
    assert out.column("span_name").to_pylist() == ["chat", "TOOL"]
    assert attributes.to_dicts(out.column("attributes"))[1] == {"x": [1, "a", None]}
    assert out.column("status_code").to_pylist() == [0, 1]
    assert same_rows(SpanBatch(out.record_batch.slice(0, 1)), SpanBatch(BATCH.record_batch.slice(0, 1)))


def test_a_change_inside_a_nested_value_is_a_change() -> None:
    def process(span: Span) -> Span:
        if "list" in span.attributes:
            span.attributes["list"][1]["a"] = "b"
        return span

    out = rowwise(process).process(BATCH)
    assert attributes.to_dicts(out.column("attributes"))[0]["list"] == [1, {"a": "b"}]


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_none_drops_the_span(keep: int) -> None:
    names = ["chat", "tool"][:keep]
    out = rowwise(lambda span: span if span.name in names else None).process(BATCH)
    assert out.column("span_name").to_pylist() == names


def test_leaving_all_alone_gives_the_batch_itself() -> None:
    assert rowwise(lambda span: span).process(BATCH) is BATCH


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(batch=span_batches())
def test_it_keeps_the_laws_of_processors(batch: Any) -> None:
    def process(span: Span) -> Span | None:
        span.attributes["seen"] = len(span.attributes)
        return None if span.kind == 2 else span

    check_processor(rowwise(process), [batch])
