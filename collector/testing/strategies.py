"""Hypothesis strategies for batches: nulls, empty and odd text, any attribute type, extreme numbers.

The only module here that needs ``hypothesis``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from collector.model import schema
from collector.model.batch import LogBatch, MetricBatch, Signal, SpanBatch
from collector.testing import builders

_INT64 = st.integers(-(2**63), 2**63 - 1)

texts = st.one_of(
    st.sampled_from(["", "a", "gpt-4o", "null", "NaN", "jo@example.com", "\x00", "é", "e\u0301", "👩‍👩‍👧", "\u2028"]),
    st.text(st.characters(codec="utf-8"), max_size=12),
)
"""Unicode that UTF-8 can say, with values that have tripped people up."""

_scalars = st.one_of(st.none(), texts, st.booleans(), _INT64, st.floats(), st.binary(max_size=5))

attribute_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
"""Any value an OTLP attribute may have."""

_keys = st.one_of(
    st.sampled_from(["gen_ai.request.model", "gen_ai.usage.input_tokens", "input.value", "user.id", "authorization"]),
    texts,
)

attributes = st.dictionaries(_keys, attribute_values, max_size=4)
"""Attributes of a span, event, resource, ..."""

_headers = st.tuples(texts, texts)

_OVERRIDES: Mapping[str, st.SearchStrategy[Any]] = {
    "trace_id": st.integers(1, 5),
    "span_id": st.integers(1, 2**64 - 1),
    "parent_span_id": st.none() | st.integers(1, 2**64 - 1),
    "resource": attributes,
    "scope": _headers,
    "role": st.integers(0, 3),
    "type": st.sampled_from(["span", "event", "generation", "agent", "tool", "embedding"]),
    "level": st.sampled_from(["DEBUG", "DEFAULT", "WARNING", "ERROR"]),
    "provider": st.sampled_from([None, "openai", "anthropic", "aws.bedrock", "ollama", "acme"]),
    "model": st.sampled_from([None, "gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-pro", "sonar-pro", "nobody"]),
    "service_tier": st.sampled_from([None, "default", "batch", "flex"]),
    "usage": st.none()
    | st.dictionaries(
        st.sampled_from(["input", "output", "input_cache_read", "output_reasoning", "odd"]), st.integers(0, 10**6)
    ).map(lambda buckets: list(buckets.items())),
    "cost_source": st.sampled_from([None, "provided", "unpriced"]),
    "price_ref": st.none(),
    "body_type": st.none(),
    "body_num": st.none(),
    "body_text": st.none(),
    "kind": st.integers(0, 5),
    "status_code": st.integers(0, 2),
}


def span_batches(*, facts: bool = True, max_size: int = 8) -> st.SearchStrategy[SpanBatch]:
    """Batches of spans, with the columns of ``schema.FACTS`` or without."""
    fields = schema.SPANS if facts else schema.WIRE
    return _row_lists(fields, {}, max_size).map(lambda rows: builders.spans(rows, facts=facts))


def log_batches(*, max_size: int = 8) -> st.SearchStrategy[LogBatch]:
    """Batches of log records with bodies of every type."""
    return st.lists(_log_rows, max_size=max_size).map(builders.logs)


def metric_batches(*, max_size: int = 8) -> st.SearchStrategy[MetricBatch]:
    """Batches of metric points of every kind."""
    kinds = ["none", "gauge", "sum", "histogram", "exponential_histogram", "summary"]
    return _row_lists(schema.METRICS, {"kind": st.sampled_from(kinds)}, max_size).map(builders.metrics)


def batches(signal: Signal, *, facts: bool = True) -> st.SearchStrategy[Any]:
    """Batches of one signal; ``facts`` is about spans."""
    match signal:
        case Signal.TRACES:
            return span_batches(facts=facts)
        case Signal.LOGS:
            return log_batches()
        case Signal.METRICS:
            return metric_batches()


def _row_lists(
    fields: pa.Schema, overrides: Mapping[str, st.SearchStrategy[Any]], max_size: int
) -> st.SearchStrategy[list[dict[str, Any]]]:
    columns = {field.name: overrides[field.name] if field.name in overrides else _column(field) for field in fields}
    return st.lists(st.fixed_dictionaries(columns), max_size=max_size)


def _column(field: pa.Field) -> st.SearchStrategy[Any]:
    known = _OVERRIDES.get(field.name)
    if known is not None:
        return known
    values = _values(field.type)
    return st.none() | values if field.nullable else values


def _values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if kind == schema.ATTRIBUTES:
        return attributes
    if pa.types.is_dictionary(kind):
        return _values(kind.value_type)
    if pa.types.is_list(kind):
        return st.lists(_values(kind.value_type), max_size=2)
    if pa.types.is_map(kind):
        return st.dictionaries(texts, _values(kind.item_type), max_size=2).map(lambda d: list(d.items()))
    if pa.types.is_struct(kind):
        return st.fixed_dictionaries({field.name: _column(field) for field in kind})
    if pa.types.is_boolean(kind):
        return st.booleans()
    if pa.types.is_integer(kind):
        top = 2 ** (kind.bit_width - pa.types.is_signed_integer(kind)) - 1
        low = -top - 1 if pa.types.is_signed_integer(kind) else 0
        return st.integers(0, 3) | st.integers(low, top)
    if pa.types.is_floating(kind):
        return st.floats()
    return texts


_log_rows = st.fixed_dictionaries(
    {
        **{f.name: _column(f) for f in schema.LOGS if not f.name.startswith("body_")},
        "body": attribute_values,
        "trace_id": st.sampled_from([b"", b"\1" * 16, b"short"]),
        "span_id": st.sampled_from([b"", b"\1" * 8]),
    }
)
