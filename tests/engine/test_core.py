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
from collector.engine.journal.journal import Journal
from collector.engine.journal.ledger import NewDecisionRecord
from collector.engine.journal.records import Entry
from collector.errors import JournalError, RetryableError
from collector.telemetry import Telemetry
from collector.testing import builders

LOGS = builders.logs([{"body": "x"}])


class Bench:
    """A core over a real journal, without exporters: what is decided counts as delivered."""

    def __init__(self, folder):
        self.journal = Journal(folder, max_bytes=1 << 30)
        self.fatal = []
        self.failed = threading.Event()
        telemetry = Telemetry()
        bounds = {"max_pending_spans": 100, "max_decided_traces": 100, "max_decided_spans": 100}
        self.assembly = Assembly("traces", KeepAll(0, 0), self.journal, telemetry, **bounds)
        assemblies, passing = {"traces": self.assembly}, {"logs": Passing()}
        self.core = Core(
            self.journal, assemblies, passing, [], telemetry, siblings={}, fatal=self.fail, clock=lambda: 10**18
        )

    def fail(self, error):
        self.fatal.append(error)
        self.failed.set()

    def write(self, batch, pipeline):
        written = self.journal.append([Entry(batch, (pipeline,))], 1)
        self.core.notify(written)
        return written[0].seq

    def decide(self):
        self.core._drain_inbox()
        self.core._decide(everything=False)

    def is_full(self, full=True):
        """Stands for a full disk: SQLite's own bound on pages gives the same error."""
        pages = 1 if full else 1 << 30
        self.journal.ledger._db.execute(f"pragma max_page_count={pages}")


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 64 * 1024)
    bench = Bench(tmp_path / "journal")
    yield bench
    bench.core.stop()
    bench.journal.close()


def _fill(ledger):
    """Uses up the pages the ledger may have, to the point that a decision finds no room."""
    filler = NewDecisionRecord("filler", 0, 0, 0, 0, 0, bytes(3000))

    def add_until_full():
        while True:
            ledger.add([filler])

    with pytest.raises(RetryableError, match="full"):
        add_until_full()


def test_decisions_wait_for_disk_space_and_keep_their_records(bench, monkeypatch):
    bench.is_full()
    _fill(bench.journal.ledger)
    before = bench.journal.ledger.last()
    waited = threading.Event()
    wait = bench.core._wait_for_space

    def waits(*args):
        wait(*args)
        waited.set()

    monkeypatch.setattr(bench.core, "_wait_for_space", waits)
    records = builders.logs([{"body": "x" * 2000}] * 10)
    seqs = [bench.write(records, "logs") for _ in range(3)]
    bench.journal._seal()
    bench.core.start()
    assert waited.wait(30)
    assert all(seq in bench.journal for seq in seqs)
    bench.is_full(full=False)
    bench.core.stop()
    assert bench.fatal == []
    assert bench.journal.ledger.last() == before + 1


def test_a_stop_does_not_wait_for_disk_space(bench):
    bench.is_full()
    _fill(bench.journal.ledger)
    for _ in range(50):
        bench.write(LOGS, "logs")
    bench.core.start()
    bench.core.stop()
    assert [type(e) for e in bench.fatal] == [JournalError]
    assert 1 in bench.journal


def test_a_trace_that_is_remembered_does_not_keep_other_pipelines_decisions(bench):
    bench.write(builders.spans([{"trace_id": 1, "span_id": 1}], facts=True), "traces")
    bench.decide()
    for _ in range(5):
        bench.write(LOGS, "logs")
        bench.decide()
    bench.journal._seal()
    bench.core.free()
    assert [i.pipeline for i in bench.journal.ledger.infos(0)] == ["traces"]
    assert bench.assembly.decided.oldest_dseq == 1


def test_tombstones_are_taken_up_after_a_restart_and_never_by_a_pipeline_that_only_forwards(bench):
    dropped = builders.spans([{"trace_id": 1, "span_id": 1}, {"trace_id": 1, "span_id": 2}], facts=True)
    (kept,) = bench.journal.append(
        [Entry(builders.spans([{"span_id": 3, "parent_span_id": 2}], facts=True), ("traces",))], 1
    )
    bench.journal.append([Entry(dropped, ("traces", "logs"), dropped=True)], 1)
    bench.core.recover()

    assert bench.core._passing["logs"].oldest_seq is None
    assert bench.assembly.oldest_pending_seq == kept.seq
    ((decision,),) = bench.assembly.decide_due(10**18)
    assert sorted(decision.rows["dropped"].to_pylist()) == [False, True, True]
    (row,) = decision.rows.filter(decision.rows["keep"]).to_pylist()
    assert row["parent_id"] != 0
    assert row["kept_parent_id"] == 0
