"""Samplers: decisions about whole traces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.component.base import ComponentConfig, Settings, Stability
from collector.component.processor import Stage
from collector.model import schema
from collector.model.batch import LogBatch, Signal, SpanBatch


class LoadSpans(Protocol):
    """Reads the spans of due traces back from the journal."""

    def __call__(self, columns: Sequence[str] | None = None) -> tuple[SpanBatch, npt.NDArray[np.int32]]:
        """All spans, and per span the row of its trace in ``DueTraces.traces``.

        ``columns``: only these of ``schema.SPANS``; None: all. There is ``usage_scope`` besides, as in
        ``schema.DECIDED``. Costly: only policies that look at spans call it.
        """


def no_logs() -> tuple[LogBatch, npt.NDArray[np.int32]]:
    """The log records of traces that have none, and per record the row of its trace."""
    return LogBatch(pa.RecordBatch.from_pylist([], schema=schema.LOGS)), np.empty(0, np.int32)


def nothing_met() -> Sequence[frozenset[str]]:
    """For ``DueTraces.load_met`` where no connector asks about requests."""
    return ()


@dataclass(frozen=True)
class DueTraces:
    """Traces that are due for a decision: the input of a sampler."""

    traces: pa.RecordBatch
    """One row per trace, ``schema.TRACE_FACTS``."""
    now_unix_nano: int
    load_spans: LoadSpans
    load_logs: Callable[[], tuple[LogBatch, npt.NDArray[np.int32]]] = no_logs
    """The GenAI log records that wait with these traces, as ``no_logs``. As costly as ``load_spans``."""
    load_met: Callable[[], Sequence[frozenset[str]]] = nothing_met
    """Per trace the keys of the ``RequestCondition``s that some request with spans of it met; empty: none of any."""


DECISIONS = ("not_sampled", "sampled", "dropped", "inverted_not_sampled", "inverted_sampled", "failed")
"""What one policy may say about a trace, by code; -1: it was not asked."""


@dataclass(frozen=True)
class PolicyDecisions:
    """What every policy of a sampler said about every trace."""

    policies: Sequence[str]
    """Names, in the order they were asked."""
    table: npt.NDArray[np.int8]
    """Policy by trace, codes of ``DECISIONS``."""


ELSEWHERE, NO_ROUTE = "elsewhere", "no_route"
NOT_HERE = (ELSEWHERE, NO_ROUTE)
"""In the place of a policy: a connector sent the trace to other pipelines, or to none."""


@dataclass(frozen=True)
class Verdicts:
    """A sampler's answer, one entry per row of ``DueTraces.traces``."""

    keep: npt.NDArray[np.bool_]
    sampled_by: pa.Array
    """Text: the policy that kept the trace; null where it is dropped, or one of ``NOT_HERE``."""
    adjusted_count: npt.NDArray[np.float64]
    """How many traces a kept one stands for: one over its probability of being kept."""
    policies: PolicyDecisions | None = None
    """How it came about, for those who ask."""


class Sampler(Protocol):
    """A processor of stage SAMPLING: decides whole traces."""

    @property
    def decision_wait_ns(self) -> int:
        """Nanoseconds from the first span of a trace to its decision."""

    @property
    def decision_wait_after_root_ns(self) -> int:
        """Nanoseconds from a trace's root span to its decision; 0: the root changes nothing."""

    @property
    def maximum_trace_size_bytes(self) -> int:
        """A trace is due as soon as its spans are larger than this together; 0: whatever their size."""

    def decide(self, due: DueTraces) -> Verdicts: ...


@dataclass(frozen=True)
class SamplerFactory:
    """How a sampler is made. It is listed among the processors of a traces pipeline, one at most in each."""

    config: type[ComponentConfig]
    create: Callable[[Any, Settings], Sampler]
    stability: Stability = Stability.BETA

    stage: ClassVar[Stage] = Stage.SAMPLING
    signals: ClassVar[frozenset[Signal]] = frozenset({Signal.TRACES})
