"""The core thread: records of logs in, decisions out, records that are done with released.

It follows each log by number and reads what is new there, exactly as it does after a restart: a
crash and normal running are one code path.
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
from collector.engine.journal.addresses import MAX_SEQ, address, log_of, lowest, ranges, seq_of
from collector.engine.journal.decisions import DecisionRecord
from collector.engine.journal.ledger import DecisionRecordInfo, Ledger, NewDecisionRecord
from collector.engine.journal.log import Log, Logs
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
        logs: Logs,
        ledger: Ledger,
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
        self._logs = logs
        self._ledger = ledger
        self._assemblies = assemblies
        self._passing = passing
        self._runners = runners
        self._telemetry = telemetry
        self._fatal = fatal
        self._clock = clock
        self._log = structlog.get_logger("core")
        self._changed = threading.Condition()
        self._news = False
        self._seen: dict[int, int] = {}
        """Log → its newest record that was taken."""
        self._stopping = False
        self._freed_at = 0.0
        self._pipelines = {*assemblies, *passing} | ledger.pipelines()
        self._thread = threading.Thread(target=self._work, name="core", daemon=True)

    def recover(self) -> None:
        """Takes up where the last run ended: what was decided, and what still waits."""
        oldest = self._logs.oldest()
        consumed: dict[str, dict[int, list[npt.NDArray[np.int32]]]] = {}
        for pipeline in (*self._assemblies, *self._passing):
            seen = consumed[pipeline] = {}
            for dseq, payload in self._ledger.payloads(pipeline):
                decision = DecisionRecord.unpack(payload)
                if pipeline in self._assemblies:
                    self._assemblies[pipeline].restore(dseq, decision)
                _note_consumed(decision, oldest, seen)
        waiting = [self._take(written, consumed) for log in self._logs for written in self._new_of(log)]
        self._warn_of_removed_pipelines()
        if any(waiting):
            self._log.info("recovered", records=len(waiting), waiting_rows=sum(waiting))

    def _new_of(self, log: Log) -> list[Written]:
        """The records that came since the last call."""
        new = log.tail(self._seen.get(log.index, 0))
        if new:
            self._seen[log.index] = new[-1].seq
        return new

    def _take(self, written: Written, consumed: Mapping[str, Mapping[int, list[npt.NDArray[np.int32]]]]) -> int:
        """Gives a record's undecided rows to its pipelines; returns how many there were."""
        entry = self._logs.read(written.address)
        n = 0
        for pipeline in entry.pipelines:
            done = consumed.get(pipeline, {}).get(written.address)
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

    def wake(self) -> None:
        """Some log has new records. May be called by any thread."""
        with self._changed:
            self._news = True
            self._changed.notify()

    def stop(self) -> None:
        """Decides everything that waits, then ends. Safe to call twice or without a start."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _work(self) -> None:
        try:
            while True:
                stopping = self._wait()
                self._take_news()
                self._decide(everything=stopping)
                self._housekeep()
                if stopping and not self._news:
                    return
                time.sleep(0 if stopping else _TICK_SECONDS)
        except BaseException as error:
            self._fatal(error)

    def _wait(self) -> bool:
        with self._changed:
            if not self._news and not self._stopping:
                self._changed.wait(self._seconds_to_deadline())
            return self._stopping

    def _seconds_to_deadline(self) -> float:
        deadlines = [d for a in self._assemblies.values() if (d := a.next_deadline()) is not None]
        if not deadlines:
            return _IDLE_SECONDS
        return min(_IDLE_SECONDS, max(0.0, (min(deadlines) - self._clock()) / 1e9))

    def _take_news(self) -> None:
        with self._changed:
            self._news = False
        for written in [written for log in self._logs for written in self._new_of(log)]:
            entry = self._logs.read(written.address)
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
                infos = self._ledger.add(new)
                break
            except RetryableError as error:
                self._wait_for_space(error, [address(r.log, r.first) for d in new for r in d.ranges])
        for runner in self._runners:
            runner.offer(infos)
        return infos

    def _wait_for_space(self, error: RetryableError, needed: Sequence[int]) -> None:
        """Frees what can be freed, and gives the disk a moment. Raises ``JournalError`` at the end of the service."""
        if self._stopping:
            raise JournalError(f"{error}; what was not decided is in the journal") from error
        self._log.warning("decisions wait for disk space", error=str(error))
        self.free(*needed)
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, error.retry_after)

    def _mark_stored(self, pipeline: str, decision: DecisionRecord) -> DecisionRecord:
        """Marks spans that a store shared with another pipeline has from that one already."""
        for other in self._siblings.get(pipeline, ()):
            found = self._assemblies[other].decided.kept(decision)
            if found.any():
                decision = decision.with_stored(found)
        return decision

    def _new(self, pipeline: str, decision: DecisionRecord, now: int) -> NewDecisionRecord:
        records = decision.seqs()
        sizes = {record: self._logs.info(record).nbytes for record in records.tolist()}
        if decision.rows.num_rows:
            rows = int(decision.rows["keep"].true_count)
            per_record = decision.rows["seq"].value_counts().to_pylist()
            nbytes = sum(
                sizes[e["values"]] * e["counts"] // max(1, self._logs.read(e["values"]).batch.num_rows)
                for e in per_record
            )
        else:
            rows = sum(self._logs.read(record).batch.num_rows for record in records.tolist())
            nbytes = sum(sizes.values())
        return NewDecisionRecord(pipeline, now, ranges(records), rows, nbytes, decision.pack())

    def _housekeep(self) -> None:
        if time.monotonic() - self._freed_at < _IDLE_SECONDS:
            return
        self._freed_at = time.monotonic()
        for assembly in self._assemblies.values():
            assembly.report()
        self.free()
        self._telemetry.journal_bytes.set(self._logs.nbytes)

    def free(self, *needed: int) -> None:
        """Deletes what nobody needs any more: no waiting row, no exporter, no memory of decisions.

        ``needed``: addresses of records that rows still without a decision lie in, besides those that wait.
        """
        seen = dict(self._seen)
        delivered = min((r.cursor for r in self._runners), default=self._ledger.last())
        keepers = (
            needed,
            *(a.oldest_pending for a in self._assemblies.values()),
            *(p.oldest for p in self._passing.values()),
            *(r.oldest for r in self._runners),
        )
        low = lowest(record for keeper in keepers for record in keeper)
        for log in self._logs:
            # Records that nobody has seen yet are newer than all that was.
            log.release(low.get(log.index, seen.get(log.index, 0) + 1))
        with suppress(RetryableError):  # on a full disk: another time
            self._forget(delivered)

    def _forget(self, delivered: int) -> None:
        """Deletes decisions that are delivered and that no pipeline remembers: each has a memory of its own."""
        oldest = self._logs.oldest()
        for pipeline in self._pipelines:
            assembly = self._assemblies.get(pipeline)
            remembered = assembly.decided.oldest_dseq if assembly is not None else None
            below = delivered + 1 if remembered is None else min(remembered, delivered + 1)
            self._ledger.forget(pipeline, below=below, oldest=oldest)


_NONE = np.empty(0, np.int32)


def _note_consumed(
    decision: DecisionRecord, oldest: Mapping[int, int], seen: dict[int, list[npt.NDArray[np.int32]]]
) -> None:
    """Remembers which rows of records still held a decision covers."""
    for record in decision.whole["seq"].to_pylist():
        seen[record] = []
    for table in (decision.rows, decision.logs):
        records, rows = (numpy_of(table[name]) for name in ("seq", "row"))
        for record in np.unique(records).tolist():
            if seq_of(record) >= oldest.get(log_of(record), MAX_SEQ):
                seen.setdefault(record, []).append(rows[records == record])
