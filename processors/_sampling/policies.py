"""All policies that can be configured, and those made of others: ``and``, ``not``, ``drop``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field

from collector.component import ComponentConfig
from processors._sampling.attribute import BooleanAttributePolicy, NumericAttributePolicy, StringAttributePolicy
from processors._sampling.probabilistic import ProbabilisticPolicy
from processors._sampling.traces import (
    DROPPED,
    INVERT_NOT_SAMPLED,
    NOT_SAMPLED,
    SAMPLED,
    Bools,
    Decisions,
    Traces,
    where,
)
from processors._sampling.whole_trace import AlwaysSamplePolicy, LatencyPolicy, SpanCountPolicy, StatusCodePolicy

_SUPPORTED = (
    "always_sample, latency, status_code, probabilistic, span_count, string_attribute, numeric_attribute, "
    "boolean_attribute, and, not, drop"
)
_NOT_YET = {"trace_state", "trace_flags", "rate_limiting", "bytes_limiting", "ottl_condition", "composite"}


def _is_supported(policy: Any) -> Any:
    kind = policy.get("type") if isinstance(policy, dict) else None
    if isinstance(kind, str) and kind in _NOT_YET:
        raise ValueError(f"the Collector's policy type {kind!r} is not supported yet; supported: {_SUPPORTED}")
    return policy


def _may_be_part(policy: Any) -> Any:
    if isinstance(policy, dict) and policy.get("type") == "drop":
        raise ValueError("a 'drop' policy cannot be part of another policy: it stands in 'policies' itself")
    return _is_supported(policy)


def _has_name(policy: AnyPolicy) -> AnyPolicy:
    if not policy.name:
        raise ValueError("the policy needs a 'name'")
    return policy


class AndOptions(ComponentConfig):
    and_sub_policy: tuple[PartConfig, ...] = Field(min_length=1)
    """Policies that must all keep a trace."""


class AndPolicy(ComponentConfig):
    name: str = ""
    """Recorded with the traces it keeps; a policy inside another one needs none."""

    type: Literal["and"]
    """Keeps traces that every one of some policies keeps."""

    and_: AndOptions = Field(alias="and")
    """The policies."""

    def evaluate(self, traces: Traces) -> Decisions:
        return where(_all_sample(self.and_.and_sub_policy, traces))


class NotOptions(ComponentConfig):
    not_sub_policy: PartConfig
    """The policy whose decision is turned around."""


class NotPolicy(ComponentConfig):
    name: str = ""
    """Recorded with the traces it keeps; a policy inside another one needs none."""

    type: Literal["not"]
    """Keeps traces that a policy does not keep."""

    not_: NotOptions = Field(alias="not")
    """The policy."""

    def evaluate(self, traces: Traces) -> Decisions:
        decisions = self.not_.not_sub_policy.evaluate(traces)
        plain = (decisions == SAMPLED) | (decisions == NOT_SAMPLED)
        return np.where(plain, SAMPLED - decisions, decisions).astype(np.int8)


class DropOptions(ComponentConfig):
    drop_sub_policy: tuple[PartConfig, ...] = Field(min_length=1)
    """Traces that all of these policies keep are dropped, whatever other policies say."""


class DropPolicy(ComponentConfig):
    name: str = ""
    """Tells the policy from others."""

    type: Literal["drop"]
    """Drops traces, before every policy that keeps them."""

    drop: DropOptions
    """Which ones."""

    def evaluate(self, traces: Traces) -> Decisions:
        return np.where(_all_sample(self.drop.drop_sub_policy, traces), DROPPED, NOT_SAMPLED).astype(np.int8)


_Simple = (
    AlwaysSamplePolicy
    | LatencyPolicy
    | StatusCodePolicy
    | ProbabilisticPolicy
    | SpanCountPolicy
    | StringAttributePolicy
    | NumericAttributePolicy
    | BooleanAttributePolicy
)

PartConfig = Annotated[
    Annotated[_Simple | AndPolicy | NotPolicy, Field(discriminator="type")], BeforeValidator(_may_be_part)
]
PolicyConfig = Annotated[
    Annotated[_Simple | AndPolicy | NotPolicy | DropPolicy, Field(discriminator="type")],
    BeforeValidator(_is_supported),
    AfterValidator(_has_name),
]

AnyPolicy = _Simple | AndPolicy | NotPolicy | DropPolicy

for _model in (AndOptions, NotOptions, DropOptions, AndPolicy, NotPolicy, DropPolicy):
    _model.model_rebuild()


def _all_sample(parts: Sequence[AnyPolicy], traces: Traces) -> Bools:
    sampled = np.ones(len(traces), bool)
    for part in parts:
        decisions = part.evaluate(traces)
        sampled &= (decisions != NOT_SAMPLED) & (decisions != INVERT_NOT_SAMPLED)
    return sampled


def parts_of(policy: AnyPolicy) -> Iterator[AnyPolicy]:
    """The policy and all policies inside it."""
    yield policy
    match policy:
        case AndPolicy():
            inside: tuple[AnyPolicy, ...] = policy.and_.and_sub_policy
        case NotPolicy():
            inside = (policy.not_.not_sub_policy,)
        case DropPolicy():
            inside = policy.drop.drop_sub_policy
        case _:
            inside = ()
    for part in inside:
        yield from parts_of(part)
