"""How much memory the service may use, who gets which part of it, and how much it uses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import structlog

_CGROUP = Path("/sys/fs/cgroup")
_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEASURED_EVERY_SECONDS = 0.02
_TOLD_EVERY_SECONDS = 10
_PER_PENDING_SPAN = 256  # bytes: a row in four columns, and of a trace of one span its id, ordinal and deadline
_PER_DECIDED_TRACE = 600  # bytes: the id, the verdict object, the facts filled down
_PER_DECIDED_SPAN = 25  # bytes: a skeleton entry


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of the limit, in bytes or in items that cost so much."""

    requests: int
    exporters: int
    pending_spans: int
    decided_traces: int
    decided_spans: int
    sources: int
    """What is held of receivers whose sources are durable, until it is delivered."""


def available() -> int:
    """What the cgroup or the machine has, in bytes."""
    return min(_machine(), _cgroup())


def anonymous() -> int:
    """Bytes of this process that no file stands behind; 0 where the system does not say (it is not Linux)."""
    try:
        _, resident, of_files, *_ = _STATM.read_text().split()
    except OSError:
        return 0
    return (int(resident) - int(of_files)) * _PAGE


class Pressure:
    """Whether the process has come near its limit. For one thread only."""

    def __init__(self, soft_limit: int, *, measure: Callable[[], int] = anonymous) -> None:
        """``soft_limit`` in bytes."""
        self._soft_limit = soft_limit
        self._measure = measure
        self._log = structlog.get_logger("memory")
        self._measured_at = self._told_at = float("-inf")
        self._is_near = False

    def __call__(self) -> bool:
        now = time.monotonic()
        if now - self._measured_at >= _MEASURED_EVERY_SECONDS:
            self._measured_at = now
            self._is_near = self._measure() > self._soft_limit
            if self._is_near and now - self._told_at >= _TOLD_EVERY_SECONDS:
                self._told_at = now
                self._relieve()
        return self._is_near

    def _relieve(self) -> None:
        pa.default_memory_pool().release_unused()
        used, bound = self._measure() >> 20, self._soft_limit >> 20
        self._log.warning(
            "near the memory limit: large requests are taken one at a time", used_mib=used, above_mib=bound
        )


def shares(limit: int, *, largest_body: int) -> Shares:
    """Divides ``limit`` bytes. Requests get at least two of the largest bodies."""
    return Shares(
        requests=max(2 * largest_body, limit // 8),
        exporters=limit // 4,
        pending_spans=max(100_000, limit // 8 // _PER_PENDING_SPAN),
        decided_traces=max(10_000, limit // 16 // _PER_DECIDED_TRACE),
        decided_spans=max(100_000, limit // 16 // _PER_DECIDED_SPAN),
        sources=limit // 8,
    )


def _machine() -> int:
    return _PAGE * os.sysconf("SC_PHYS_PAGES")


def _cgroup() -> int:
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = (_CGROUP / name).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            return int(text)
    return _machine()
