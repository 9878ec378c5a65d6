"""Processors of the Collector that are part of the engine here: accepted, checked, and mapped.

``batch`` is what coalescing does, ``groupbytrace`` what assembly does; ``memory_limiter`` sets the memory bound of
the service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Self

from pydantic import Field, field_validator, model_validator

from collector.component.base import ComponentConfig
from collector.options.durations import Duration


class BatchConfig(ComponentConfig):
    """Accepted for compatibility: requests that arrive together are always worked on as one group. Every option is
    checked and has no effect.
    """

    timeout: Duration = timedelta(milliseconds=200)
    """No effect: requests are coalesced while the group before them is worked on, without a timer."""

    send_batch_size: int = Field(default=8192, ge=0)
    """No effect."""

    send_batch_max_size: int = Field(default=0, ge=0)
    """No effect: batches are bounded by rows and bytes."""

    metadata_keys: tuple[str, ...] = ()
    """Only the empty list: what comes with a request is not carried along, so nothing is kept apart by it."""

    metadata_cardinality_limit: int = Field(default=1000, ge=0)
    """No effect without ``metadata_keys``."""

    @field_validator("metadata_keys")
    @classmethod
    def _none(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if keys:
            raise ValueError(
                "this option of the Collector is not supported here: client metadata is not carried along; remove it"
            )
        return keys

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if 0 < self.send_batch_max_size < self.send_batch_size:
            sizes = f"{self.send_batch_max_size} is below {self.send_batch_size}"
            raise ValueError(f"'send_batch_max_size' must not be below 'send_batch_size': {sizes}")
        return self


class GroupByTraceConfig(ComponentConfig):
    """Puts the spans of a trace together before they are exported. ``tail_sampling`` does so too, and then waits as
    long as its own options say.
    """

    wait_duration: Duration = timedelta(seconds=1)
    """How long spans of a trace are waited for, from its first span."""

    num_traces: int = Field(default=1_000_000, ge=1)
    """No effect: memory is bounded by bytes, and an overflow decides early."""

    num_workers: int = Field(default=1, ge=1)
    """No effect."""


class MemoryLimiterConfig(ComponentConfig):
    """Bounds the memory of the whole service, whichever pipelines list it: what ``service.memory.limit_mib`` does, in
    the Collector's words. Where both are set, or several of these are used, the smallest holds.

    Who sends while no memory is left is answered 503 or UNAVAILABLE with a delay and sends again: nothing is lost.
    Near the limit large requests are taken one at a time, so that work goes on. While it is worked on a request costs
    some fifteen times its size, and the service itself about 120 MiB: a limit that must hold leaves room for both.
    """

    check_interval: Duration = timedelta(0)
    """Required, above 0, and else without meaning: memory is measured when a request arrives."""

    limit_mib: int = Field(default=0, ge=0)
    """Bound of the service's memory in MiB; the smaller of this and ``service.memory.limit_mib`` holds."""

    spike_limit_mib: int = Field(default=0, ge=0)
    """So far below the limit large requests are taken one at a time, the others later; 0: a fifth of the limit."""

    limit_percentage: int = Field(default=0, ge=0, le=100)
    """Without ``limit_mib``: the bound in per cent of the memory that the cgroup or the machine has."""

    spike_limit_percentage: int = Field(default=0, ge=0, le=100)
    """``spike_limit_mib``, in per cent of the same; 0: a fifth of the limit."""

    min_gc_interval_when_soft_limited: Duration = timedelta(seconds=10)
    """No effect: memory is given back without collecting garbage."""

    min_gc_interval_when_hard_limited: Duration = timedelta(0)
    """No effect."""

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if wrong := "; ".join(self._wrong()):
            raise ValueError(wrong)
        return self

    def _wrong(self) -> Iterator[str]:
        if self.check_interval <= timedelta(0):
            yield "'check_interval' is required and must be above 0: write e.g. 'check_interval: 1s'"
        if not self.limit_mib and not self.limit_percentage:
            yield "'limit_mib' or 'limit_percentage' is required and must be above 0"
        for unit in ("mib", "percentage"):
            limit, spike = getattr(self, f"limit_{unit}"), getattr(self, f"spike_limit_{unit}")
            if limit and spike >= limit:
                yield f"'spike_limit_{unit}' must be smaller than 'limit_{unit}': {spike} is not below {limit}"
        if self.min_gc_interval_when_soft_limited < self.min_gc_interval_when_hard_limited:
            yield "'min_gc_interval_when_soft_limited' must not be below 'min_gc_interval_when_hard_limited'"


ENGINE_PROCESSORS: Mapping[str, type[ComponentConfig]] = {
    "batch": BatchConfig,
    "groupbytrace": GroupByTraceConfig,
    "memory_limiter": MemoryLimiterConfig,
}
"""Type → the options that are understood."""
