"""The views ``traces`` and ``sessions``: what a store adds up from ``observations``."""

from __future__ import annotations

import pyarrow as pa

from collector.model.stored_tables.stored_table import (
    DOUBLE,
    INT64,
    SPANLOOM,
    TEXT,
    TEXTS,
    TIMESTAMP,
    Column,
    StoredTable,
)

SUMMED_MONEY = pa.decimal128(38, 12)
"""Sums of money need more digits than one amount."""

_NOT_STATED = "when no span says it"
_NO_TIMES = "when no span has a time"
_NO_USAGE = "when no counted row knows it, or the sum is beyond int64"
_NO_COST = "when no counted row has a price"
_ROOT = "when the root has none"


def _counts(name: str, meaning: str, unit: str = "spans") -> Column:
    return Column(name, INT64, meaning, SPANLOOM, unit=unit)


def _list(name: str, meaning: str) -> Column:
    """Empty when there are none, not null."""
    return Column(name, TEXTS, meaning, SPANLOOM)


_SUMS = (
    *(
        Column(name, INT64, f"Sum of `{name}`.", SPANLOOM, _NO_USAGE, "tokens")
        for name in (
            *("input_tokens", "output_tokens", "total_tokens"),
            *("cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
        )
    ),
    *(
        Column(name, SUMMED_MONEY, f"Sum of `{name}`.", SPANLOOM, _NO_COST, "USD")
        for name in ("input_cost", "output_cost", "total_cost")
    ),
)

_TIMES = (
    Column("start_time", TIMESTAMP, "Earliest start.", SPANLOOM, _NO_TIMES),
    Column("end_time", TIMESTAMP, "Latest end.", SPANLOOM, _NO_TIMES),
)

TRACES = StoredTable(
    "traces",
    "One row per trace: a view of `observations` in DuckDB, so it is always in step with it. The root is the earliest "
    "span without a parent, else the earliest span.",
    (
        Column("trace_id", TEXT, "Id of the trace.", "OTLP `trace_id`", form="hex"),
        Column("name", TEXT, "Name of the trace, else of its root.", SPANLOOM),
        *_TIMES,
        Column("duration_ns", INT64, "Latest end less earliest start.", SPANLOOM, _NO_TIMES, "ns"),
        Column("user_id", TEXT, "The user.", "`user.id`", _NOT_STATED),
        Column("session_id", TEXT, "The conversation.", "`session.id`", _NOT_STATED),
        _list("tags", "Labels of all spans, sorted."),
        Column("environment", TEXT, "Of the root, else of the first span that has one.", SPANLOOM, _NOT_STATED),
        Column("release", TEXT, "Of the root, else of the first span that has one.", SPANLOOM, _NOT_STATED),
        Column("version", TEXT, "Of the root, else of the first span that has one.", SPANLOOM, _NOT_STATED),
        _list("service_names", "Applications that took part, sorted."),
        Column("level", TEXT, "The worst: `ERROR`, `WARNING`, `DEFAULT`, else `DEBUG`.", SPANLOOM),
        Column("status_message", TEXT, "Of the root.", "OTLP `status.message`", _ROOT),
        _counts("observation_count", "All spans."),
        _counts("generation_count", "Those of type `generation`."),
        _counts("tool_count", "Those of type `tool`."),
        _counts("error_count", "Those of level `ERROR`."),
        _counts("counted_count", "Those whose usage counts."),
        _list("types", "Types of span, sorted."),
        _list("providers", "Providers, sorted."),
        _list("models", "Models, sorted."),
        *_SUMS,
        _counts("unpriced_count", "Counted calls without a price."),
        Column("sampled_by", TEXT, "The sampling policy that kept the trace.", SPANLOOM, "where no policy decided"),
        Column("sampling_trigger", TEXT, "What made the trace due.", SPANLOOM, "where no policy decided"),
        Column("adjusted_count", DOUBLE, "How many traces this one stands for.", SPANLOOM, unit="traces"),
        Column("ingested_at", TIMESTAMP, "When its first span was acknowledged.", SPANLOOM),
        Column("root_span_id", TEXT, "Id of the root.", "OTLP `span_id`", form="hex"),
        Column("metadata", TEXT, "Of the root.", SPANLOOM, _ROOT, form="JSON"),
        Column("input", TEXT, "Of the root.", "`gen_ai.input.messages`", _ROOT),
        Column("output", TEXT, "Of the root.", "`gen_ai.output.messages`", _ROOT),
    ),
)

SESSIONS = StoredTable(
    "sessions",
    "One row per session: a view of `traces` in DuckDB. Traces without a session are in none.",
    (
        Column("session_id", TEXT, "The conversation.", "`session.id`"),
        *_TIMES,
        _counts("trace_count", "Traces of it.", "traces"),
        _counts("observation_count", "Their spans."),
        _counts("generation_count", "Those of type `generation`."),
        _counts("error_count", "Those of level `ERROR`."),
        _list("user_ids", "Users, sorted."),
        _list("tags", "Labels, sorted."),
        _list("environments", "Environments, sorted."),
        _list("models", "Models, sorted."),
        *_SUMS,
    ),
)
