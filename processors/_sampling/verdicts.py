"""From the decisions of all policies to one verdict per trace, and what a kept trace stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod

import numpy as np
import numpy.typing as npt

from processors._sampling.policies import AnyPolicy, DropPolicy, parts_of
from processors._sampling.probabilistic import ProbabilisticPolicy
from processors._sampling.traces import (
    DROPPED,
    INVERT_NOT_SAMPLED,
    INVERT_SAMPLED,
    NOT_SAMPLED,
    SAMPLED,
    Bools,
    Decisions,
    Traces,
)

MAX_OUTCOMES = 4_096
"""Combinations of hash intervals looked at for a probability; twelve salts with one share each."""

_HASHES = 2**64


class PolicySet:
    """The policies of a sampler, in the order they are asked: ``drop`` first, else as configured."""

    def __init__(self, policies: Sequence[AnyPolicy], *, first_match: bool = False) -> None:
        self._policies = sorted(policies, key=lambda policy: not isinstance(policy, DropPolicy))
        self._first_match = first_match
        self._outcomes = list(outcomes(policies))

    @property
    def names(self) -> list[str]:
        """What ``decide`` numbers."""
        return [policy.name for policy in self._policies]

    def decide(self, traces: Traces) -> tuple[Bools, npt.NDArray[np.int32]]:
        """(which traces are kept, the position in ``names`` of the policy that kept each; -1: none)."""
        table = self._asked(np.array([policy.evaluate(traces) for policy in self._policies], np.int8))
        says = {code: (table == code).any(axis=0) for code in range(DROPPED, INVERT_SAMPLED + 1)}
        sampled = table == SAMPLED
        inverted = ~sampled.any(axis=0) & ~(table == NOT_SAMPLED).any(axis=0) & says[INVERT_SAMPLED]
        keep = (sampled.any(axis=0) | inverted) & ~says[DROPPED] & ~says[INVERT_NOT_SAMPLED]
        keeper = np.where(inverted, (table == INVERT_SAMPLED).argmax(axis=0), sampled.argmax(axis=0))
        return keep, np.where(keep, keeper, -1).astype(np.int32)

    def probabilities(self, traces: Traces) -> npt.NDArray[np.float64]:
        """How likely each trace was to be kept, being what it is: 1 when its id had no say in it.

        The decision depends on chance only through one hash per salt, so it is looked at once per
        interval between the thresholds: equal salts share their chance, different ones are independent.
        """
        kept, always = np.zeros(len(traces)), np.ones(len(traces), bool)
        for probability, hashes in self._outcomes:
            keep = self.decide(traces.as_if(hashes))[0]
            kept += probability * keep
            always &= keep
        return np.where(always, 1.0, kept)

    def _asked(self, table: Decisions) -> Decisions:
        """The decisions of the policies that are asked at all, for each trace."""
        if not self._first_match:
            return table
        final = (table == SAMPLED) | (table == DROPPED)
        asked = np.cumsum(final, axis=0) - final == 0
        return np.where(asked, table, -1).astype(np.int8)


def outcomes(policies: Sequence[AnyPolicy]) -> Iterator[tuple[float, dict[str, int]]]:
    """(probability, hash per salt) of each way chance may decide."""
    salts = _thresholds(policies)
    for chosen in product(*(_intervals(thresholds) for thresholds in salts.values())):
        yield prod(width / _HASHES for width, _ in chosen), dict(zip(salts, (top for _, top in chosen), strict=True))


def num_outcomes(policies: Sequence[AnyPolicy]) -> int:
    return prod(len(thresholds) + 1 for thresholds in _thresholds(policies).values())


def _thresholds(policies: Sequence[AnyPolicy]) -> dict[str, set[int]]:
    salts: dict[str, set[int]] = {}
    for policy in policies:
        for part in parts_of(policy):
            if isinstance(part, ProbabilisticPolicy):
                salts.setdefault(part.salt, set()).add(part.threshold)
    return salts


def _intervals(thresholds: set[int]) -> list[tuple[int, int]]:
    """(number of hashes, largest hash) of each interval the thresholds cut."""
    tops = sorted(thresholds | {_HASHES - 1})
    return [(top - below, top) for below, top in zip([-1, *tops], tops, strict=False)]
