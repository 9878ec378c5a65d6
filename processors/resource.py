"""Changes attributes of the resource that spans, log records and metric points come from, as the Collector's
processor of that name does.

What the trace model reads from the resource follows: ``service.name``, ``deployment.environment.name``. A record
whose resource says nothing any more keeps an empty one.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from spanloom import AttributeAction, BatchT, ComponentConfig, Flat, ProcessorFactory, Settings, Signal, with_headers


class Config(ComponentConfig):
    attributes: tuple[AttributeAction, ...] = Field(min_length=1)
    """What is done, in this order."""


class Resource:
    """Runs the actions over the distinct resources of a batch."""

    def __init__(self, config: Config, settings: Settings) -> None:  # noqa: ARG002 - the form of all components
        self._actions = config.attributes

    def process(self, batch: BatchT) -> BatchT:
        """Takes batches of any signal."""
        return with_headers(batch, "resource", self._change)

    def _change(self, flat: Flat, n: int) -> Flat:
        for action in self._actions:
            flat = action.apply(flat, np.ones(n, bool))
        return flat


factory = ProcessorFactory(Config, Resource, signals=frozenset(Signal))
