"""Where a record is: the log that holds it and its number there, packed into one 64-bit integer.

The upper 15 bits (below the sign) are the log's index, as the ledger gave it out; the lower 48 bits
are the record's number in that log, ``seq``. So the address of a record of log 0 is its number.
Numbers of one log ascend in the order in which its records came. Two logs have no common order:
their addresses are compared for equality only, and whoever wants "the oldest" asks per log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SEQ_BITS = 48
MAX_SEQ = (1 << SEQ_BITS) - 1
MAX_LOGS = 1 << 15


class Range(NamedTuple):
    """Records of one log, from the first to the last."""

    log: int
    first: int
    last: int


def address(log: int, seq: int) -> int:
    """Raises ``ValueError`` when one of them does not fit its bits."""
    if not (0 <= log < MAX_LOGS and 0 <= seq <= MAX_SEQ):
        raise ValueError(f"no record has the log {log} and the number {seq}")
    return log << SEQ_BITS | seq


def log_of(packed: int) -> int:
    return packed >> SEQ_BITS


def seq_of(packed: int) -> int:
    return packed & MAX_SEQ


def ranges(addresses: npt.NDArray[np.int64]) -> tuple[Range, ...]:
    """Per log the first and the last of these records; by log."""
    return tuple(Range(log_of(int(of[0])), seq_of(int(of[0])), seq_of(int(of[-1]))) for of in _by_log(addresses))


def oldest(addresses: npt.NDArray[np.int64]) -> list[int]:
    """The oldest of these records in each log; their addresses."""
    if not len(addresses):
        return []
    low, high = int(addresses.min()), int(addresses.max())
    # Most services have one log, and then nothing has to be sorted.
    return [low] if log_of(low) == log_of(high) else [int(of[0]) for of in _by_log(addresses)]


def lowest(addresses: Iterable[int]) -> dict[int, int]:
    """Log → the lowest number among these records of it."""
    low: dict[int, int] = {}
    for packed in addresses:
        log, seq = log_of(packed), seq_of(packed)
        low[log] = min(seq, low.get(log, seq))
    return low


def _by_log(addresses: npt.NDArray[np.int64]) -> Sequence[npt.NDArray[np.int64]]:
    """The distinct addresses of each log, ascending."""
    distinct = np.unique(addresses)
    cuts = np.flatnonzero(np.diff(distinct >> SEQ_BITS)) + 1
    return np.split(distinct, cuts) if len(distinct) else ()
