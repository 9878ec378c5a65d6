"""When to try again: the Collector's ``retry_on_failure`` and the back-off it describes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta

from pydantic import Field

from collector.component.factories import ComponentConfig
from collector.config.service_config import Duration

_LONGEST_SERVER_DELAY = 3600.0
"""Seconds. What a server asks for is honoured up to here: a wrong date must not stop us for good."""


class RetryConfig(ComponentConfig):
    enabled: bool = True
    """False: data is dropped, and counted, at the first failure."""

    initial_interval: Duration = timedelta(seconds=5)
    """Wait after the first failure."""

    randomization_factor: float = Field(default=0.5, ge=0, le=1)
    """Each wait is drawn from this share below to this share above the interval."""

    multiplier: float = Field(default=1.5, ge=1)
    """Growth of the interval from one failure to the next."""

    max_interval: Duration = timedelta(seconds=30)
    """The interval grows up to here."""

    max_elapsed_time: Duration = timedelta(0)
    """Give up, and drop the data, after this long; 0: never. (The Collector's default, five
    minutes, loses acknowledged data.)"""


class Backoff:
    """The waits of one batch: exponential with jitter. Not thread-safe."""

    def __init__(
        self,
        config: RetryConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """``clock`` gives seconds, ``draw`` numbers from 0 to 1; both are arguments for tests."""
        self._config = config
        self._clock = clock
        self._draw = draw
        self._interval = config.initial_interval.total_seconds()
        self._started = clock()

    def next(self, retry_after: float | None = None) -> float | None:
        """Seconds to wait before the next attempt, at least what the server asked for; None: give up."""
        config = self._config
        if not config.enabled:
            return None
        spread = config.randomization_factor * (2 * self._draw() - 1)
        delay = self._interval * (1 + spread)
        self._interval = min(self._interval * config.multiplier, config.max_interval.total_seconds())
        if retry_after is not None:
            delay = max(delay, min(retry_after, _LONGEST_SERVER_DELAY))
        limit = config.max_elapsed_time.total_seconds()
        if limit and self._clock() - self._started + delay > limit:
            return None
        return delay
