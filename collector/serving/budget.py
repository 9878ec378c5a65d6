"""The byte budget: one bound over the request bodies of all receivers.

Taken before a body is read and given back once the batch is journaled, so that any load leaves
memory flat. Nobody waits in here: who gets nothing tells its client to come back later.

A body that arrives slowly holds its share for long. Slow ones are turned out as soon as somebody else needs
the room, so that a few of them cannot shut everybody out.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from collector.component import receiver
from collector.telemetry import Telemetry

_SMALL_PART = 128
"""This part of a budget never matters: small requests are taken together even where memory is short."""

_PATIENCE_SECONDS = 2
_SLOW_BYTES_PER_SECOND = 64 * 1024


class Arrival:
    """A request whose body is still on its way, and what it holds meanwhile."""

    __slots__ = ("_begun", "_clock", "_turn_out", "received", "share", "turned_out")

    def __init__(self, share: Share, clock: Callable[[], float], turn_out: Callable[[], None]) -> None:
        self.share = share
        self.received = 0
        """Bytes that have come."""
        self.turned_out = False
        """Its share was taken away, as it was slow and others needed the room."""
        self._clock = clock
        self._turn_out = turn_out
        self._begun = clock()

    @property
    def is_slow(self) -> bool:
        """Below 64 KiB a second, once it has had two seconds."""
        seconds = self._clock() - self._begun
        return seconds > _PATIENCE_SECONDS and self.received < seconds * _SLOW_BYTES_PER_SECOND

    def turn_out(self) -> None:
        """Takes its share away and tells it so."""
        self.turned_out = True
        self._turn_out()
        self.share.release()


class ByteBudget:
    """Implements ``component.ByteBudget``. Not thread-safe: for the event loop only."""

    def __init__(
        self,
        limit: int,
        telemetry: Telemetry,
        *,
        is_memory_short: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``limit`` in bytes: at least twice the largest body, else two of them refuse each other forever.

        ``is_memory_short`` is asked for each request: while it is true, one at a time gets a share, or as many as
        together are small. ``clock``: seconds, for how long bodies take to arrive.
        """
        if limit <= 0:
            raise ValueError(f"a byte budget needs a positive limit, not {limit}")
        self._limit = limit
        self._used = 0
        self._small = limit // _SMALL_PART
        self._is_memory_short = is_memory_short
        self._clock = clock
        self._arrivals: set[Arrival] = set()
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

    def arrives(self, share: Share, turn_out: Callable[[], None]) -> Arrival:
        """Notes that the body of ``share`` is on its way, until ``has_arrived``. See ``Share.arrives``."""
        arrival = Arrival(share, self._clock, turn_out)
        self._arrivals.add(arrival)
        return arrival

    def has_arrived(self, arrival: Arrival) -> None:
        """Nothing more is awaited: the body is complete, or its request has ended."""
        self._arrivals.discard(arrival)

    def make_room(self, n: int, *, besides: Share) -> bool:
        """Turns out slow arrivals, those that hold most first, until ``n`` bytes are free. False, and nobody turned
        out, when that does not free as much, or when room is not what is lacking.
        """
        lacking = self._used + n - self._limit
        if lacking <= 0:
            return False
        slow = [a for a in self._arrivals if a.share is not besides and a.share.held and a.is_slow]
        if sum(a.share.held for a in slow) < lacking:
            return False
        for arrival in sorted(slow, key=lambda a: a.share.held, reverse=True):
            lacking -= arrival.share.held
            arrival.turn_out()
            if lacking <= 0:
                break
        return True


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
        """Holds at least ``n`` bytes; False, and nothing changed, when the budget has no more. Slow arrivals make
        room first.
        """
        if n <= self._held:
            return True
        if not self._take(n - self._held):
            return False
        self._held = n
        return True

    def _take(self, n: int) -> bool:
        budget, more = self._budget, self._held > 0
        if budget.try_take(n, more=more):
            return True
        return isinstance(budget, ByteBudget) and budget.make_room(n, besides=self) and budget.try_take(n, more=more)

    @contextlib.contextmanager
    def arrives(self, turn_out: Callable[[], None]) -> Iterator[Arrival]:
        """While the body is on its way. ``turn_out`` is called when it is slow and others need the room: it must drop
        what was read and end the request, and not wait; the share is given back for it.
        """
        budget = self._budget
        if not isinstance(budget, ByteBudget):
            yield Arrival(self, time.monotonic, turn_out)
            return
        arrival = budget.arrives(self, turn_out)
        try:
            yield arrival
        finally:
            budget.has_arrived(arrival)

    def shrink_to(self, n: int) -> None:
        """Gives back what is held above ``n`` bytes."""
        if n < self._held:
            self._budget.give_back(self._held - n)
            self._held = n

    def release(self) -> None:
        """Gives everything back."""
        self.shrink_to(0)
