"""The tables ``logs`` and ``metrics``: log records and points as they were received, in typed columns."""

from __future__ import annotations

import pyarrow as pa

from collector.model.stored_tables.stored_table import DOUBLE, INT64, SPANLOOM, TEXT, TIMESTAMP, Column, StoredTable

QUANTILE = pa.struct([pa.field("quantile", DOUBLE, nullable=False), pa.field("value", DOUBLE, nullable=False)])

STORED_EXEMPLAR = pa.struct(
    [
        pa.field("time_unix_nano", INT64),
        pa.field("value_int", INT64),
        pa.field("value_double", DOUBLE),
        pa.field("trace_id", TEXT),
        pa.field("span_id", TEXT),
        pa.field("attributes", TEXT),
    ]
)

_NOT_SENT = "when it was not sent"
_OTHER_KIND = "on points of other kinds"
_BEYOND = "when it was not sent, or is beyond the year 2262"

_WHO = (
    Column("service_name", TEXT, "The application.", "resource `service.name`", _NOT_SENT),
    Column("environment", TEXT, "`production`, `staging`, ...", "resource `deployment.environment.name`", _NOT_SENT),
    Column("scope_name", TEXT, "The instrumentation.", "OTLP `scope.name`"),
    Column("scope_version", TEXT, "Its version.", "OTLP `scope.version`"),
    Column("ingested_at", TIMESTAMP, "When it was acknowledged.", SPANLOOM),
)

_REST = (
    Column("attributes", TEXT, "All attributes, with their types.", "OTLP `attributes`", form="JSON"),
    Column("resource", TEXT, "All attributes of the resource.", "OTLP `resource.attributes`", form="JSON"),
    Column(
        "otlp",
        TEXT,
        "What no other column tells, where it is not the default: flags, dropped counts, schema URLs, attributes of "
        "the scope.",
        "OTLP",
        "when nothing is left",
        form="JSON",
    ),
)

LOGS = StoredTable(
    "logs",
    "One row per log record. In Parquet `date=` is the UTC date of the record.",
    (
        Column("time", TIMESTAMP, "When it happened; when it was observed, if that alone is known.", SPANLOOM, _BEYOND),
        Column("time_unix_nano", INT64, "When it happened.", "OTLP `time_unix_nano`", _NOT_SENT, unit="ns since 1970"),
        Column(
            "observed_time_unix_nano",
            INT64,
            "When the sender's SDK saw it.",
            "OTLP `observed_time_unix_nano`",
            _NOT_SENT,
            unit="ns since 1970",
        ),
        Column("trace_id", TEXT, "The trace it belongs to.", "OTLP `trace_id`", _NOT_SENT, form="hex"),
        Column("span_id", TEXT, "The span it belongs to.", "OTLP `span_id`", _NOT_SENT, form="hex"),
        Column("event_name", TEXT, "Kind of event.", "OTLP `event_name`", _NOT_SENT),
        Column("severity_number", pa.int32(), "1 (trace) to 24 (fatal); 0: not said.", "OTLP `severity_number`"),
        Column("severity_text", TEXT, "The sender's own word for it.", "OTLP `severity_text`", _NOT_SENT),
        *_WHO,
        Column("body", TEXT, "The message: plain text of a text body, JSON of any other.", "OTLP `body`", _NOT_SENT),
        *_REST,
    ),
)

POINT = (
    Column("value_int", INT64, "Value of a gauge or sum, if whole.", "OTLP `as_int`", _OTHER_KIND, "`unit`"),
    Column("value_double", DOUBLE, "Value of a gauge or sum, if not.", "OTLP `as_double`", _OTHER_KIND, "`unit`"),
    Column("count", pa.uint64(), "How many values.", "OTLP `count`", _OTHER_KIND, "values"),
    Column("sum", DOUBLE, "Their sum.", "OTLP `sum`", "on points of other kinds, or not sent", "`unit`"),
    Column("min", DOUBLE, "The smallest.", "OTLP `min`", "on points of other kinds, or not sent", "`unit`"),
    Column("max", DOUBLE, "The largest.", "OTLP `max`", "on points of other kinds, or not sent", "`unit`"),
    Column(
        "bucket_counts",
        pa.list_(pa.uint64()),
        "Values per bucket of a histogram.",
        "OTLP `bucket_counts`",
        _OTHER_KIND,
        "values",
    ),
    Column(
        "explicit_bounds",
        pa.list_(DOUBLE),
        "Upper bounds of its buckets, one fewer than buckets.",
        "OTLP `explicit_bounds`",
        _OTHER_KIND,
        "`unit`",
    ),
    Column("scale", pa.int32(), "Resolution of an exponential histogram.", "OTLP `scale`", _OTHER_KIND),
    Column("zero_count", pa.uint64(), "Its values around 0.", "OTLP `zero_count`", _OTHER_KIND, "values"),
    Column("zero_threshold", DOUBLE, "How far around 0.", "OTLP `zero_threshold`", _OTHER_KIND, "`unit`"),
    Column("positive_offset", pa.int32(), "Its first positive bucket.", "OTLP `positive.offset`", _OTHER_KIND),
    Column(
        "positive_bucket_counts",
        pa.list_(pa.uint64()),
        "Values per positive bucket.",
        "OTLP `positive.bucket_counts`",
        _OTHER_KIND,
        "values",
    ),
    Column("negative_offset", pa.int32(), "Its first negative bucket.", "OTLP `negative.offset`", _OTHER_KIND),
    Column(
        "negative_bucket_counts",
        pa.list_(pa.uint64()),
        "Values per negative bucket.",
        "OTLP `negative.bucket_counts`",
        _OTHER_KIND,
        "values",
    ),
)
"""What a point holds; the batches in flight have the same columns."""

METRICS = StoredTable(
    "metrics",
    "One row per data point, of every kind. In Parquet `date=` is the UTC date of the point.",
    (
        Column("name", TEXT, "Name of the metric.", "OTLP `name`"),
        Column("description", TEXT, "What it measures.", "OTLP `description`", _NOT_SENT),
        Column("unit", TEXT, "Unit of its values.", "OTLP `unit`", _NOT_SENT),
        Column(
            "kind",
            TEXT,
            "`gauge`, `sum`, `histogram`, `exponential_histogram`, `summary` or `none`.",
            "OTLP `data`",
        ),
        Column(
            "temporality",
            TEXT,
            "`DELTA`, `CUMULATIVE` or `UNSPECIFIED`.",
            "OTLP `aggregation_temporality`",
            "on gauges and summaries, where it has no meaning",
        ),
        Column("is_monotonic", pa.bool_(), "Whether a sum only grows.", "OTLP `is_monotonic`", _OTHER_KIND),
        Column("time", TIMESTAMP, "When it was measured.", "OTLP `time_unix_nano`", _BEYOND),
        Column(
            "start_time_unix_nano",
            INT64,
            "From when on it was counted.",
            "OTLP `start_time_unix_nano`",
            _NOT_SENT,
            unit="ns since 1970",
        ),
        Column("time_unix_nano", INT64, "`time`, exactly.", "OTLP `time_unix_nano`", _NOT_SENT, unit="ns since 1970"),
        *POINT,
        Column("quantiles", pa.list_(QUANTILE), "Of a summary.", "OTLP `quantile_values`", _OTHER_KIND, "`unit`"),
        Column(
            "exemplars",
            pa.list_(STORED_EXEMPLAR),
            "Single values with the span they come from.",
            "OTLP `exemplars`",
            _NOT_SENT,
            "`unit`",
        ),
        *_WHO,
        *_REST,
    ),
)
