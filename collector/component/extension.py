"""Extensions: what runs beside the pipelines, such as probes, alerts, and readers of what was decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from collector.component.base import ComponentConfig, Settings, Stability
from collector.component.exporter import ExportBatch, ExportPreferences, usual_preferences
from collector.model.batch import Signal


class HealthState(StrEnum):
    """How a component is."""

    OK = "ok"
    RECOVERABLE = "recoverable"  # it does not do its work at present, and goes on trying
    FATAL = "fatal"  # only a restart or another configuration helps: the service is not ready


@dataclass(frozen=True)
class ComponentHealth:
    """What a component says about itself."""

    state: HealthState = HealthState.OK
    reason: str = ""
    """Why it is not ok, in English, without content or secrets: it is shown at ``/readyz``."""


class Extension(Protocol):
    """Runs beside the pipelines. ``start`` and ``shutdown`` run on the event loop: what blocks belongs in a thread.

    Extensions start before everything else, in the order of ``service.extensions``, and stop after it, in the
    opposite order.
    """

    async def start(self) -> None:
        """Raises ``ConfigError`` when it never can; then the service does not start."""

    async def shutdown(self) -> None:
        """Ends what ``start`` began. Safe to call twice, without a start and after one that failed."""

    def health(self) -> ComponentHealth:
        """How it is now. May be called from any thread, at any time; returns at once."""


@runtime_checkable
class PipelineWatcher(Protocol):
    """An extension that is told when the pipelines take data. Both methods run on the event loop and return at once."""

    def ready(self) -> None:
        """All receivers listen."""

    def not_ready(self) -> None:
        """The receivers are about to stop."""


@runtime_checkable
class DecidedReader(Protocol):
    """An extension that reads what pipelines decide (``ExtensionFactory.reads_decided``), as an exporter does.

    It has a position of its own on disk, and goes on from there after a restart; at its first start it begins with
    what is decided from then on. A range is given again until ``read_decided`` returns, after a crash exactly the
    same range: at least once. One that keeps its position with its own data, and says it with a method
    ``checkpoint`` (``Checkpointed``), reads everything exactly once. What it has not read stays in the journal, so
    it must keep up.
    """

    def read_decided(self, batch: ExportBatch) -> None:
        """Takes a range of decisions: those of every pipeline of the signals asked for, spans of a trace together.

        A span that pipelines with a common store keep comes once, else once per pipeline. Raises
        ``RetryableError`` to be given the same range again after a back-off, ``PermanentError`` to pass it over.
        Called from one thread of its own, from ``start`` until shortly before ``shutdown``.
        """


@dataclass(frozen=True)
class ExtensionFactory:
    """How an extension is made, and what it reads."""

    config: type[ComponentConfig]
    create: Callable[[Any, Settings], Extension]
    reads_decided: frozenset[Signal] = frozenset()
    """It is a ``DecidedReader`` of these signals; none: it reads nothing."""
    preferences: Callable[[Any], ExportPreferences] = usual_preferences
    """From its options: how it likes to be fed, if it reads."""
    stability: Stability = Stability.BETA

    @property
    def signals(self) -> frozenset[Signal]:
        """As other factories have it."""
        return self.reads_decided
