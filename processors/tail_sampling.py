"""Keeps or drops whole traces by policies, as the Collector's processor of that name does.

Any ``drop`` policy that applies drops the trace; otherwise one policy that keeps it is enough. A
kept trace says which policy kept it (``sampled_by``, the first in the configured order) and how
many traces it stands for (``adjusted_count``, one over the probability that it was kept), so that
sums weighted with it are true for what was there before. ``sampling_trigger`` says what made it due:
``decision_wait``, ``root_received``, ``trace_size``, ``overflow`` (the oldest go when there is no room), ``shutdown``.

A trace kept by a rule stands for itself, though chance or a limiter would have kept it, too. Shares
with the same ``hash_salt`` are one chance, with different ones independent; what a limiter let pass
stands for what it was asked for in that tick, by size. Where the root's ``tracestate`` says that the
trace stood for others when it came (``ot=th:``), that is counted in, and kept spans leave with a threshold
of their own.

A late span of a trace that was decided is kept or dropped as the rest was. Decisions are remembered as long
as memory allows, and traces that wait are bounded by memory and by half of the journal: beyond that the oldest
are decided early, on what has come, by the same policies. A policy that fails keeps the trace and is counted.

Policies of the Collector keep the same traces here; what differs is deliberate. ``latency`` looks at the
duration of the whole trace where the Collector, with an upper bound, looks at it as it grew; without one the
bound is exclusive, as since 0.157. OTTL is answered with its SQL. ``cost``, ``tokens``, ``score``, ``session``,
``model``, ``observation_type``, ``tool_loop`` and ``sql`` the Collector does not have.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from processors._sampling.compound import CompositePolicy
from processors._sampling.policies import PolicyConfig
from processors._sampling.policy_set import MAX_OUTCOMES, PolicySet, num_outcomes
from spanloom import (
    Bools,
    ComponentConfig,
    DueTraces,
    Duration,
    PolicyVerdictTable,
    ProcessorFactory,
    Settings,
    Stage,
    TraceDecisions,
    Traces,
    nanoseconds,
    schema,
)


class DecisionCacheConfig(ComponentConfig):
    sampled_cache_size: int = Field(default=0, ge=0)
    """No effect: decisions are always remembered, within the bound of memory."""

    non_sampled_cache_size: int = Field(default=0, ge=0)
    """No effect: decisions are always remembered, within the bound of memory."""


class Config(ComponentConfig):
    policies: tuple[PolicyConfig, ...] = Field(min_length=1)
    """What decides whether a trace is kept."""

    decision_wait: Duration = timedelta(seconds=30)
    """From the first span of a trace to its decision."""

    decision_wait_after_root_received: Duration = timedelta(0)
    """From a trace's root span to its decision, if that comes earlier; 0: the root changes nothing."""

    sample_on_first_match: bool = False
    """Stops asking policies about a trace once one keeps it."""

    inverted_decisions: bool = False
    """Lets ``invert_match`` veto what it does not keep, and keep only what no policy says no to, as older Collectors
    did; today it turns its policy's decision around and nothing more. Better written as ``drop`` and ``not``."""

    decision_cache: DecisionCacheConfig = DecisionCacheConfig()
    """No effect: decisions are always remembered, within the bound of memory."""

    num_traces: int = Field(default=50_000, ge=1)
    """No effect: waiting traces are bounded by memory, and an overflow decides the oldest early."""

    expected_new_traces_per_sec: int = Field(default=0, ge=0)
    """No effect: nothing is allocated ahead."""

    num_shards: int = Field(default=1, ge=1)
    """No effect: assembly needs no shards."""

    block_on_overflow: bool = False
    """No effect: an overflow of waiting traces decides the oldest early and loses none."""

    sampling_strategy: Literal["trace-complete"] = "trace-complete"
    """Policies see whole traces."""

    maximum_trace_size_bytes: int = Field(default=0, ge=0)
    """Drops traces whose spans are larger than this together, as soon as they are, without asking policies; 0: none."""

    drop_pending_traces_on_shutdown: bool = False
    """Drops traces that still wait at shutdown; else they are decided on what has come."""

    @field_validator("decision_wait")
    @classmethod
    def _waits(cls, wait: timedelta) -> timedelta:
        if wait <= timedelta(0):
            raise ValueError("must be longer than 0")
        return wait

    @field_validator("decision_wait_after_root_received")
    @classmethod
    def _is_no_past(cls, wait: timedelta) -> timedelta:
        if wait < timedelta(0):
            raise ValueError("must not be negative")
        return wait

    @model_validator(mode="after")
    def _policies_can_be_told_apart(self) -> Self:
        twice = [name for name, n in Counter(policy.name for policy in self.policies).items() if n > 1]
        if twice:
            raise ValueError(f"policies must have different names; more than one is called {', '.join(twice)}")
        if num_outcomes(self.policies) > MAX_OUTCOMES:
            raise ValueError(
                "too many policies of chance (different hash_salt and sampling_percentage, limiters): "
                f"at most {MAX_OUTCOMES} combinations of their outcomes are possible"
            )
        return self


class TailSampling:
    """The sampler: asks all policies about all due traces at once."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._config = config
        for policy in config.policies:
            if isinstance(policy, CompositePolicy) and policy.composite.without_share:
                settings.log.warning(
                    "a part of a composite policy keeps nothing: it has no rate_allocation",
                    policy=policy.name,
                    parts=policy.composite.without_share,
                )
        self._policies = PolicySet(
            config.policies,
            first_match=config.sample_on_first_match,
            inverted_veto=config.inverted_decisions,
            memory_bytes=settings.memory_bytes,
        )

    @property
    def decision_wait_ns(self) -> int:
        return nanoseconds(self._config.decision_wait)

    @property
    def decision_wait_after_root_ns(self) -> int:
        return nanoseconds(self._config.decision_wait_after_root_received)

    @property
    def maximum_trace_size_bytes(self) -> int:
        return self._config.maximum_trace_size_bytes

    def decide(self, due: DueTraces) -> TraceDecisions:
        """``adjusted_count`` is 0 for a trace that is dropped: it stands for none."""
        traces = self._policies.traces(due)
        asked = self._to_ask_about(traces)
        decided = self._policies.decide(traces, asked)
        probability = self._policies.probabilities(traces, asked)
        names = pa.array(self._policies.names, pa.string())
        sampled_by = names.take(pa.array(decided.keeper, mask=decided.keeper < 0))
        stands_for = np.divide(1.0, probability, out=np.zeros(len(decided.keep)), where=decided.keep)
        return TraceDecisions(
            keep=decided.keep,
            sampled_by=sampled_by,
            adjusted_count=stands_for,
            policy_verdicts=PolicyVerdictTable(policies=self._policies.names, table=decided.table),
        )

    def _to_ask_about(self, traces: Traces) -> Bools:
        """The traces that policies decide about; the others are dropped."""
        asked = np.ones(len(traces), np.bool_)
        if most := self._config.maximum_trace_size_bytes:
            asked &= traces.ints("size_bytes") <= most
        if self._config.drop_pending_traces_on_shutdown:
            asked &= traces.ints("trigger") != schema.TRIGGERS.index("shutdown")
        return asked


factory = ProcessorFactory(Config, TailSampling, stage=Stage.SAMPLING)
