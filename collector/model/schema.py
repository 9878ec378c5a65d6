"""The Arrow schemas: every column once, with its type and meaning.

Two families. *In flight* (``SPANS``, ``LOGS``, ``METRICS``) is OTLP in columns plus facts: what
processors see and what the journal holds. *Stored* (``OBSERVATIONS``, ``STORED_LOGS``,
``STORED_METRICS``, ``SCORES``) is the public contract of the tables. In-flight batches are
versioned by ``VERSION``; stored columns are only ever appended.
"""

from __future__ import annotations

import pyarrow as pa

from collector.model.column_types import (
    ARRAY as ARRAY,
    ATTRIBUTE as ATTRIBUTE,
    ATTRIBUTES as ATTRIBUTES,
    BOOL as BOOL,
    BYTES as BYTES,
    DOUBLE as DOUBLE,
    EMPTY as EMPTY,
    EVENT as EVENT,
    EVENTS as EVENTS,
    INT as INT,
    INTERNED as INTERNED,
    KVLIST as KVLIST,
    LINK as LINK,
    LINKS as LINKS,
    NAME as NAME,
    POINT,
    QUANTILE as QUANTILE,
    SPAN_ID as SPAN_ID,
    STRING as STRING,
    TEXT as TEXT,
    TRACE_ID as TRACE_ID,
)
from collector.model.stored_schema import (
    MONEY as MONEY,
    OBSERVATIONS as OBSERVATIONS,
    SCORES as SCORES,
    STORED_EXEMPLAR as STORED_EXEMPLAR,
    STORED_LOGS as STORED_LOGS,
    STORED_METRICS as STORED_METRICS,
    TIMESTAMP as TIMESTAMP,
)

VERSION = 1
"""Version of the in-flight schemas, written into every journal segment."""

MAX_BATCH_ROWS = 8_192
MAX_BATCH_BYTES = 32 * 1024 * 1024

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
        *POINT,
        pa.field("quantiles", pa.list_(pa.field("item", QUANTILE, nullable=False))),
        pa.field("exemplars", pa.list_(pa.field("item", EXEMPLAR, nullable=False))),
        *_ORIGIN,
    ]
)

TRACE_FACTS = pa.schema(
    [
        pa.field("trace_id", TRACE_ID, nullable=False),
        pa.field("start_unix_nano", pa.int64(), nullable=False),  # earliest start
        pa.field("end_unix_nano", pa.int64(), nullable=False),  # latest end
        pa.field("span_count", pa.int64(), nullable=False),
        pa.field("status_codes", pa.uint8(), nullable=False),  # bit 1 << code (UNSET 0, OK 1, ERROR 2)
        pa.field("error_count", pa.int64(), nullable=False),  # spans of level ERROR
        pa.field("total_cost", pa.int64()),  # pico-dollars over counted spans
        pa.field("total_tokens", pa.int64()),
        pa.field("trace_name", TEXT),
        pa.field("user_id", TEXT),
        pa.field("session_id", TEXT),
        pa.field("tags", pa.list_(TEXT)),
        pa.field("size_bytes", pa.int64(), nullable=False),  # of all its spans as they came, sizes.row_bytes
        pa.field("trigger", pa.uint8(), nullable=False),  # index in TRIGGERS
        # how likely it was to come this far, as the tracestate of its root says, else of its first span
        pa.field("upstream_probability", pa.float64(), nullable=False),
    ]
)
"""What is known of a trace when it is due: the input of sampling policies."""

TRIGGERS = ("decision_wait", "root_received", "trace_size", "overflow", "shutdown")
"""What made a trace due: its wait ended, or the wait after its root; it grew above a bound; it was the
oldest when memory or the journal had no room; nothing more can come."""

DECIDED = pa.schema(
    [
        pa.field("usage_scope", NAME),  # counted, rollup, duplicate; null: no usage
        pa.field("usage_rule", NAME),
        pa.field("inherit_from", pa.int32()),  # row of the same batch that knew more about this call
        pa.field("trace_name", TEXT),
        pa.field("user_id", TEXT),
        pa.field("session_id", TEXT),
        pa.field("tags", pa.list_(TEXT)),
        pa.field("sampled_by", NAME),
        pa.field("adjusted_count", pa.float64(), nullable=False),
        pa.field("date", pa.date32(), nullable=False),  # the partition of the whole trace
        pa.field("ingested_unix_nano", pa.int64(), nullable=False),
        pa.field("sampling_trigger", NAME),  # of TRIGGERS; null where no policy decided
    ]
)
"""What the decision added to each kept span: row-aligned with the SpanBatch it belongs to."""


KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
"""Names of SpanKind by number."""
STATUS_CODES = ("UNSET", "OK", "ERROR")
"""Names of StatusCode by number."""
