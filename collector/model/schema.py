"""The Arrow schemas: every column once, with its type and meaning.

Two families. *In flight* (``SPANS``, ``LOGS``, ``METRICS``) is OTLP in columns plus facts: what
processors see and what the journal holds. *Stored* (``OBSERVATIONS``, ``STORED_LOGS``,
``STORED_METRICS``, ``SCORES``) is the public contract of the tables, declared with meaning and unit
in ``collector.model.stored_tables``. In-flight batches are versioned by ``VERSION``; stored columns
are only ever appended.
"""

from __future__ import annotations

import pyarrow as pa

from collector.model import trace_schema
from collector.model.stored_tables import observation_columns, received_columns, score_columns, stored_table

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
QUANTILE = received_columns.QUANTILE

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
        # gauge and sum: one of the two values; the rest: histogram, exponential histogram, summary
        *(column.field for column in received_columns.POINT),
        pa.field("quantiles", pa.list_(pa.field("item", QUANTILE, nullable=False))),
        pa.field("exemplars", pa.list_(pa.field("item", EXEMPLAR, nullable=False))),
        *_ORIGIN,
    ]
)

# The stored tables are the public contract.

MONEY = stored_table.MONEY
TIMESTAMP = stored_table.TIMESTAMP
STORED_EXEMPLAR = received_columns.STORED_EXEMPLAR
OBSERVATIONS = trace_schema.with_trace_facts(observation_columns.OBSERVATIONS.schema)
STORED_LOGS = received_columns.LOGS.schema
STORED_METRICS = received_columns.METRICS.schema
SCORES = score_columns.SCORES.schema
"""One row per id; of a trace no span_id, of a session neither. ``value`` of a BOOLEAN is 0 or 1."""

TRACE_FACTS, TRIGGERS, DECIDED = trace_schema.TRACE_FACTS, trace_schema.TRIGGERS, trace_schema.DECIDED
"""Of whole traces; see ``trace_schema``."""

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
"""Names of SpanKind by number."""
STATUS_CODES = ("UNSET", "OK", "ERROR")
"""Names of StatusCode by number."""
