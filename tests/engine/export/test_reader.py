"""Decisions read back: what is left when somebody took a damaged segment away."""

from __future__ import annotations

from collector.engine.assembly.assembly import Assembly, KeepAll
from collector.engine.export.reader import DecisionReader, JournalReader
from collector.engine.journal import segments
from collector.engine.journal.addresses import ranges
from collector.engine.journal.ledger import NewDecisionRecord
from collector.engine.journal.records import Entry
from collector.engine.journal.storage import Storage
from collector.telemetry import Telemetry
from collector.testing import builders


def _decided(folder, records):
    """A journal with one record per segment, and one decision over all of them."""
    storage = Storage.on_disk(folder, max_bytes=1 << 30)
    journal = storage.log
    telemetry = Telemetry()
    bounds = {"max_pending_spans": 100, "max_decided_traces": 100, "max_decided_spans": 100}
    assembly = Assembly("traces", KeepAll(), journal, telemetry, **bounds)
    for rows in records:
        batch = builders.spans(rows, facts=True)
        (written,) = journal.append([Entry(batch, ("traces",))], 1)
        journal._seal()
        assembly.add(written, batch)
    ((decision,),) = assembly.decide_due(0, everything=True)
    storage.ledger.add([NewDecisionRecord("traces", 0, ranges(decision.seqs()), 3, 1, decision.pack())])
    storage.close()


def test_without_a_segment_the_rest_of_its_decisions_is_delivered_and_the_loss_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 64 * 1024)
    ids = (1, 2, 3)
    _decided(tmp_path, [[{"trace_id": 1, "span_id": i, "span_name": f"s{i}"}] for i in ids])
    segments.segment_path(tmp_path / "w00", 2).unlink()
    storage, telemetry = Storage.on_disk(tmp_path, max_bytes=1 << 30), Telemetry()
    logs, ledger = storage.logs, storage.ledger
    reader = JournalReader(logs, ledger, DecisionReader(logs, lambda *_: None, {}), telemetry)
    batch = reader.batch(ledger.infos(0), frozenset({"traces"}), 1, 1, stores=True)
    assert [s.spans.column("span_name").to_pylist() for s in batch.spans] == [["s1", "s3"]]
    assert telemetry.registry.get_sample_value("spanloom_journal_missing_records_total") == 1
    storage.close()
