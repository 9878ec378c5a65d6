"""Types of columns that several tables share: text, ids, attributes, events, links, parts of data points."""

from __future__ import annotations

import pyarrow as pa

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

QUANTILE = pa.struct(
    [
        pa.field("quantile", pa.float64(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)

POINT = [
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
"""What a data point of a metric holds, by kind."""
