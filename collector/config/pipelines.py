"""Checks of ``service.pipelines``: references, signals, order. Everything wrong is reported at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from collector.component.base import ComponentId, Kind
from collector.component.connector import ConnectorFactory
from collector.component.factories import AnyFactory
from collector.component.processor import ProcessorFactory, Stage
from collector.config import yaml_tree
from collector.config.engine_processors import GroupByTraceConfig
from collector.config.plan import Component, Hop, Pipeline
from collector.config.validation import Findings
from collector.config.ways import Outputs, PipelineRead, Reference, Way, ways
from collector.config.yaml_tree import Node, Path, Scalar
from collector.errors import ConfigError, suggest
from collector.model.batch import Signal

PIPELINES: Path = ("service", "pipelines")
_LISTS = {
    Kind.RECEIVER: (Kind.RECEIVER, Kind.CONNECTOR),
    Kind.PROCESSOR: (Kind.PROCESSOR,),
    Kind.EXPORTER: (Kind.EXPORTER, Kind.CONNECTOR),
}
"""The lists of a pipeline, and the kinds of component that may stand there."""


@dataclass
class Declared:
    """The components a configuration declares, whether or not their own options are right."""

    factories: dict[Kind, dict[ComponentId, AnyFactory | None]] = field(
        default_factory=lambda: {kind: {} for kind in Kind}
    )
    """None: the type is unknown, which is reported already."""
    engine: dict[ComponentId, object] = field(default_factory=dict)
    """Processors that are part of the engine → their options."""
    used: set[tuple[Kind, ComponentId]] = field(default_factory=set)
    """What pipelines list; known once these are read."""
    components: Mapping[Kind, Mapping[ComponentId, Component]] = field(default_factory=dict)
    """Those whose options are right."""

    def ids(self, kind: Kind) -> list[ComponentId]:
        return [*self.factories[kind], *(self.engine if kind is Kind.PROCESSOR else ())]


def pipelines(root: Node, declared: Declared, findings: Findings) -> tuple[Pipeline, ...]:
    """Every way from receivers to exporters that makes sense; ``findings`` says what does not."""
    section = yaml_tree.find(root, PIPELINES)
    if not isinstance(section, yaml_tree.Mapping):
        return ()
    read = [one for key in section.entries if (one := _read((*PIPELINES, key), declared, findings))]
    _warn_unused(declared, findings)
    found = ways(read, _outputs(declared, findings), findings)
    told: set[object] = set()
    return tuple(_pipeline(way, declared, findings, told) for way in found)


def _read(path: Path, declared: Declared, findings: Findings) -> PipelineRead | None:
    signal_and_id = _signal(path, findings)
    lists = {of: tuple(_references(of, (*path, f"{of}s"), declared, findings)) for of in _LISTS}
    declared.used |= {(reference.kind, reference.id) for references in lists.values() for reference in references}
    if signal_and_id is None:
        return None
    signal, id_ = signal_and_id
    for references in lists.values():
        _check_signals(references, signal, declared, findings)
    _warn_late_limiter(lists[Kind.PROCESSOR], findings)
    return PipelineRead(path, id_, signal, lists[Kind.RECEIVER], lists[Kind.PROCESSOR], lists[Kind.EXPORTER])


def _outputs(declared: Declared, findings: Findings) -> Outputs:
    """Of connectors whose options are right: the pipelines these name."""
    found: dict[ComponentId, list[tuple[Path, ComponentId]]] = {}
    for id_, component in declared.components[Kind.CONNECTOR].items():
        assert isinstance(component.factory, ConnectorFactory)
        found[id_] = []
        for inside, text in component.factory.outputs(component.config):
            at = ("connectors", str(id_), *inside)
            try:
                found[id_].append((at, ComponentId.parse(text)))
            except ConfigError as error:
                findings.error(at, str(error))
    return found


def _pipeline(way: Way, declared: Declared, findings: Findings, told: set[object]) -> Pipeline:
    """``told``: the connectors, behind what comes before them, that have a pipeline to tell what finds no way."""
    processors: list[ComponentId] = []
    wait = None
    hops = []
    for at, part in enumerate(way.pipelines):
        if at:
            key = way.up_to(at - 1)
            hops.append(Hop(way.connectors[at - 1], part.id, len(processors), key not in told))
            told.add(key)
        for reference in part.processors:
            options = declared.engine.get(reference.id)
            wait = options.wait_duration if isinstance(options, GroupByTraceConfig) else wait
            processors += () if reference.id in declared.engine else (reference.id,)
    _check_order(way.last.path, [r for part in way.pipelines for r in part.processors], declared, findings)
    receivers = tuple(r.id for r in way.pipelines[0].receivers if r.kind is Kind.RECEIVER)
    exporters = tuple(r.id for r in way.last.exporters if r.kind is Kind.EXPORTER)
    return Pipeline(way.id, way.last.signal, receivers, tuple(processors), exporters, wait, tuple(hops))


def _signal(path: Path, findings: Findings) -> tuple[Signal, ComponentId] | None:
    key = str(path[-1])
    try:
        id_ = ComponentId.parse(key)
        return Signal(id_.type), id_
    except (ConfigError, ValueError):
        near = suggest(key.partition("/")[0], [signal.value for signal in Signal])
        findings.error(path, f"{key!r} is no pipeline: expected traces, logs or metrics, or one of these/name{near}")
        return None


def _references(of: Kind, path: Path, declared: Declared, findings: Findings) -> Iterator[Reference]:
    """The ids in one list of a pipeline that are declared, once each."""
    node = yaml_tree.find(findings.root, path)
    seen: set[ComponentId] = set()
    for position, item in enumerate(node.items if isinstance(node, yaml_tree.Sequence_) else ()):
        at = (*path, position)
        if not (isinstance(item, Scalar) and isinstance(item.value, str)):
            continue
        try:
            id_ = ComponentId.parse(item.value)
        except ConfigError as error:
            findings.error(at, str(error))
            continue
        kinds = [kind for kind in _LISTS[of] if id_ in declared.ids(kind)]
        if id_ in seen:
            findings.error(at, f"{of} {str(id_)!r} is listed twice")
        elif not kinds:
            findings.error(at, _undeclared(of, id_, declared))
        elif len(kinds) > 1:
            findings.error(
                at, f"{str(id_)!r} is declared under '{kinds[0]}s' and under '{kinds[1]}s': rename one of them"
            )
        else:
            seen.add(id_)
            yield Reference(at, kinds[0], id_)


def _undeclared(of: Kind, id_: ComponentId, declared: Declared) -> str:
    text = str(id_)
    for other in Kind:
        if other not in _LISTS[of] and id_ in declared.ids(other):
            return f"{text!r} is declared under '{other}s', not under '{of}s'"
    known = [str(known) for kind in _LISTS[of] for known in declared.ids(kind)]
    near = suggest(text, known) or f"; declared: {', '.join(known) or 'none'}"
    return f"{text!r} is not declared under '{of}s'{near}"


def _check_signals(references: Sequence[Reference], signal: Signal, declared: Declared, findings: Findings) -> None:
    for reference in references:
        factory = declared.factories[reference.kind].get(reference.id)
        if factory is not None and signal not in factory.signals:
            takes = " and ".join(sorted(factory.signals))
            findings.error(reference.at, f"{reference.kind} {str(reference.id)!r} works on {takes}, not on {signal}")


def _check_order(path: Path, references: Sequence[Reference], declared: Declared, findings: Findings) -> None:
    sampler: ComponentId | None = None
    masked = False
    for reference in references:
        at, id_ = reference.at, reference.id
        masked = masked or (sampler is None and _masks(id_, declared.factories[Kind.PROCESSOR]))
        match _stage(id_, declared.factories[Kind.PROCESSOR]):
            case Stage.MASK:
                masked = True
                if sampler:
                    why = f"{str(id_)!r} masks, so it must stand before {str(sampler)!r}: what waits for a decision is"
                    findings.error(at, f"{why} already on disk")
            case Stage.SAMPLING:
                if sampler:
                    findings.error(at, f"{str(sampler)!r} already decides about the traces of this pipeline")
                sampler = sampler or id_
    if not masked:
        why = "nothing masks content here: what this pipeline takes is journaled on disk as it comes"
        findings.warn(path, f"{why}; add 'pii' to its processors")


def _warn_late_limiter(processors: Sequence[Reference], findings: Findings) -> None:
    for reference in processors[1:]:
        if reference.id.type == "memory_limiter" and processors[0].id.type != "memory_limiter":
            why = f"{str(reference.id)!r} should be the first processor: in the Collector it protects only what is"
            findings.warn(reference.at, f"{why} behind it; here its limit holds from the moment a request arrives")


def _stage(id_: ComponentId, factories: Mapping[ComponentId, AnyFactory | None]) -> Stage | None:
    factory = factories.get(id_)
    return factory.stage if isinstance(factory, ProcessorFactory) else None


def _masks(id_: ComponentId, factories: Mapping[ComponentId, AnyFactory | None]) -> bool:
    factory = factories.get(id_)
    return isinstance(factory, ProcessorFactory) and factory.masks


def _warn_unused(declared: Declared, findings: Findings) -> None:
    for kind in Kind:
        for id_ in declared.ids(kind):
            if (kind, id_) not in declared.used:
                findings.warn((f"{kind}s", str(id_)), f"no pipeline uses this {kind}: it is not started")
