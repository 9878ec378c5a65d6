"""The ledger: decisions, export positions, intents and the names of the logs, in one SQLite database.

Low in volume and transactional, unlike the batches, which live in segment files. Every commit is
fsynced (WAL, ``synchronous=FULL``) before anybody acts on it. Where nothing has to outlive the
process, because every source of data keeps what was not delivered, the database is in memory.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from collector.engine.journal.addresses import MAX_LOGS, MAX_SEQ, SEQ_BITS, Range, address
from collector.errors import JournalError, RetryableError

_ONE_LOG, _SEVERAL_LOGS = "1", "2"
"""Formats. A version that knows the first only would take addresses of other logs for lost records."""
FIRST_LOG = "w00"
"""The log with index 0: the journal's folder, in a ledger that was made when there was no other."""
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE")
"""A write that failed before anything was promised: no space, or a quota."""
_TABLES = f"""
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
create table if not exists logs (
    id integer primary key, name text not null unique, next_seq integer not null, is_lasting integer not null
);
insert or ignore into logs values
    (0, '{FIRST_LOG}', coalesce((select cast(value as integer) from meta where key = 'next_seq'), 1), 1);
create table if not exists further_ranges (
    dseq integer not null, log integer not null, first_seq integer not null, last_seq integer not null,
    primary key (dseq, log)
) without rowid;
create view if not exists ranges as
    select dseq, min_seq >> {SEQ_BITS} as log, min_seq & {MAX_SEQ} as first_seq, max_seq & {MAX_SEQ} as last_seq
    from decisions union all select dseq, log, first_seq, last_seq from further_ranges;
"""  # noqa: S608 - numbers and a name of our own
"""``min_seq`` and ``max_seq`` are addresses: the first range of a decision, which most often is the only one."""


@dataclass(frozen=True, slots=True)
class NewDecisionRecord:
    """A decision about to be written; ``payload`` is that of ``collector.engine.journal.decisions``."""

    pipeline: str
    created_unix_nano: int
    ranges: tuple[Range, ...]
    """Per log the oldest and the newest record it refers to; at least one."""
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
    ranges: tuple[Range, ...]
    rows: int
    nbytes: int

    @property
    def oldest(self) -> tuple[int, ...]:
        """The oldest record it refers to in each log; addresses."""
        return tuple(address(r.log, r.first) for r in self.ranges)


class LogEntry(NamedTuple):
    """What the ledger knows of a log."""

    log: int
    """Its index, the log's part of addresses."""
    next_seq: int
    """No record that was freed, and none that a decision names, has this number or a higher one."""


class Ledger:
    """One connection shared by the core and the export threads, one transaction at a time."""

    def __init__(self, folder: Path | None, *, wait_seconds: float = 30) -> None:
        """Opens or creates the database in a folder; None: in memory. ``wait_seconds``: for another process.

        Raises ``JournalError`` when it is damaged, locked or too new.
        """
        self.path = folder / "ledger.sqlite" if folder is not None else Path(":memory:")
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, timeout=wait_seconds)
            if folder is not None:
                self.path.chmod(0o600)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=full")
            self._db.executescript(_TABLES)
            self._check_format()
        except sqlite3.DatabaseError as error:
            raise JournalError(f"{self.path} cannot be used: {error}") from error
        self.epoch = self.meta("epoch", uuid.uuid4().hex)

    def _check_format(self) -> None:
        found = self.meta("format", _ONE_LOG)
        if found not in (_ONE_LOG, _SEVERAL_LOGS):
            raise JournalError(f"{self.path} has format {found}; this version reads {_ONE_LOG} and {_SEVERAL_LOGS}")

    def log(self, name: str, *, is_lasting: bool) -> LogEntry:
        """The log of this name, which gets an index when it is new; ``is_lasting``: it is there after a restart."""
        with self.transaction() as db:
            row = db.execute("select id, next_seq from logs where name = ?", (name,)).fetchone()
            if row is None:
                (index,) = db.execute("select max(id) + 1 from logs").fetchone()
                if index >= MAX_LOGS:
                    raise JournalError(f"{self.path} knows {MAX_LOGS} logs: there is no room for {name!r}")
                db.execute("insert into logs values (?, ?, 1, ?)", (index, name, is_lasting))
                db.execute("insert or replace into meta values ('format', ?)", (_SEVERAL_LOGS,))
                row = (index, 1)
            (named,) = db.execute("select max(last_seq) from ranges where log = ?", (row[0],)).fetchone()
        return LogEntry(row[0], max(row[1], (named or 0) + 1))

    def set_next_seq(self, log: int, next_seq: int) -> None:
        """Remembers that lower numbers were given out: those of records that are gone must not come back."""
        with self.transaction() as db:
            db.execute("update logs set next_seq = max(next_seq, ?) where id = ?", (next_seq, log))

    def meta(self, key: str, default: str) -> str:
        """A stored setting; ``default`` is stored when there is none."""
        with self.transaction() as db:
            db.execute("insert or ignore into meta values (?, ?)", (key, default))
            (value,) = db.execute("select value from meta where key = ?", (key,)).fetchone()
        return str(value)

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
                dseq = _insert(db, d)
                out.append(DecisionRecordInfo(dseq, d.pipeline, d.created_unix_nano, d.ranges, d.rows, d.nbytes))
        return out

    def infos(self, after: int) -> list[DecisionRecordInfo]:
        """Decisions with a number above ``after``, in order."""
        with self._lock:
            ranges: dict[int, list[Range]] = {}
            for dseq, *some in self._read("select * from ranges where dseq > ? order by dseq, log", (after,)):
                ranges.setdefault(dseq, []).append(Range(*some))
            found = self._read(
                "select dseq, pipeline, created_unix_nano, rows, nbytes from decisions where dseq > ? order by dseq",
                (after,),
            )
        return [DecisionRecordInfo(dseq, name, time, tuple(ranges[dseq]), *rest) for dseq, name, time, *rest in found]

    def lost_logs(self) -> list[int]:
        """Indices of logs that are not there after a restart."""
        return [int(index) for (index,) in self._read("select id from logs where is_lasting = 0", ())]

    def replace(self, dseq: int, decision: NewDecisionRecord | None) -> None:
        """Writes a decision anew under its number; None: deletes it."""
        with self.transaction() as db:
            db.execute("delete from further_ranges where dseq = ?", (dseq,))
            db.execute("delete from decisions where dseq = ?", (dseq,))
            if decision is not None:
                _insert(db, decision, dseq)

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

    def pipelines(self) -> set[str]:
        """Every pipeline with decisions here, configured or not."""
        return {str(name) for (name,) in self._read("select distinct pipeline from decisions", ())}

    def forget(self, pipeline: str, *, below: int, oldest: Mapping[int, int]) -> None:
        """Deletes a pipeline's decisions under ``below`` that refer to no record still held.

        ``oldest``: log → its oldest record. A decision about a record that is still in its log must
        stay: without it, a restart would take the record's rows for undecided.
        """
        held = " or ".join(["log = ? and last_seq >= ?"] * len(oldest)) or "false"
        bounds = [number for pair in oldest.items() for number in pair]
        with self.transaction() as db:
            db.execute(
                "delete from decisions where pipeline = ? and dseq < ?"  # noqa: S608 - ``held`` holds no values
                f" and not exists (select 1 from ranges where ranges.dseq = decisions.dseq and ({held}))",
                (pipeline, below, *bounds),
            )
            db.execute(
                "delete from further_ranges where dseq < ?"
                " and not exists (select 1 from decisions where decisions.dseq = further_ranges.dseq)",
                (below,),
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


def _insert(db: sqlite3.Connection, d: NewDecisionRecord, dseq: int | None = None) -> int:
    """Adds a decision, with a number of its own or with this one; returns the number."""
    first, *others = d.ranges
    bounds = address(first.log, first.first), address(first.log, first.last)
    cursor = db.execute(
        "insert into decisions values (?, ?, ?, ?, ?, ?, ?, ?)",
        (dseq, d.pipeline, d.created_unix_nano, *bounds, d.rows, d.nbytes, d.payload),
    )
    number = cursor.lastrowid
    assert number is not None
    if others:
        db.executemany("insert into further_ranges values (?, ?, ?, ?)", [(number, *some) for some in others])
    return number
