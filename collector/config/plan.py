"""A whole configuration after all checks: the engine is built from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from collector.component.base import ComponentConfig, ComponentId
from collector.component.factories import AnyFactory
from collector.config.engine_processors import MemoryLimiterConfig
from collector.config.service_config import ServiceConfig
from collector.model.batch import Signal


@dataclass(frozen=True)
class Component:
    """One configured component."""

    id: ComponentId
    config: ComponentConfig
    factory: AnyFactory


@dataclass(frozen=True)
class Hop:
    """A connector that data passes on its way through a pipeline."""

    connector: ComponentId
    output: ComponentId
    """The pipeline behind the connector, by the name that the connector's options give it."""
    after: int
    """How many of ``Pipeline.processors`` stand before the connector."""
    counts_losses: bool
    """This pipeline counts what the connector sends nowhere. Several pipelines may pass the same data through one
    connector; only the first of them counts."""


@dataclass(frozen=True)
class Pipeline:
    """One way of data from receivers to exporters: what the engine runs. Lists hold ids of components.

    Where connectors join pipelines of the configuration, one ``Pipeline`` holds the whole way through them, with
    all their processors in order. Its id is the id of the last one.
    """

    id: ComponentId
    signal: Signal
    receivers: tuple[ComponentId, ...]
    processors: tuple[ComponentId, ...]
    exporters: tuple[ComponentId, ...]
    group_by_trace_wait: timedelta | None = None
    """``wait_duration`` of its ``groupbytrace`` processor, which makes the pipeline assemble traces; None: it has
    no such processor."""
    hops: tuple[Hop, ...] = ()
    """The connectors it passes, in order."""


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
    """The memory limiters that at least one pipeline lists."""

    extensions: Mapping[ComponentId, Component] = field(default_factory=dict)
    """Those that ``service.extensions`` lists, in its order."""

    warnings: tuple[str, ...] = ()
    """Options that were accepted but have no effect; printed at start-up."""

    document: Mapping[str, Any] = field(default_factory=dict)
    """The merged YAML for ``print-config``. Secrets stand in it as references (``${env:X}``)."""
