"""The Arrow schemas: every column once, with its type and meaning.

Two families. *In flight* (``SPANS``, ``LOGS``, ``METRICS``) is OTLP in columns plus facts: what
processors see and what the journal holds. *Stored* (``OBSERVATIONS``, ``STORED_LOGS``,
``STORED_METRICS``, ``SCORES``) is the public contract of the tables. In-flight batches are
versioned by ``VERSION``; stored columns are only ever appended.
"""

from __future__ import annotations

import pyarrow as pa

from collector.model import trace_schema

VERSION = 1
"""Version of the in-flight schemas, written into every journal segment."""

MAX_BATCH_ROWS = 8_192
MAX_BATCH_BYTES = 32 * 1024 * 1024

TEXT = pa.string()
NAME = pa.dictionary(pa.int32(), pa.string())
"""Text with few distinct values: one kernel call per distinct value instead of per row."""
INTERNED = pa.dictionary(pa.int32(), pa.binary())

TRACE_ID = pa.binary(16)
SPAN_ID = pa.binary(8)

# Codes of ``ATTRIBUTE.type``: which member of OTLP's AnyValue oneof is set.
EMPTY, STRING, BOOL, INT, DOUBLE, ARRAY, KVLIST, BYTES = range(8)

ATTRIBUTE = pa.struct(
    [
        pa.field("key", NAME, nullable=False),
        pa.field("type", pa.uint8(), nullable=False),
        pa.field("num", pa.int64(), nullable=False),
        pa.field("text", TEXT, nullable=False),
    ]
)
"""One KeyValue. ``type`` is a code above; ``num`` holds BOOL (0/1), INT and DOUBLE (bit-cast);
``text`` holds STRING, ARRAY and KVLIST (OTLP/JSON of the ArrayValue or KeyValueList) and BYTES
(base64). The member not used is 0 or ""."""

ATTRIBUTES = pa.list_(pa.field("item", ATTRIBUTE, nullable=False))

EVENT = pa.struct(
    [
        pa.field("time_unix_nano", pa.int64(), nullable=False),
        pa.field("name", TEXT, nullable=False),
        pa.field("attributes", ATTRIBUTES, nullable=False),
        pa.field("dropped_attributes_count", pa.uint32(), nullable=False),
    ]
)
EVENTS = pa.list_(pa.field("item", EVENT, nullable=False))

LINK = pa.struct(
    [
        pa.field("trace_id", pa.binary(), nullable=False),
        pa.field("span_id", pa.binary(), nullable=False),
        pa.field("trace_state", TEXT, nullable=False),
        pa.field("attributes", ATTRIBUTES, nullable=False),
        pa.field("dropped_attributes_count", pa.uint32(), nullable=False),
        pa.field("flags", pa.uint32(), nullable=False),
    ]
)
LINKS = pa.list_(pa.field("item", LINK, nullable=False))

_ORIGIN = [
    # Serialised ResourceSpans/ResourceLogs/ResourceMetrics without its children: the Resource
    # (field 1) and its schema_url (field 3). One entry per distinct value.
    pa.field("resource", INTERNED, nullable=False),
    # Serialised ScopeSpans/ScopeLogs/ScopeMetrics without its children: the scope and schema_url.
    pa.field("scope", INTERNED, nullable=False),
]

WIRE = pa.schema(
    [
        pa.field("trace_id", TRACE_ID, nullable=False),
        pa.field("span_id", SPAN_ID, nullable=False),
        pa.field("parent_span_id", SPAN_ID),  # null: none on the wire
        pa.field("trace_state", TEXT, nullable=False),
        pa.field("flags", pa.uint32(), nullable=False),
        pa.field("span_name", TEXT, nullable=False),
        pa.field("kind", pa.int32(), nullable=False),
        pa.field("start_unix_nano", pa.int64(), nullable=False),  # uint64 on the wire, bit-cast
        pa.field("end_unix_nano", pa.int64(), nullable=False),
        pa.field("status_code", pa.int32(), nullable=False),
        pa.field("status_message", TEXT, nullable=False),
        pa.field("attributes", ATTRIBUTES, nullable=False),
        pa.field("dropped_attributes_count", pa.uint32(), nullable=False),
        pa.field("events", EVENTS, nullable=False),
        pa.field("dropped_events_count", pa.uint32(), nullable=False),
        pa.field("links", LINKS, nullable=False),
        pa.field("dropped_links_count", pa.uint32(), nullable=False),
        *_ORIGIN,
    ]
)
"""A decoded span, exactly: OTLP → WIRE → OTLP is the identity up to grouping order."""

# ``role``: what a span is to the counting of usage, before the trace is known.
# ``native``: the call as the provider's own SDK reports it, beside any instrumentation of that SDK.
# ``placeholder``: stands for a span that is not over yet, and is dropped where traces are assembled.
ROLE_OTHER, ROLE_CALL, ROLE_WRAPPER, ROLE_NEVER, ROLE_NATIVE, ROLE_PLACEHOLDER = range(6)

FACTS = pa.schema(
    [
        pa.field("dialect", NAME, nullable=False),
        pa.field("type", NAME, nullable=False),  # lower case: span event generation agent ...
        pa.field("subtype", NAME),
        pa.field("name", TEXT, nullable=False),
        pa.field("trace_name", TEXT),  # said explicitly by an attribute, else null
        pa.field("level", NAME, nullable=False),  # DEBUG DEFAULT WARNING ERROR
        pa.field("error_type", TEXT),
        pa.field("service_name", NAME, nullable=False),
        pa.field("environment", NAME),
        pa.field("release", NAME),
        pa.field("version", NAME),
        pa.field("scope_name", NAME, nullable=False),
        pa.field("scope_version", NAME, nullable=False),
        pa.field("user_id", TEXT),
        pa.field("session_id", TEXT),
        pa.field("tags", pa.list_(TEXT)),
        pa.field("tags_weak", pa.bool_(), nullable=False),  # only if nobody in the trace says more
        pa.field("provider", NAME),
        pa.field("request_model", NAME),
        pa.field("response_model", NAME),
        pa.field("model", NAME),
        pa.field("service_tier", NAME),
        pa.field("response_id", TEXT),
        pa.field("finish_reasons", pa.list_(TEXT)),
        pa.field("agent_name", TEXT),
        pa.field("tool_name", TEXT),
        pa.field("tool_call_id", TEXT),
        pa.field("prompt_name", TEXT),
        pa.field("prompt_version", TEXT),
        pa.field("completion_start_unix_nano", pa.int64()),
        # usage, as of this span alone: scope (counted/rollup/duplicate) is decided on the trace
        pa.field("role", pa.uint8(), nullable=False),
        pa.field("input_tokens", pa.int64()),  # inclusive of cached (semconv meaning)
        pa.field("output_tokens", pa.int64()),  # inclusive of reasoning
        pa.field("total_tokens", pa.int64()),
        pa.field("cache_read_tokens", pa.int64()),
        pa.field("cache_write_tokens", pa.int64()),
        pa.field("reasoning_tokens", pa.int64()),
        pa.field("usage", pa.map_(TEXT, pa.int64())),  # disjoint buckets, null: no usage
        pa.field("usage_rule", NAME),
        pa.field("provided_usage", TEXT),  # JSON object, as it was sent
        pa.field("provided_cost", TEXT),  # JSON object, as it was sent
        # money: int64 pico-dollars (1e-12 USD)
        pa.field("cost", pa.map_(TEXT, pa.int64())),
        pa.field("input_cost", pa.int64()),
        pa.field("output_cost", pa.int64()),
        pa.field("total_cost", pa.int64()),
        pa.field("cost_source", NAME),  # provided, computed, unpriced; null: nothing to price
        pa.field("price_ref", NAME),
    ]
)
"""Scalars resolved from the masked batch before the journal."""

PRICED = ("input_cost", "output_cost", "total_cost", "cost", "cost_source", "price_ref")
"""The columns a processor that prices calls fills, in flight and stored."""

SPANS = pa.schema([*WIRE, *FACTS])

LOGS = pa.schema(
    [
        pa.field("time_unix_nano", pa.int64(), nullable=False),
        pa.field("observed_time_unix_nano", pa.int64(), nullable=False),
        pa.field("severity_number", pa.int32(), nullable=False),
        pa.field("severity_text", TEXT, nullable=False),
        pa.field("event_name", TEXT, nullable=False),
        # The body, as an attribute without a key (EMPTY: none on the wire).
        pa.field("body_type", pa.uint8(), nullable=False),
        pa.field("body_num", pa.int64(), nullable=False),
        pa.field("body_text", TEXT, nullable=False),
        pa.field("attributes", ATTRIBUTES, nullable=False),
        pa.field("dropped_attributes_count", pa.uint32(), nullable=False),
        pa.field("flags", pa.uint32(), nullable=False),
        pa.field("trace_id", pa.binary(), nullable=False),  # as sent; b"" when absent
        pa.field("span_id", pa.binary(), nullable=False),
        *_ORIGIN,
    ]
)

EXEMPLAR = pa.struct(
    [
        pa.field("time_unix_nano", pa.int64(), nullable=False),
        pa.field("value_int", pa.int64()),
        pa.field("value_double", pa.float64()),
        pa.field("trace_id", pa.binary(), nullable=False),
        pa.field("span_id", pa.binary(), nullable=False),
        pa.field("attributes", ATTRIBUTES, nullable=False),
    ]
)
QUANTILE = pa.struct(
    [
        pa.field("quantile", pa.float64(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)

_POINT = [
    # gauge and sum: one of the two; the rest: histogram, exponential histogram, summary
    pa.field("value_int", pa.int64()),
    pa.field("value_double", pa.float64()),
    pa.field("count", pa.uint64()),
    pa.field("sum", pa.float64()),
    pa.field("min", pa.float64()),
    pa.field("max", pa.float64()),
    pa.field("bucket_counts", pa.list_(pa.uint64())),
    pa.field("explicit_bounds", pa.list_(pa.float64())),
    pa.field("scale", pa.int32()),
    pa.field("zero_count", pa.uint64()),
    pa.field("zero_threshold", pa.float64()),
    pa.field("positive_offset", pa.int32()),
    pa.field("positive_bucket_counts", pa.list_(pa.uint64())),
    pa.field("negative_offset", pa.int32()),
    pa.field("negative_bucket_counts", pa.list_(pa.uint64())),
]

METRICS = pa.schema(
    [
        # One row per data point; ``metric`` numbers the Metric message inside its batch, so that
        # points go back into the metric they came from.
        pa.field("metric", pa.int32(), nullable=False),
        pa.field("name", TEXT, nullable=False),
        pa.field("description", TEXT, nullable=False),
        pa.field("unit", TEXT, nullable=False),
        pa.field("metadata", ATTRIBUTES, nullable=False),
        pa.field("kind", NAME, nullable=False),  # none gauge sum histogram exponential_histogram summary
        pa.field("temporality", pa.int32(), nullable=False),
        pa.field("is_monotonic", pa.bool_(), nullable=False),
        pa.field("has_point", pa.bool_(), nullable=False),  # false: a metric without points
        pa.field("attributes", ATTRIBUTES, nullable=False),
        pa.field("start_time_unix_nano", pa.int64(), nullable=False),
        pa.field("time_unix_nano", pa.int64(), nullable=False),
        pa.field("flags", pa.uint32(), nullable=False),
        *_POINT,
        pa.field("quantiles", pa.list_(pa.field("item", QUANTILE, nullable=False))),
        pa.field("exemplars", pa.list_(pa.field("item", EXEMPLAR, nullable=False))),
        *_ORIGIN,
    ]
)

# The stored tables are the public contract.

MONEY = pa.decimal128(18, 12)
TIMESTAMP = pa.timestamp("us", tz="UTC")

_OBSERVATIONS = pa.schema(
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
OBSERVATIONS = trace_schema.with_trace_facts(_OBSERVATIONS)

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
        *_POINT,
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

TRACE_FACTS, TRIGGERS, DECIDED = trace_schema.TRACE_FACTS, trace_schema.TRIGGERS, trace_schema.DECIDED
"""Of whole traces; see ``trace_schema``."""

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
"""Names of SpanKind by number."""
STATUS_CODES = ("UNSET", "OK", "ERROR")
"""Names of StatusCode by number."""
