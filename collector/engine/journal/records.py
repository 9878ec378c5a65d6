"""Entries of a journal, and where they are read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from collector.model.batch import Batch


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch and the pipelines it is for; ``join``: log records that only serve their spans' content;
    ``dropped``: tombstones of spans, for assembly alone; ``met``: the keys of the ``RequestCondition``s that
    the requests it came with met.
    """

    batch: Batch
    pipelines: tuple[str, ...]
    join: bool = False
    dropped: bool = False
    met: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Written:
    """Where an entry went: its number, when it was acknowledged and its size."""

    seq: int
    time_unix_nano: int
    nbytes: int


class Records(Protocol):
    """Where rows are read from: the journal, or the memory of a dry run."""

    def read(self, seq: int) -> Entry: ...

    def info(self, seq: int) -> Written: ...


class MemoryRecords:
    """Records that are never written anywhere."""

    def __init__(self) -> None:
        self._entries: list[tuple[Entry, Written]] = []

    def append(self, entries: Sequence[Entry], time_unix_nano: int) -> list[Written]:
        first = len(self._entries) + 1
        written = [Written(first + i, time_unix_nano, e.batch.nbytes) for i, e in enumerate(entries)]
        self._entries += zip(entries, written, strict=True)
        return written

    def read(self, seq: int) -> Entry:
        return self._entries[seq - 1][0]

    def info(self, seq: int) -> Written:
        return self._entries[seq - 1][1]
