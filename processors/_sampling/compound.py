"""Policies made of other policies: ``and``, ``not``, ``drop`` and ``composite``, and what may be part of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from processors._sampling.attribute import BooleanAttributePolicy, NumericAttributePolicy, StringAttributePolicy
from processors._sampling.limiter import EverySecond, Limiter
from processors._sampling.limiting import BytesLimitingPolicy, RateLimitingPolicy
from processors._sampling.ottl_refusal import refused
from processors._sampling.policy import Options, Policy
from processors._sampling.probabilistic import ProbabilisticPolicy, SessionPolicy
from processors._sampling.score import ScorePolicy
from processors._sampling.spans import ModelPolicy, ObservationTypePolicy, TraceFlagsPolicy, TraceStatePolicy
from processors._sampling.sql_policy import SqlPolicy
from processors._sampling.tool_loop import ToolLoopPolicy
from processors._sampling.whole_trace import (
    AlwaysSamplePolicy,
    CostPolicy,
    LatencyPolicy,
    SpanCountPolicy,
    StatusCodePolicy,
    TokensPolicy,
)
from spanloom import (
    DROPPED,
    FAILED,
    NOT_SAMPLED,
    SAMPLED,
    Bools,
    ComponentConfig,
    Ints,
    LimiterKey,
    PolicyVerdicts,
    Traces,
    counts_as_sampled,
    sampled_where,
)


class RateAllocation(ComponentConfig):
    policy: str
    """Name of one of the policies inside."""

    percent: int = Field(default=0, ge=0)
    """Its part of max_total_spans_per_second; 0: as much as every policy gets if all get the same."""


class CompositeOptions(Options):
    max_total_spans_per_second: int = Field(ge=1)
    """What rate_allocation divides; no policy inside keeps more spans than this in a second."""

    policy_order: tuple[str, ...] = ()
    """Names of the policies inside. They are asked in the order of composite_sub_policy, which must be the same."""

    composite_sub_policy: tuple[PartConfig, ...] = Field(min_length=1)
    """The first policy that keeps a trace says whose part of the spans per second it takes."""

    rate_allocation: tuple[RateAllocation, ...] = ()
    """A part for every policy inside; as in the Collector, one without keeps no span."""

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = [policy.name for policy in self.composite_sub_policy]
        if not all(names) or len(set(names)) < len(names):
            raise ValueError("every composite_sub_policy needs a name of its own")
        if self.policy_order and list(self.policy_order) != names:
            raise ValueError(
                "policy_order is not the order of composite_sub_policy, which is the one the Collector follows: "
                f"write {', '.join(names)} in both"
            )
        allocated = {part.policy for part in self.rate_allocation}
        if unknown := allocated - set(names):
            raise ValueError(f"rate_allocation names {', '.join(sorted(unknown))}, which is no composite_sub_policy")
        return self

    @property
    def without_share(self) -> Sequence[str]:
        """Names of the policies inside that keep nothing, because no part was given to them."""
        given = {part.policy for part in self.rate_allocation}
        return [policy.name for policy in self.composite_sub_policy if policy.name not in given]

    @property
    def parts(self) -> Sequence[Policy]:
        return self.composite_sub_policy

    @property
    def is_chance(self) -> bool:
        return True

    def limiters(self) -> Mapping[LimiterKey, Limiter]:
        parts = {part.policy: part.percent for part in self.rate_allocation}
        total = self.max_total_spans_per_second
        equal = total / len(self.composite_sub_policy)
        found = {}
        for position, policy in enumerate(self.composite_sub_policy):
            share = equal if parts.get(policy.name) == 0 else parts.get(policy.name, 0) / 100 * total
            found[id(self), position] = Limiter(EverySecond(min(total, int(share))), _spans)
        return found

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:
        kept = np.zeros(len(traces), bool)
        for position, policy in enumerate(self.composite_sub_policy):
            takes = asked & counts_as_sampled(policy.evaluate(traces, asked))
            kept |= takes & traces.admitted((id(self), position), takes)
            asked = asked & ~takes
        return sampled_where(kept)


class CompositePolicy(Policy):
    type: Literal["composite"]
    """Keeps what the first matching of some policies keeps, within that policy's part of a rate."""

    composite: CompositeOptions
    """The policies and the rate."""


def _spans(traces: Traces) -> Ints:
    return traces.ints("span_count")


_ON_THE_OUTSIDE = ("drop", "composite")


def supported(policy: Any) -> Any:
    """The policy as given. Raises ``WrongValuesError`` for one that is of the Collector and not of ours."""
    if isinstance(policy, dict) and policy.get("type") == "ottl_condition":
        raise refused(policy.get("ottl_condition"))
    return policy


def _may_be_part(policy: Any) -> Any:
    kind = policy.get("type") if isinstance(policy, dict) else None
    if kind in _ON_THE_OUTSIDE:
        raise ValueError(f"a {kind!r} policy cannot be part of another policy: it stands in 'policies' itself")
    return supported(policy)


class AndOptions(Options):
    and_sub_policy: tuple[PartConfig, ...] = Field(min_length=1)
    """Policies that must all keep a trace."""

    @property
    def parts(self) -> Sequence[Policy]:
        return self.and_sub_policy

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:
        return _all_sample(self.parts, traces, asked, SAMPLED)


class AndPolicy(Policy):
    type: Literal["and"]
    """Keeps traces that every one of some policies keeps."""

    and_: AndOptions = Field(alias="and")
    """The policies."""


class NotOptions(Options):
    not_sub_policy: PartConfig
    """The policy whose decision is turned around."""

    @property
    def parts(self) -> Sequence[Policy]:
        return (self.not_sub_policy,)

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:
        decisions = self.not_sub_policy.evaluate(traces, asked)
        return np.where(decisions == FAILED, FAILED, SAMPLED - decisions).astype(np.int8)


class NotPolicy(Policy):
    type: Literal["not"]
    """Keeps traces that a policy does not keep."""

    not_: NotOptions = Field(alias="not")
    """The policy."""


class DropOptions(Options):
    drop_sub_policy: tuple[PartConfig, ...] = Field(min_length=1)
    """Traces that all of these policies keep are dropped, whatever other policies say."""

    @property
    def parts(self) -> Sequence[Policy]:
        return self.drop_sub_policy

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:
        return _all_sample(self.parts, traces, asked, DROPPED)


class DropPolicy(Policy):
    type: Literal["drop"]
    """Drops traces, before every policy that keeps them."""

    drop: DropOptions
    """Which ones."""


SimplePolicy = (
    AlwaysSamplePolicy
    | LatencyPolicy
    | StatusCodePolicy
    | ProbabilisticPolicy
    | SpanCountPolicy
    | StringAttributePolicy
    | NumericAttributePolicy
    | BooleanAttributePolicy
    | TraceStatePolicy
    | TraceFlagsPolicy
    | RateLimitingPolicy
    | BytesLimitingPolicy
    | CostPolicy
    | TokensPolicy
    | SessionPolicy
    | ModelPolicy
    | ObservationTypePolicy
    | SqlPolicy
    | ScorePolicy
    | ToolLoopPolicy
)

PartConfig = Annotated[
    Annotated[SimplePolicy | AndPolicy | NotPolicy, Field(discriminator="type")], BeforeValidator(_may_be_part)
]


def _all_sample(parts: Sequence[Policy], traces: Traces, asked: Bools, meaning: int) -> PolicyVerdicts:
    """``meaning`` where all parts sample, FAILED where one of them could not tell and the others do."""
    failed = np.zeros(len(traces), bool)
    for part in parts:
        decisions = part.evaluate(traces, asked)
        asked = asked & counts_as_sampled(decisions)
        failed |= decisions == FAILED
    return np.where(asked, np.where(failed, FAILED, meaning), NOT_SAMPLED).astype(np.int8)


for _model in (
    AndOptions,
    NotOptions,
    DropOptions,
    CompositeOptions,
    AndPolicy,
    NotPolicy,
    DropPolicy,
    CompositePolicy,
):
    _model.model_rebuild(_types_namespace={"PartConfig": PartConfig})
