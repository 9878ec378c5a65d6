"""The byte budget: one bound over the request bodies of all receivers.

Taken before a body is read and given back once the batch is journaled, so that any load leaves
memory flat. Nobody waits in here: who gets nothing tells its client to come back later.
"""

from __future__ import annotations

from collections.abc import Callable

from collector.component import receiver
from collector.telemetry import Telemetry

_SMALL_PART = 128
"""This part of a budget never matters: small requests are taken together even where memory is short."""


class ByteBudget:
    """Implements ``component.ByteBudget``. Not thread-safe: for the event loop only."""

    def __init__(
        self, limit: int, telemetry: Telemetry, *, is_memory_short: Callable[[], bool] = lambda: False
    ) -> None:
        """``limit`` in bytes: at least twice the largest body, else two of them refuse each other forever.

        ``is_memory_short`` is asked for each request: while it is true, one at a time gets a share, or as many as
        together are small.
        """
        if limit <= 0:
            raise ValueError(f"a byte budget needs a positive limit, not {limit}")
        self._limit = limit
        self._used = 0
        self._small = limit // _SMALL_PART
        self._is_memory_short = is_memory_short
        telemetry.budget_limit.set(limit)
        telemetry.budget_used.set_function(lambda: self._used)

    @property
    def limit(self) -> int:
        return self._limit

    @property
    def used(self) -> int:
        """Bytes taken and not yet given back."""
        return self._used

    def try_take(self, n: int, *, more: bool = False) -> bool:
        """Takes ``n`` bytes and returns True, or takes nothing and returns False. ``more``: for a request that
        has some.
        """
        if n < 0:
            raise ValueError(f"cannot take {n} bytes")
        if self._used + n > self._limit:
            return False
        if self._used and not more and self._used + n > self._small and self._is_memory_short():
            return False
        self._used += n
        return True

    def give_back(self, n: int) -> None:
        """Returns bytes taken earlier."""
        if not 0 <= n <= self._used:
            raise ValueError(f"cannot give back {n} of {self._used} bytes")
        self._used -= n


class Share:
    """The part of a budget that one request holds. ``release`` belongs in a ``finally``."""

    __slots__ = ("_budget", "_held")

    def __init__(self, budget: receiver.ByteBudget) -> None:
        self._budget = budget
        self._held = 0

    @property
    def held(self) -> int:
        return self._held

    def grow_to(self, n: int) -> bool:
        """Holds at least ``n`` bytes; False, and nothing changed, when the budget has no more."""
        if n <= self._held:
            return True
        if not self._budget.try_take(n - self._held, more=self._held > 0):
            return False
        self._held = n
        return True

    def shrink_to(self, n: int) -> None:
        """Gives back what is held above ``n`` bytes."""
        if n < self._held:
            self._budget.give_back(self._held - n)
            self._held = n

    def release(self) -> None:
        """Gives everything back."""
        self.shrink_to(0)
