"""The journal: batches made durable in segments, found again by sequence number, freed when done."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from collector.engine.journal import segments
from collector.engine.journal.ledger import Ledger
from collector.engine.journal.records import Entry, Written
from collector.errors import ConfigError, JournalError, RetryableError
from collector.files import sync_folder
from collector.model import schema
from collector.model.batch import BATCH_OF, Signal

_META = b"spanloom"
_OPEN_RECORDS = 256
"""Opened batches kept at hand: they are views into the maps, a few kilobytes each."""


class Journal:
    """One writer thread appends; any thread reads.

    ``directory`` is locked for this process. Raises ``ConfigError`` when another one has it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        max_bytes: int,
        fsync: bool = True,
        observe_sync: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.directory = directory
        self._max_bytes = max_bytes
        self._fsync = fsync
        self._observe_sync = observe_sync
        self._folder = directory / "w00"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.chmod(0o700)
        self._lock_fd = _lock(directory)
        sync_folder(directory)
        self.ledger = Ledger(directory)
        self._mutex = threading.Lock()
        self._records: dict[int, segments.Record] = {}
        self._sizes: dict[int, int] = {}
        self._maps: dict[int, segments.SegmentMap] = {}
        self._opened: OrderedDict[int, Entry] = OrderedDict()
        self._writer: segments.SegmentWriter | None = None
        self._next_seq = 1
        self._next_group = 1
        self._next_segment = 1
        self._recover()

    def _recover(self) -> None:
        found = segments.numbers(self._folder)
        for number in found:
            records, used = segments.scan(self._folder, number, newest=number == found[-1])
            path = segments.segment_path(self._folder, number)
            if path.stat().st_size != used:
                os.truncate(path, used)
            for record in records:
                self._records[record.seq] = record
            self._sizes[number] = used
            self._next_segment = number + 1
            if records:
                self._next_seq = records[-1].seq + 1
                self._next_group = records[-1].group + 1
        # Numbers of segments that are gone, freed or moved away, must not come back: decisions name them.
        self._next_seq = max(self._next_seq, int(self.ledger.meta("next_seq", "1")), self.ledger.max_seq() + 1)

    @property
    def nbytes(self) -> int:
        """Bytes in segments."""
        with self._mutex:
            return sum(self._sizes.values())

    @property
    def full(self) -> bool:
        """At the cap: new data is refused until exporters have caught up."""
        return self.nbytes >= self._max_bytes

    def append(self, entries: Sequence[Entry], time_unix_nano: int) -> list[Written]:
        """Makes entries durable together, or none of them.

        Raises ``RetryableError`` when there is no space, ``JournalError`` when an fsync failed.
        """
        if self.full:
            self._seal()  # or a segment that is the whole journal could never be freed
            raise RetryableError("the journal is full: exporters have to catch up", retry_after=5)
        payloads = [_pack(entry) for entry in entries]
        writer = self._room_for(sum(segments.ALIGNMENT * 2 + p.size for p in payloads))
        start = writer.used
        try:
            records = [
                writer.append(self._next_seq + i, self._next_group, time_unix_nano, payload)
                for i, payload in enumerate(payloads)
            ]
        except RetryableError:
            writer.rewind(start)
            self._seal()
            raise
        self._sync(writer)
        self._next_seq += len(records)
        self._next_group += 1
        with self._mutex:
            self._records.update((r.seq, r) for r in records)
            self._sizes[writer.number] = writer.used
        return [Written(r.seq, time_unix_nano, r.length) for r in records]

    def _sync(self, writer: segments.SegmentWriter) -> None:
        if self._fsync:
            started = time.perf_counter()
            writer.sync()
            self._observe_sync(time.perf_counter() - started)

    def _room_for(self, nbytes: int) -> segments.SegmentWriter:
        if self._writer is not None and self._writer.used + nbytes <= self._writer.size:
            return self._writer
        new = segments.SegmentWriter(self._folder, self._next_segment, min_bytes=nbytes)
        self._seal()
        self._next_segment += 1
        with self._mutex:
            self._writer = new
            self._sizes[new.number] = 0
        return new

    def _seal(self) -> None:
        """Ends the current segment; the next record begins another."""
        if self._writer is not None:
            self._writer.close()
            with self._mutex:
                self._writer = None

    def read(self, seq: int) -> Entry:
        """The entry with this number, as views into the map. Raises ``JournalError`` when it is gone."""
        with self._mutex:
            if (entry := self._opened.get(seq)) is not None:
                self._opened.move_to_end(seq)
                return entry
            record = self._records.get(seq)
            if record is None:
                raise JournalError(f"{self._folder}: record {seq} is missing")
            mapped = self._maps.get(record.segment)
            if mapped is None:
                mapped = self._maps[record.segment] = segments.SegmentMap(self._folder, record.segment)
            entry = self._opened[seq] = _unpack(mapped.payload(record))
            if len(self._opened) > _OPEN_RECORDS:
                self._opened.popitem(last=False)
            return entry

    def __contains__(self, seq: int) -> bool:
        with self._mutex:
            return seq in self._records

    def info(self, seq: int) -> Written:
        """When the record was acknowledged, and its size. Raises ``KeyError`` when it is gone."""
        with self._mutex:
            record = self._records[seq]
        return Written(seq, record.time_unix_nano, record.length)

    def written(self) -> list[Written]:
        """Everything in the journal, oldest first; for the start."""
        with self._mutex:
            return [Written(r.seq, r.time_unix_nano, r.length) for r in self._records.values()]

    @property
    def oldest_seq(self) -> int:
        """The number of the oldest record held, or of the next one."""
        with self._mutex:
            return min(self._records, default=self._next_seq)

    def free(self, below_seq: int) -> None:
        """Deletes segments whose records all have a number below ``below_seq``."""
        with self._mutex:
            last_of: dict[int, int] = {}
            for record in self._records.values():
                last_of[record.segment] = max(last_of.get(record.segment, 0), record.seq)
            current = self._writer.number if self._writer is not None else None
            doomed = [n for n in self._sizes if n != current and last_of.get(n, 0) < below_seq]
        if not doomed:
            return
        # On a full disk deleting comes first: whoever still names one of the numbers keeps them from coming back.
        with suppress(RetryableError):
            self.ledger.set_meta("next_seq", str(self._next_seq))
        for number in doomed:
            self._delete(number)
        sync_folder(self._folder)

    def _delete(self, number: int) -> None:
        segments.segment_path(self._folder, number).unlink(missing_ok=True)
        with self._mutex:
            gone = [seq for seq, r in self._records.items() if r.segment == number]
            for seq in gone:
                del self._records[seq]
                self._opened.pop(seq, None)
            self._sizes.pop(number, None)
            self._maps.pop(number, None)

    def close(self) -> None:
        """Seals the current segment and lets go of the folder. Safe to call twice."""
        self._seal()
        self.ledger.close()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1


def _lock(directory: Path) -> int:
    fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise ConfigError(f"{directory} is in use by another spanloom process") from None
    return fd


def _pack(entry: Entry) -> pa.Buffer:
    meta = {
        _META: str(schema.VERSION).encode(),
        b"signal": entry.batch.signal.value.encode(),
        b"pipelines": "\n".join(entry.pipelines).encode(),
        b"join": b"1" if entry.join else b"",
        b"dropped": b"1" if entry.dropped else b"",
        b"met": "\n".join(sorted(entry.met)).encode(),
    }
    table = entry.batch.record_batch
    return type(entry.batch)(table.replace_schema_metadata(meta)).to_ipc()


def _unpack(payload: pa.Buffer) -> Entry:
    with pa.ipc.open_stream(payload) as reader:
        table = reader.read_next_batch()
    meta: Mapping[bytes, bytes] = table.schema.metadata or {}
    if meta.get(_META) != str(schema.VERSION).encode():
        raise JournalError(f"journal record of schema version {meta.get(_META)!r}: this version reads {schema.VERSION}")
    batch = BATCH_OF[Signal(meta[b"signal"].decode())](table.replace_schema_metadata(None))
    pipelines = tuple(meta[b"pipelines"].decode().split("\n"))
    met = meta.get(b"met", b"").decode()
    return Entry(
        batch, pipelines, bool(meta[b"join"]), bool(meta.get(b"dropped")), frozenset(met.split("\n") if met else ())
    )
