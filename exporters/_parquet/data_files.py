"""Files of the lake: names that say which range they hold, and writing that shows only whole files.

A file is written under ``_tmp``, made durable and renamed to its place, so that readers and a
restart after a crash see all of it or nothing. Everything that touches the file system is here.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from spanloom import sync_folder

_SAFE = re.compile(r"[^A-Za-z0-9_.]")
_PART = re.compile(
    r"part-(?P<exporter>[A-Za-z0-9_.]+)-(?P<epoch>[0-9a-f]{8})-(?P<first>\d+)-(?P<last>\d+)(?:-(?P<number>\d+))?\.parquet\Z"
)


@dataclass(frozen=True)
class Part:
    """What a file's name says: who wrote it, and the range of decisions it belongs to."""

    exporter: str
    epoch: str
    first: int
    last: int
    number: int = 0
    """Counts the files of one range in one folder."""

    @classmethod
    def of(cls, exporter: str, epoch: str, first: int, last: int) -> Part:
        """For an exporter id and a journal epoch of any characters."""
        return cls(_file_safe(exporter), hashlib.sha256(epoch.encode()).hexdigest()[:8], first, last)

    @classmethod
    def parse(cls, name: str) -> Part | None:
        """None for a file of another kind, such as a compacted one."""
        matched = _PART.match(name)
        if not matched:
            return None
        first, last, number = (int(matched[group] or 0) for group in ("first", "last", "number"))
        return cls(matched["exporter"], matched["epoch"], first, last, number)

    @property
    def name(self) -> str:
        suffix = f"-{self.number}" if self.number else ""
        return f"part-{self.exporter}-{self.epoch}-{self.first}-{self.last}{suffix}.parquet"

    def same_range(self, other: Part) -> bool:
        return self == replace(other, number=self.number)

    def overlaps(self, other: Part) -> bool:
        """True when both hold some of the same decisions."""
        return self._same_source(other) and self.first <= other.last and other.first <= self.last

    def covers(self, other: Part) -> bool:
        """True when every decision of the other is in this range."""
        return self._same_source(other) and self.first <= other.first and other.last <= self.last

    def _same_source(self, other: Part) -> bool:
        return (self.exporter, self.epoch) == (other.exporter, other.epoch)


def parquet_files(folder: Path) -> dict[str, int]:
    """Name → size in bytes of the visible Parquet files of a folder; empty if it does not exist."""
    try:
        with os.scandir(folder) as entries:
            return {e.name: e.stat().st_size for e in entries if e.name.endswith(".parquet") and e.name[0] not in "_."}
    except FileNotFoundError:
        return {}


def write_file(target: Path, scratch: Path, write: Callable[[Path], None]) -> None:
    """Lets ``write`` fill a file in ``scratch``, makes it durable and moves it to ``target``."""
    temporary = scratch / f".{target.parent.name}.{target.name}.tmp"
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        # Tells a later start that this file has a living writer.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            write(temporary)
            os.fsync(descriptor)
            make_folder(target.parent)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    finally:
        os.close(descriptor)
    sync_folder(target.parent)


def remove_leftovers(scratch: Path) -> int:
    """Removes temporary files whose writer is dead; returns how many."""
    return sum(_remove_if_dead(path) for path in _files(scratch))


def make_folder(folder: Path) -> None:
    """The folder exists afterwards, durably: also when a run that died before this was sure made it."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def _remove_if_dead(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def _files(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        yield from [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]


def _file_safe(component_id: str) -> str:
    """An exporter id as part of a file name; two ids never share one."""
    safe = _SAFE.sub("_", component_id.replace(".", "_").replace("/", "."))[:48]
    lossless = safe.replace(".", "/") == component_id
    return safe if lossless else f"{safe}_{hashlib.sha256(component_id.encode()).hexdigest()[:8]}"
