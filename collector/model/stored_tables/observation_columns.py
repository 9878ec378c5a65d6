"""The table ``observations``: one row per kept span. Columns are only ever appended."""

from __future__ import annotations

import pyarrow as pa

from collector.model.stored_tables.stored_table import (
    DOUBLE,
    INT64,
    MONEY,
    SPANLOOM,
    TEXT,
    TEXTS,
    TIMESTAMP,
    Column,
    StoredTable,
)

_NOT_STATED = "when nobody said it"
_NOT_COUNTED = "unless `usage_scope` is `counted` and the count is known"
_NOT_PRICED = "unless `usage_scope` is `counted` and the call has a price"
_BEYOND = "beyond the year 2262"
_ALLOWED = "never so far"

_NAMES = (
    Column("trace_id", TEXT, "Id of the trace.", "OTLP `trace_id`", form="hex"),
    Column("span_id", TEXT, "Id of the span.", "OTLP `span_id`", form="hex"),
    Column("parent_span_id", TEXT, "Id of the span above.", "OTLP `parent_span_id`", "on a root", form="hex"),
    Column(
        "type",
        TEXT,
        "`span`, `event`, `generation`, `agent`, `tool`, `chain`, `retriever`, `evaluator`, `embedding` or "
        "`guardrail`; more may come.",
        "`gen_ai.operation.name`",
    ),
    Column("subtype", TEXT, "A finer kind: `reranker`, `workflow`, `memory`, ...", SPANLOOM, "when there is none"),
    Column("name", TEXT, "Name to show: of the tool or agent where it is known, else the span's.", "OTLP `name`"),
    Column("span_name", TEXT, "The span's own name, as sent.", "OTLP `name`"),
    Column("trace_name", TEXT, "Name of the whole trace.", "`gen_ai.workflow.name`", "when no span says or implies it"),
    Column("kind", TEXT, "`INTERNAL`, `SERVER`, `CLIENT`, `PRODUCER`, `CONSUMER` or `UNSPECIFIED`.", "OTLP `kind`"),
    Column("status_code", TEXT, "`UNSET`, `OK` or `ERROR`.", "OTLP `status.code`"),
    Column("level", TEXT, "`DEBUG`, `DEFAULT`, `WARNING` or `ERROR`.", "OTLP `status.code`"),
    Column("status_message", TEXT, "What went wrong, in words.", "OTLP `status.message`", _NOT_STATED),
    Column("error_type", TEXT, "Class or code of the error.", "`error.type`", "when there was none"),
)

_TIMES = (
    Column("start_time", TIMESTAMP, "When the span began.", "OTLP `start_time_unix_nano`", _BEYOND),
    Column("end_time", TIMESTAMP, "When it ended.", "OTLP `end_time_unix_nano`", _BEYOND),
    Column(
        "completion_start_time",
        TIMESTAMP,
        "When the first part of the answer came.",
        "`gen_ai.response.time_to_first_chunk`",
        _NOT_STATED,
    ),
    Column(
        "start_unix_nano",
        INT64,
        "`start_time`, exactly; the time of receipt when neither start nor end was sent.",
        "OTLP `start_time_unix_nano`",
        _ALLOWED,
        unit="ns since 1970",
    ),
    Column(
        "end_unix_nano",
        INT64,
        "`end_time`, exactly; the start when no end was sent.",
        "OTLP `end_time_unix_nano`",
        _ALLOWED,
        unit="ns since 1970",
    ),
    Column("duration_ns", INT64, "End less start; negative when the clocks were wrong.", SPANLOOM, _BEYOND, unit="ns"),
    Column(
        "time_to_first_token_ns",
        INT64,
        "`completion_start_time` less start, exactly.",
        "`gen_ai.response.time_to_first_chunk`",
        "when it is not known or would be negative",
        unit="ns",
    ),
)

_WHO = (
    Column("service_name", TEXT, "The application.", "resource `service.name`", _ALLOWED),
    Column("environment", TEXT, "`production`, `staging`, ...", "`deployment.environment.name`", _NOT_STATED),
    Column("release", TEXT, "Release of the application.", "`langfuse.release`", _NOT_STATED),
    Column("version", TEXT, "Version of the application or of the observed part.", "`service.version`", _NOT_STATED),
    Column("user_id", TEXT, "The user, filled down over the trace.", "`user.id`", _NOT_STATED),
    Column("session_id", TEXT, "The conversation, filled down over the trace.", "`session.id`", _NOT_STATED),
    Column("tags", TEXTS, "Labels, filled down over the trace.", "`langfuse.trace.tags`", _NOT_STATED),
    Column("provider", TEXT, "Who runs the model, by one canonical name.", "`gen_ai.provider.name`", _NOT_STATED),
    Column("request_model", TEXT, "The model that was asked for.", "`gen_ai.request.model`", _NOT_STATED),
    Column("response_model", TEXT, "The model that answered.", "`gen_ai.response.model`", _NOT_STATED),
    Column("model", TEXT, "The model that is priced: the one that answered, if known.", SPANLOOM, _NOT_STATED),
    Column("response_id", TEXT, "The provider's id of the answer.", "`gen_ai.response.id`", _NOT_STATED),
    Column("finish_reasons", TEXTS, "Why the model stopped.", "`gen_ai.response.finish_reasons`", _NOT_STATED),
    Column("agent_name", TEXT, "The agent at work.", "`gen_ai.agent.name`", _NOT_STATED),
    Column("tool_name", TEXT, "The tool that was called.", "`gen_ai.tool.name`", "when it is no tool call"),
    Column("tool_call_id", TEXT, "Id of the tool call in the model's answer.", "`gen_ai.tool.call.id`", _NOT_STATED),
    Column("prompt_name", TEXT, "The stored prompt that was used.", "`gen_ai.prompt.name`", _NOT_STATED),
    Column("prompt_version", TEXT, "Its version.", "`gen_ai.prompt.version`", _NOT_STATED),
)

_USAGE = (
    Column(
        "usage_scope",
        TEXT,
        "`counted`; `rollup`: a wrapper that repeats the sum of its calls; `duplicate`: the same call, seen twice.",
        SPANLOOM,
        "when the span says no usage",
    ),
    Column(
        "usage_rule",
        TEXT,
        "The rule that decided the scope, and whether input includes what was cached.",
        SPANLOOM,
        "when the span says no usage",
    ),
    Column(
        "input_tokens",
        INT64,
        "Tokens sent to the model, cached ones included.",
        "`gen_ai.usage.input_tokens`",
        _NOT_COUNTED,
        unit="tokens",
    ),
    Column(
        "output_tokens",
        INT64,
        "Tokens the model made, reasoning included.",
        "`gen_ai.usage.output_tokens`",
        _NOT_COUNTED,
        unit="tokens",
    ),
    Column("total_tokens", INT64, "Both together.", SPANLOOM, _NOT_COUNTED, unit="tokens"),
    Column(
        "cache_read_tokens",
        INT64,
        "Part of `input_tokens` that came out of a cache.",
        "`gen_ai.usage.cache_read.input_tokens`",
        _NOT_COUNTED,
        unit="tokens",
    ),
    Column(
        "cache_write_tokens",
        INT64,
        "Part of `input_tokens` that was written to a cache.",
        "`gen_ai.usage.cache_write.input_tokens`",
        _NOT_COUNTED,
        unit="tokens",
    ),
    Column(
        "reasoning_tokens",
        INT64,
        "Part of `output_tokens` that was thinking.",
        "`gen_ai.usage.reasoning.output_tokens`",
        _NOT_COUNTED,
        unit="tokens",
    ),
    Column(
        "usage",
        pa.map_(TEXT, INT64),
        "Tokens by bucket. Buckets do not overlap: `input` and `output` hold what no finer bucket does.",
        SPANLOOM,
        _NOT_COUNTED,
        unit="tokens",
    ),
    Column("input_cost", MONEY, "Cost of the input.", SPANLOOM, _NOT_PRICED, unit="USD"),
    Column("output_cost", MONEY, "Cost of the output.", SPANLOOM, _NOT_PRICED, unit="USD"),
    Column(
        "total_cost",
        MONEY,
        "Cost of the call: the sum of its priced buckets. A price that is not known is null, never 0.",
        SPANLOOM,
        _NOT_PRICED,
        unit="USD",
    ),
    Column("cost", pa.map_(TEXT, MONEY), "Cost by bucket of `usage`.", SPANLOOM, _NOT_PRICED, unit="USD"),
    Column(
        "cost_source",
        TEXT,
        "`provided`: as sent; `computed`: from a price list; `unpriced`: no price found.",
        SPANLOOM,
        "when there is nothing to price",
    ),
    Column(
        "price_ref",
        TEXT,
        "The price list, its version, the matched model and tier; buckets without a price.",
        SPANLOOM,
        "unless `cost_source` is `computed` or `unpriced`",
    ),
    Column("provided_usage", TEXT, "Usage exactly as it was sent, on every row.", SPANLOOM, _NOT_STATED, form="JSON"),
    Column("provided_cost", TEXT, "Cost exactly as it was sent, on every row.", SPANLOOM, _NOT_STATED, form="JSON"),
)

_ORIGIN = (
    Column("dialect", TEXT, "Whose attributes the span speaks: a name of [dialects](../dialects/README.md).", SPANLOOM),
    Column("scope_name", TEXT, "The instrumentation.", "OTLP `scope.name`"),
    Column("scope_version", TEXT, "Its version.", "OTLP `scope.version`"),
    Column("sampled_by", TEXT, "The sampling policy that kept the trace.", SPANLOOM, "where no policy decided"),
    Column(
        "adjusted_count",
        DOUBLE,
        "How many traces this one stands for: 10 when every tenth was kept.",
        SPANLOOM,
        _ALLOWED,
        unit="traces",
    ),
    Column("ingested_at", TIMESTAMP, "When the span was acknowledged.", SPANLOOM),
)

_CONTENT = (
    Column("model_parameters", TEXT, "Temperature and the like.", "`gen_ai.request.*`", _NOT_STATED, form="JSON"),
    Column("metadata", TEXT, "What the application adds.", "`langfuse.observation.metadata`", _NOT_STATED, form="JSON"),
    Column(
        "input",
        TEXT,
        "What went in: messages of role and parts where the source is messages, else its JSON or plain text.",
        "`gen_ai.input.messages`",
        _NOT_STATED,
    ),
    Column("output", TEXT, "What came out, in the same forms.", "`gen_ai.output.messages`", _NOT_STATED),
    Column(
        "tool_definitions", TEXT, "Tools the model could call.", "`gen_ai.tool.definitions`", _NOT_STATED, form="JSON"
    ),
    Column("attributes", TEXT, "All attributes of the span, with their types.", "OTLP `attributes`", form="JSON"),
    Column("resource", TEXT, "All attributes of the resource.", "OTLP `resource.attributes`", form="JSON"),
    Column("events", TEXT, "The span's events.", "OTLP `events`", form="JSON"),
    Column("links", TEXT, "Links to other spans.", "OTLP `links`", form="JSON"),
    Column(
        "otlp",
        TEXT,
        "What no other column tells, where it is not the default: trace state, flags, dropped counts, schema URLs, "
        "attributes of the scope.",
        "OTLP",
        "when nothing is left",
        form="JSON",
    ),
    Column(
        "sampling_trigger",
        TEXT,
        "What made the trace due: `decision_wait`, `root_received`, `trace_size`, `overflow` or `shutdown`.",
        SPANLOOM,
        "where no policy decided",
    ),
    Column(
        "model_family",
        TEXT,
        "One name for all dated names and spellings of `model`: `gpt-4o-mini` for `azure/gpt-4o-mini-2024-07-18`, and "
        "for what was tuned from it.",
        SPANLOOM,
        "when there is no `model`, and on rows stored before the column came",
    ),
)

OBSERVATIONS = StoredTable(
    "observations",
    "One row per kept span: a model call, a tool, an agent, ... In Parquet `date=` is the UTC date of the trace's "
    "earliest start, so that a whole trace lies in one folder. Tokens and costs stand on counted rows only: plain sums "
    "are right without a filter.",
    # Content stands last: queries that list rows need not read it. What came later stands behind it.
    (*_NAMES, *_TIMES, *_WHO, *_USAGE, *_ORIGIN, *_CONTENT),
)
