"""SQL of the views ``traces`` and ``sessions``: whole-trace facts, aggregated from ``observations``.

Tokens and costs are plain sums, since only counted rows hold them. The root is the earliest span
without a parent, else the earliest span. Sums of tokens that leave the range of BIGINT are null.
"""

from __future__ import annotations

# Orders the spans of a trace: roots first, then by start. Both terms stay within BIGINT.
_ORDER = """
    least(greatest(coalesce(start_unix_nano, 4611686018427387903), 0), 4611686018427387903)
    - CASE WHEN parent_span_id IS NULL THEN 4611686018427387904 ELSE 0 END
"""

_SUMS = """TRY_CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
    TRY_CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
    TRY_CAST(sum(total_tokens) AS BIGINT) AS total_tokens,
    TRY_CAST(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    TRY_CAST(sum(cache_write_tokens) AS BIGINT) AS cache_write_tokens,
    TRY_CAST(sum(reasoning_tokens) AS BIGINT) AS reasoning_tokens,
    sum(input_cost) AS input_cost,
    sum(output_cost) AS output_cost,
    sum(total_cost) AS total_cost"""
"""Plain sums are right: only counted rows hold numbers."""

TRACES = f"""
CREATE OR REPLACE VIEW traces AS
SELECT
    trace_id,
    coalesce(arg_min(trace_name, _order), arg_min_null(name, _order)) AS name,
    min(start_time) AS start_time,
    max(end_time) AS end_time,
    TRY_CAST(max(end_unix_nano)::HUGEINT - min(start_unix_nano) AS BIGINT) AS duration_ns,
    arg_min(user_id, _order) AS user_id,
    arg_min(session_id, _order) AS session_id,
    coalesce(list_sort(list_distinct(flatten(list(tags) FILTER (tags IS NOT NULL)))), []) AS tags,
    arg_min(environment, _order) AS environment,
    arg_min("release", _order) AS "release",
    arg_min("version", _order) AS "version",
    coalesce(list_sort(list(DISTINCT service_name) FILTER (service_name IS NOT NULL)), []) AS service_names,
    CASE max(CASE "level" WHEN 'ERROR' THEN 3 WHEN 'WARNING' THEN 2 WHEN 'DEBUG' THEN 0 ELSE 1 END)
        WHEN 3 THEN 'ERROR' WHEN 2 THEN 'WARNING' WHEN 1 THEN 'DEFAULT' ELSE 'DEBUG' END AS "level",
    arg_min_null(status_message, _order) AS status_message,
    count(*) AS observation_count,
    count(*) FILTER (type = 'generation') AS generation_count,
    count(*) FILTER (type = 'tool') AS tool_count,
    count(*) FILTER ("level" = 'ERROR') AS error_count,
    count(*) FILTER (usage_scope = 'counted') AS counted_count,
    coalesce(list_sort(list(DISTINCT type)), []) AS types,
    coalesce(list_sort(list(DISTINCT provider) FILTER (provider IS NOT NULL)), []) AS providers,
    coalesce(list_sort(list(DISTINCT model) FILTER (model IS NOT NULL)), []) AS models,
    {_SUMS},
    count(*) FILTER (cost_source = 'unpriced') AS unpriced_count,
    arg_min(sampled_by, _order) AS sampled_by,
    arg_min(sampling_trigger, _order) AS sampling_trigger,
    arg_min(adjusted_count, _order) AS adjusted_count,
    min(ingested_at) AS ingested_at,
    arg_min_null(span_id, _order) AS root_span_id,
    arg_min_null(metadata, _order) AS metadata,
    arg_min_null(input, _order) AS input,
    arg_min_null(output, _order) AS output
FROM (SELECT *, {_ORDER} AS _order FROM observations)
GROUP BY trace_id
"""  # noqa: S608 - our own names

SESSIONS = f"""
CREATE OR REPLACE VIEW sessions AS
SELECT
    session_id,
    min(start_time) AS start_time,
    max(end_time) AS end_time,
    count(*) AS trace_count,
    TRY_CAST(sum(observation_count) AS BIGINT) AS observation_count,
    TRY_CAST(sum(generation_count) AS BIGINT) AS generation_count,
    TRY_CAST(sum(error_count) AS BIGINT) AS error_count,
    coalesce(list_sort(list(DISTINCT user_id) FILTER (user_id IS NOT NULL)), []) AS user_ids,
    coalesce(list_sort(list_distinct(flatten(list(tags)))), []) AS tags,
    coalesce(list_sort(list(DISTINCT environment) FILTER (environment IS NOT NULL)), []) AS environments,
    coalesce(list_sort(list_distinct(flatten(list(models)))), []) AS models,
    {_SUMS}
FROM traces
WHERE session_id IS NOT NULL
GROUP BY session_id
"""  # noqa: S608 - our own names
