"""Builds chains, samplers and routes from a checked configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from collector.component.base import ComponentId, Settings
from collector.component.connector import Connector, ConnectorFactory, RequestCondition
from collector.component.exporter import Exporter, ExporterFactory, ExportPreferences
from collector.component.processor import AnyProcessor, ProcessorFactory, Stage
from collector.component.sampler import Sampler, SamplerFactory
from collector.config.plan import CollectorConfig, Hop, Pipeline
from collector.engine.assembly.assembly import KeepAll
from collector.engine.gates import Gate, Routed
from collector.engine.ingest.chain import Chain, Step
from collector.engine.ingest.ingest import Key, Route
from collector.engine.modelling import Modelling
from collector.model.batch import Signal
from collector.options.durations import nanoseconds

Prefix = tuple["ComponentId | Hop", ...]
"""The processors of a pipeline before the journal, and connectors among them, in order."""


@dataclass
class Destination:
    """Somebody who is given what pipelines decide, and what the engine must know about it."""

    exporter: Exporter
    stores: bool
    """As in ``ExporterFactory``."""
    preferences: ExportPreferences
    pipelines: set[str] = field(default_factory=set)
    """The pipelines that feed it."""


@dataclass
class Graph:
    """Everything between receivers and exporters, built but not started."""

    exporters: dict[ComponentId, Destination] = field(default_factory=dict)
    samplers: dict[str, Sampler] = field(default_factory=dict)
    """Pipeline → its sampler, for pipelines with trace assembly."""
    passing: list[str] = field(default_factory=list)
    """Pipelines without trace assembly."""
    after_sampling: dict[str, Chain] = field(default_factory=dict)
    routes: dict[Key, list[Route]] = field(default_factory=dict)
    connectors: dict[ComponentId, Connector] = field(default_factory=dict)

    def request_conditions(self) -> list[RequestCondition]:
        """The conditions of all connectors on requests."""
        return [condition for connector in self.connectors.values() for condition in connector.request_conditions]

    def siblings(self) -> dict[str, tuple[str, ...]]:
        """Pipeline with assembly → the other ones that write to the same store."""
        out: dict[str, set[str]] = {}
        for destination in self.exporters.values():
            assembling = destination.pipelines & self.samplers.keys()
            for name in assembling if destination.stores else ():
                out.setdefault(name, set()).update(assembling - {name})
        return {name: tuple(sorted(others)) for name, others in out.items()}


def build(
    config: CollectorConfig,
    settings: Mapping[ComponentId, Settings] | SettingsFactory,
    modelling: Modelling | None = None,
) -> Graph:
    """Creates processors and exporters, and joins them. Creating does no I/O."""
    return _Builder(config, settings, modelling).build()


@dataclass(frozen=True)
class SettingsFactory:
    """Makes the Settings of each component."""

    base: Settings

    def __getitem__(self, component: ComponentId) -> Settings:
        base = self.base
        log = structlog.get_logger(str(component))
        return Settings(component, base.telemetry, log, base.data_dir, base.memory_bytes)


class _Builder:
    def __init__(
        self,
        config: CollectorConfig,
        settings: Mapping[ComponentId, Settings] | SettingsFactory,
        modelling: Modelling | None,
    ) -> None:
        self._config = config
        self._settings = settings
        self._graph = Graph()
        self._telemetry = settings[config.pipelines[0].id].telemetry
        self._resolve = (modelling or Modelling(self._telemetry)).resolve
        self._prefixes: dict[tuple[Signal, Prefix], Chain] = {}

    def build(self) -> Graph:
        self._exporters()
        for pipeline in self._config.pipelines:
            self._pipeline(pipeline)
        self._routes()
        return self._graph

    def _exporters(self) -> None:
        for pipeline in self._config.pipelines:
            for id_ in pipeline.exporters:
                component = self._config.exporters[id_]
                assert isinstance(component.factory, ExporterFactory)
                if id_ not in self._graph.exporters:
                    factory, options = component.factory, component.config
                    made = factory.create(options, self._settings[id_])
                    self._graph.exporters[id_] = Destination(made, factory.stores, factory.preferences(options))
                self._graph.exporters[id_].pipelines.add(str(pipeline.id))

    def _pipeline(self, pipeline: Pipeline) -> None:
        name = str(pipeline.id)
        sampling = [i for i in pipeline.processors if self._stage(i) is Stage.SAMPLING]
        stores = any(self._graph.exporters[i].stores for i in pipeline.exporters)
        waits = pipeline.group_by_trace_wait
        if pipeline.signal is Signal.TRACES and (sampling or stores or pipeline.hops or waits is not None):
            sampler = self._sampler(sampling, KeepAll(nanoseconds(waits), 0) if waits else KeepAll())
            self._graph.samplers[name] = self._routed(pipeline, sampler) if pipeline.hops else sampler
            after = self._steps(pipeline.processors[self._cut(pipeline) :], Stage.STATELESS)
            if after:
                self._graph.after_sampling[name] = Chain(name, (), after, self._resolve, self._telemetry)
        else:
            self._graph.passing.append(name)

    def _sampler(self, ids: list[ComponentId], default: Sampler) -> Sampler:
        if not ids:
            return default
        component = self._config.processors[ids[0]]
        assert isinstance(component.factory, SamplerFactory)
        return component.factory.create(component.config, self._settings[ids[0]])

    def _routed(self, pipeline: Pipeline, sampler: Sampler) -> Sampler:
        cut = self._cut(pipeline)
        before = [self._gate(hop) for hop in pipeline.hops if hop.after <= cut]
        return Routed(sampler, before, [self._gate(hop) for hop in pipeline.hops if hop.after > cut])

    def _gate(self, hop: Hop) -> Gate:
        if hop.connector not in self._graph.connectors:
            component = self._config.connectors[hop.connector]
            assert isinstance(component.factory, ConnectorFactory)
            made = component.factory.create(component.config, self._settings[hop.connector])
            self._graph.connectors[hop.connector] = made
        connector = self._graph.connectors[hop.connector]
        return Gate(connector, str(hop.connector), hop.output, hop.counts_losses, self._telemetry)

    def _stage(self, id_: ComponentId) -> Stage:
        factory = self._config.processors[id_].factory
        assert isinstance(factory, ProcessorFactory | SamplerFactory)
        return factory.stage

    def _cut(self, pipeline: Pipeline) -> int:
        """The position of the first processor that runs after assembly: the sampler; else the number of processors."""
        stages = [self._stage(i) for i in pipeline.processors]
        return stages.index(Stage.SAMPLING) if Stage.SAMPLING in stages else len(stages)

    def _steps(self, ids: Prefix, stage: Stage) -> list[Step]:
        return [Step(str(i), self._create(i)) for i in ids if isinstance(i, ComponentId) and self._stage(i) is stage]

    def _stateless(self, prefix: Prefix) -> list[Step | Gate]:
        return [
            self._gate(part) if isinstance(part, Hop) else Step(str(part), self._create(part))
            for part in prefix
            if isinstance(part, Hop) or self._stage(part) is Stage.STATELESS
        ]

    def _create(self, id_: ComponentId) -> AnyProcessor:
        component = self._config.processors[id_]
        assert isinstance(component.factory, ProcessorFactory)
        return component.factory.create(component.config, self._settings[id_])

    def _routes(self) -> None:
        """Builds the routes. Pipelines of one receiver that begin with the same processors share a route, so their
        data is processed once and lies in one record.
        """
        groups: dict[tuple[Key, Prefix, bool], list[Pipeline]] = {}
        for pipeline in self._config.pipelines:
            prefix = self._prefix(pipeline)
            for receiver in pipeline.receivers:
                groups.setdefault(((str(receiver), pipeline.signal), prefix, False), []).append(pipeline)
                if str(pipeline.id) in self._graph.samplers and self._takes_logs(receiver):
                    groups.setdefault(((str(receiver), Signal.LOGS), prefix, True), []).append(pipeline)
        for (key, prefix, join), pipelines in groups.items():
            names = tuple(str(p.id) for p in pipelines)
            assembling = tuple(name for name in names if name in self._graph.samplers)
            route = Route(self._chain(names[0], key[1], prefix), names, join, assembling)
            self._graph.routes.setdefault(key, []).append(route)

    def _prefix(self, pipeline: Pipeline) -> Prefix:
        """The processors before the journal. For logs and metrics, the connectors among them, too: those of traces
        need whole traces, so they come after.
        """
        ids = pipeline.processors[: self._cut(pipeline)]
        if pipeline.signal is Signal.TRACES:
            return ids
        parts: list[ComponentId | Hop] = []
        for at in range(len(ids) + 1):
            parts += [hop for hop in pipeline.hops if hop.after == at]
            parts += ids[at : at + 1]
        return tuple(parts)

    def _takes_logs(self, receiver: ComponentId) -> bool:
        return any(p.signal is Signal.LOGS and receiver in p.receivers for p in self._config.pipelines)

    def _chain(self, pipeline: str, signal: Signal, prefix: Prefix) -> Chain:
        # Log records that only serve their spans' content need nothing but the mask.
        parts = tuple(part for part in prefix if isinstance(part, Hop) or self._works_on(part, signal))
        key = (signal, parts)
        if key not in self._prefixes:
            maskers, steps = self._steps(parts, Stage.MASK), self._stateless(parts)
            self._prefixes[key] = Chain(pipeline, maskers, steps, self._resolve, self._telemetry)
        return self._prefixes[key]

    def _works_on(self, id_: ComponentId, signal: Signal) -> bool:
        factory = self._config.processors[id_].factory
        return signal in factory.signals
