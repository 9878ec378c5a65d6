"""The table ``scores``: one row per id of an evaluation result."""

from __future__ import annotations

from collector.model.stored_tables.stored_table import DOUBLE, SPANLOOM, TEXT, TIMESTAMP, Column, StoredTable

_NOT_STATED = "when nobody said it"
_ALLOWED = "never so far"

SCORES = StoredTable(
    "scores",
    "One row per evaluation result. In DuckDB a score that comes again replaces the one of its id; in Parquet it is "
    "one more row, and the one with the latest `updated_at` counts. It judges a span (`trace_id` and `span_id`), a "
    "trace (`trace_id` alone) or a session (`session_id` alone). In Parquet `date=` is the UTC date of the score.",
    (
        Column("id", TEXT, "Key of the row: as sent, else the same for the same result.", "`spanloom.score.id`"),
        Column("trace_id", TEXT, "The judged trace.", "OTLP `trace_id`", "when a session is judged", form="hex"),
        Column("span_id", TEXT, "The judged span.", "OTLP `span_id`", "when a trace or session is judged", form="hex"),
        Column("session_id", TEXT, "The session.", "`session.id`", _NOT_STATED),
        Column("name", TEXT, "What was judged: `correctness`, `tone`, ...", "`gen_ai.evaluation.name`"),
        Column(
            "value",
            DOUBLE,
            "The number; 0 or 1 of a `BOOLEAN`. Its range is the evaluator's.",
            "`gen_ai.evaluation.score.value`",
            "when it is not a number",
        ),
        Column("string_value", TEXT, "The label.", "`gen_ai.evaluation.score.label`", "when there is none"),
        Column(
            "data_type",
            TEXT,
            "`NUMERIC`, `CATEGORICAL`, `BOOLEAN`, `TEXT` or `CORRECTION`.",
            "`spanloom.score.data_type`",
        ),
        Column("source", TEXT, "Who judged: `API`, `EVAL`, `ANNOTATION` or `RULE`.", "`spanloom.score.source`"),
        Column("comment", TEXT, "Why, in words.", "`gen_ai.evaluation.explanation`", _NOT_STATED),
        Column("metadata", TEXT, "What else was said.", "`spanloom.score.metadata`", "when nothing was", form="JSON"),
        Column("timestamp", TIMESTAMP, "Time of the score; when it was received, if none was sent.", "OTLP time"),
        Column("environment", TEXT, "`production`, `staging`, ...", "`deployment.environment.name`", _NOT_STATED),
        Column("config_id", TEXT, "Id of its definition at the sender.", "`spanloom.score.config_id`", _NOT_STATED),
        Column("created_at", TIMESTAMP, "When the first score of this id was acknowledged.", SPANLOOM, _ALLOWED),
        Column("updated_at", TIMESTAMP, "When this one was acknowledged.", SPANLOOM, _ALLOWED),
        Column("queue_id", TEXT, "The annotation queue it came from.", "`spanloom.score.queue_id`", _NOT_STATED),
        Column("dataset_run_id", TEXT, "The run it belongs to.", "`spanloom.score.dataset_run_id`", _NOT_STATED),
    ),
)
