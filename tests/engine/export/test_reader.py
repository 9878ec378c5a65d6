"""Decisions read back as what exporters see, and what is left when somebody took a damaged segment away.

Proves which rows of a range an exporter gets, what is said of spans nobody assembled, that readings are shared within
bounds, and that a loss is counted. Does not prove what was decided (assembly's tests), what processors behind the
sampler change (``traces/test_tombstones``), nor what a damaged segment that is still there does
(``journal/test_segments``).
"""

from __future__ import annotations

import numpy as np
import pytest

from collector.engine.assembly.assembly import Assembly, KeepAll
from collector.engine.journal import segments
from collector.errors import JournalError
from collector.model import schema
from collector.telemetry import Telemetry
from collector.testing import builders
from tests.engine.export.runner_kit import OpenJournal, add_decisions, passing_on, reader_over, record

CALL = {"role": schema.ROLE_CALL, "usage": [("input", 5)], "total_tokens": 5}
AGENT = {"role": schema.ROLE_WRAPPER, "usage": [("input", 5)], "total_tokens": 5}
BOUNDS = {"max_pending_spans": 100, "max_decided_traces": 100, "max_decided_spans": 100}


class Reading:
    """A journal that decisions are read back from."""

    def __init__(self, folder):
        self.journal = OpenJournal(folder)
        self.telemetry = Telemetry()
        self.reader = reader_over(self.journal, self.telemetry)

    def pass_on(self, *batches, pipeline="logs", at=1):
        """A decision of a pipeline without assembly over these batches."""
        records = [record(self.journal, batch, pipeline, at + n) for n, batch in enumerate(batches)]
        add_decisions(self.journal.ledger, [(pipeline, passing_on(records), records, 1)])

    def assemble(self, *batches, change=lambda decision: decision):
        """A decision over the traces of these batches, one segment each; ``change`` may mark it first."""
        assembly = Assembly("traces", KeepAll(), self.journal.logs, self.telemetry, **BOUNDS)
        records = []
        for batch in batches:
            records.append(record(self.journal, batch, "traces", 1))
            self.journal.end_segment()
            assembly.add(records[-1], batch)
        ((decision,),) = assembly.decide_due(0, everything=True)
        add_decisions(self.journal.ledger, [("traces", change(decision), records, 3)])

    def batch(self, *pipelines, stores=False):
        infos = self.journal.ledger.infos(0)
        return self.reader.batch(infos, frozenset(pipelines), infos[0].dseq, infos[-1].dseq, stores=stores)

    @property
    def missing(self):
        return self.telemetry.registry.get_sample_value("spanloom_journal_missing_records_total")


@pytest.fixture
def reading(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 64 * 1024)
    made = []

    def open_again():
        for one in made:
            one.journal.close()
        made.append(Reading(tmp_path))
        return made[-1]

    yield open_again
    made[-1].journal.close()


def span(number):
    return builders.spans([{"trace_id": 1, "span_id": number, "span_name": f"s{number}"}], facts=True)


def names(batch):
    return [name for part in batch.spans for name in part.spans.column("span_name").to_pylist()]


def test_a_range_holds_what_its_pipelines_decided_and_says_where_it_lies(reading):
    on = reading()
    on.pass_on(builders.logs([{}]))
    on.pass_on(builders.logs([{}, {}]), pipeline="logs/others")
    on.pass_on(builders.metrics([{}]), builders.logs([{}]), at=7)
    batch = on.batch("logs")
    assert (batch.epoch, batch.first, batch.last) == (on.journal.ledger.epoch, 1, 3)
    assert [(part.batch.num_rows, part.ingested_unix_nano) for part in batch.others] == [(1, 1), (1, 7), (1, 8)]


def test_of_spans_nobody_assembled_calls_count_and_wrappers_do_not(reading):
    on = reading()
    on.pass_on(builders.spans([CALL, AGENT, {}], facts=True), pipeline="traces", at=9)
    (part,) = on.batch("traces").spans
    assert part.decided.schema == schema.DECIDED
    rows = part.decided.to_pylist()
    assert [row["usage_scope"] for row in rows] == ["counted", "rollup", None]
    assert {(row["adjusted_count"], row["sampled_by"], row["ingested_unix_nano"]) for row in rows} == {(1.0, None, 9)}


def test_a_store_of_several_pipelines_gets_a_span_once_and_any_other_exporter_again(reading):
    on = reading()
    on.assemble(span(1), span(2), change=lambda decision: decision.with_stored(np.array([True, False])))
    for _ in range(2):
        assert names(on.batch("traces", "traces/more", stores=True)) == ["s2"]
        assert names(on.batch("traces", stores=True)) == ["s1", "s2"]
    assert names(on.batch("traces", "traces/more")) == ["s1", "s2"]


def test_exporters_at_the_same_place_share_one_reading(reading):
    on = reading()
    on.assemble(span(1))
    assert on.batch("traces").spans[0] is on.batch("traces", stores=True).spans[0]


def test_what_no_store_has_yet_is_made_once_for_stores_and_others(reading):
    on = reading()
    on.assemble(span(1))
    store = on.batch("traces", "traces/more", stores=True)
    assert store.spans[0] is on.batch("traces", stores=True).spans[0]


def test_few_readings_are_kept(reading):
    on = reading()
    for _ in range(10):
        on.pass_on(builders.logs([{}]))
    first, again = on.batch("logs"), on.batch("logs")
    assert first.others[0] is not again.others[0]
    assert first.num_rows == again.num_rows == 10


def test_a_decision_that_cannot_be_read_stops_the_process(reading):
    on = reading()
    on.pass_on(builders.logs([{}]))
    with on.journal.ledger.transaction() as db:
        db.execute("update decisions set payload = x'00'")
    with pytest.raises(JournalError, match="a decision cannot be read"):
        on.batch("logs")


def test_without_a_segment_the_rest_of_its_decisions_is_delivered_and_the_loss_counted(reading, tmp_path):
    on = reading()
    on.assemble(span(1), span(2), span(3))
    on.journal.close()
    segments.segment_path(tmp_path / "w00", 2).unlink()
    on = reading()
    batch = on.batch("traces", stores=True)
    assert [part.spans.column("span_name").to_pylist() for part in batch.spans] == [["s1", "s3"]]
    assert on.missing == 1


def test_records_passed_on_whole_are_missed_alike(reading, tmp_path):
    on = reading()
    for _ in range(2):
        on.pass_on(builders.logs([{}]))
        on.journal.end_segment()
    on.journal.close()
    segments.segment_path(tmp_path / "w00", 1).unlink()
    on = reading()
    assert (on.batch("logs").num_rows, on.missing) == (1, 1)
