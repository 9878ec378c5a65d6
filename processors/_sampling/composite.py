"""``composite``: policies asked in turn, each with a part of the spans per second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from processors._sampling.limiter import EverySecond, Limiter
from processors._sampling.policy import Options, Policy
from spanloom import Bools, ComponentConfig, Ints, LimiterKey, PolicyVerdicts, Traces, counts_as_sampled, sampled_where

if TYPE_CHECKING:
    from processors._sampling.policies import PartConfig


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
