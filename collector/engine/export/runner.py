"""Export runners: each exporter walks the decisions at its own pace, with a position on disk.

One thread per exporter, so a dead backend slows nobody. The journal is the queue.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

import structlog

from collector.component.exporter import Checkpointed, ExportBatch, Exporter, ExportPreferences
from collector.engine.export.backoff import Backoff
from collector.engine.export.reader import JournalReader
from collector.engine.journal.ledger import DecisionRecordInfo, Ledger
from collector.errors import ConfigError, JournalError, PermanentError, RetryableError, where
from collector.model.batch import Signal
from collector.telemetry import Telemetry

_MAX_RANGE_BYTES = 64 * 1024 * 1024
_LAST_CALL_SECONDS = 5.0


class ExportRunner:
    """Feeds one exporter: batches, retries, checkpoints.

    One that stores without a checkpoint of its own gets its next range recorded before it writes,
    so that after a crash it is given exactly that range again.
    """

    def __init__(
        self,
        name: str,
        exporter: Exporter,
        pipelines: frozenset[str],
        reader: JournalReader,
        ledger: Ledger,
        telemetry: Telemetry,
        *,
        stores: bool,
        preferences: ExportPreferences,
        fatal: Callable[[BaseException], None],
    ) -> None:
        """``stores``: as in ``ExporterFactory``."""
        self.name = name
        self._exporter = exporter
        self._pipelines = pipelines
        self._reader = reader
        self._ledger = ledger
        self._telemetry = telemetry
        self._stores = stores
        self._preferences = preferences
        self._fatal = fatal
        self._log = structlog.get_logger("exporter").bind(exporter=name)
        self._records_intent = stores and not isinstance(exporter, Checkpointed)
        self._wake = threading.Condition()
        self._queue: deque[DecisionRecordInfo] = deque()
        self._tasks: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._draining = False
        self._stopped = threading.Event()
        self._started = False
        self._ended = False
        self._intent: tuple[int, int] | None = None
        self.cursor = 0
        """The last decision delivered; it and all before it are on the other side."""
        self.failing_since: float | None = None
        """Monotonic time of the first of the current row of failures; None while all is well."""
        self._thread = threading.Thread(target=self._work, name=f"export-{name}", daemon=True)

    def recover(self, last_decision: int) -> None:
        """Finds the position to go on from. The exporter must have been started."""
        stored = self._ledger.cursors().get(self.name)
        self.cursor = last_decision if stored is None else stored
        if isinstance(self._exporter, Checkpointed):
            mark = self._exporter.checkpoint()
            if mark is not None and mark[0] == self._ledger.epoch:
                self._refuse_an_older_journal(mark[1])
                # Behind the ledger it is where the last range was given up on: that is not offered again.
                self.cursor = max(mark[1], stored or 0)
        if stored is None or self.cursor != stored:
            self._ledger.set_cursor(self.name, self.cursor)
        if self._records_intent:
            self._intent = self._ledger.intent(self.name)
        self.offer(self._ledger.infos(self.cursor))

    def _refuse_an_older_journal(self, stored: int) -> None:
        """New decisions would get numbers that the store has already, and be taken for stored."""
        if stored > (last := self._ledger.last()):
            raise ConfigError(
                f"exporters.{self.name}: its store holds decisions up to {stored} of this journal, the journal knows "
                f"{last}: it is an older copy. Restore both from one backup, or move the folder journal away"
            )

    def start(self) -> None:
        self._started = True
        self._thread.start()

    def offer(self, infos: Sequence[DecisionRecordInfo]) -> None:
        """Tells of decisions that are durable, in order."""
        with self._wake:
            self._queue += infos
            self._waiting(+1, infos)
            self._wake.notify()

    def _waiting(self, sign: int, infos: Sequence[DecisionRecordInfo]) -> None:
        nbytes = sum(i.nbytes for i in infos if i.pipeline in self._pipelines)
        self._telemetry.queue_size.labels(self.name).inc(sign * nbytes)

    @property
    def oldest(self) -> list[int]:
        """The oldest records that decisions not yet delivered refer to, of each log; addresses."""
        with self._wake:
            return [record for info in self._queue for record in info.oldest]

    def drain(self, deadline: float) -> bool:
        """Delivers what is queued, and ends by ``deadline`` (monotonic). True: nothing is left.

        The last part of the time is for a call in progress: it may end, no other begins.
        """
        if not self._started:
            self._exporter.shutdown()
            return True
        with self._wake:
            self._draining = True
            self._wake.notify()
        if self._thread.is_alive():
            left = max(0.0, deadline - time.monotonic())
            self._thread.join(left - min(_LAST_CALL_SECONDS, left / 4))
        self._stopped.set()
        with self._wake:
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._queue

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def call(self, task: Callable[[], None]) -> None:
        """Runs a task in the exporter's thread, between two deliveries, and waits for its end.

        Raises what the task raises, and ``RetryableError`` when the exporter is ending.
        """
        outcome: Future[None] = Future()
        with self._wake:
            if self._draining or self._ended or not self._started:
                raise self._not_running()
            self._tasks.append((task, outcome))
            self._wake.notify()
        outcome.result()

    def _not_running(self) -> RetryableError:
        return RetryableError(f"the exporter {self.name} is not running")

    def _refuse_tasks(self) -> None:
        """Tells those who wait for a task that it will not run; without it they would wait for ever."""
        with self._wake:
            self._ended = True
            while self._tasks:
                _, outcome = self._tasks.popleft()
                outcome.set_exception(self._not_running())

    def _run_tasks(self) -> None:
        while self._tasks:
            task, outcome = self._tasks.popleft()
            try:
                task()
            except Exception as error:
                outcome.set_exception(error)
            else:
                outcome.set_result(None)

    def _work(self) -> None:
        try:
            while (infos := self._next_range()) is not None:
                self._run_tasks()
                if infos:
                    self._deliver(infos)
        except BaseException as error:
            self._fatal(error)
        finally:
            self._refuse_tasks()
            self._exporter.shutdown()

    def _next_range(self) -> list[DecisionRecordInfo] | None:
        """The next decisions to deliver together, none when there is a task; None: time to end.

        They stay queued until delivered.
        """
        with self._wake:
            while not self._ready():
                if self._tasks:
                    return []
                if self._stopped.is_set() or (self._draining and not self._queue):
                    return None
                self._wake.wait(self._seconds_to_flush())
            return self._range()

    def _ready(self) -> bool:
        if self._stopped.is_set() or not self._queue:
            return False
        if self._draining or self._intent is not None:
            return True
        rows = nbytes = 0
        for info in self._queue:
            if info.pipeline in self._pipelines:
                rows, nbytes = rows + info.rows, nbytes + info.nbytes
                if rows >= self._preferences.rows or nbytes >= _MAX_RANGE_BYTES:
                    return True
        nothing_of_ours = not nbytes
        return nothing_of_ours or self._seconds_to_flush() <= 0

    def _seconds_to_flush(self) -> float:
        if not self._queue:
            return 1.0
        waited = (time.time_ns() - self._queue[0].created_unix_nano) / 1e9
        # Below 0 the clock was set back: nobody knows how long it was.
        return max(0.0, self._preferences.seconds - waited) if waited >= 0 else 0.0

    def _range(self) -> list[DecisionRecordInfo]:
        if self._intent is not None:
            return [i for i in self._queue if i.dseq <= self._intent[1]]
        out: list[DecisionRecordInfo] = []
        rows = nbytes = 0
        for info in self._queue:
            if info.pipeline in self._pipelines:
                rows, nbytes = rows + info.rows, nbytes + info.nbytes
                if out and (rows > self._preferences.rows * 2 or nbytes > _MAX_RANGE_BYTES):
                    break
            out.append(info)
        return out

    def _deliver(self, infos: Sequence[DecisionRecordInfo]) -> None:
        first, last = infos[0].dseq, infos[-1].dseq
        if self._intent is not None:
            first, last = self._intent
        done = True
        if any(i.pipeline in self._pipelines for i in infos):
            if (
                self._records_intent
                and self._intent is None
                and not self._durably(lambda: self._ledger.set_intent(self.name, first, last))
            ):
                return
            batch = self._reader.batch(infos, self._pipelines, first, last, stores=self._stores)
            done = self._export(batch)
        if done:
            self._advance(infos, last)

    def _advance(self, infos: Sequence[DecisionRecordInfo], last: int) -> None:
        if not self._durably(lambda: self._ledger.set_cursor(self.name, last)):
            return
        self._intent = None
        with self._wake:
            for _ in infos:
                self._queue.popleft()
            self.cursor = last
            self._waiting(-1, infos)

    def _durably(self, write: Callable[[], None]) -> bool:
        """Writes to the ledger as soon as the disk has room; False: the service ended before."""
        while True:
            try:
                write()
            except RetryableError as error:
                self._log.warning("the position waits for disk space", error=str(error))
                if self._stopped.wait(error.retry_after):
                    return False
            else:
                return True

    def _export(self, batch: ExportBatch) -> bool:
        """Tries until it is done or given up (True), or until the service ends (False)."""
        backoff = Backoff(self._preferences.retry)
        while True:
            started = time.perf_counter()
            try:
                refused = self._exporter.export(batch) or {}
            except PermanentError as error:
                self._count_failed(batch, permanent=True)
                self._give_up(batch, "permanent", str(error))
                return True
            except JournalError:
                raise
            except Exception as error:  # an exporter's bug must not lose data: it stays queued
                delay = backoff.next(error.retry_after if isinstance(error, RetryableError) else None)
                self._count_failed(batch, permanent=False)
                self._report(error, delay)
                if delay is None:
                    self._give_up(batch, "retries_exhausted", type(error).__name__)
                    return True
                if self._stopped.wait(delay):
                    return False
            else:
                self._delivered(batch, refused, time.perf_counter() - started)
                return True

    def _delivered(self, batch: ExportBatch, refused: Mapping[Signal, int], seconds: float) -> None:
        self._telemetry.export_seconds.labels(self.name).observe(seconds)
        for signal, n in _counts(batch):
            self._telemetry.sent.add(signal, n - refused.get(signal, 0), exporter=self.name)
        if self.failing_since is not None:
            self._log.info("delivering again", after_seconds=round(time.monotonic() - self.failing_since, 1))
            self.failing_since = None

    def _count_failed(self, batch: ExportBatch, *, permanent: bool) -> None:
        for signal, n in _counts(batch):
            self._telemetry.send_failed.add(signal, n, exporter=self.name, error_permanent=str(permanent).lower())

    def _give_up(self, batch: ExportBatch, reason: str, message: str) -> None:
        for signal, n in _counts(batch):
            self._telemetry.exporter_dropped.add(signal, n, exporter=self.name, reason=reason)
        self._log.error("data dropped", reason=reason, error=message, rows=batch.num_rows)

    def _report(self, error: Exception, delay: float | None) -> None:
        # The text of an unforeseen error may quote the data, so only its kind is told.
        text = str(error) if isinstance(error, RetryableError) else type(error).__name__
        if self.failing_since is None:
            self.failing_since = time.monotonic()
        retry_in = None if delay is None else round(delay, 2)
        self._log.warning("delivery failed", error=text, at=where(error), retry_in_seconds=retry_in)


def _counts(batch: ExportBatch) -> list[tuple[Signal, int]]:
    """Items per signal."""
    counts: dict[Signal, int] = {}
    for spans in batch.spans:
        counts[Signal.TRACES] = counts.get(Signal.TRACES, 0) + spans.spans.num_rows
    for other in batch.others:
        signal = other.batch.signal
        counts[signal] = counts.get(signal, 0) + other.batch.num_rows
    return list(counts.items())
