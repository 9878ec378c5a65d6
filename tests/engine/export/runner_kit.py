"""An export runner on a bench: a real journal and ledger, the other side with faults, and time that tests turn.

What is known here of the journal's and the ledger's making is in ``Watched`` and the functions at the end.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from functools import partial

import numpy as np

from collector.component.exporter import ExportPreferences
from collector.engine.export import runner as runners
from collector.engine.export.backoff import Backoff
from collector.engine.export.reader import DecisionReader, JournalReader
from collector.engine.journal.addresses import ranges
from collector.engine.journal.decisions import DecisionRecord
from collector.engine.journal.ledger import NewDecisionRecord
from collector.engine.journal.records import Entry
from collector.engine.journal.storage import Storage
from collector.options.retry import RetryConfig
from collector.telemetry import Telemetry
from collector.testing import builders
from collector.testing.sinks import MemoryExporter

NAME = "sink"
LONG_AGO = 1
"""A time of decisions: whoever waits for more to come has waited long enough."""
MINUTE = 60.0
"""Seconds: longer than any test waits."""


class Killed(BaseException):
    """Stands for the end of the process at this point: nothing after it happens."""


class Plain(MemoryExporter):
    """The other side. It outlives the runners that feed it, as a backend does."""

    stores = False

    def __init__(self):
        super().__init__()
        self.notes = []
        """What happened, in order: ("export", first, last) here, intents and cursors by ``Watched``."""
        self.before = deque()
        """What the next calls raise before they take anything; None: nothing."""
        self.after = deque()
        """What the next calls raise after they took the batch; None: nothing."""
        self.refused = None
        """What calls answer."""

    def start_of_export(self):
        """Called before anything is taken; tests put their own look around here."""

    def export(self, batch):
        self.start_of_export()
        _raise_next(self.before)
        super().export(batch)
        self.notes.append(("export", batch.first, batch.last))
        _raise_next(self.after)
        return self.refused

    @property
    def items(self):
        """Every item taken, in order, as often as it came."""
        return [item for batch in self.batches for item in items_of(batch)]

    @property
    def ranges(self):
        return [(batch.first, batch.last) for batch in self.batches]


class Store(Plain):
    """A store that knows a range by its numbers, as the Parquet lake does by its file names."""

    stores = True

    @property
    def items(self):
        once = {(batch.epoch, batch.first, batch.last): items_of(batch) for batch in self.batches}
        return [item for items in once.values() for item in items]


class CheckpointedStore(Plain):
    """A store that keeps its position with the data, as DuckDB does."""

    stores = True

    def checkpoint(self):
        return (self.batches[-1].epoch, self.batches[-1].last) if self.batches else None


class Watched:
    """A ledger that notes what is written for an exporter, and fails where a test says so."""

    def __init__(self, ledger, notes, faults):
        self._ledger = ledger
        self._notes = notes
        self._faults = faults

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def set_intent(self, exporter, first, last):
        _raise_next(self._faults["intent"])
        self._ledger.set_intent(exporter, first, last)
        self._notes.append(("intent", first, last))

    def set_cursor(self, exporter, dseq):
        _raise_next(self._faults["cursor"])
        self._ledger.set_cursor(exporter, dseq)
        self._notes.append(("cursor", dseq))


class Time:
    """A monotonic clock that moves only while somebody waits."""

    def __init__(self):
        self.now = 0.0
        self.waits = []

    def clock(self):
        return self.now

    def pass_(self, seconds):
        self.waits.append(seconds)
        self.now += seconds


class _Stop(threading.Event):
    """Waits for the service's end; the time of it passes at once."""

    def __init__(self, time_):
        super().__init__()
        self._time = time_

    def wait(self, timeout=None):
        if not self.is_set():
            self._time.pass_(timeout)
        return self.is_set()


class Bench:
    """A journal whose decisions are written by hand, and one runner after the other over it."""

    def __init__(self, folder, exporter=None, *, pipelines=("logs",), retry=None, batch_rows=None, batch_seconds=None):
        self.folder = folder
        self.exporter = exporter or Plain()
        self.pipelines = frozenset(pipelines)
        wished = {"rows": batch_rows, "seconds": batch_seconds}
        given = {name: value for name, value in wished.items() if value is not None}
        self.preferences = ExportPreferences(**given, retry=(retry or RetryConfig()).retry())
        self.faults = {"intent": deque(), "cursor": deque()}
        """What the next writes to the ledger raise instead; None: nothing."""
        self.time = None
        self.runner = None
        self.fatal = []
        self._next_item = 1
        self._open()

    def _open(self):
        self.journal = OpenJournal(self.folder)
        self.ledger = Watched(self.journal.ledger, self.exporter.notes, self.faults)
        self.telemetry = Telemetry()

    def decide(self, *items_per_decision, pipeline="logs", created=LONG_AGO):
        """Writes decisions with so many items each, numbered through; a living runner is told of them."""
        infos = []
        for n in items_per_decision:
            numbers = range(self._next_item, self._next_item + n)
            self._next_item += n
            batch = builders.logs([{"time_unix_nano": number} for number in numbers])
            written = record(self.journal, batch, pipeline, created)
            infos += add_decisions(self.ledger, [(pipeline, passing_on([written]), [written], n)], created)
        if self.runner is not None:
            self.runner.offer(infos)

    def build(self, *, new_from=0):
        """The next runner, recovered and not started; an exporter without a cursor begins after ``new_from``."""
        self.runner = runners.ExportRunner(
            NAME,
            self.exporter,
            self.pipelines,
            reader_over(self.journal, self.telemetry),
            self.ledger,
            self.telemetry,
            stores=self.exporter.stores,
            preferences=self.preferences,
            fatal=self.fatal.append,
        )
        if self.time is not None:
            self.runner._stopped = _Stop(self.time)
        self.runner.recover(new_from)
        return self.runner

    def turns_time(self, monkeypatch):
        """From now on nobody waits: time passes as it is asked for, and back-off draws its mean."""
        self.time = Time()
        monkeypatch.setattr(runners, "Backoff", partial(Backoff, clock=self.time.clock, draw=lambda: 0.5))

    def start(self):
        self.build().start()
        return self.runner

    def finish(self):
        """Drains the runner, started if need be, and waits for the end of its thread."""
        if self.runner is None:
            self.build()
        if not self.runner._started:
            self.runner.start()
        delivered = self.runner.drain(time.monotonic() + MINUTE)
        self.runner._thread.join(MINUTE)
        assert not self.runner.alive
        self.runner = None
        return delivered

    def restart(self):
        """The process begins anew: everything is read from disk again."""
        self.journal.close()
        self.runner = None
        self._open()

    def counted(self, name, **labels):
        labels = {"exporter": NAME, **labels}
        return self.telemetry.registry.get_sample_value(f"{name}_log_records_total", labels) or 0

    def dropped(self, reason):
        return self.counted("spanloom_exporter_dropped", reason=reason)

    @property
    def oldest(self):
        """The oldest record that is not delivered."""
        return min(self.runner.oldest, default=None)

    @property
    def queued(self):
        """Bytes that wait, as the metric tells them."""
        return self.telemetry.registry.get_sample_value("otelcol_exporter_queue_size", {"exporter": NAME})

    @property
    def cursor(self):
        return self.ledger.cursors().get(NAME)

    @property
    def intent(self):
        return self.ledger.intent(NAME)

    def close(self):
        if self.runner is not None and self.runner.alive:
            self.exporter.release()
            self.runner.drain(0)
            self.runner._thread.join(MINUTE)
        self.journal.close()


class OpenJournal:
    """A folder with a ledger and one log."""

    def __init__(self, folder):
        self._storage = Storage.on_disk(folder, max_bytes=1 << 30)
        self.ledger, self.logs, self.log = self._storage.ledger, self._storage.logs, self._storage.log
        self.append, self.end_segment, self.close = self.log.append, self.log._seal, self._storage.close


def reader_over(journal, telemetry):
    """What exporters read decisions with; content is never built."""
    decisions = DecisionReader(journal.logs, lambda *_: None, {})
    return JournalReader(journal.logs, journal.ledger, decisions, telemetry)


def record(journal, batch, pipeline, at):
    """Writes a batch; where it went."""
    (written,) = journal.append([Entry(batch, (pipeline,))], at)
    return written


def passing_on(records):
    """The decision of a pipeline without assembly over these records."""
    return DecisionRecord.of_records(np.array([w.address for w in records]))


def add_decisions(ledger, decisions, created=LONG_AGO):
    """Writes decisions: (pipeline, decision, the records it is over, rows kept) each."""
    new = []
    for pipeline, decision, records, rows in decisions:
        named, nbytes = ranges(np.array([w.address for w in records])), sum(w.nbytes for w in records)
        new.append(NewDecisionRecord(pipeline, created, named, rows, nbytes, decision.pack()))
    return ledger.add(new)


def items_of(batch):
    """The numbers of the items of a batch, in order."""
    return [n for other in batch.others for n in other.batch.column("time_unix_nano").to_pylist()]


def wait_until(holds):
    """Waits for a thread to come to a point; the end of the wait is that of the test."""
    while not holds():
        time.sleep(0.001)


def _raise_next(faults):
    fault = faults.popleft() if faults else None
    if fault is not None:
        raise fault
