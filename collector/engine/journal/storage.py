"""What an engine remembers by: a ledger and logs, on disk or in memory."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path

from collector.engine.journal.journal import Journal
from collector.engine.journal.ledger import FIRST_LOG, Ledger
from collector.engine.journal.log import Log, Logs
from collector.engine.journal.lost_records import let_go
from collector.engine.journal.memory_log import MemoryLog
from collector.errors import ConfigError
from collector.files import sync_folder

_UNBOUNDED = 1 << 62


class Storage:
    """A ledger, the logs whose records its decisions name, and the log that requests without a source go to."""

    def __init__(self, ledger: Ledger, journal: Journal | None, *, source_bytes: int, lock: int = -1) -> None:
        """``lock``: a descriptor that holds the folder for this process."""
        self.ledger = ledger
        self._source_bytes = source_bytes
        self._lock = lock
        self._mutex = threading.Lock()
        self._sources: dict[str, MemoryLog] = {}
        self.logs = Logs()
        self.log: Log = journal or self._memory_log("memory")
        self.logs.add(self.log)

    @classmethod
    def on_disk(
        cls,
        folder: Path,
        *,
        max_bytes: int,
        source_bytes: int = _UNBOUNDED,
        fsync: bool = True,
        observe_sync: Callable[[float], None] = lambda _: None,
    ) -> Storage:
        """Opens or creates a folder, which stays locked until ``close``.

        ``max_bytes``: at most so much on disk; ``source_bytes``: at most so much of all sources in memory.
        Raises ``ConfigError`` when another process has it, ``JournalError`` when it is damaged or too new.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        lock = _lock(folder)
        try:
            sync_folder(folder)
            ledger = Ledger(folder)
            try:
                let_go(ledger)
                journal = Journal(
                    folder / FIRST_LOG, ledger, max_bytes=max_bytes, fsync=fsync, observe_sync=observe_sync
                )
            except BaseException:
                ledger.close()
                raise
            return cls(ledger, journal, source_bytes=source_bytes, lock=lock)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def in_memory(cls, *, source_bytes: int = _UNBOUNDED) -> Storage:
        """Nothing outlives the process: for data that its sources keep until it was delivered."""
        return cls(Ledger(None), None, source_bytes=source_bytes)

    def source(self, name: str, on_delivered: Callable[[int], object]) -> MemoryLog:
        """The log for data that a durable source hands in with positions; ``on_delivered`` is given the low water.

        Raises ``ValueError`` when the source has one already.
        """
        with self._mutex:
            if name in self._sources:
                raise ValueError(f"the source {name!r} is there twice")
            log = self._sources[name] = self._memory_log(name, on_delivered)
        self.logs.add(log)
        return log

    def _memory_log(self, name: str, on_delivered: Callable[[int], object] = lambda _: None) -> MemoryLog:
        index, next_seq = self.ledger.log(name, is_lasting=False)
        return MemoryLog(index, name, next_seq=next_seq, is_full=self._is_full, on_delivered=on_delivered)

    def _is_full(self) -> bool:
        with self._mutex:
            return sum(log.nbytes for log in self._sources.values()) >= self._source_bytes

    def close(self) -> None:
        """Ends the logs, the ledger and the lock, in this order. Safe to call twice."""
        self.logs.close()
        self.ledger.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise ConfigError(f"{folder} is in use by another spanloom process") from None
    return descriptor
