"""From the verdicts of all policies to one decision per trace, and what a kept trace stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
import numpy.typing as npt

from processors._sampling.compound import DropPolicy
from processors._sampling.policy import Policy
from processors._sampling.sql_policy import SqlOptions
from spanloom import (
    DROPPED,
    FAILED,
    INVERT_NOT_SAMPLED,
    INVERT_SAMPLED,
    NOT_ASKED,
    NOT_SAMPLED,
    SAMPLED,
    Bools,
    Chance,
    DueTraces,
    LimiterKey,
    PolicyVerdicts,
    TraceConditions,
    Traces,
)

MAX_OUTCOMES = 4_096
"""Combinations of hash intervals and of what limiters answer that are looked at for a probability:
twelve salts with one share each."""

_HASHES = 2**64


@dataclass(frozen=True, slots=True)
class SetDecisions:
    """What a set of policies decided about some traces."""

    keep: Bools
    keeper: npt.NDArray[np.int32]
    """The position of the policy that kept each; -1: none."""
    table: PolicyVerdicts
    """A policy verdict per policy and trace, or NOT_ASKED."""


class PolicySet:
    """The policies of a sampler, in the order they are asked: ``drop`` first, else as configured."""

    def __init__(
        self,
        policies: Sequence[Policy],
        *,
        first_match: bool = False,
        inverted_veto: bool = False,
        memory_bytes: int = 1 << 40,
    ) -> None:
        """``inverted_veto``: a policy with ``invert_match`` of its own vetoes what it does not keep, and keeps
        only what no other policy says no to, as in older Collectors. ``memory_bytes`` bounds what SQL may use.
        """
        self._policies = sorted(policies, key=lambda policy: not isinstance(policy, DropPolicy))
        self._first_match = first_match
        self._vetoes = [inverted_veto and getattr(policy.options, "invert_match", False) for policy in self._policies]
        parts = [part.options for policy in policies for part in policy.walk()]
        self._columns = sorted({column for options in parts for column in options.columns})
        self._limiters = {key: limiter for options in parts for key, limiter in options.limiters().items()}
        self._conditions = TraceConditions(
            [condition for options in parts if isinstance(options, SqlOptions) for condition in options.conditions],
            memory_bytes=memory_bytes,
        )
        self._outcomes = list(outcomes(policies))

    @property
    def names(self) -> list[str]:
        """Names of the policies, in the order of ``SetDecisions``."""
        return [policy.name for policy in self._policies]

    def traces(self, due: DueTraces) -> Traces:
        """The due traces, as these policies see them."""
        return Traces(due, columns=self._columns, limiters=self._limiters, conditions=self._conditions)

    def decide(self, traces: Traces, asked: Bools) -> SetDecisions:
        """Asks every policy about the traces ``asked``; the others are dropped. Limiters are charged, unless chance
        is fixed.
        """
        table = self._ask(traces, asked)
        given = {code: (table == code).any(axis=0) for code in range(NOT_SAMPLED, FAILED + 1)}
        yes = (table == SAMPLED) | (table == FAILED)
        inverted = ~yes.any(axis=0) & ~given[NOT_SAMPLED] & given[INVERT_SAMPLED]
        keep = (yes.any(axis=0) | inverted) & ~given[DROPPED] & ~given[INVERT_NOT_SAMPLED]
        keeper = np.where(inverted, (table == INVERT_SAMPLED).argmax(axis=0), yes.argmax(axis=0))
        return SetDecisions(keep, np.where(keep, keeper, -1).astype(np.int32), table)

    def probabilities(self, traces: Traces, asked: Bools) -> npt.NDArray[np.float64]:
        """How likely each trace was to be kept, being what it is: 1 when neither its id nor a limiter had a
        say in it. To be asked after ``decide``.

        The decision depends on chance only through one hash per salt and through what limiters answered, so
        it is looked at once per interval between the thresholds and per answer: equal salts share their
        chance, different ones are independent.
        """
        shares = {key: limiter.shares(traces) for key, limiter in self._limiters.items()}
        kept, always = np.zeros(len(traces)), np.ones(len(traces), bool)
        for probability, chances in self._outcomes:
            keep = self.decide(traces.as_if(chances), asked).keep
            likely = np.full(len(traces), float(probability))
            for key, share in shares.items():
                likely *= share if chances[key] else 1 - share
            kept += likely * keep
            always &= keep | (likely == 0)
        return np.where(always, 1.0, kept)

    def _ask(self, traces: Traces, asked: Bools) -> PolicyVerdicts:
        """A verdict per policy and trace. The policies after the one that decides, by a drop or by the first match,
        are not asked.
        """
        rows = []
        for policy, vetoes in zip(self._policies, self._vetoes, strict=True):
            verdicts = policy.evaluate(traces, asked)
            if vetoes:
                verdicts = np.where(verdicts == SAMPLED, INVERT_SAMPLED, INVERT_NOT_SAMPLED)
            row = np.where(asked, verdicts, NOT_ASKED).astype(np.int8)
            asked = asked & (row != DROPPED)
            if self._first_match:
                asked = asked & (row != SAMPLED)
            rows.append(row)
        return np.array(rows, np.int8)


def outcomes(policies: Sequence[Policy]) -> Iterator[tuple[float, dict[Chance, int]]]:
    """(probability of its hashes, hash per salt and answer per limiter) of each way chance may decide."""
    salts, limits = _chances(policies)
    intervals = [_intervals(thresholds) for thresholds in salts.values()]
    for chosen in product(*intervals, *([(1, answer) for answer in (0, 1)] for _ in limits)):
        hashes = chosen[: len(salts)]
        names: list[Chance] = [*salts, *limits]
        chances = dict(zip(names, (top for _, top in chosen), strict=True))
        yield prod(width / _HASHES for width, _ in hashes), chances


def num_outcomes(policies: Sequence[Policy]) -> int:
    """How many ``outcomes`` there are."""
    salts, limits = _chances(policies)
    return prod([len(thresholds) + 1 for thresholds in salts.values()] + [2] * len(limits))


def _chances(policies: Sequence[Policy]) -> tuple[dict[str, set[int]], list[LimiterKey]]:
    salts: dict[str, set[int]] = {}
    limits: list[LimiterKey] = []
    for policy in policies:
        for part in policy.walk():
            for salt, threshold in part.options.thresholds.items():
                salts.setdefault(salt, set()).add(threshold)
            limits += part.options.limiters()
    return salts, limits


def _intervals(thresholds: set[int]) -> list[tuple[int, int]]:
    """(number of hashes, largest hash) of each interval the thresholds cut."""
    tops = sorted(thresholds | {_HASHES - 1})
    return [(top - below, top) for below, top in zip([-1, *tops], tops, strict=False)]
