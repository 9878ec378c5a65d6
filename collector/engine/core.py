"""The core thread: journal records in, decisions out, finished segments freed.

It learns of new records by number only and reads them through the journal's map, exactly as it does
after a restart: a crash and normal running are one code path.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt
import structlog

from collector.engine.assembly.assembly import Assembly
from collector.engine.assembly.passing import Passing
from collector.engine.export.runner import ExportRunner
from collector.engine.journal.decisions import DecisionRecord
from collector.engine.journal.journal import Journal
from collector.engine.journal.ledger import DecisionRecordInfo, NewDecisionRecord
from collector.engine.journal.records import Written
from collector.errors import JournalError, RetryableError
from collector.model.arrow_arrays import numpy_of
from collector.telemetry import Telemetry

_TICK_SECONDS = 0.05
"""Decisions are gathered this long: each tick is one transaction."""
_IDLE_SECONDS = 1.0


class Core:
    """Assembly and decisions of all pipelines."""

    def __init__(
        self,
        journal: Journal,
        assemblies: Mapping[str, Assembly],
        passing: Mapping[str, Passing],
        runners: Sequence[ExportRunner],
        telemetry: Telemetry,
        *,
        siblings: Mapping[str, Sequence[str]],
        fatal: Callable[[BaseException], None],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """``siblings``: for each pipeline the others that share a storing exporter with it."""
        self._siblings = siblings
        self._journal = journal
        self._assemblies = assemblies
        self._passing = passing
        self._runners = runners
        self._telemetry = telemetry
        self._fatal = fatal
        self._clock = clock
        self._log = structlog.get_logger("core")
        self._wake = threading.Condition()
        self._inbox: list[Written] = []
        self._stopping = False
        self._freed_at = 0.0
        self._pipelines = {*assemblies, *passing} | journal.ledger.pipelines()
        self._thread = threading.Thread(target=self._work, name="core", daemon=True)

    def recover(self) -> None:
        """Takes up where the last run ended: what was decided, and what still waits."""
        oldest = self._journal.oldest_seq
        consumed: dict[str, dict[int, list[npt.NDArray[np.int32]]]] = {}
        for pipeline in (*self._assemblies, *self._passing):
            seen = consumed[pipeline] = {}
            for dseq, payload in self._journal.ledger.payloads(pipeline):
                decision = DecisionRecord.unpack(payload)
                if pipeline in self._assemblies:
                    self._assemblies[pipeline].restore(dseq, decision)
                _note_consumed(decision, oldest, seen)
        waiting = [self._take(written, consumed) for written in self._journal.written()]
        self._warn_of_removed_pipelines()
        if any(waiting):
            self._log.info("recovered", records=len(waiting), waiting_rows=sum(waiting))

    def _take(self, written: Written, consumed: Mapping[str, Mapping[int, list[npt.NDArray[np.int32]]]]) -> int:
        """Gives a record's undecided rows to its pipelines; returns how many there were."""
        entry = self._journal.read(written.seq)
        n = 0
        for pipeline in entry.pipelines:
            done = consumed.get(pipeline, {}).get(written.seq)
            if pipeline in self._passing and done is None and not entry.dropped:
                self._passing[pipeline].add(written, entry.batch)
                n += entry.batch.num_rows
            elif pipeline in self._assemblies:
                left = np.setdiff1d(np.arange(entry.batch.num_rows, dtype=np.int32), np.concatenate(done or [_NONE]))
                if len(left):
                    self._assemblies[pipeline].add(written, entry.batch, left)
                    n += len(left)
            elif pipeline not in self._passing:
                self._pipelines.add(pipeline)
        return n

    def _warn_of_removed_pipelines(self) -> None:
        for pipeline in sorted(self._pipelines - self._assemblies.keys() - self._passing.keys()):
            self._log.warning(
                "the pipeline is no longer configured: what of it was not delivered is let go", pipeline=pipeline
            )

    def start(self) -> None:
        self._thread.start()

    def notify(self, written: Sequence[Written]) -> None:
        """Tells of records that are durable. Called by the ingest thread."""
        with self._wake:
            self._inbox += written
            self._wake.notify()

    def stop(self) -> None:
        """Decides everything that waits, then ends. Safe to call twice or without a start."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _work(self) -> None:
        try:
            while True:
                stopping = self._wait()
                self._drain_inbox()
                self._decide(everything=stopping)
                self._housekeep()
                if stopping and not self._inbox:
                    return
                time.sleep(0 if stopping else _TICK_SECONDS)
        except BaseException as error:
            self._fatal(error)

    def _wait(self) -> bool:
        with self._wake:
            if not self._inbox and not self._stopping:
                self._wake.wait(self._seconds_to_deadline())
            return self._stopping

    def _seconds_to_deadline(self) -> float:
        deadlines = [d for a in self._assemblies.values() if (d := a.next_deadline()) is not None]
        if not deadlines:
            return _IDLE_SECONDS
        return min(_IDLE_SECONDS, max(0.0, (min(deadlines) - self._clock()) / 1e9))

    def _drain_inbox(self) -> None:
        with self._wake:
            new, self._inbox = self._inbox, []
        for written in new:
            entry = self._journal.read(written.seq)
            for pipeline in entry.pipelines:
                if pipeline in self._assemblies:
                    self._assemblies[pipeline].add(written, entry.batch)
                else:
                    self._passing[pipeline].add(written, entry.batch)

    def _decide(self, *, everything: bool) -> None:
        now = self._clock()
        for pipeline, assembly in self._assemblies.items():
            for group in assembly.decide_due(now, everything=everything):
                decisions = [self._mark_stored(pipeline, d) for d in group]
                for info, decision in zip(self._commit(pipeline, decisions, now), decisions, strict=True):
                    assembly.restore(info.dseq, decision)
        for pipeline, passing in self._passing.items():
            self._commit(pipeline, passing.decide(), now)

    def _commit(self, pipeline: str, decisions: Sequence[DecisionRecord], now: int) -> Sequence[DecisionRecordInfo]:
        """Makes decisions durable and shows them to the exporters."""
        if not decisions:
            return ()
        new = [self._new(pipeline, d, now) for d in decisions]
        while True:
            try:
                infos = self._journal.ledger.add(new)
                break
            except RetryableError as error:
                self._wait_for_space(error, min(d.min_seq for d in new))
        for runner in self._runners:
            runner.offer(infos)
        return infos

    def _wait_for_space(self, error: RetryableError, needed: int) -> None:
        """Frees what can be freed, and gives the disk a moment. Raises ``JournalError`` at the end of the service."""
        if self._stopping:
            raise JournalError(f"{error}; what was not decided is in the journal") from error
        self._log.warning("decisions wait for disk space", error=str(error))
        self.free(needed)
        with self._wake:
            self._wake.wait_for(lambda: self._stopping, error.retry_after)

    def _mark_stored(self, pipeline: str, decision: DecisionRecord) -> DecisionRecord:
        """Marks spans that a store shared with another pipeline has from that one already."""
        for other in self._siblings.get(pipeline, ()):
            found = self._assemblies[other].decided.kept(decision)
            if found.any():
                decision = decision.with_stored(found)
        return decision

    def _new(self, pipeline: str, decision: DecisionRecord, now: int) -> NewDecisionRecord:
        seqs = decision.seqs()
        sizes = {int(s): self._journal.info(int(s)).nbytes for s in seqs}
        if decision.rows.num_rows:
            rows = int(decision.rows["keep"].true_count)
            per_record = decision.rows["seq"].value_counts().to_pylist()
            nbytes = sum(
                sizes[e["values"]] * e["counts"] // max(1, self._journal.read(e["values"]).batch.num_rows)
                for e in per_record
            )
        else:
            rows = sum(self._journal.read(int(s)).batch.num_rows for s in seqs)
            nbytes = sum(sizes.values())
        return NewDecisionRecord(pipeline, now, int(seqs[0]), int(seqs[-1]), rows, nbytes, decision.pack())

    def _housekeep(self) -> None:
        if time.monotonic() - self._freed_at < _IDLE_SECONDS:
            return
        self._freed_at = time.monotonic()
        for assembly in self._assemblies.values():
            assembly.report()
        self.free()
        self._telemetry.journal_bytes.set(self._journal.nbytes)

    def free(self, *needed: int) -> None:
        """Deletes what nobody needs any more: no waiting row, no exporter, no memory of decisions.

        ``needed``: records that rows still without a decision lie in, besides those that wait.
        """
        ledger = self._journal.ledger
        delivered = min((r.cursor for r in self._runners), default=ledger.last())
        keepers = (
            *(a.oldest_pending_seq for a in self._assemblies.values()),
            *(p.oldest_seq for p in self._passing.values()),
            *(r.oldest_seq for r in self._runners),
        )
        oldest = [*needed, *(seq for seq in keepers if seq is not None)]
        with self._wake:
            oldest += [w.seq for w in self._inbox]
        # Records between the journal's append and the inbox are newer than everything seen here.
        self._journal.free(min(oldest, default=self._seen_up_to() + 1))
        with suppress(RetryableError):  # on a full disk: another time
            self._forget(delivered)

    def _forget(self, delivered: int) -> None:
        """Deletes decisions that are delivered and that no pipeline remembers: each has a memory of its own."""
        oldest_seq = self._journal.oldest_seq
        for pipeline in self._pipelines:
            assembly = self._assemblies.get(pipeline)
            remembered = assembly.decided.oldest_dseq if assembly is not None else None
            below = delivered + 1 if remembered is None else min(remembered, delivered + 1)
            self._journal.ledger.forget(pipeline, below=below, oldest_seq=oldest_seq)

    def _seen_up_to(self) -> int:
        assembled = [a.last_seq for a in self._assemblies.values()]
        passed = [p.last_seq for p in self._passing.values()]
        return max([*assembled, *passed], default=0)


_NONE = np.empty(0, np.int32)


def _note_consumed(decision: DecisionRecord, oldest: int, seen: dict[int, list[npt.NDArray[np.int32]]]) -> None:
    """Remembers which rows of records still held a decision covers."""
    for seq in decision.whole["seq"].to_pylist():
        seen[seq] = []
    for table in (decision.rows, decision.logs):
        seqs = numpy_of(table["seq"])
        rows = numpy_of(table["row"])
        for seq in np.unique(seqs[seqs >= oldest]).tolist():
            seen.setdefault(seq, []).append(rows[seqs == seq])
