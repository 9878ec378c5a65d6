"""When to try again: the Collector's ``retry_on_failure`` and the back-off it describes."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from collector.component.base import ComponentConfig
from collector.component.exporter import Retry
from collector.options.durations import Duration


class RetryConfig(ComponentConfig):
    """The option ``retry_on_failure`` of an exporter that sends: when to try again, and for how long."""

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

    def retry(self) -> Retry:
        """The same, as an exporter's preferences hold it."""
        return Retry(**dict(self))
