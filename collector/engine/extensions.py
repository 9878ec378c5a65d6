"""The extensions of one service: made, started first and stopped last, and fed what pipelines decide."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import structlog

from collector.component.base import ComponentId, Settings
from collector.component.exporter import Checkpointed, ExportBatch
from collector.component.extension import (
    ComponentHealth,
    DecidedReader,
    Extension,
    ExtensionFactory,
    HealthState,
    PipelineWatcher,
)
from collector.config.plan import CollectorConfig, Component
from collector.engine.graph import Destination, SettingsFactory
from collector.errors import ConfigError, where

PREFIX = "extension:"
"""Before an extension's id where exporters go by theirs: in the ledger and in metrics."""


class Extensions:
    """Those that ``service.extensions`` lists. Everything but ``health`` runs on the event loop."""

    def __init__(self, config: CollectorConfig, settings: Mapping[ComponentId, Settings] | SettingsFactory) -> None:
        """Creates them, without I/O. Raises ``ConfigError`` for one that is not what its factory says."""
        self._config = config
        self._extensions = {
            id_: _created(component, settings[id_]) for id_, component in self._config.extensions.items()
        }
        self._started: list[ComponentId] = []
        self._log = structlog.get_logger("extensions")

    def destinations(self) -> dict[str, Destination]:
        """Those that read what is decided, by the name of their position."""
        return {
            f"{PREFIX}{id_}": self._destination(id_, extension)
            for id_, extension in self._extensions.items()
            if isinstance(extension, DecidedReader) and _factory(self._config.extensions[id_]).reads_decided
        }

    def _destination(self, id_: ComponentId, reader: DecidedReader) -> Destination:
        component = self._config.extensions[id_]
        factory = _factory(component)
        feed = _CheckpointedFeed(reader, reader) if isinstance(reader, Checkpointed) else _Feed(reader)
        pipelines = {str(p.id) for p in self._config.pipelines if p.signal in factory.reads_decided}
        # As a store: a span once, and after a crash the same range again.
        return Destination(feed, True, factory.preferences(component.config), pipelines)

    async def start(self) -> None:
        """In the order of the configuration. One that fails ends those before it, and raises."""
        try:
            for id_, extension in self._extensions.items():
                self._started.append(id_)
                await extension.start()
        except BaseException:
            await self.shutdown()
            raise

    def ready(self) -> None:
        """Tells those that want to know that all receivers listen."""
        for extension in self._extensions.values():
            if isinstance(extension, PipelineWatcher):
                extension.ready()

    def not_ready(self) -> None:
        """Tells those that were started and want to know that the receivers are about to stop."""
        for id_ in self._started:
            extension = self._extensions[id_]
            if isinstance(extension, PipelineWatcher):
                try:
                    extension.not_ready()
                except Exception as error:  # the end of the service goes on whatever an extension does
                    self._report("not_ready", id_, error)

    async def shutdown(self) -> None:
        """Those that were started, the last first. Safe to call twice."""
        while self._started:
            id_ = self._started.pop()
            try:
                await self._extensions[id_].shutdown()
            except Exception as error:  # the others have to end too
                self._report("shutdown", id_, error)

    def health(self) -> dict[ComponentId, ComponentHealth]:
        """How each is. May be called from any thread."""
        return {id_: _health(extension) for id_, extension in self._extensions.items()}

    def _report(self, call: str, id_: ComponentId, error: Exception) -> None:
        # The text of an unforeseen error may quote the data, so only its kind and place are told.
        name = type(error).__name__
        self._log.error("an extension failed", extension=str(id_), call=call, error=name, at=where(error))


def _factory(component: Component) -> ExtensionFactory:
    assert isinstance(component.factory, ExtensionFactory)
    return component.factory


def _created(component: Component, settings: Settings) -> Extension:
    factory = _factory(component)
    extension = factory.create(component.config, settings)
    if factory.reads_decided and not isinstance(extension, DecidedReader):
        raise ConfigError(
            f"extensions.{component.id}: its factory says that it reads decided data, but it has no 'read_decided'"
        )
    return extension


def _health(extension: Extension) -> ComponentHealth:
    try:
        return extension.health()
    except Exception as error:  # that it cannot say how it is says enough
        return ComponentHealth(HealthState.RECOVERABLE, f"its health is unknown: {type(error).__name__}")


def reasons(health: Mapping[ComponentId, ComponentHealth], states: Collection[HealthState]) -> str:
    """The extensions in one of some states, with why, in one line."""
    found = ((id_, one) for id_, one in health.items() if one.state in states)
    return "; ".join(f"extension {id_}: {one.reason or one.state}" for id_, one in found)


class _Feed:
    """A reader in the place of an exporter. The extension itself is started and stopped as one."""

    def __init__(self, reader: DecidedReader) -> None:
        self._reader = reader

    def start(self) -> None:
        """The extension has started by itself."""

    def export(self, batch: ExportBatch) -> None:
        self._reader.read_decided(batch)

    def shutdown(self) -> None:
        """The extension stops when all pipelines have."""


class _CheckpointedFeed(_Feed):
    """Of a reader that keeps its position with its own data."""

    def __init__(self, reader: DecidedReader, position: Checkpointed) -> None:
        super().__init__(reader)
        self._position = position

    def checkpoint(self) -> tuple[str, int] | None:
        return self._position.checkpoint()
