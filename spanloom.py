"""The public API for plug-ins: everything a third-party component may rely on."""

from collector.component.base import ComponentConfig, ComponentId, Kind, Settings, Stability
from collector.component.connector import Connector, ConnectorFactory, RequestCondition, Routes
from collector.component.exporter import (
    Checkpointed,
    DecidedSpans,
    ExportBatch,
    Exporter,
    ExporterFactory,
    Queryable,
    ReceivedBatch,
    Reprice,
    Repriceable,
    Repriced,
)
from collector.component.processor import PriceList, Processor, ProcessorFactory, Stage
from collector.component.receiver import Metadata, Received, Receiver, ReceiverFactory, ReceiverSettings
from collector.component.rowwise import Span, rowwise
from collector.component.sampler import DueTraces, LoadSpans, PolicyDecisions, Sampler, Verdicts
from collector.errors import (
    CollectorError,
    ConfigError,
    InvalidDataError,
    PermanentError,
    RetryableError,
    TooLargeError,
)
from collector.model import attributes, schema
from collector.model.batch import Batch, LogBatch, MetricBatch, Signal, SpanBatch
from collector.options.durations import Duration

__all__ = [
    "Batch",
    "Checkpointed",
    "CollectorError",
    "ComponentConfig",
    "ComponentId",
    "ConfigError",
    "Connector",
    "ConnectorFactory",
    "DecidedSpans",
    "DueTraces",
    "Duration",
    "ExportBatch",
    "Exporter",
    "ExporterFactory",
    "InvalidDataError",
    "Kind",
    "LoadSpans",
    "LogBatch",
    "Metadata",
    "MetricBatch",
    "PermanentError",
    "PolicyDecisions",
    "PriceList",
    "Processor",
    "ProcessorFactory",
    "Queryable",
    "Received",
    "ReceivedBatch",
    "Receiver",
    "ReceiverFactory",
    "ReceiverSettings",
    "Reprice",
    "Repriceable",
    "Repriced",
    "RequestCondition",
    "RetryableError",
    "Routes",
    "Sampler",
    "Settings",
    "Signal",
    "Span",
    "SpanBatch",
    "Stability",
    "Stage",
    "TooLargeError",
    "Verdicts",
    "attributes",
    "rowwise",
    "schema",
]
