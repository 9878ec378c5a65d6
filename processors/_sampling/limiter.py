"""Limiters: how much may pass in a time, and what share of what was asked for did.

The share is what ``adjusted_count`` is made of. A limiter that has little left lets small traces
pass rather than large ones, so shares are kept per size: within a size, which traces pass is a
matter of a hash of their ids alone. What was asked for in a tick that let nothing of its size pass
is carried over to the next that does, or sums would be too small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from spanloom import Bools, Ints, Traces

_SIZES = 256
_PER_OCTAVE = 4


class Allowance(Protocol):
    """What a limiter has to give."""

    @property
    def most(self) -> int:
        """A trace that costs more never passes."""

    def refill(self, now_unix_nano: int) -> None:
        """Time went on."""

    def take(self, cost: int) -> bool:
        """Takes that much, or nothing and says no."""


class Limiter:
    """Something that lets a part of what it is asked for pass. Not frozen: it lives as long as its sampler."""

    def __init__(self, allowance: Allowance, costs: Callable[[Traces], Ints]) -> None:
        """``costs``: what each trace takes of the allowance."""
        self._allowance = allowance
        self._costs = costs
        self._waiting = np.zeros(_SIZES)
        self._shares = np.ones(_SIZES)

    def admit(self, traces: Traces, asked: Bools) -> Bools:
        """Which of the traces asked about pass, in the order of a hash of their ids: an order that has
        nothing to do with what they hold.
        """
        self._allowance.refill(traces.now_unix_nano)
        costs = self._costs(traces)
        order = traces.once("order", lambda: np.argsort(traces.hashes("order"), kind="stable"))
        order = order[asked[order]]
        passes = np.zeros(len(costs), bool)
        passes[order] = [self._allowance.take(cost) for cost in costs[order].tolist()]
        self._count(costs[asked], passes[asked])
        return passes

    def shares(self, traces: Traces) -> npt.NDArray[np.float64]:
        """For traces of these sizes the share that passed, in the last tick that let such ones pass."""
        return self._shares[_sizes(self._costs(traces))]

    def _count(self, costs: Ints, passes: Bools) -> None:
        possible = costs <= self._allowance.most
        self._waiting += np.bincount(_sizes(costs[possible]), minlength=_SIZES)
        passed = np.bincount(_sizes(costs[passes]), minlength=_SIZES)
        some = passed > 0
        self._shares[some] = passed[some] / self._waiting[some]
        self._waiting[some] = 0


class TokenBucket:
    """Refilled continuously with ``rate`` per second up to ``most``; full at first."""

    def __init__(self, rate: int, most: int) -> None:
        self.most = most
        self._rate = rate
        self._tokens = float(most)
        self._last: int | None = None

    def refill(self, now_unix_nano: int) -> None:
        """A clock that was set back refills nothing."""
        passed = max(0, now_unix_nano - self._last) if self._last is not None else 0
        self._last = now_unix_nano
        self._tokens = min(float(self.most), self._tokens + passed * self._rate / 1e9)

    def take(self, cost: int) -> bool:
        if cost > self._tokens:
            return False
        self._tokens -= cost
        return True


class EverySecond:
    """``most`` in each second of the clock; what was left of the last one is gone."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._second = -1
        self._taken = 0

    def refill(self, now_unix_nano: int) -> None:
        second = now_unix_nano // 10**9
        if second != self._second:
            self._second, self._taken = second, 0

    def take(self, cost: int) -> bool:
        if self._taken + cost > self.most:
            return False
        self._taken += cost
        return True


def _sizes(costs: Ints) -> npt.NDArray[np.int64]:
    """Small costs each by themselves, larger ones four classes an octave."""
    return (np.log2(np.maximum(costs, 1)) * _PER_OCTAVE).astype(np.int64)
