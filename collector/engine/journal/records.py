"""Entries of a log, and where they are read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from collector.engine.journal.addresses import address
from collector.model.batch import Batch


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch and the pipelines it is for; ``join``: log records that only serve their spans' content;
    ``dropped``: tombstones of spans, for assembly alone; ``matched_conditions``: the keys of the
    ``RequestCondition``s that the requests it came with match.
    """

    batch: Batch
    pipelines: tuple[str, ...]
    join: bool = False
    dropped: bool = False
    matched_conditions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Written:
    """Where an entry went: its number in its log, when it was acknowledged and its size."""

    seq: int
    time_unix_nano: int
    nbytes: int
    log: int = 0
    """The log's index."""

    @property
    def address(self) -> int:
        """See ``addresses``."""
        return address(self.log, self.seq)


class Records(Protocol):
    """Where rows are read from, by the addresses of their records: the logs of an engine, or the log with index 0."""

    def read(self, packed: int, /) -> Entry: ...

    def info(self, packed: int, /) -> Written: ...
