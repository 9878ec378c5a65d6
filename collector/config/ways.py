"""The ways that data takes where connectors join pipelines: from receivers to exporters, each on its own.

A pipeline with exporters is the end of one way per way into it, so what the engine runs are straight lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from collector.component.base import ComponentId, Kind
from collector.config.validation import Findings
from collector.config.yaml_tree import Path
from collector.errors import suggest
from collector.model.batch import Signal


@dataclass(frozen=True)
class Reference:
    """An id in one list of a pipeline, and where it stands."""

    at: Path
    kind: Kind
    id: ComponentId


@dataclass(frozen=True)
class PipelineRead:
    """A pipeline as it is written; only references that resolve."""

    path: Path
    id: ComponentId
    signal: Signal
    receivers: tuple[Reference, ...]
    """Receivers and connectors."""
    processors: tuple[Reference, ...]
    exporters: tuple[Reference, ...]
    """Exporters and connectors."""

    def takes_from(self) -> Iterator[Reference]:
        """The connectors it gets data from."""
        return (reference for reference in self.receivers if reference.kind is Kind.CONNECTOR)

    def hands_to(self) -> Iterator[Reference]:
        """The connectors it gives data to."""
        return (reference for reference in self.exporters if reference.kind is Kind.CONNECTOR)

    def begins(self) -> bool:
        return any(reference.kind is Kind.RECEIVER for reference in self.receivers)

    def ends(self) -> bool:
        return any(reference.kind is Kind.EXPORTER for reference in self.exporters)


@dataclass(frozen=True)
class Way:
    """Pipelines one behind the other, and the connectors between them."""

    id: ComponentId
    pipelines: tuple[PipelineRead, ...]
    connectors: tuple[ComponentId, ...] = ()

    @property
    def last(self) -> PipelineRead:
        return self.pipelines[-1]

    def up_to(self, hop: int) -> object:
        """What comes before a connector of the way, and that connector."""
        return tuple(p.id for p in self.pipelines[: hop + 1]), self.connectors[hop]


Outputs = Mapping[ComponentId, Sequence[tuple[Path, ComponentId]]]
"""Connector → the pipelines that its options name, and where."""


def ways(pipelines: Sequence[PipelineRead], outputs: Outputs, findings: Findings) -> list[Way]:
    """Every way, in the order of the pipelines they end in. What is joined wrongly goes to ``findings``."""
    _check_joints(pipelines, findings)
    _check_outputs(pipelines, outputs, findings)
    into = _Into(pipelines, findings)
    return [way for pipeline in pipelines if pipeline.ends() for way in into.named(pipeline)]


class _Into:
    """Looks for ways backwards, from pipeline to pipeline."""

    def __init__(self, pipelines: Sequence[PipelineRead], findings: Findings) -> None:
        self._findings = findings
        self._sources: dict[tuple[ComponentId, Signal], list[PipelineRead]] = {}
        for pipeline in pipelines:
            for reference in pipeline.hands_to():
                self._sources.setdefault((reference.id, pipeline.signal), []).append(pipeline)
        self._circles: set[frozenset[ComponentId]] = set()

    def named(self, pipeline: PipelineRead) -> list[Way]:
        """The ways into a pipeline, with ids: its own, and where there are several what each comes through."""
        found = list(self._into(pipeline, ()))
        if len(found) == 1:
            return found
        return [Way(_name(way), way.pipelines, way.connectors) for way in found]

    def _into(self, pipeline: PipelineRead, behind: tuple[PipelineRead, ...]) -> Iterator[Way]:
        if pipeline.begins():
            yield Way(pipeline.id, (pipeline,))
        for reference in pipeline.takes_from():
            for source in self._sources.get((reference.id, pipeline.signal), ()):
                if source in (*behind, pipeline):
                    self._tell_circle(reference, (*behind, pipeline))
                    continue
                for way in self._into(source, (*behind, pipeline)):
                    yield Way(pipeline.id, (*way.pipelines, pipeline), (*way.connectors, reference.id))

    def _tell_circle(self, reference: Reference, members: tuple[PipelineRead, ...]) -> None:
        circle = frozenset(pipeline.id for pipeline in members)
        if circle not in self._circles:
            self._circles.add(circle)
            names = ", ".join(sorted(map(str, circle)))
            self._findings.error(reference.at, f"pipelines feed each other in a circle: {names}")


def _name(way: Way) -> ComponentId:
    """``traces/b`` for what receivers bring, ``traces/b@a`` for what comes through ``traces/a``."""
    through = "@".join(p.id.name or p.id.type for p in reversed(way.pipelines[:-1]))
    return ComponentId(way.id.type, f"{way.id.name}@{through}") if through else way.id


def _check_joints(pipelines: Sequence[PipelineRead], findings: Findings) -> None:
    """A connector has pipelines on both sides, for every signal it is used for."""
    given = {(r.id, p.signal) for p in pipelines for r in p.hands_to()}
    taken = {(r.id, p.signal) for p in pipelines for r in p.takes_from()}
    for pipeline in pipelines:
        for reference in pipeline.hands_to():
            if (reference.id, pipeline.signal) not in taken:
                why = f"no {pipeline.signal} pipeline has connector {str(reference.id)!r} among its receivers"
                findings.error(reference.at, f"{why}: nothing would come out of it")
        for reference in pipeline.takes_from():
            if (reference.id, pipeline.signal) not in given:
                why = f"no {pipeline.signal} pipeline has connector {str(reference.id)!r} among its exporters"
                findings.error(reference.at, f"{why}: nothing would come from it")


def _check_outputs(pipelines: Sequence[PipelineRead], outputs: Outputs, findings: Findings) -> None:
    """What a connector's options name are pipelines that take from it, and the other way round."""
    fed = {(r.id, p.id) for p in pipelines for r in p.takes_from()}
    known = [str(pipeline.id) for pipeline in pipelines]
    for connector in {id_: None for id_, _ in fed} | {r.id: None for p in pipelines for r in p.hands_to()}:
        for at, output in outputs.get(connector, ()):
            if str(output) not in known:
                near = suggest(str(output), known) or f"; there are {', '.join(known) or 'none'}"
                findings.error(at, f"no pipeline is called {str(output)!r}{near}")
            elif (connector, output) not in fed:
                findings.error(at, f"pipeline {str(output)!r} does not have {str(connector)!r} among its receivers")
    for pipeline in pipelines:
        for reference in pipeline.takes_from():
            if reference.id in outputs and pipeline.id not in {output for _, output in outputs[reference.id]}:
                why = f"connector {str(reference.id)!r} sends nothing to {str(pipeline.id)!r}"
                findings.error(reference.at, f"{why}: its options do not name this pipeline")
