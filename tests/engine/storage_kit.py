"""Storage for the engine's tests: the same tests run over a journal on disk, in memory, and over both at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, cycle
from pathlib import Path

from collector.engine.journal.log import Log
from collector.engine.journal.records import Entry, Written
from collector.engine.journal.storage import Storage

KINDS = ("journal", "memory", "both")


class Storages:
    """Opens storage of one kind, as much as a test needs, and closes it all."""

    def __init__(self, kind: str = "memory", folder: Path | None = None):
        self.kind = kind
        self._folder = folder
        self._numbers = count()
        self._opened: list[Storage] = []

    def open(self, name: str | None = None) -> Storage:
        """``name``: the folder, to open the same again."""
        if self.kind == "memory":
            storage = Storage.in_memory()
        else:
            assert self._folder is not None
            folder = self._folder / (name or f"storage-{next(self._numbers)}")
            storage = Storage.on_disk(folder, max_bytes=1 << 30, fsync=False)
        self._opened.append(storage)
        return storage

    def writer(self, storage: Storage) -> Writer:
        """Appends to the storage's log, or in turns to it and to a second one."""
        logs = [storage.log, storage.source("second", lambda _: None)] if self.kind == "both" else [storage.log]
        return Writer(logs)

    def close(self) -> None:
        for storage in self._opened:
            storage.close()


class Writer:
    """Each call goes to the next log."""

    def __init__(self, logs: Sequence[Log]):
        self._logs = cycle(logs)

    def append(self, entries: Sequence[Entry], time_unix_nano: int) -> list[Written]:
        return next(self._logs).append(entries, time_unix_nano)
