"""Processors: pure functions of one batch, and optional protocols that some implement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol, runtime_checkable

import pyarrow as pa

from collector.component.base import ComponentConfig, Settings, Stability
from collector.model.batch import Batch, BatchT, LogBatch, MetricBatch, Signal, SpanBatch


class Stage(StrEnum):
    """Where a processor runs."""

    MASK = "mask"  # first, whatever its place in the list; sees no facts yet
    STATELESS = "stateless"  # before the journal; a pure function of one batch
    SAMPLING = "sampling"  # over whole traces, after assembly


class Processor(Protocol[BatchT]):
    """A pure function of one batch (stages MASK and STATELESS): ``Processor[SpanBatch]`` works on traces.

    One that works on several signals says ``def process(self, batch: BatchT) -> BatchT``. It must not keep state
    between batches that changes its answer, must not do I/O and must not know what comes next. Splitting a batch
    and joining the results changes nothing.
    """

    def process(self, batch: BatchT, /) -> BatchT:
        """The batch, changed. Zero rows mean everything was dropped."""


AnyProcessor = Processor[SpanBatch] | Processor[LogBatch] | Processor[MetricBatch]
"""A processor of some signal; its factory says of which."""


@runtime_checkable
class PriceList(Protocol):
    """A processor that knows prices (``spanloom prices show``)."""

    def prices(self, model: str, *, provider: str | None, tier: str | None, unix_nano: int) -> pa.Table | None:
        """The prices of a model at a time, one row each with ``context``, ``bucket``, ``usd_per_million`` and
        ``price_ref`` (all text), or None when nobody has one.
        """


@runtime_checkable
class Finder(Protocol):
    """A masker that can report what it would mask, without the content itself (``spanloom pii report``)."""

    def findings(self, batch: Batch) -> pa.Table:
        """The findings in a batch, one row each: ``entity``, ``carrier`` (the column), ``key`` (an attribute's, masked
        as well), all text, and ``count``, int64. A text that many rows share is counted once.
        """


@runtime_checkable
class Pseudonymizer(Protocol):
    """A masker that puts pseudonyms in place of who somebody is (``spanloom pii pseudonym``)."""

    def pseudonym(self, key: str, value: str) -> str:
        """What is stored for the value of an attribute of that key: a pseudonym, or the value where it needs none.

        Raises ``ConfigError`` where it needs one and there is no key yet: a new key would give another pseudonym than
        the one that will be stored.
        """


@dataclass(frozen=True)
class ProcessorFactory:
    """How a processor is made, and where in the pipeline it runs."""

    config: type[ComponentConfig]
    create: Callable[[Any, Settings], AnyProcessor]
    stage: Literal[Stage.MASK, Stage.STATELESS] = Stage.STATELESS
    signals: frozenset[Signal] = frozenset({Signal.TRACES})
    prices: bool = False
    """It fills ``schema.PRICED`` from usage; ``reprice`` runs it again over stored usage."""

    masks: bool = False
    """It takes content away in its place in the list, by the user's own rules: before a sampler, before the disk."""

    stability: Stability = Stability.BETA

    def __post_init__(self) -> None:
        if self.stage not in (Stage.MASK, Stage.STATELESS):
            raise TypeError(f"stage {self.stage} is that of a sampler: make a SamplerFactory")
