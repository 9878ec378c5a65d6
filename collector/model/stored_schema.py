"""The stored tables, the public contract: every column once, with its type and meaning.

Columns are only ever appended.
"""

from __future__ import annotations

import pyarrow as pa

from collector.model.column_types import POINT, QUANTILE, TEXT

MONEY = pa.decimal128(18, 12)
TIMESTAMP = pa.timestamp("us", tz="UTC")

OBSERVATIONS = pa.schema(
    [
        pa.field("trace_id", TEXT, nullable=False),
        pa.field("span_id", TEXT, nullable=False),
        pa.field("parent_span_id", TEXT),
        pa.field("type", TEXT, nullable=False),
        pa.field("subtype", TEXT),
        pa.field("name", TEXT, nullable=False),
        pa.field("span_name", TEXT, nullable=False),
        pa.field("trace_name", TEXT),
        pa.field("kind", TEXT, nullable=False),
        pa.field("status_code", TEXT, nullable=False),
        pa.field("level", TEXT, nullable=False),
        pa.field("status_message", TEXT),
        pa.field("error_type", TEXT),
        pa.field("start_time", TIMESTAMP),
        pa.field("end_time", TIMESTAMP),
        pa.field("completion_start_time", TIMESTAMP),
        pa.field("start_unix_nano", pa.int64()),
        pa.field("end_unix_nano", pa.int64()),
        pa.field("duration_ns", pa.int64()),
        pa.field("time_to_first_token_ns", pa.int64()),
        pa.field("service_name", TEXT),
        pa.field("environment", TEXT),
        pa.field("release", TEXT),
        pa.field("version", TEXT),
        pa.field("user_id", TEXT),
        pa.field("session_id", TEXT),
        pa.field("tags", pa.list_(TEXT)),
        pa.field("provider", TEXT),
        pa.field("request_model", TEXT),
        pa.field("response_model", TEXT),
        pa.field("model", TEXT),
        pa.field("response_id", TEXT),
        pa.field("finish_reasons", pa.list_(TEXT)),
        pa.field("agent_name", TEXT),
        pa.field("tool_name", TEXT),
        pa.field("tool_call_id", TEXT),
        pa.field("prompt_name", TEXT),
        pa.field("prompt_version", TEXT),
        pa.field("usage_scope", TEXT),
        pa.field("usage_rule", TEXT),
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("total_tokens", pa.int64()),
        pa.field("cache_read_tokens", pa.int64()),
        pa.field("cache_write_tokens", pa.int64()),
        pa.field("reasoning_tokens", pa.int64()),
        pa.field("usage", pa.map_(TEXT, pa.int64())),
        pa.field("input_cost", MONEY),
        pa.field("output_cost", MONEY),
        pa.field("total_cost", MONEY),
        pa.field("cost", pa.map_(TEXT, MONEY)),
        pa.field("cost_source", TEXT),
        pa.field("price_ref", TEXT),
        pa.field("provided_usage", TEXT),
        pa.field("provided_cost", TEXT),
        pa.field("dialect", TEXT, nullable=False),
        pa.field("scope_name", TEXT, nullable=False),
        pa.field("scope_version", TEXT, nullable=False),
        pa.field("sampled_by", TEXT),
        pa.field("adjusted_count", pa.float64()),
        pa.field("ingested_at", TIMESTAMP, nullable=False),
        # content stands last: queries that list rows need not read it
        pa.field("model_parameters", TEXT),
        pa.field("metadata", TEXT),
        pa.field("input", TEXT),
        pa.field("output", TEXT),
        pa.field("tool_definitions", TEXT),
        pa.field("attributes", TEXT, nullable=False),
        pa.field("resource", TEXT, nullable=False),
        pa.field("events", TEXT, nullable=False),
        pa.field("links", TEXT, nullable=False),
        pa.field("otlp", TEXT),
        pa.field("sampling_trigger", TEXT),
    ]
)

_STORED_ORIGIN = [
    pa.field("service_name", TEXT),
    pa.field("environment", TEXT),
    pa.field("scope_name", TEXT, nullable=False),
    pa.field("scope_version", TEXT, nullable=False),
]

STORED_LOGS = pa.schema(
    [
        pa.field("time", TIMESTAMP),
        pa.field("time_unix_nano", pa.int64()),
        pa.field("observed_time_unix_nano", pa.int64()),
        pa.field("trace_id", TEXT),  # lower-case hex
        pa.field("span_id", TEXT),
        pa.field("event_name", TEXT),
        pa.field("severity_number", pa.int32(), nullable=False),
        pa.field("severity_text", TEXT),
        *_STORED_ORIGIN,
        pa.field("ingested_at", TIMESTAMP, nullable=False),
        pa.field("body", TEXT),  # plain text for a string body, JSON otherwise
        pa.field("attributes", TEXT, nullable=False),
        pa.field("resource", TEXT, nullable=False),
        pa.field("otlp", TEXT),
    ]
)

STORED_EXEMPLAR = pa.struct(
    [
        pa.field("time_unix_nano", pa.int64()),
        pa.field("value_int", pa.int64()),
        pa.field("value_double", pa.float64()),
        pa.field("trace_id", TEXT),
        pa.field("span_id", TEXT),
        pa.field("attributes", TEXT),
    ]
)

STORED_METRICS = pa.schema(
    [
        pa.field("name", TEXT, nullable=False),
        pa.field("description", TEXT),
        pa.field("unit", TEXT),
        pa.field("kind", TEXT, nullable=False),
        pa.field("temporality", TEXT),  # UNSPECIFIED DELTA CUMULATIVE; null where it has no meaning
        pa.field("is_monotonic", pa.bool_()),
        pa.field("time", TIMESTAMP),
        pa.field("start_time_unix_nano", pa.int64()),
        pa.field("time_unix_nano", pa.int64()),
        *POINT,
        pa.field("quantiles", pa.list_(QUANTILE)),
        pa.field("exemplars", pa.list_(STORED_EXEMPLAR)),
        *_STORED_ORIGIN,
        pa.field("ingested_at", TIMESTAMP, nullable=False),
        pa.field("attributes", TEXT, nullable=False),
        pa.field("resource", TEXT, nullable=False),
        pa.field("otlp", TEXT),  # flags, metadata, schema URLs, scope attributes: what is left
    ]
)

SCORES = pa.schema(
    [
        pa.field("id", TEXT, nullable=False),
        pa.field("trace_id", TEXT),
        pa.field("span_id", TEXT),
        pa.field("session_id", TEXT),
        pa.field("name", TEXT, nullable=False),
        pa.field("value", pa.float64()),
        pa.field("string_value", TEXT),
        pa.field("data_type", TEXT, nullable=False),
        pa.field("source", TEXT, nullable=False),
        pa.field("comment", TEXT),
        pa.field("metadata", TEXT),
        pa.field("timestamp", TIMESTAMP, nullable=False),
        pa.field("environment", TEXT),
        pa.field("config_id", TEXT),
        pa.field("created_at", TIMESTAMP),  # when the first score of this id was acknowledged
        pa.field("updated_at", TIMESTAMP),  # when this one was
        pa.field("queue_id", TEXT),
        pa.field("dataset_run_id", TEXT),
    ]
)
"""One row per id; of a trace no span_id, of a session neither. ``value`` of a BOOLEAN is 0 or 1."""
