"""The service's bound of memory: the smallest of the limits that the configuration sets in several places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from collector import memory
from collector.component.base import ComponentId
from collector.config.engine_processors import MemoryLimiterConfig

SMALLEST = 64 * 1024 * 1024
"""Bytes below which the service does not even try."""

_DEFAULT_SPIKE = 0.2


@dataclass(frozen=True, slots=True)
class Bound:
    """The memory of the whole service; in bytes."""

    limit: int
    soft_limit: int
    """Above this, large requests are taken one at a time."""
    said_by: str
    """Path of the key."""


def of_service(limit_mib: int | None) -> Bound:
    """``service.memory.limit_mib``; null: half of what there is."""
    said_by = "service.memory.limit_mib" if limit_mib else "default: half of the memory"
    return _bound(_mib(limit_mib) if limit_mib else memory.available() // 2, 0, said_by)


def of_limiter(id_: ComponentId, config: MemoryLimiterConfig) -> Bound:
    """The bound that a ``memory_limiter`` sets: by MiB if given, else by per cent, as in the Collector."""
    at = f"processors.{id_}"
    if config.limit_mib:
        return _bound(_mib(config.limit_mib), _mib(config.spike_limit_mib), f"{at}.limit_mib")
    limit, spike = (
        memory.available() * share // 100 for share in (config.limit_percentage, config.spike_limit_percentage)
    )
    return _bound(limit, spike, f"{at}.limit_percentage")


def bound(limit_mib: int | None, limiters: Mapping[ComponentId, MemoryLimiterConfig]) -> Bound:
    """The smallest bound that is set. The default applies only where there is no limiter."""
    bounds = [of_limiter(id_, config) for id_, config in limiters.items()]
    if limit_mib or not bounds:
        bounds.insert(0, of_service(limit_mib))
    return min(bounds, key=lambda one: one.limit)


def _bound(limit: int, spike: int, said_by: str) -> Bound:
    return Bound(limit, limit - (spike or int(limit * _DEFAULT_SPIKE)), said_by)


def _mib(mib: int) -> int:
    return mib * 1024 * 1024
