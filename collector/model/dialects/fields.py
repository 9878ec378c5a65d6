"""The names that dialect tables may use: fields, conversions, types of observation, levels, roles.

Closed lists: a name that is not here is refused when a table is read.
"""

from __future__ import annotations

from typing import Literal, get_args

TextField = Literal[
    "name",
    "trace_name",
    "error_type",
    "environment",
    "release",
    "version",
    "user_id",
    "session_id",
    "provider",
    "request_model",
    "response_model",
    "model",
    "service_tier",
    "response_id",
    "agent_name",
    "tool_name",
    "tool_call_id",
    "prompt_name",
    "prompt_version",
    "type",
    "level",
    "usual_level",
    "role",
    "cache_hit",
    "currency",
]
ListField = Literal["tags", "finish_reasons"]
TimeField = Literal["completion_start_unix_nano"]
CountField = Literal[
    "input_total",
    "output_total",
    "total",
    "cache_read",
    "cache_write",
    "cache_write_5m",
    "cache_write_1h",
    "reasoning",
    "input_audio",
    "input_image",
    "input_audio_cached",
    "input_image_cached",
    "output_audio",
    "output_image",
]
MoneyField = Literal[
    "cost_total",
    "cost_input",
    "cost_output",
    "cost_cache_read",
    "cost_cache_write",
    "cost_reasoning",
]
FieldName = Literal[TextField, ListField, TimeField, CountField, MoneyField]

TEXT_FIELDS: tuple[str, ...] = get_args(TextField)
LIST_FIELDS: tuple[str, ...] = get_args(ListField)
TIME_FIELDS: tuple[str, ...] = get_args(TimeField)
COUNT_FIELDS: tuple[CountField, ...] = get_args(CountField)
MONEY_FIELDS: tuple[MoneyField, ...] = get_args(MoneyField)

Convert = Literal[
    "text",
    "json_unwrap",
    "said",
    "provider",
    "provider_of_model",
    "provider_of_server",
    "environment",
    "observation_type",
    "list",
    "finish_reasons",
    "count",
    "money",
    "iso_time",
    "seconds_after_start",
    "millis_after_start",
]

LIST_CONVERTS = ("list", "finish_reasons")
TIME_CONVERTS = ("iso_time", "seconds_after_start", "millis_after_start")
FIELDS_READ_BY = {
    "model": ("response_model", "request_model"),
    "provider": ("model", "response_model", "request_model"),
}
"""Field → other fields that are resolved before it and may be its source."""

ObservationType = Literal[
    "span", "event", "generation", "agent", "tool", "chain", "retriever", "evaluator", "embedding", "guardrail"
]
TYPES: tuple[str, ...] = get_args(ObservationType)
LEVELS = ("DEBUG", "DEFAULT", "WARNING", "ERROR")
ROLES = ("other", "call", "wrapper", "never", "native", "placeholder")

Shape = Literal[
    "messages",
    "instructions",
    "declared",
    "value",
    "ai_sdk_prompt",
    "value_or_placeholder",
    "text",
    "adk_response",
    "openinference_messages",
    "openinference_inputs",
    "traceloop_prompts",
    "traceloop_completions",
    "event_inputs",
    "event_outputs",
    "tool_event_input",
    "tool_event_output",
    "message_events",
    "choice_events",
    "ai_sdk_response",
    "texts",
    "values",
    "openinference_prompts",
    "openinference_completions",
    "openinference_embedded",
    "documents",
    "database_results",
    "langwatch",
    "livekit_context",
    "without_vectors",
    "request_prompt",
    "arguments_not_schema",
    "labelled",
    "last_response",
    "tool_definitions",
    "openinference_tools",
    "request_tools",
    "pydantic_tools",
    "members",
    "semconv_parameters",
    "request_parameters",
    "genkit_config",
    "json_object",
    "metadata_object",
    "metadata_values",
    "langfuse_metadata",
]
"""How a value becomes content; ``messages.shapes`` holds the function of each."""

ContentKind = Literal[
    "input", "output", "tool_definitions", "model_parameters", "status_message", "error_message", "metadata"
]

ScoreField = Literal[
    "id",
    "identifier",
    "name",
    "value",
    "label",
    "correction",
    "comment",
    "metadata",
    "source",
    "data_type",
    "time",
    "trace_id",
    "span_id",
    "session_id",
    "environment",
    "config_id",
    "queue_id",
    "dataset_run_id",
    "response_id",
]
