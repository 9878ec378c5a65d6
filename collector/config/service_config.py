"""The ``service:`` section of the configuration, and a whole configuration once it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

from collector.component.factories import AnyFactory, ComponentConfig, ComponentId
from collector.model.batch import Signal
from collector.options.durations import format_duration, parse_duration

if TYPE_CHECKING:
    from collector.config.engine_processors import MemoryLimiterConfig

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    Field(json_schema_extra={"type": "string", "examples": ["200ms", "30s", "1h30m"]}),
]
"""A Go duration (``300ms``, ``1m30s``) as the Collector writes them; days (``7d``) too."""


class AdminConfig(ComponentConfig):
    endpoint: str = "localhost:4330"
    """Address of the admin server: health, metrics, API."""

    allowed_hosts: tuple[str, ...] = ()
    """Host names, besides those of loopback, under which the API answers (health and metrics always do)."""


class MemoryConfig(ComponentConfig):
    limit_mib: int | None = Field(default=None, ge=64)
    """Bound of the anonymous memory of the whole service in MiB; null: half of what the cgroup or machine has."""


class JournalConfig(ComponentConfig):
    directory: Path | None = None
    """Folder of the journal; null: ``journal`` in the data folder."""

    max_size_mib: int = Field(default=10_240, ge=256)
    """Above this many MiB new data is refused until exporters have caught up."""

    fsync: bool = True
    """False: acknowledged data survives a crash of the process but not of the machine."""


class PipelineConfig(ComponentConfig):
    receivers: tuple[str, ...] = Field(min_length=1)
    """Ids of receivers or connectors."""

    processors: tuple[str, ...] = ()
    """Ids of processors, in order."""

    exporters: tuple[str, ...] = Field(min_length=1)
    """Ids of exporters or connectors."""


class ServiceConfig(ComponentConfig):
    pipelines: Mapping[str, PipelineConfig] = Field(min_length=1)
    """``traces``, ``logs``, ``metrics``, or ``traces/name``, ..."""

    extensions: tuple[str, ...] = ()
    """Ids of extensions."""

    admin: AdminConfig = AdminConfig()
    """The admin server."""

    memory: MemoryConfig = MemoryConfig()
    """Bounds of memory."""

    workers: int = Field(default=0, ge=0, le=64)
    """Ingest processes. More than 0 is answered with a warning: ingest runs inside the core process."""

    journal: JournalConfig = JournalConfig()
    """Where acknowledged data is kept until every exporter has it."""

    shutdown_timeout: Duration = timedelta(seconds=30)
    """How long exporters may take to deliver what is left after SIGTERM."""

    telemetry: Mapping[str, Any] = Field(default_factory=dict)
    """Accepted for compatibility: ``logs.level`` is used, the rest warns."""


@dataclass(frozen=True)
class Component:
    """One configured component."""

    id: ComponentId
    config: ComponentConfig
    factory: AnyFactory


@dataclass(frozen=True)
class Hop:
    """A connector on the way into a pipeline."""

    connector: ComponentId
    output: ComponentId
    """The pipeline it leads to, as the connector calls it."""
    after: int
    """How many of the processors stand before it."""
    first: bool
    """Of all ways out of the connector for the same data, the one that tells of what finds none."""


@dataclass(frozen=True)
class Pipeline:
    """One way of data from receivers to exporters; ids are those of the components.

    Where connectors join pipelines, that is the whole way, with the processors of all of them; its id is that
    of the pipeline at its end.
    """

    id: ComponentId
    signal: Signal
    receivers: tuple[ComponentId, ...]
    processors: tuple[ComponentId, ...]
    exporters: tuple[ComponentId, ...]
    group_by_trace_wait: timedelta | None = None
    """``wait_duration`` of a ``groupbytrace`` listed in it: the pipeline has assembly. None: not listed."""
    hops: tuple[Hop, ...] = ()
    """The connectors on the way, in order."""


@dataclass(frozen=True)
class CollectorConfig:
    """A whole configuration: types are checked and every reference resolves."""

    receivers: Mapping[ComponentId, Component]
    processors: Mapping[ComponentId, Component]
    exporters: Mapping[ComponentId, Component]
    connectors: Mapping[ComponentId, Component]
    service: ServiceConfig
    pipelines: tuple[Pipeline, ...]
    memory_limiters: Mapping[ComponentId, MemoryLimiterConfig] = field(default_factory=dict)
    """Those that some pipeline lists."""

    warnings: tuple[str, ...] = ()
    """What was accepted but has no meaning here; printed at start-up."""

    document: Mapping[str, Any] = field(default_factory=dict)
    """The merged YAML, secrets still as references (``${env:X}``), for ``print-config``."""
