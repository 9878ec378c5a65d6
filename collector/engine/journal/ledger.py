"""The ledger: decisions, export positions and intents, in one SQLite database.

Low in volume and transactional, unlike the batches, which live in segment files. Every commit is
fsynced (WAL, ``synchronous=FULL``) before anybody acts on it.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.errors import JournalError, RetryableError

_FORMAT = "1"
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE")
"""A write that failed before anything was promised: no space, or a quota."""
_TABLES = """
create table if not exists meta (key text primary key, value text not null) without rowid;
create table if not exists decisions (
    dseq integer primary key autoincrement,
    pipeline text not null,
    created_unix_nano integer not null,
    min_seq integer not null,
    max_seq integer not null,
    rows integer not null,
    nbytes integer not null,
    payload blob not null
);
create index if not exists decisions_of_pipeline on decisions (pipeline, dseq);
create table if not exists cursors (exporter text primary key, dseq integer not null) without rowid;
create table if not exists intents (
    exporter text primary key, first integer not null, last integer not null
) without rowid;
"""


@dataclass(frozen=True, slots=True)
class NewDecisionRecord:
    """A decision about to be written; ``payload`` is that of ``collector.engine.journal.decisions``."""

    pipeline: str
    created_unix_nano: int
    min_seq: int
    """The oldest record it refers to."""
    max_seq: int
    rows: int
    """Kept rows."""
    nbytes: int
    """Estimate of their bytes."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class DecisionRecordInfo:
    """A written decision without its payload; the fields are those of ``NewDecisionRecord``."""

    dseq: int
    pipeline: str
    created_unix_nano: int
    min_seq: int
    max_seq: int
    rows: int
    nbytes: int


class Ledger:
    """One connection shared by the core and the export threads, one transaction at a time."""

    def __init__(self, folder: Path) -> None:
        """Opens or creates the database. Raises ``JournalError`` when it is damaged or too new."""
        self.path = folder / "ledger.sqlite"
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, timeout=30)
            self.path.chmod(0o600)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=full")
            self._db.executescript(_TABLES)
            self._check_format()
        except sqlite3.DatabaseError as error:
            raise JournalError(f"{self.path} cannot be used: {error}") from error
        self.epoch = self.meta("epoch", uuid.uuid4().hex)

    def _check_format(self) -> None:
        found = self.meta("format", _FORMAT)
        if found != _FORMAT:
            raise JournalError(f"{self.path} has format {found}; this version reads {_FORMAT}")

    def meta(self, key: str, default: str) -> str:
        """A stored setting; ``default`` is stored when there is none."""
        with self.transaction() as db:
            db.execute("insert or ignore into meta values (?, ?)", (key, default))
            (value,) = db.execute("select value from meta where key = ?", (key,)).fetchone()
        return str(value)

    def set_meta(self, key: str, value: str) -> None:
        with self.transaction() as db:
            db.execute("insert or replace into meta values (?, ?)", (key, value))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, durable on return.

        Raises ``RetryableError`` when the disk is full, ``JournalError`` when the commit fails otherwise.
        """
        with self._lock:
            try:
                self._db.execute("begin immediate")
                yield self._db
                self._db.execute("commit")
            except sqlite3.Error as error:
                self._rollback()
                if getattr(error, "sqlite_errorname", "") in _FULL:
                    raise RetryableError(f"{self.path}: {error}", retry_after=1) from error
                raise JournalError(f"{self.path}: {error}") from error
            except BaseException:
                self._rollback()
                raise

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("rollback")

    def add(self, decisions: Sequence[NewDecisionRecord]) -> list[DecisionRecordInfo]:
        """Writes decisions in one transaction; they are durable when this returns."""
        out = []
        with self.transaction() as db:
            for d in decisions:
                row = (d.pipeline, d.created_unix_nano, d.min_seq, d.max_seq, d.rows, d.nbytes)
                cursor = db.execute(
                    "insert into decisions (pipeline, created_unix_nano, min_seq, max_seq, rows, nbytes, payload)"
                    " values (?, ?, ?, ?, ?, ?, ?)",
                    (*row, d.payload),
                )
                assert cursor.lastrowid is not None
                out.append(DecisionRecordInfo(cursor.lastrowid, *row))
        return out

    def infos(self, after: int) -> list[DecisionRecordInfo]:
        """Decisions with a number above ``after``, in order."""
        return [
            DecisionRecordInfo(*row)
            for row in self._read(
                "select dseq, pipeline, created_unix_nano, min_seq, max_seq, rows, nbytes from decisions"
                " where dseq > ? order by dseq",
                (after,),
            )
        ]

    def payload(self, dseq: int) -> bytes:
        """Raises ``JournalError`` when there is no such decision."""
        for (payload,) in self._read("select payload from decisions where dseq = ?", (dseq,)):
            return bytes(payload)
        raise JournalError(f"{self.path}: decision {dseq} is missing")

    def payloads(self, pipeline: str) -> Iterator[tuple[int, bytes]]:
        """(number, payload) of all decisions of a pipeline still held, oldest first."""
        for (dseq,) in self._read("select dseq from decisions where pipeline = ? order by dseq", (pipeline,)):
            yield dseq, self.payload(dseq)

    def last(self) -> int:
        """The highest decision number ever given out; 0 before the first."""
        rows = self._read("select seq from sqlite_sequence where name = 'decisions'", ())
        return int(rows[0][0]) if rows else 0

    def max_seq(self) -> int:
        """The newest record a decision refers to; 0 when there is none."""
        ((value,),) = self._read("select max(max_seq) from decisions", ())
        return int(value or 0)

    def pipelines(self) -> set[str]:
        """Every pipeline with decisions here, configured or not."""
        return {str(name) for (name,) in self._read("select distinct pipeline from decisions", ())}

    def forget(self, pipeline: str, *, below: int, oldest_seq: int) -> None:
        """Deletes a pipeline's decisions under ``below`` that refer only to records older than ``oldest_seq``.

        A decision about a record that is still in the journal must stay: without it, a restart would
        take the record's rows for undecided.
        """
        with self.transaction() as db:
            db.execute(
                "delete from decisions where pipeline = ? and dseq < ? and max_seq < ?", (pipeline, below, oldest_seq)
            )

    def cursors(self) -> dict[str, int]:
        """Exporter → last decision it has delivered."""
        return {str(name): int(dseq) for name, dseq in self._read("select exporter, dseq from cursors", ())}

    def set_cursor(self, exporter: str, dseq: int) -> None:
        """Records a delivery and closes the intent it belongs to."""
        with self.transaction() as db:
            db.execute("insert or replace into cursors values (?, ?)", (exporter, dseq))
            db.execute("delete from intents where exporter = ?", (exporter,))

    def drop_cursor(self, exporter: str) -> None:
        with self.transaction() as db:
            db.execute("delete from cursors where exporter = ?", (exporter,))
            db.execute("delete from intents where exporter = ?", (exporter,))

    def set_intent(self, exporter: str, first: int, last: int) -> None:
        """Says which range will be written next, before any of it is: a restart repeats just that range."""
        with self.transaction() as db:
            db.execute("insert or replace into intents values (?, ?, ?)", (exporter, first, last))

    def intent(self, exporter: str) -> tuple[int, int] | None:
        for first, last in self._read("select first, last from intents where exporter = ?", (exporter,)):
            return int(first), int(last)
        return None

    def _read(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._db.execute(sql, parameters).fetchall()
            except sqlite3.Error as error:
                raise JournalError(f"{self.path}: {error}") from error

    def close(self) -> None:
        with self._lock:
            self._db.close()
