"""Checks of ``service.pipelines``: references, signals, order. Everything wrong is reported at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from collector import yaml_tree
from collector.component import AnyFactory, ComponentId, Kind, ProcessorFactory, Stage
from collector.config_models import Report
from collector.engine_processors import GroupByTraceConfig
from collector.errors import ConfigError
from collector.model.batch import Signal
from collector.registry import suggest
from collector.service_config import Pipeline
from collector.yaml_tree import Node, Path, Scalar

PIPELINES: Path = ("service", "pipelines")


@dataclass
class Declared:
    """The components a configuration declares, whether or not their own options are right."""

    factories: dict[Kind, dict[ComponentId, AnyFactory | None]] = field(
        default_factory=lambda: {kind: {} for kind in Kind}
    )
    """None: the type is unknown, which is reported already."""
    engine: dict[ComponentId, object] = field(default_factory=dict)
    """Processors that are part of the engine → their options."""

    def ids(self, kind: Kind) -> list[ComponentId]:
        return [*self.factories[kind], *(self.engine if kind is Kind.PROCESSOR else ())]


def pipelines(root: Node, declared: Declared, report: Report) -> tuple[Pipeline, ...]:
    """All pipelines that make sense; ``report`` says what does not."""
    section = yaml_tree.find(root, PIPELINES)
    if not isinstance(section, yaml_tree.Mapping):
        return ()
    used: set[tuple[Kind, ComponentId]] = set()
    found = []
    for key in section.entries:
        pipeline = _pipeline((*PIPELINES, key), declared, report, used)
        if pipeline:
            found.append(pipeline)
    _warn_unused(declared, used, report)
    return tuple(found)


def _pipeline(path: Path, declared: Declared, report: Report, used: set[tuple[Kind, ComponentId]]) -> Pipeline | None:
    signal_and_id = _signal(path, report)
    lists = {
        kind: list(_references(kind, (*path, f"{kind}s"), declared, report))
        for kind in (Kind.RECEIVER, Kind.PROCESSOR, Kind.EXPORTER)
    }
    used |= {(kind, id_) for kind, references in lists.items() for _, id_ in references}
    if signal_and_id is None:
        return None
    signal, id_ = signal_and_id
    for kind, references in lists.items():
        _check_signals(kind, references, signal, declared, report)
    _check_order(path, lists[Kind.PROCESSOR], declared, report)
    ids = {kind: tuple(id_ for _, id_ in references) for kind, references in lists.items()}
    processors = tuple(id_ for id_ in ids[Kind.PROCESSOR] if id_ not in declared.engine)
    pipeline = Pipeline(id_, signal, ids[Kind.RECEIVER], processors, ids[Kind.EXPORTER])
    waits = [declared.engine[id_] for id_ in ids[Kind.PROCESSOR] if id_ in declared.engine]
    for wait in waits:
        if isinstance(wait, GroupByTraceConfig):
            pipeline = replace(pipeline, group_by_trace_wait=wait.wait_duration)
    return pipeline


def _signal(path: Path, report: Report) -> tuple[Signal, ComponentId] | None:
    key = str(path[-1])
    try:
        id_ = ComponentId.parse(key)
        return Signal(id_.type), id_
    except (ConfigError, ValueError):
        near = suggest(key.partition("/")[0], [signal.value for signal in Signal])
        report.error(path, f"{key!r} is no pipeline: expected traces, logs or metrics, or one of these/name{near}")
        return None


def _references(kind: Kind, path: Path, declared: Declared, report: Report) -> Iterator[tuple[Path, ComponentId]]:
    """The ids in one list of a pipeline that are declared, once each."""
    node = yaml_tree.find(report.root, path)
    seen: set[ComponentId] = set()
    for position, item in enumerate(node.items if isinstance(node, yaml_tree.Sequence_) else ()):
        at = (*path, position)
        if not (isinstance(item, Scalar) and isinstance(item.value, str)):
            continue
        try:
            id_ = ComponentId.parse(item.value)
        except ConfigError as error:
            report.error(at, str(error))
            continue
        if id_ in seen:
            report.error(at, f"{kind} {str(id_)!r} is listed twice")
        elif id_ not in declared.ids(kind):
            report.error(at, _undeclared(kind, id_, declared))
        else:
            seen.add(id_)
            yield at, id_


def _undeclared(kind: Kind, id_: ComponentId, declared: Declared) -> str:
    text = str(id_)
    for other in Kind:
        if other is not kind and id_ in declared.ids(other):
            return f"{text!r} is declared under '{other}s', not under '{kind}s'"
    known = [str(known) for known in declared.ids(kind)]
    near = suggest(text, known) or f"; declared: {', '.join(known) or 'none'}"
    return f"{text!r} is not declared under '{kind}s'{near}"


def _check_signals(
    kind: Kind, references: Sequence[tuple[Path, ComponentId]], signal: Signal, declared: Declared, report: Report
) -> None:
    for at, id_ in references:
        factory = declared.factories[kind].get(id_)
        if factory is not None and signal not in factory.signals:
            takes = " and ".join(sorted(factory.signals))
            report.error(at, f"{kind} {str(id_)!r} works on {takes}, not on {signal}")


def _check_order(
    path: Path, references: Sequence[tuple[Path, ComponentId]], declared: Declared, report: Report
) -> None:
    sampler: ComponentId | None = None
    masked = False
    for at, id_ in references:
        match _stage(id_, declared.factories[Kind.PROCESSOR]):
            case Stage.MASK:
                masked = True
                if sampler:
                    why = f"{str(id_)!r} masks, so it must stand before {str(sampler)!r}: what waits for a decision is"
                    report.error(at, f"{why} already on disk")
            case Stage.SAMPLING:
                if sampler:
                    report.error(at, f"{str(sampler)!r} already decides about the traces of this pipeline")
                sampler = sampler or id_
    if not masked:
        why = "nothing masks content here: what this pipeline takes is journaled on disk as it comes"
        report.warn(path, f"{why}; add 'pii' to its processors")


def _stage(id_: ComponentId, factories: Mapping[ComponentId, AnyFactory | None]) -> Stage | None:
    factory = factories.get(id_)
    return factory.stage if isinstance(factory, ProcessorFactory) else None


def _warn_unused(declared: Declared, used: set[tuple[Kind, ComponentId]], report: Report) -> None:
    for kind in (Kind.RECEIVER, Kind.PROCESSOR, Kind.EXPORTER):
        for id_ in declared.ids(kind):
            if (kind, id_) not in used:
                report.warn((f"{kind}s", str(id_)), f"no pipeline uses this {kind}: it is not started")
