"""The one door for components, built-in or not: what is not exported here, a component may not import.

Names load on first use, so that a component pays only for what it needs. ``tests/spanloom_api.yaml`` lists them with
the version each came with; ``docs/spanloom.md`` says what each means.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collector import testing as testing
    from collector.component.base import (
        ComponentConfig as ComponentConfig,
        ComponentId as ComponentId,
        Kind as Kind,
        Settings as Settings,
        Stability as Stability,
    )
    from collector.component.connector import (
        Connector as Connector,
        ConnectorFactory as ConnectorFactory,
        RequestCondition as RequestCondition,
        Routes as Routes,
    )
    from collector.component.exporter import (
        REPRICED_FROM as REPRICED_FROM,
        Checkpointed as Checkpointed,
        DecidedSpans as DecidedSpans,
        ExportBatch as ExportBatch,
        Exporter as Exporter,
        ExporterFactory as ExporterFactory,
        ExportPreferences as ExportPreferences,
        Queryable as Queryable,
        QueryAtRest as QueryAtRest,
        ReadAtRest as ReadAtRest,
        ReceivedBatch as ReceivedBatch,
        Reprice as Reprice,
        Repriceable as Repriceable,
        Repriced as Repriced,
        Retry as Retry,
    )
    from collector.component.extension import (
        ComponentHealth as ComponentHealth,
        DecidedReader as DecidedReader,
        Extension as Extension,
        ExtensionFactory as ExtensionFactory,
        HealthState as HealthState,
        PipelineWatcher as PipelineWatcher,
    )
    from collector.component.processor import (
        Finder as Finder,
        PriceList as PriceList,
        Processor as Processor,
        ProcessorFactory as ProcessorFactory,
        Stage as Stage,
    )
    from collector.component.receiver import (
        ByteBudget as ByteBudget,
        Consumer as Consumer,
        Metadata as Metadata,
        Received as Received,
        Receiver as Receiver,
        ReceiverFactory as ReceiverFactory,
        ReceiverSettings as ReceiverSettings,
        Source as Source,
        no_metadata as no_metadata,
    )
    from collector.component.rowwise import Span as Span, rowwise as rowwise
    from collector.component.sampler import (
        DueTraces as DueTraces,
        LoadSpans as LoadSpans,
        PolicyVerdictTable as PolicyVerdictTable,
        Sampler as Sampler,
        SamplerFactory as SamplerFactory,
        TraceDecisions as TraceDecisions,
    )
    from collector.errors import (
        CollectorError as CollectorError,
        ConfigError as ConfigError,
        InvalidDataError as InvalidDataError,
        JournalError as JournalError,
        PermanentError as PermanentError,
        RetryableError as RetryableError,
        TooLargeError as TooLargeError,
        WrongValuesError as WrongValuesError,
        suggest as suggest,
    )
    from collector.files import sync_folder as sync_folder
    from collector.kernels.attribute_edits import flat_edits as flat_edits
    from collector.kernels.attribute_edits.actions import AttributeAction as AttributeAction
    from collector.kernels.attribute_edits.chosen_rows import ChosenRows as ChosenRows
    from collector.kernels.attribute_edits.conversions import (
        attribute_text as attribute_text,
        parse_float as parse_float,
    )
    from collector.kernels.attribute_edits.headers import with_headers as with_headers
    from collector.kernels.due_traces import (
        DROPPED as DROPPED,
        FAILED as FAILED,
        INVERT_NOT_SAMPLED as INVERT_NOT_SAMPLED,
        INVERT_SAMPLED as INVERT_SAMPLED,
        NOT_ASKED as NOT_ASKED,
        NOT_SAMPLED as NOT_SAMPLED,
        SAMPLED as SAMPLED,
        Bools as Bools,
        Chance as Chance,
        Ints as Ints,
        LimiterKey as LimiterKey,
        PolicyVerdicts as PolicyVerdicts,
        Traces as Traces,
        counts_as_sampled as counts_as_sampled,
        sampled_where as sampled_where,
        session_key as session_key,
    )
    from collector.kernels.sql import ottl as ottl
    from collector.kernels.sql.column_names import SqlExpression as SqlExpression
    from collector.kernels.sql.expressions import (
        ComputedExpressions as ComputedExpressions,
        sql_condition as sql_condition,
        sql_value as sql_value,
    )
    from collector.kernels.sql.faults import SqlFaults as SqlFaults, unless_propagate as unless_propagate
    from collector.kernels.sql.relations import (
        LOG_RELATION as LOG_RELATION,
        METRIC_RELATION as METRIC_RELATION,
        RELATION_OF_SIGNAL as RELATION_OF_SIGNAL,
        RELATIONS as RELATIONS,
        Relation as Relation,
    )
    from collector.kernels.sql.trace_columns import (
        TraceCondition as TraceCondition,
        columns_needed as columns_needed,
        parse_trace_condition as parse_trace_condition,
    )
    from collector.kernels.sql.trace_conditions import (
        TraceConditions as TraceConditions,
        some_span_meets as some_span_meets,
        trace_condition_problem as trace_condition_problem,
    )
    from collector.model import attributes as attributes, schema as schema, trace_state as trace_state
    from collector.model.any_value import (
        TooDeepError as TooDeepError,
        ValueColumns as ValueColumns,
        double_of_bits as double_of_bits,
        set_columns as set_columns,
        to_columns as to_columns,
    )
    from collector.model.arrow_arrays import numpy_of as numpy_of
    from collector.model.attributes import (
        Flat as Flat,
        dumps as dumps,
        flatten as flatten,
        parse_resource as parse_resource,
        parse_scope as parse_scope,
    )
    from collector.model.batch import (
        Batch as Batch,
        BatchT as BatchT,
        LogBatch as LogBatch,
        MetricBatch as MetricBatch,
        Signal as Signal,
        SpanBatch as SpanBatch,
    )
    from collector.model.codec.chosen import encode as encode, encode_json as encode_json
    from collector.model.dialects.key_classes import key_class as key_class
    from collector.model.forward.translate import translate as translate
    from collector.model.scores.find import (
        log_scores as log_scores,
        newest_scores as newest_scores,
        span_scores as span_scores,
    )
    from collector.model.stored.logs_and_metrics import stored_logs as stored_logs, stored_metrics as stored_metrics
    from collector.model.stored.observations import observation_inputs as observation_inputs
    from collector.options.durations import Duration as Duration, nanoseconds as nanoseconds
    from collector.options.retry import RetryConfig as RetryConfig
    from collector.options.tls import TlsClientConfig as TlsClientConfig, TlsServerConfig as TlsServerConfig
    from collector.serving.http_server import HttpServer as HttpServer, serve as serve
    from collector.telemetry import Telemetry as Telemetry

_HOMES = {
    "collector": ("testing",),
    "collector.component.base": ("ComponentConfig", "ComponentId", "Kind", "Settings", "Stability"),
    "collector.component.connector": ("Connector", "ConnectorFactory", "RequestCondition", "Routes"),
    "collector.component.exporter": (
        "Checkpointed",
        "DecidedSpans",
        "ExportBatch",
        "ExportPreferences",
        "Exporter",
        "ExporterFactory",
        "QueryAtRest",
        "Queryable",
        "REPRICED_FROM",
        "ReadAtRest",
        "ReceivedBatch",
        "Reprice",
        "Repriceable",
        "Repriced",
        "Retry",
    ),
    "collector.component.extension": (
        "ComponentHealth",
        "DecidedReader",
        "Extension",
        "ExtensionFactory",
        "HealthState",
        "PipelineWatcher",
    ),
    "collector.component.processor": ("Finder", "PriceList", "Processor", "ProcessorFactory", "Stage"),
    "collector.component.receiver": (
        "ByteBudget",
        "Consumer",
        "Metadata",
        "Received",
        "Receiver",
        "ReceiverFactory",
        "ReceiverSettings",
        "Source",
        "no_metadata",
    ),
    "collector.component.rowwise": ("Span", "rowwise"),
    "collector.component.sampler": (
        "DueTraces",
        "LoadSpans",
        "PolicyVerdictTable",
        "Sampler",
        "SamplerFactory",
        "TraceDecisions",
    ),
    "collector.errors": (
        "CollectorError",
        "ConfigError",
        "InvalidDataError",
        "JournalError",
        "PermanentError",
        "RetryableError",
        "TooLargeError",
        "WrongValuesError",
        "suggest",
    ),
    "collector.files": ("sync_folder",),
    "collector.kernels.attribute_edits": ("flat_edits",),
    "collector.kernels.attribute_edits.actions": ("AttributeAction",),
    "collector.kernels.attribute_edits.chosen_rows": ("ChosenRows",),
    "collector.kernels.attribute_edits.conversions": ("attribute_text", "parse_float"),
    "collector.kernels.attribute_edits.headers": ("with_headers",),
    "collector.kernels.due_traces": (
        "Bools",
        "Chance",
        "DROPPED",
        "FAILED",
        "INVERT_NOT_SAMPLED",
        "INVERT_SAMPLED",
        "Ints",
        "LimiterKey",
        "NOT_ASKED",
        "NOT_SAMPLED",
        "PolicyVerdicts",
        "SAMPLED",
        "Traces",
        "counts_as_sampled",
        "sampled_where",
        "session_key",
    ),
    "collector.kernels.sql": ("ottl",),
    "collector.kernels.sql.column_names": ("SqlExpression",),
    "collector.kernels.sql.expressions": ("ComputedExpressions", "sql_condition", "sql_value"),
    "collector.kernels.sql.faults": ("SqlFaults", "unless_propagate"),
    "collector.kernels.sql.relations": (
        "LOG_RELATION",
        "METRIC_RELATION",
        "RELATIONS",
        "RELATION_OF_SIGNAL",
        "Relation",
    ),
    "collector.kernels.sql.trace_columns": ("TraceCondition", "columns_needed", "parse_trace_condition"),
    "collector.kernels.sql.trace_conditions": ("TraceConditions", "some_span_meets", "trace_condition_problem"),
    "collector.model": ("attributes", "schema", "trace_state"),
    "collector.model.any_value": ("TooDeepError", "ValueColumns", "double_of_bits", "set_columns", "to_columns"),
    "collector.model.arrow_arrays": ("numpy_of",),
    "collector.model.attributes": ("Flat", "dumps", "flatten", "parse_resource", "parse_scope"),
    "collector.model.batch": ("Batch", "BatchT", "LogBatch", "MetricBatch", "Signal", "SpanBatch"),
    "collector.model.codec.chosen": ("encode", "encode_json"),
    "collector.model.dialects.key_classes": ("key_class",),
    "collector.model.forward.translate": ("translate",),
    "collector.model.scores.find": ("log_scores", "newest_scores", "span_scores"),
    "collector.model.stored.logs_and_metrics": ("stored_logs", "stored_metrics"),
    "collector.model.stored.observations": ("observation_inputs",),
    "collector.options.durations": ("Duration", "nanoseconds"),
    "collector.options.retry": ("RetryConfig",),
    "collector.options.tls": ("TlsClientConfig", "TlsServerConfig"),
    "collector.serving.http_server": ("HttpServer", "serve"),
    "collector.telemetry": ("Telemetry",),
}
"""Module → the names it gives; of a package: its modules."""

_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605 - a list of names, if not a written one


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"spanloom offers no {name!r}")
    module = import_module(_HOME[name])
    found = getattr(module, name) if hasattr(module, name) else import_module(f"{_HOME[name]}.{name}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
