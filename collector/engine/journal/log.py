"""What the engine needs of a log of records, and the logs of one engine by their addresses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from collector.engine.journal.addresses import log_of, seq_of
from collector.engine.journal.records import Entry, Written
from collector.errors import JournalError


class Log(Protocol):
    """Records in the order in which they came. One thread appends; any thread calls the rest."""

    index: int
    """The log's part of its records' addresses."""
    name: str
    """By this the ledger knows it, now and after a restart."""

    def append(self, entries: Sequence[Entry], time_unix_nano: int) -> list[Written]:
        """Takes entries together, or none of them. Their numbers go up, without a gap inside the call.

        What is safe when it returns is the log's affair: a file journal's records are on disk, a
        memory log's are safe where they came from. Raises ``RetryableError`` when there is no room.
        """

    def tail(self, after: int) -> list[Written]:
        """The records above this number, oldest first; above 0 all."""

    def read(self, seq: int, /) -> Entry:
        """Raises ``JournalError`` when the record is not (or no longer) here."""

    def info(self, seq: int, /) -> Written:
        """When the record came, and its size. Raises ``KeyError`` when it is gone."""

    def __contains__(self, seq: int, /) -> bool: ...

    @property
    def oldest_seq(self) -> int:
        """The number of the oldest record held, or of the next one."""

    @property
    def nbytes(self) -> int:
        """Bytes that are held."""

    def release(self, below: int) -> None:
        """All records with a lower number are delivered by every exporter: they may go."""

    def delivered(self) -> int | None:
        """The position in the source up to which everything is delivered by every exporter; None: nothing yet.

        The source of a file journal is the journal, and the position a number of it. Never goes back.
        """

    def close(self) -> None:
        """Lets go of what it holds. Safe to call twice."""


class Logs:
    """The logs of one engine. Logs may be added at any time, by any thread."""

    def __init__(self, *logs: Log) -> None:
        self._logs: dict[int, Log] = {}
        for log in logs:
            self.add(log)

    def add(self, log: Log) -> None:
        """Raises ``ValueError`` when there is one with this index."""
        if self._logs.setdefault(log.index, log) is not log:
            raise ValueError(f"two logs have the index {log.index}")

    def __iter__(self) -> Iterator[Log]:
        return iter(tuple(self._logs.values()))

    def read(self, packed: int, /) -> Entry:
        """The entry at this address. Raises ``JournalError`` when it is gone."""
        log = self._logs.get(log_of(packed))
        if log is None:
            raise JournalError(f"there is no log {log_of(packed)}: its record {seq_of(packed)} is missing")
        return log.read(seq_of(packed))

    def info(self, packed: int, /) -> Written:
        """Raises ``KeyError`` when the record is gone."""
        return self._logs[log_of(packed)].info(seq_of(packed))

    def __contains__(self, packed: int, /) -> bool:
        log = self._logs.get(log_of(packed))
        return log is not None and seq_of(packed) in log

    def oldest(self) -> dict[int, int]:
        """Log → the number of its oldest record."""
        return {log.index: log.oldest_seq for log in self}

    @property
    def nbytes(self) -> int:
        """Bytes in all logs."""
        return sum(log.nbytes for log in self)

    def close(self) -> None:
        for log in self:
            log.close()
