"""The journal: a log whose records are durable in segment files, freed when done."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from collector.engine.journal import packing, segments
from collector.engine.journal.ledger import Ledger
from collector.engine.journal.records import Entry, Written
from collector.errors import JournalError, RetryableError
from collector.files import sync_folder

_OPEN_RECORDS = 256
"""Opened batches kept at hand: they are views into the maps, a few kilobytes each."""


@dataclass(slots=True)
class _Segment:
    """A segment file: its records have the numbers from ``first`` to ``last``, without a gap."""

    nbytes: int = 0
    first: int = 0
    last: int = 0
    """0: it has no records."""

    def take(self, seq: int) -> None:
        self.first = self.first or seq
        self.last = seq


class Journal:
    """The log in a folder of segment files. One writer thread appends; any thread reads.

    Its name in the ledger is the folder's. The folder belongs to one process: see ``storage``.
    """

    def __init__(
        self,
        folder: Path,
        ledger: Ledger,
        *,
        max_bytes: int,
        fsync: bool = True,
        observe_sync: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Opens or creates the folder. Raises ``JournalError`` when a segment is damaged."""
        self.name = folder.name
        self._folder = folder
        self._ledger = ledger
        self._max_bytes = max_bytes
        self._fsync = fsync
        self._observe_sync = observe_sync
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_folder(folder.parent)
        self._mutex = threading.Lock()
        self._records: dict[int, segments.Record] = {}
        self._segments: dict[int, _Segment] = {}
        self._maps: dict[int, segments.SegmentMap] = {}
        self._opened: OrderedDict[int, Entry] = OrderedDict()
        self._writer: segments.SegmentWriter | None = None
        # Numbers of segments that are gone, freed or moved away, must not come back: decisions name them.
        self.index, self._next_seq = ledger.log(self.name, is_lasting=True)
        self._next_group = 1
        self._next_segment = 1
        self._recover()
        self._released = self.oldest_seq

    def _recover(self) -> None:
        found = segments.numbers(self._folder)
        for number in found:
            records, used = segments.scan(self._folder, number, newest=number == found[-1])
            path = segments.segment_path(self._folder, number)
            if path.stat().st_size != used:
                os.truncate(path, used)
            segment = self._segments[number] = _Segment(used)
            for record in records:
                self._records[record.seq] = record
                segment.take(record.seq)
            self._next_segment = number + 1
            if records:
                self._next_seq = max(self._next_seq, segment.last + 1)
                self._next_group = records[-1].group + 1

    @property
    def nbytes(self) -> int:
        """Bytes in segments."""
        with self._mutex:
            return sum(segment.nbytes for segment in self._segments.values())

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
        payloads = [packing.pack(entry) for entry in entries]
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
            segment = self._segments[writer.number]
            segment.nbytes = writer.used
            for record in records:
                self._records[record.seq] = record
                segment.take(record.seq)
        return [self._written(record) for record in records]

    def _written(self, record: segments.Record) -> Written:
        return Written(record.seq, record.time_unix_nano, record.length, self.index)

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
            self._segments[new.number] = _Segment()
        return new

    def _seal(self) -> None:
        """Ends the current segment; the next record begins another."""
        if self._writer is not None:
            self._writer.close()
            with self._mutex:
                self._writer = None

    def read(self, seq: int, /) -> Entry:
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
            entry = self._opened[seq] = packing.unpack(mapped.payload(record))
            if len(self._opened) > _OPEN_RECORDS:
                self._opened.popitem(last=False)
            return entry

    def __contains__(self, seq: int, /) -> bool:
        with self._mutex:
            return seq in self._records

    def info(self, seq: int, /) -> Written:
        """When the record was acknowledged, and its size. Raises ``KeyError`` when it is gone."""
        with self._mutex:
            record = self._records[seq]
        return self._written(record)

    def tail(self, after: int) -> list[Written]:
        """The records above this number, oldest first."""
        with self._mutex:
            of_segments = [
                range(max(s.first, after + 1), s.last + 1) for s in self._segments.values() if s.last > after
            ]
            return [self._written(self._records[seq]) for some in of_segments for seq in some]

    @property
    def oldest_seq(self) -> int:
        """The number of the oldest record held, or of the next one."""
        with self._mutex:
            return next((s.first for s in self._segments.values() if s.last), self._next_seq)

    def release(self, below: int) -> None:
        """Deletes segments whose records all have a number below this one."""
        with self._mutex:
            self._released = max(self._released, min(below, self._next_seq))
            current = self._writer.number if self._writer is not None else None
            doomed = [n for n, segment in self._segments.items() if n != current and segment.last < below]
        if not doomed:
            return
        # On a full disk deleting comes first: whoever still names one of the numbers keeps them from coming back.
        with suppress(RetryableError):
            self._ledger.set_next_seq(self.index, self._next_seq)
        for number in doomed:
            self._delete(number)
        sync_folder(self._folder)

    def delivered(self) -> int | None:
        """The number up to which all records are delivered; some of them may still be held."""
        with self._mutex:
            return self._released - 1 or None

    def _delete(self, number: int) -> None:
        segments.segment_path(self._folder, number).unlink(missing_ok=True)
        with self._mutex:
            segment = self._segments.pop(number)
            self._maps.pop(number, None)
            for seq in range(segment.first, segment.last + 1) if segment.last else ():
                del self._records[seq]
                self._opened.pop(seq, None)

    def close(self) -> None:
        """Seals the current segment. Safe to call twice."""
        self._seal()
