"""Decisions read back: what is left when somebody took a damaged segment away."""

from __future__ import annotations

import numpy as np

from collector.engine.assembly.assembly import Assembly, KeepAll
from collector.engine.export.reader import DecisionReader, JournalReader
from collector.engine.journal import segments
from collector.engine.journal.journal import Journal
from collector.engine.journal.ledger import NewDecision
from collector.engine.journal.records import Entry
from collector.telemetry import Telemetry
from collector.testing import builders


def _decided(folder, records, *, stored=()):
    """A journal with one record per segment, and one decision over all of them; ``stored``: rows a store has."""
    journal = Journal(folder, max_bytes=1 << 30)
    telemetry = Telemetry()
    bounds = {"max_pending_spans": 100, "max_decided_traces": 100, "max_decided_spans": 100}
    assembly = Assembly("traces", KeepAll(), journal, telemetry, **bounds)
    for rows in records:
        batch = builders.spans(rows, facts=True)
        (written,) = journal.append([Entry(batch, ("traces",))], 1)
        journal._seal()
        assembly.add(written, batch)
    ((decision,),) = assembly.decide_due(0, everything=True)
    decision = decision.with_stored(np.isin(np.arange(decision.rows.num_rows), stored))
    seqs = decision.seqs()
    journal.ledger.add([NewDecision("traces", 0, int(seqs[0]), int(seqs[-1]), 3, 1, decision.pack())])
    journal.close()


def test_without_a_segment_the_rest_of_its_decisions_is_delivered_and_the_loss_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 64 * 1024)
    ids = (1, 2, 3)
    _decided(tmp_path, [[{"trace_id": 1, "span_id": i, "span_name": f"s{i}"}] for i in ids])
    segments.segment_path(tmp_path / "w00", 2).unlink()
    journal, telemetry = Journal(tmp_path, max_bytes=1 << 30), Telemetry()
    reader = JournalReader(journal, DecisionReader(journal, lambda *_: None, {}), telemetry)
    batch = reader.batch(journal.ledger.infos(0), frozenset({"traces"}), 1, 1, stores=True)
    assert [s.spans.column("span_name").to_pylist() for s in batch.spans] == [["s1", "s3"]]
    assert telemetry.registry.get_sample_value("spanloom_journal_missing_records_total") == 1
    journal.close()


def test_what_no_store_has_yet_is_made_once_for_stores_and_others(tmp_path):
    _decided(tmp_path, [[{"trace_id": 1, "span_id": 1}]])
    journal = Journal(tmp_path, max_bytes=1 << 30)
    reader = JournalReader(journal, DecisionReader(journal, lambda *_: None, {}), Telemetry())
    infos = journal.ledger.infos(0)
    store = reader.batch(infos, frozenset({"traces", "traces/2"}), 1, 1, stores=True)
    other = reader.batch(infos, frozenset({"traces"}), 1, 1, stores=True)
    assert store.spans[0] is other.spans[0]
    journal.close()


def test_what_a_store_has_already_it_is_not_given_again(tmp_path):
    rows = [{"trace_id": 1, "span_id": i, "span_name": f"s{i}"} for i in (1, 2)]
    _decided(tmp_path, [rows], stored=[0])
    journal = Journal(tmp_path, max_bytes=1 << 30)
    reader = JournalReader(journal, DecisionReader(journal, lambda *_: None, {}), Telemetry())
    infos = journal.ledger.infos(0)
    for pipelines, names in (({"traces", "traces/2"}, ["s2"]), ({"traces"}, ["s1", "s2"])) * 2:
        batch = reader.batch(infos, frozenset(pipelines), 1, 1, stores=True)
        assert [name for s in batch.spans for name in s.spans.column("span_name").to_pylist()] == names
    journal.close()
