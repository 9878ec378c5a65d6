"""A whole engine without receivers: storage, core and exporters that remember what they were given."""

from __future__ import annotations

import threading
import time
from collections import Counter

from collector.component.exporter import ExportPreferences
from collector.engine.assembly.assembly import Assembly, KeepAll
from collector.engine.assembly.passing import Passing
from collector.engine.core import Core
from collector.engine.export.reader import DecisionReader, JournalReader
from collector.engine.export.runner import ExportRunner
from collector.engine.modelling import Modelling
from collector.model.batch import LogBatch
from collector.options.retry import RetryConfig
from collector.telemetry import Telemetry
from collector.testing.sinks import MemoryExporter

SECOND = 10**9
PASSING = ("logs", "metrics")


class Engine:
    """The pipeline ``traces`` assembles, ``logs`` and ``metrics`` pass on; all feed every exporter."""

    def __init__(self, storage, *exporters, now=0, wait=30 * SECOND, stores=()):
        """``stores``: those of the exporters that write files, and so record what they will write next."""
        self.storage, self.now = storage, now
        self.telemetry = Telemetry()
        self.fatal = []
        self.failed = threading.Event()
        model = Modelling(self.telemetry)
        reader = JournalReader(
            storage.logs,
            storage.ledger,
            DecisionReader(storage.logs, model.observations, {}, model),
            self.telemetry,
        )
        self.exporters = {name: MemoryExporter() for name in exporters}
        self.runners = [
            ExportRunner(
                name,
                exporter,
                frozenset({"traces", *PASSING}),
                reader,
                storage.ledger,
                self.telemetry,
                stores=name in stores,
                preferences=ExportPreferences(retry=RetryConfig(initial_interval="10ms", max_interval="10ms").retry()),
                fatal=self._fail,
            )
            for name, exporter in self.exporters.items()
        ]
        bounds = {"max_pending_spans": 1000, "max_decided_traces": 1000, "max_decided_spans": 1000}
        sampler = KeepAll(wait, 2 * SECOND)
        self.assembly = Assembly("traces", sampler, storage.logs, self.telemetry, **bounds)
        self.core = Core(
            storage.logs,
            storage.ledger,
            {"traces": self.assembly},
            {name: Passing() for name in PASSING},
            self.runners,
            self.telemetry,
            siblings={},
            fatal=self._fail,
            clock=lambda: self.now,
        )

    def _fail(self, error):
        self.fatal.append(error)
        self.failed.set()

    def recover(self):
        """As a start does."""
        last = self.storage.ledger.last()
        for runner in self.runners:
            runner.recover(last)
        self.core.recover()
        return self

    def decide(self, now, *, everything=False):
        """One turn of the core, without its thread."""
        self.now = now
        self.core._take_news()
        self.core._decide(everything=everything)

    def finish(self):
        """Decides and delivers everything, as a stop does."""
        for runner in self.runners:
            if not runner.alive:
                runner.start()
        self.core.start()
        self.core.stop()
        done = [runner.drain(time.monotonic() + 30) for runner in self.runners]
        assert (self.fatal, all(done)) == ([], True)
        self.core.free()
        return self

    def spans(self, exporter):
        """Names of the spans it was given, each as often as it was."""
        parts = [part for batch in self.exporters[exporter].batches for part in batch.spans]
        return Counter(name for part in parts for name in part.spans.column("span_name").to_pylist())

    def others(self, exporter):
        """Texts of log records and names of metrics."""
        batches = [other.batch for batch in self.exporters[exporter].batches for other in batch.others]
        columns = [batch.column("body_text" if isinstance(batch, LogBatch) else "name") for batch in batches]
        return Counter(text for column in columns for text in column.to_pylist())
