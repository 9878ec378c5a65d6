"""Connectors: where each trace or row goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from collector.component.base import ComponentConfig, ComponentId, Settings, Stability
from collector.component.receiver import Metadata
from collector.component.sampler import DueTraces
from collector.model.batch import LogBatch, MetricBatch, Signal


class RequestCondition(Protocol):
    """A condition over a request's metadata. Only that it is met is kept, never the metadata."""

    @property
    def key(self) -> str:
        """Names the condition, in one line and the same after a restart: what is kept, so neither header nor value."""

    def is_met(self, metadata: Metadata) -> bool: ...


@dataclass(frozen=True)
class Routes:
    """Where each of some traces or rows goes."""

    outputs: Mapping[ComponentId, npt.NDArray[np.bool_]]
    """Pipeline → what goes there. What goes nowhere is dropped, and counted as ``no_route``."""
    failed: npt.NDArray[np.bool_] | None = None
    """Where a condition could not be evaluated: counted."""


class Connector(Protocol):
    """Divides what pipelines hand it among other pipelines, whole traces as whole traces.

    Like a processor it is a function of its input, without a memory of its own.
    """

    @property
    def request_conditions(self) -> Sequence[RequestCondition]:
        """What is asked of every request."""

    def route_traces(self, due: DueTraces) -> Routes: ...

    def route(self, batch: LogBatch | MetricBatch, matched_conditions: frozenset[str]) -> Routes:
        """``matched_conditions``: the keys of the conditions that the request of these rows matched."""


@dataclass(frozen=True)
class ConnectorFactory:
    """How a connector is made, and where it may send what it gets."""

    config: type[ComponentConfig]
    create: Callable[[Any, Settings], Connector]
    outputs: Callable[[Any], Sequence[tuple[tuple[str | int, ...], str]]]
    """From its options: (where in them, id of a pipeline) for each pipeline named."""

    signals: frozenset[Signal] = frozenset(Signal)
    stability: Stability = Stability.BETA
