"""Append-only segment files of the journal: records with a checksum, found again after a crash.

A segment is preallocated, written by one thread and read through a memory map. Every record starts
on a 64-byte boundary with a 64-byte header, so that Arrow buffers inside stay aligned in the map.
Records of one ``append`` form a *group*: they become durable together, and only the newest group can
be torn.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import pyarrow as pa

from collector.errors import JournalError, RetryableError
from collector.files import sync_folder

SEGMENT_BYTES = 128 * 1024 * 1024
ALIGNMENT = 64
FORMAT = 1

# magic, format, record type, (2 bytes unused), crc32c, payload length, seq, group, time
_HEADER = struct.Struct("<4sBB2xIQQQq")
_MAGIC = b"SPLJ"

RECORD_BATCH = 1


@dataclass(frozen=True, slots=True)
class Record:
    """Where a record lies."""

    seq: int
    group: int
    segment: int
    offset: int
    """Of the payload, in bytes from the start of the segment."""
    length: int
    """Of the payload, in bytes."""
    time_unix_nano: int

    @property
    def end(self) -> int:
        return _aligned(self.offset + self.length)


def _aligned(n: int) -> int:
    return -(-n // ALIGNMENT) * ALIGNMENT


def _pack(record: Record, crc: int) -> bytes:
    header = _HEADER.pack(
        _MAGIC, FORMAT, RECORD_BATCH, crc, record.length, record.seq, record.group, record.time_unix_nano
    )
    return header.ljust(ALIGNMENT, b"\0")


def _checksum(record: Record, payload: bytes | memoryview) -> int:
    """CRC-32C over the header (its own field zero) and the payload."""
    return int(google_crc32c.extend(google_crc32c.value(_pack(record, 0)), bytes(payload)))


def segment_path(folder: Path, number: int) -> Path:
    return folder / f"data-{number:08d}"


class SegmentWriter:
    """Writes one segment. ``sync`` makes everything appended so far durable."""

    def __init__(self, folder: Path, number: int, *, min_bytes: int = 0) -> None:
        self.number = number
        self.path = segment_path(folder, number)
        self.size = max(SEGMENT_BYTES, _aligned(min_bytes))
        self._fd = -1
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            _allocate(self._fd, self.size)
            sync_folder(folder)
        except OSError as error:
            self._abandon()
            raise RetryableError(f"journal: no new segment ({error.strerror})", retry_after=5) from None
        self.used = 0

    def _abandon(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self.path.unlink()

    def append(self, seq: int, group: int, time_unix_nano: int, payload: pa.Buffer) -> Record:
        """Writes one record; not durable before ``sync``."""
        record = Record(seq, group, self.number, self.used + ALIGNMENT, payload.size, time_unix_nano)
        data = memoryview(payload)
        padding = bytes(record.end - record.offset - record.length)
        _write_all(self._fd, [_pack(record, _checksum(record, data)), data, padding], self.used)
        self.used = record.end
        return record

    def rewind(self, used: int) -> None:
        """Forgets records after ``used``, a group that could not be written whole; ``close`` cuts them off.

        Nothing may be appended after it: what is left of the group would lie behind the new record,
        and could be taken for one that was promised.
        """
        self.used = used

    def sync(self) -> None:
        """Raises ``JournalError`` on an I/O error: after one, nobody knows what is on disk."""
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            raise JournalError(f"fdatasync of {self.path} failed: {error.strerror}") from error

    def close(self) -> None:
        """Seals the segment: gives back the space it did not use. Raises ``JournalError`` on an I/O error."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        try:
            os.ftruncate(fd, self.used)
            os.fsync(fd)
        except OSError as error:
            raise JournalError(f"sealing {self.path} failed: {error.strerror}") from error
        finally:
            os.close(fd)


def _allocate(fd: int, size: int) -> None:
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        # Some file systems cannot preallocate: then a write may find the disk full, and says so.
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
        os.ftruncate(fd, size)


def _write_all(fd: int, parts: list[bytes | memoryview], offset: int) -> None:
    total = sum(len(p) for p in parts)
    try:
        written = os.pwritev(fd, parts, offset)
        if written < total:  # a signal or a nearly full disk: go on from there
            rest = memoryview(b"".join(parts))
            while written < total:
                written += os.pwrite(fd, rest[written:], offset + written)
    except OSError as error:
        raise RetryableError(f"journal: cannot write ({error.strerror})", retry_after=5) from None


class SegmentMap:
    """A segment mapped for reading; buffers it hands out keep the map alive."""

    def __init__(self, folder: Path, number: int) -> None:
        self.path = segment_path(folder, number)
        with pa.memory_map(str(self.path)) as source:
            self._buffer = source.read_buffer()

    def payload(self, record: Record) -> pa.Buffer:
        return self._buffer.slice(record.offset, record.length)


def scan(folder: Path, number: int, *, newest: bool = True) -> tuple[list[Record], int]:
    """All good records of a segment, and the offset where they end.

    What follows the last good record is dropped only if it can be a torn write of the newest group,
    which lies in the newest segment. Raises ``JournalError`` when good records of a later group
    follow a bad one, or when an older segment ends in anything but unused space: that is damage,
    and nothing may be skipped in silence.
    """
    path = segment_path(folder, number)
    if not path.stat().st_size:
        return [], 0
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    records: list[Record] = []
    offset = 0
    while (record := _read(data, offset, number)) is not None:
        records.append(record)
        offset = record.end
    later = {record.group for record in _good_records_after(data, offset, number)}
    # A torn group may leave its later records whole behind a broken one; they were never promised.
    torn = {records[-1].group + 1} if records else set(list(later)[:1])
    if later - torn or not (newest or _is_unused(data, offset)):
        raise JournalError(
            f"{path} is damaged at byte {offset}: what follows was acknowledged. The file is kept; "
            "move it away to start without what it holds."
        )
    return records, offset


def _read(data: mmap.mmap, offset: int, number: int) -> Record | None:
    if offset + ALIGNMENT > len(data):
        return None
    magic, version, kind, crc, length, seq, group, time = _HEADER.unpack_from(data, offset)
    start = offset + ALIGNMENT
    if magic != _MAGIC or version != FORMAT or kind != RECORD_BATCH or start + length > len(data):
        return None
    record = Record(seq, group, number, start, length, time)
    return record if _checksum(record, data[start : start + length]) == crc else None


def _is_unused(data: mmap.mmap, offset: int) -> bool:
    """Preallocated space that nothing was ever written to: a kill between two segments leaves it."""
    step = 1 << 20
    return not any(data[start : start + step].strip(b"\0") for start in range(offset, len(data), step))


def _good_records_after(data: mmap.mmap, offset: int, number: int) -> Iterator[Record]:
    """Good records found by their magic behind a bad one."""
    position = offset
    while (position := data.find(_MAGIC, position)) >= 0:
        if position % ALIGNMENT == 0 and (record := _read(data, position, number)) is not None:
            yield record
        position += len(_MAGIC)


def numbers(folder: Path) -> Sequence[int]:
    """The segments in a folder, oldest first."""
    return sorted(int(p.name.removeprefix("data-")) for p in folder.glob("data-*"))
