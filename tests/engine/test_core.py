"""The core: decisions wait for disk space, and each pipeline forgets its own.

Proves it over a real journal whose disk is full, without exporters. Does not prove delivery (``export/test_runner``),
nor the core's timing.
"""

from __future__ import annotations

import threading

import pytest

from collector.engine.assembly.assembly import Assembly, KeepAll
from collector.engine.assembly.passing import Passing
from collector.engine.core import Core
from collector.engine.journal import segments
from collector.engine.journal.addresses import Range, lowest
from collector.engine.journal.journal import Journal
from collector.engine.journal.ledger import NewDecisionRecord
from collector.engine.journal.records import Entry
from collector.errors import JournalError, RetryableError
from collector.telemetry import Telemetry
from collector.testing import builders

LOGS = builders.logs([{"body": "x"}])


class Bench:
    """A core over real logs, without exporters: what is decided counts as delivered."""

    def __init__(self, storages):
        storage = storages.open()
        self.logs, self.ledger = storage.logs, storage.ledger
        self.writer = storages.writer(storage)
        self.fatal = []
        self.failed = threading.Event()
        telemetry = Telemetry()
        bounds = {"max_pending_spans": 100, "max_decided_traces": 100, "max_decided_spans": 100}
        self.assembly = Assembly("traces", KeepAll(0, 0), self.logs, telemetry, **bounds)
        assemblies, passing = {"traces": self.assembly}, {"logs": Passing()}
        self.core = Core(
            self.logs,
            self.ledger,
            assemblies,
            passing,
            [],
            telemetry,
            siblings={},
            fatal=self.fail,
            clock=lambda: 10**18,
        )

    def fail(self, error):
        self.fatal.append(error)
        self.failed.set()

    def write(self, batch, pipeline):
        (written,) = self.writer.append([Entry(batch, (pipeline,))], 1)
        self.core.wake()
        return written.address

    def seal(self):
        """Ends the segments: they can go when nobody needs their records."""
        for log in self.logs:
            if isinstance(log, Journal):
                log._seal()

    def decide(self):
        self.core._take_news()
        self.core._decide(everything=False)

    def is_full(self, full=True):
        """Stands for a full disk: SQLite's own bound on pages gives the same error."""
        pages = 1 if full else 1 << 30
        self.ledger._db.execute(f"pragma max_page_count={pages}")


@pytest.fixture
def bench(storages, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 64 * 1024)
    bench = Bench(storages)
    yield bench
    bench.core.stop()


def _fill(ledger):
    """Uses up the pages the ledger may have, to the point that a decision finds no room."""
    filler = NewDecisionRecord("filler", 0, (Range(0, 0, 0),), 0, 0, bytes(3000))

    def add_until_full():
        while True:
            ledger.add([filler])

    with pytest.raises(RetryableError, match="full"):
        add_until_full()


def test_decisions_wait_for_disk_space_and_keep_their_records(bench, monkeypatch):
    bench.is_full()
    _fill(bench.ledger)
    before = bench.ledger.last()
    waited = threading.Event()
    wait = bench.core._wait_for_space

    def waits(*args):
        wait(*args)
        waited.set()

    monkeypatch.setattr(bench.core, "_wait_for_space", waits)
    records = builders.logs([{"body": "x" * 2000}] * 10)
    seqs = [bench.write(records, "logs") for _ in range(3)]
    bench.seal()
    bench.core.start()
    assert waited.wait(30)
    assert all(seq in bench.logs for seq in seqs)
    bench.is_full(full=False)
    bench.core.stop()
    assert bench.fatal == []
    assert bench.ledger.last() == before + 1


def test_a_stop_does_not_wait_for_disk_space(bench):
    bench.is_full()
    _fill(bench.ledger)
    written = [bench.write(LOGS, "logs") for _ in range(50)]
    bench.core.start()
    bench.core.stop()
    assert [type(e) for e in bench.fatal] == [JournalError]
    assert written[0] in bench.logs


def test_a_trace_that_is_remembered_does_not_keep_other_pipelines_decisions(bench):
    bench.write(builders.spans([{"trace_id": 1, "span_id": 1}], facts=True), "traces")
    bench.decide()
    for _ in range(5):
        bench.write(LOGS, "logs")
        bench.decide()
    bench.seal()
    bench.core.free()
    assert [i.pipeline for i in bench.ledger.infos(0)] == ["traces"]
    assert bench.assembly.decided.oldest_dseq == 1


def test_tombstones_are_taken_up_after_a_restart_and_never_by_a_pipeline_that_only_forwards(bench):
    dropped = builders.spans([{"trace_id": 1, "span_id": 1}, {"trace_id": 1, "span_id": 2}], facts=True)
    (kept,) = bench.writer.append(
        [Entry(builders.spans([{"span_id": 3, "parent_span_id": 2}], facts=True), ("traces",))], 1
    )
    (gone,) = bench.writer.append([Entry(dropped, ("traces", "logs"), dropped=True)], 1)
    bench.core.recover()

    assert bench.core._passing["logs"].oldest == []
    assert lowest(bench.assembly.oldest_pending) == lowest([kept.address, gone.address])
    ((decision,),) = bench.assembly.decide_due(10**18)
    assert sorted(decision.rows["dropped"].to_pylist()) == [False, True, True]
    (row,) = decision.rows.filter(decision.rows["keep"]).to_pylist()
    assert row["parent_id"] != 0
    assert row["kept_parent_id"] == 0
