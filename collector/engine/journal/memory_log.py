"""A log without a disk, for data that stays in its source until it was delivered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from collector.engine.journal.records import Entry, Written
from collector.errors import JournalError, RetryableError


class Positions:
    """Which positions of a source are delivered. Not thread-safe.

    A position is open from ``hand_in`` until it is ``taken``, and then waits for the records that
    were made of it and of what came before. The low water never passes an open position: what was
    refused for now has to be handed in again.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, int | None] = {}
        """Position → the newest record when it was taken; None while it is open. In the order of handing in."""
        self.low: int | None = None
        """The highest position up to which all that was handed in is delivered."""

    def hand_in(self, position: int) -> None:
        """Positions come in ascending order; one that was refused, or that the source went back to, may come again."""
        self._waiting.setdefault(position, None)

    def taken(self, position: int, newest_seq: int) -> None:
        """All that is ever made of this position is among the records up to this one."""
        if position in self._waiting:
            self._waiting[position] = newest_seq

    def release(self, below: int) -> bool:
        """Records below this number are delivered. True: the low water went up."""
        before = self.low
        for position, seq in list(self._waiting.items()):
            if seq is None or seq >= below:
                break
            del self._waiting[position]
            self.low = position if self.low is None else max(self.low, position)
        return self.low != before


class MemoryLog:
    """Records in memory, and the positions of the source that they came from.

    What is held is lost with the process; the source gives it again from the low water on.
    """

    def __init__(
        self,
        index: int = 0,
        name: str = "memory",
        *,
        next_seq: int = 1,
        is_full: Callable[[], bool] = lambda: False,
        on_delivered: Callable[[int], object] = lambda _: None,
    ) -> None:
        """``on_delivered`` is given the low water whenever it goes up, by the thread that releases."""
        self.index = index
        self.name = name
        self._is_full = is_full
        self._on_delivered = on_delivered
        self._mutex = threading.Lock()
        self._entries: dict[int, tuple[Entry, Written]] = {}
        self._oldest = self._next = next_seq
        self._nbytes = 0
        self._positions = Positions()

    def append(self, entries: Sequence[Entry], time_unix_nano: int) -> list[Written]:
        """See ``Log.append``."""
        if self._is_full():
            raise RetryableError(f"no memory for more of {self.name}: exporters have to catch up", retry_after=1)
        with self._mutex:
            written = [
                Written(self._next + i, time_unix_nano, entry.batch.nbytes, self.index)
                for i, entry in enumerate(entries)
            ]
            self._entries.update((w.seq, (entry, w)) for entry, w in zip(entries, written, strict=True))
            self._next += len(written)
            self._nbytes += sum(w.nbytes for w in written)
        return written

    def hand_in(self, position: int) -> None:
        """A body with this position is about to be taken: the low water stays below it. In ascending order."""
        with self._mutex:
            self._positions.hand_in(position)

    def taken(self, positions: Sequence[int]) -> None:
        """What was made of these positions has been appended, or nothing ever will be."""
        with self._mutex:
            for position in positions:
                self._positions.taken(position, self._next - 1)

    def tail(self, after: int) -> list[Written]:
        with self._mutex:
            return [self._entries[seq][1] for seq in range(max(after + 1, self._oldest), self._next)]

    def read(self, seq: int, /) -> Entry:
        with self._mutex:
            found = self._entries.get(seq)
        if found is None:
            raise JournalError(f"the log {self.name} has no record {seq}")
        return found[0]

    def info(self, seq: int, /) -> Written:
        with self._mutex:
            return self._entries[seq][1]

    def __contains__(self, seq: int, /) -> bool:
        with self._mutex:
            return seq in self._entries

    @property
    def oldest_seq(self) -> int:
        with self._mutex:
            return self._oldest

    @property
    def nbytes(self) -> int:
        with self._mutex:
            return self._nbytes

    def release(self, below: int) -> None:
        """Forgets records with a lower number, and tells the source."""
        with self._mutex:
            below = min(below, self._next)
            for seq in range(self._oldest, below):
                self._nbytes -= self._entries.pop(seq)[1].nbytes
            self._oldest = max(self._oldest, below)
            low = self._positions.low if self._positions.release(below) else None
        if low is not None:
            self._on_delivered(low)

    def delivered(self) -> int | None:
        with self._mutex:
            return self._positions.low

    def close(self) -> None:
        """Keeps what it holds: whoever still reads may end."""
