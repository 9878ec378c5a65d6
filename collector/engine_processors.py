"""Processors of the Collector that are part of the engine here: accepted, checked, and mapped.

``batch`` is what coalescing does, ``groupbytrace`` what assembly does, ``memory_limiter`` what the
memory bound of the service does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from pydantic import Field

from collector.component import ComponentConfig
from collector.service_config import Duration


class BatchConfig(ComponentConfig):
    timeout: Duration = timedelta(milliseconds=200)
    """No effect: requests are coalesced while the group before them is worked on, without a timer."""

    send_batch_size: int = Field(default=8192, ge=0)
    """No effect."""

    send_batch_max_size: int = Field(default=0, ge=0)
    """No effect: batches are bounded by rows and bytes."""


class GroupByTraceConfig(ComponentConfig):
    wait_duration: Duration = timedelta(seconds=1)
    """How long spans of a trace are waited for, from its first span."""

    num_traces: int = Field(default=1_000_000, ge=1)
    """No effect: memory is bounded by bytes, and an overflow decides early."""

    num_workers: int = Field(default=1, ge=1)
    """No effect."""


class MemoryLimiterConfig(ComponentConfig):
    check_interval: Duration = timedelta(0)
    """No effect."""

    limit_mib: int = Field(default=0, ge=0)
    """No effect: ``service.memory.limit_mib`` bounds memory."""

    spike_limit_mib: int = Field(default=0, ge=0)
    """No effect."""

    limit_percentage: int = Field(default=0, ge=0, le=100)
    """No effect: without ``service.memory.limit_mib`` half of the memory is used."""

    spike_limit_percentage: int = Field(default=0, ge=0, le=100)
    """No effect."""

    min_gc_interval_when_soft_limited: Duration = timedelta(0)
    """No effect."""

    min_gc_interval_when_hard_limited: Duration = timedelta(0)
    """No effect."""


ENGINE_PROCESSORS: Mapping[str, type[ComponentConfig]] = {
    "batch": BatchConfig,
    "groupbytrace": GroupByTraceConfig,
    "memory_limiter": MemoryLimiterConfig,
}
"""Type → the options that are understood."""
