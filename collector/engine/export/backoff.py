"""When an exporter tries again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from collector.component.exporter import Retry

_LONGEST_SERVER_DELAY = 3600.0
"""Seconds. What a server asks for is honoured up to here: a wrong date must not stop us for good."""


class Backoff:
    """The waits of one batch: exponential with jitter. Not thread-safe."""

    def __init__(
        self,
        retry: Retry,
        *,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """``clock`` gives seconds, ``draw`` numbers from 0 to 1; both are arguments for tests."""
        self._retry = retry
        self._clock = clock
        self._draw = draw
        self._interval = retry.initial_interval.total_seconds()
        self._started = clock()

    def next(self, retry_after: float | None = None) -> float | None:
        """Seconds to wait before the next attempt, at least what the server asked for; None: give up."""
        retry = self._retry
        if not retry.enabled:
            return None
        spread = retry.randomization_factor * (2 * self._draw() - 1)
        delay = self._interval * (1 + spread)
        self._interval = min(self._interval * retry.multiplier, retry.max_interval.total_seconds())
        if retry_after is not None:
            delay = max(delay, min(retry_after, _LONGEST_SERVER_DELAY))
        limit = retry.max_elapsed_time.total_seconds()
        if limit and self._clock() - self._started + delay > limit:
            return None
        return delay
