"""An assembly on a bench: records in the logs of a test, decisions remembered as the core does."""

from __future__ import annotations

from collector.engine.assembly.assembly import Assembly, KeepAll
from collector.engine.export.reader import DecisionReader
from collector.engine.journal.decisions import DecisionRecord
from collector.engine.journal.records import Entry
from collector.model.batch import SpanBatch
from collector.model.schema import ROLE_CALL
from collector.telemetry import Telemetry
from collector.testing import builders
from tests.engine.storage_kit import Storages

STORAGES = Storages()
"""Where benches keep their records; the fixture ``storages`` sets it to each kind in turn."""
SECOND = 10**9
CALL = {"type": "generation", "role": ROLE_CALL, "usage": [("input", 5)], "total_tokens": 5, "usage_rule": "no_cache"}


class Bench:
    """One assembly with its records; ``send`` and ``tick`` are its whole life."""

    def __init__(self, sampler=None, **bounds):
        storage = STORAGES.open()
        self.records = storage.logs
        self.log = STORAGES.writer(storage)
        self.telemetry = Telemetry()
        limits = {"max_pending_spans": 10**6, "max_decided_traces": 1000, "max_decided_spans": 10**6, **bounds}
        self.assembly = Assembly("traces", sampler or KeepAll(), self.records, self.telemetry, **limits)
        self.reader = DecisionReader(self.records, lambda *_: None, {})
        self.dseq = 0

    def send(self, rows, at=0):
        batch = builders.spans(rows, facts=True) if not isinstance(rows, SpanBatch) else rows
        (written,) = self.log.append([Entry(batch, ("traces",))], at)
        self.assembly.add(written, batch)

    def send_logs(self, rows, at=0):
        batch = builders.logs(rows)
        (written,) = self.log.append([Entry(batch, ("traces",), join=True)], at)
        self.assembly.add(written, batch)

    def tick(self, now, **how) -> list[DecisionRecord]:
        decisions = []
        for group in self.assembly.decide_due(now, **how):
            for decision in group:
                self.dseq += 1
                self.assembly.restore(self.dseq, DecisionRecord.unpack(decision.pack()))
            decisions += group
        return decisions

    def out(self, now=10**15, **how):
        """What exporters would get: one dict per kept span."""
        rows = []
        for decision in self.tick(now, **how):
            spans, _ = self.reader.read("traces", decision)
            for part in spans:
                decided = part.decided.to_pylist()
                names = part.spans.column("span_name").to_pylist()
                rows += [{"span": n, "logs": part.logs, **d} for n, d in zip(names, decided, strict=True)]
        return rows

    def dropped(self, reason):
        labels = {"processor": "tail_sampling", "pipeline": "traces", "otel_signal": "traces", "reason": reason}
        return self.telemetry.registry.get_sample_value("spanloom_processor_dropped_items_total", labels) or 0
