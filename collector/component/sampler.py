"""Samplers: decisions about whole traces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.model import schema
from collector.model.batch import LogBatch, SpanBatch


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


def no_matched_conditions() -> Sequence[frozenset[str]]:
    """For ``DueTraces.load_matched_conditions`` where no connector has conditions on requests."""
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
    load_matched_conditions: Callable[[], Sequence[frozenset[str]]] = no_matched_conditions
    """Per trace the keys of the ``RequestCondition``s that a request with spans of it matched; an empty sequence: no
    trace has any."""


POLICY_VERDICTS = ("not_sampled", "sampled", "dropped", "inverted_not_sampled", "inverted_sampled", "failed")
"""Names of policy verdicts, by code; -1: the policy was not asked."""


@dataclass(frozen=True, kw_only=True)
class PolicyVerdictTable:
    """The verdict of every policy of a sampler on every trace."""

    policies: Sequence[str]
    """Names, in the order they were asked."""
    table: npt.NDArray[np.int8]
    """Policy by trace, codes of ``POLICY_VERDICTS``."""


ELSEWHERE, NO_ROUTE = "elsewhere", "no_route"
NOT_HERE = (ELSEWHERE, NO_ROUTE)
"""In the place of a policy: a connector sent the trace to other pipelines, or to none."""


@dataclass(frozen=True, kw_only=True)
class TraceDecisions:
    """What a sampler decided, one entry per row of ``DueTraces.traces``."""

    keep: npt.NDArray[np.bool_]
    sampled_by: pa.Array
    """Text: the policy that kept the trace; null where it is dropped, or one of ``NOT_HERE``."""
    adjusted_count: npt.NDArray[np.float64]
    """How many traces a kept one stands for: one over its probability of being kept."""
    policy_verdicts: PolicyVerdictTable | None = None
    """The policy verdicts behind the decisions, for reports and metrics; None: no policies were asked."""


class Sampler(Protocol):
    """A processor of stage SAMPLING: decides whole traces.

    With an attribute ``maximum_trace_size_bytes`` above 0, a trace is due as soon as it is larger.
    """

    @property
    def decision_wait_ns(self) -> int:
        """Nanoseconds from the first span of a trace to its decision."""

    @property
    def decision_wait_after_root_ns(self) -> int:
        """Nanoseconds from a trace's root span to its decision; 0: the root changes nothing."""

    def decide(self, due: DueTraces) -> TraceDecisions: ...
