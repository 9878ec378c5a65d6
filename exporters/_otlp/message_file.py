"""A file of OTLP requests, one behind the other, as the Collector's file exporter writes them.

A line of JSON per request, or with ``proto`` or compression its length in four bytes (big-endian) and the bytes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from spanloom import ConfigError, RetryableError

_MEBIBYTE = 1024 * 1024
_OWNER_ONLY = 0o600
_STAMP = "%Y-%m-%dT%H-%M-%S"


@dataclass(frozen=True)
class Rotation:
    """When the file is put aside for a new one, and how long those put aside stay."""

    max_bytes: int
    max_age: timedelta | None
    max_backups: int
    """0: all of them."""
    local_time: bool

    @staticmethod
    def of(*, max_megabytes: int, max_days: int, max_backups: int, local_time: bool) -> Rotation:
        """From the options as people write them."""
        return Rotation(
            max_megabytes * _MEBIBYTE, timedelta(days=max_days) if max_days else None, max_backups, local_time
        )


class MessageFile:
    """Appends messages; used by one thread. Readable by its owner only."""

    def __init__(
        self,
        path: Path,
        *,
        framed: bool,
        append: bool,
        rotation: Rotation | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path = path
        self._framed = framed
        self._append = append or rotation is not None
        self._rotation = rotation
        self._now = now
        self._handle: int | None = None
        self._size = 0

    def open(self) -> None:
        """Raises ``ConfigError`` when the file cannot be opened."""
        if self._handle is not None:
            return
        try:
            self._open(os.O_APPEND if self._append else os.O_TRUNC)
            self._end_half_message()
        except OSError as error:
            raise ConfigError(f"cannot write to {self._path}: {error.strerror}") from error

    def write(self, message: bytes) -> None:
        """All of the message, or nothing of it. Raises ``RetryableError``."""
        data = struct.pack(">I", len(message)) + message if self._framed else message + b"\n"
        try:
            if self._rotation and self._size and self._size + len(data) > self._rotation.max_bytes:
                self._rotate(self._rotation)
            self._write(data)
        except OSError as error:
            raise RetryableError(f"cannot write to {self._path}: {error.strerror}") from error

    def sync(self) -> None:
        """Returns once what was written outlives a power cut. Raises ``RetryableError``."""
        try:
            if self._handle is not None:
                os.fsync(self._handle)
        except OSError as error:
            raise RetryableError(f"cannot write to {self._path}: {error.strerror}") from error

    def close(self) -> None:
        """May be called twice."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _open(self, mode: int) -> None:
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | mode | os.O_CLOEXEC, _OWNER_ONLY)
        self._size = os.fstat(self._handle).st_size

    def _end_half_message(self) -> None:
        """A kill may leave half a line at the end: the next one begins on a line of its own."""
        if self._size and not self._framed and os.pread(self._known, 1, self._size - 1) != b"\n":
            self._write(b"\n")

    def _write(self, data: bytes) -> None:
        if self._handle is None:
            self._open(0)
        before, rest = self._size, memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._known, rest) :]
        except OSError:
            with suppress(OSError):  # a disk that takes nothing may refuse this too: then half a message stays
                os.ftruncate(self._known, before)
            raise
        self._size += len(data)

    @property
    def _known(self) -> int:
        assert self._handle is not None
        return self._handle

    def _rotate(self, rotation: Rotation) -> None:
        self.close()
        self._path.replace(self._backup_name(rotation))
        self._open(0)
        self._drop_old(rotation)

    def _backup_name(self, rotation: Rotation) -> Path:
        """``traces-2026-11-20T08-00-00.000.jsonl`` beside the file; one that is not there yet."""
        now = self._now().astimezone() if rotation.local_time else self._now().astimezone(UTC)
        while True:
            stamp = f"{now.strftime(_STAMP)}.{now.microsecond // 1_000:03d}"
            path = self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}")
            if not path.exists():
                return path
            now += timedelta(milliseconds=1)

    def _drop_old(self, rotation: Rotation) -> None:
        digits = "[0-9]"
        stamp = f"{digits * 4}-{digits * 2}-{digits * 2}T{digits * 2}-{digits * 2}-{digits * 2}.{digits * 3}"
        backups = sorted(self._path.parent.glob(f"{_literal(self._path.stem)}-{stamp}{_literal(self._path.suffix)}"))
        dropped = set(backups[: -rotation.max_backups]) if rotation.max_backups else set()
        if rotation.max_age is not None:
            oldest = self._now().timestamp() - rotation.max_age.total_seconds()
            dropped |= {path for path in backups if path.stat().st_mtime < oldest}
        for path in dropped:
            path.unlink(missing_ok=True)


def _literal(text: str) -> str:
    """The text as a pattern that only it matches."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in text)
