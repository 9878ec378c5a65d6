"""How much memory the service may use, and who gets which part of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_PER_PENDING_SPAN = 256  # bytes: a row in three columns, and of a trace of one span its id, ordinal and deadline
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


def default_limit() -> int:
    """Half of what the cgroup or the machine has, in bytes."""
    return min(_machine(), _cgroup()) // 2


def shares(limit: int, *, largest_body: int) -> Shares:
    """Divides ``limit`` bytes. Requests get at least two of the largest bodies."""
    return Shares(
        requests=max(2 * largest_body, limit // 8),
        exporters=limit // 4,
        pending_spans=max(100_000, limit // 8 // _PER_PENDING_SPAN),
        decided_traces=max(10_000, limit // 16 // _PER_DECIDED_TRACE),
        decided_spans=max(100_000, limit // 16 // _PER_DECIDED_SPAN),
    )


def _machine() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _cgroup() -> int:
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = (_CGROUP / name).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            return int(text)
    return _machine()
