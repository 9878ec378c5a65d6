"""Component types by name, found by entry point; only what a configuration names is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata

from collector.component.base import Kind
from collector.component.connector import ConnectorFactory
from collector.component.exporter import ExporterFactory
from collector.component.extension import ExtensionFactory
from collector.component.factories import AnyFactory
from collector.component.processor import ProcessorFactory
from collector.component.receiver import ReceiverFactory
from collector.component.sampler import SamplerFactory
from collector.errors import ConfigError, suggest

ALIASES: Mapping[Kind, Mapping[str, str]] = {Kind.EXPORTER: {"otlp": "otlp_grpc", "otlphttp": "otlp_http"}}
"""Older spellings of the Collector; both are accepted."""

_FACTORIES: Mapping[Kind, tuple[type, ...]] = {
    Kind.RECEIVER: (ReceiverFactory,),
    Kind.PROCESSOR: (ProcessorFactory, SamplerFactory),
    Kind.EXPORTER: (ExporterFactory,),
    Kind.CONNECTOR: (ConnectorFactory,),
    Kind.EXTENSION: (ExtensionFactory,),
}

EntryPoints = Callable[[str], Iterable[metadata.EntryPoint]]
"""Group name → its entry points."""


@cache
def installed(group: str) -> tuple[metadata.EntryPoint, ...]:
    """The entry points of every installed distribution."""
    return tuple(metadata.entry_points(group=group))


@dataclass(frozen=True)
class ComponentInfo:
    """One component type, as ``spanloom components`` shows it."""

    kind: Kind
    type: str
    stability: str
    signals: tuple[str, ...]
    distribution: str
    aliases: tuple[str, ...] = ()
    error: str | None = None
    """Why it cannot be loaded; None: it can."""


class Registry:
    """Finds factories. ``entry_points`` is an argument so that tests can bring their own."""

    def __init__(self, entry_points: EntryPoints = installed) -> None:
        self.entry_points = entry_points
        """Of any group: those of components and others."""

    def names(self, kind: Kind) -> list[str]:
        """All types of a kind, aliases left out."""
        return sorted({point.name for point in self.entry_points(kind.group)})

    def get(self, kind: Kind, type_: str) -> AnyFactory:
        """The factory of a type. Raises ``ConfigError`` when there is none, or it cannot be loaded."""
        name = ALIASES.get(kind, {}).get(type_, type_)
        points = [point for point in self.entry_points(kind.group) if point.name == name]
        if not points:
            raise ConfigError(f"unknown {kind} type {type_!r}{self._nearest(kind, type_)}")
        if len({point.value for point in points}) > 1:
            homes = " and ".join(sorted(_distribution(point) for point in points))
            raise ConfigError(f"{kind} type {name!r} is provided twice, by {homes}: uninstall one of them")
        return _load(kind, points[0])

    def _nearest(self, kind: Kind, type_: str) -> str:
        names = self.names(kind)
        for other in Kind:
            if other is not kind and type_ in self.names(other):
                return f": it is a type of {other}"
        near = suggest(type_, [*names, *ALIASES.get(kind, {})])
        return f"{near}; installed: {', '.join(names) or 'none'}"

    def infos(self) -> list[ComponentInfo]:
        """Every installed component; loads all of them."""
        return [self._info(kind, name) for kind in Kind for name in self.names(kind)]

    def _info(self, kind: Kind, name: str) -> ComponentInfo:
        point = next(point for point in self.entry_points(kind.group) if point.name == name)
        aliases = tuple(alias for alias, target in ALIASES.get(kind, {}).items() if target == name)
        try:
            factory = self.get(kind, name)
        except ConfigError as error:
            return ComponentInfo(kind, name, "", (), _distribution(point), aliases, str(error))
        signals = tuple(sorted(factory.signals))
        return ComponentInfo(kind, name, factory.stability.value, signals, _distribution(point), aliases)


def _load(kind: Kind, point: metadata.EntryPoint) -> AnyFactory:
    try:
        factory = point.load()
    # A plug-in may fail at import in any way; the name of the one to blame is what helps.
    except Exception as error:
        raise ConfigError(
            f"{kind} {point.name!r} of {_distribution(point)} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    wanted = _FACTORIES[kind]
    if type(factory) not in wanted:
        named = " or ".join(one.__name__ for one in wanted)
        raise ConfigError(f"{kind} {point.name!r} of {_distribution(point)}: {point.value} is no {named}")
    assert isinstance(factory, AnyFactory)
    return factory


def _distribution(point: metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value
