"""A whole configuration once it is checked: what the engine builds from."""

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

    extensions: Mapping[ComponentId, Component] = field(default_factory=dict)
    """Those that ``service.extensions`` lists, in its order."""

    warnings: tuple[str, ...] = ()
    """What was accepted but has no meaning here; printed at start-up."""

    document: Mapping[str, Any] = field(default_factory=dict)
    """The merged YAML, secrets still as references (``${env:X}``), for ``print-config``."""
