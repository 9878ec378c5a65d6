"""All policies that can be configured, and those made of others: ``and``, ``not``, ``drop``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field

from processors._sampling.attribute import BooleanAttributePolicy, NumericAttributePolicy, StringAttributePolicy
from processors._sampling.composite import CompositeOptions, CompositePolicy
from processors._sampling.limiting import BytesLimitingPolicy, RateLimitingPolicy
from processors._sampling.ottl_refusal import refusal
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
from spanloom import DROPPED, FAILED, NOT_SAMPLED, SAMPLED, Bools, PolicyVerdicts, Traces, counts_as_sampled

_ON_THE_OUTSIDE = ("drop", "composite")


def _is_supported(policy: Any) -> Any:
    if isinstance(policy, dict) and policy.get("type") == "ottl_condition":
        raise ValueError(refusal(policy.get("ottl_condition")))
    return policy


def _may_be_part(policy: Any) -> Any:
    kind = policy.get("type") if isinstance(policy, dict) else None
    if kind in _ON_THE_OUTSIDE:
        raise ValueError(f"a {kind!r} policy cannot be part of another policy: it stands in 'policies' itself")
    return _is_supported(policy)


def _has_name(policy: Policy) -> Policy:
    if not policy.name:
        raise ValueError("the policy needs a 'name'")
    return policy


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


_Simple = (
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
    Annotated[_Simple | AndPolicy | NotPolicy, Field(discriminator="type")], BeforeValidator(_may_be_part)
]
PolicyConfig = Annotated[
    Annotated[_Simple | AndPolicy | NotPolicy | DropPolicy | CompositePolicy, Field(discriminator="type")],
    BeforeValidator(_is_supported),
    AfterValidator(_has_name),
]

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


def _all_sample(parts: Sequence[Policy], traces: Traces, asked: Bools, meaning: int) -> PolicyVerdicts:
    """``meaning`` where all parts sample, FAILED where one of them could not tell and the others do."""
    failed = np.zeros(len(traces), bool)
    for part in parts:
        decisions = part.evaluate(traces, asked)
        asked = asked & counts_as_sampled(decisions)
        failed |= decisions == FAILED
    return np.where(asked, np.where(failed, FAILED, meaning), NOT_SAMPLED).astype(np.int8)
