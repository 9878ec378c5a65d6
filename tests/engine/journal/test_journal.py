"""The journal: all or nothing, found again, freed only when nobody needs it.

Proves it on a real folder, with faults where a disk would have them. Does not prove that an fsync reaches the
platter, nor damage inside a segment (``test_segments``).
"""

from __future__ import annotations

import pytest

from collector.engine.journal import segments
from collector.engine.journal.addresses import Range
from collector.engine.journal.ledger import NewDecisionRecord
from collector.engine.journal.records import Entry
from collector.engine.journal.storage import Storage
from collector.errors import ConfigError, RetryableError
from collector.testing import builders


@pytest.fixture
def open_journal(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 256 * 1024)
    opened = []

    def open_(max_bytes=1 << 30):
        for storage in opened:
            storage.close()
        opened.append(Storage.on_disk(tmp_path / "journal", max_bytes=max_bytes))
        return opened[-1].log

    yield open_
    for storage in opened:
        storage.close()


def entry(text, pipelines=("traces",), *, join=False):
    return Entry(builders.logs([{"body": text}]), pipelines, join)


def test_entries_are_the_same_after_a_restart(open_journal):
    journal = open_journal()
    tombstones = Entry(builders.spans([{}], facts=True), ("a",), dropped=True)
    written = journal.append([entry("ü" * 10), entry("two", ("a", "b/c"), join=True), tombstones], 42)
    journal = open_journal()
    assert journal.tail(0) == written
    first, second, third = (journal.read(w.seq) for w in written)
    assert first.batch.column("body_text").to_pylist() == ["ü" * 10]
    assert (second.pipelines, second.join) == (("a", "b/c"), True)
    assert [e.dropped for e in (first, second, third)] == [False, False, True]
    assert first.batch.record_batch.schema.equals(entry("x").batch.record_batch.schema)


def test_numbers_go_on_after_everything_was_freed(open_journal):
    journal = open_journal()
    last = journal.append([entry("one")], 1)[-1].seq
    journal = open_journal()
    journal.append([entry("two")], 1)
    journal.release(1 << 60)
    journal = open_journal()
    journal.release(1 << 60)
    journal = open_journal()
    assert journal.append([entry("three")], 1)[0].seq > last + 1


def test_segments_are_freed_only_below_what_is_needed(open_journal):
    journal = open_journal()
    big = entry("x" * 200_000)
    seqs = [journal.append([big], 1)[0].seq for _ in range(4)]
    journal.release(seqs[2])
    assert journal.oldest_seq == seqs[2]
    assert journal.read(seqs[2]).batch.num_rows == 1


def test_at_its_cap_it_refuses_and_takes_again_when_freed(open_journal):
    journal = open_journal(max_bytes=300_000)
    big = entry("x" * 200_000)
    for _ in range(2):
        last = journal.append([big], 1)
    with pytest.raises(RetryableError, match="full"):
        journal.append([big], 1)
    journal.release(last[-1].seq)
    assert journal.append([big], 1)


def test_a_second_process_is_refused(open_journal, tmp_path):
    open_journal()
    with pytest.raises(ConfigError, match="in use"):
        Storage.on_disk(tmp_path / "journal", max_bytes=1)


def test_a_write_that_finds_no_space_leaves_no_half_group(open_journal, monkeypatch):
    journal = open_journal()
    journal.append([entry("before")], 1)
    real, calls = segments._write_all, []

    def fails_on_second(*args):
        calls.append(1)
        if len(calls) == 2:
            raise RetryableError("disk full")
        real(*args)

    monkeypatch.setattr(segments, "_write_all", fails_on_second)
    with pytest.raises(RetryableError):
        journal.append([entry("one"), entry("two")], 1)
    monkeypatch.setattr(segments, "_write_all", real)
    journal.append([entry("after")], 1)
    journal = open_journal()
    texts = [journal.read(w.seq).batch.column("body_text")[0].as_py() for w in journal.tail(0)]
    assert texts == ["before", "after"]


def test_decisions_about_live_records_are_never_forgotten(open_journal):
    ledger = open_journal()._ledger
    ledger.add([NewDecisionRecord("p", 0, (Range(0, seq, seq),), 1, 1, b"x") for seq in (1, 2, 3)])
    ledger.forget("p", below=3, oldest={0: 2})
    assert [i.dseq for i in ledger.infos(0)] == [2, 3]
    ledger.forget("q", below=99, oldest={0: 99})
    assert [i.dseq for i in ledger.infos(0)] == [2, 3]
    ledger.forget("p", below=99, oldest={0: 99})
    assert ledger.last() == 3
    assert ledger.add([NewDecisionRecord("p", 0, (Range(0, 9, 9),), 1, 1, b"x")])[0].dseq == 4


def test_records_of_a_group_that_failed_never_come_back(open_journal, monkeypatch):
    journal = open_journal()
    real, calls = segments._write_all, []

    def fails_on_third(*args):
        calls.append(1)
        if len(calls) == 3:
            raise RetryableError("disk full")
        real(*args)

    monkeypatch.setattr(segments, "_write_all", fails_on_third)
    with pytest.raises(RetryableError):
        journal.append([entry("1"), entry("2"), entry("3")], 1)
    # The same size as the failed group's first record: its second would lie exactly behind.
    journal.append([entry("4")], 1)
    journal = open_journal()
    assert [journal.read(w.seq).batch.column("body_text")[0].as_py() for w in journal.tail(0)] == ["4"]


def test_numbers_that_decisions_name_are_not_given_out_again(open_journal, tmp_path):
    journal = open_journal()
    seq = journal.append([entry("one")], 1)[0].seq
    journal._ledger.add([NewDecisionRecord("p", 0, (Range(0, seq, seq),), 1, 1, b"x")])
    journal.close()
    for file in (tmp_path / "journal" / "w00").iterdir():
        file.unlink()
    assert open_journal().append([entry("two")], 1)[0].seq == seq + 1


def test_one_segment_that_is_the_whole_journal_can_be_freed(open_journal):
    journal = open_journal(max_bytes=200_000)
    seq = journal.append([entry("x" * 300_000)], 1)[0].seq
    with pytest.raises(RetryableError, match="full"):
        journal.append([entry("y")], 1)
    journal.release(seq + 1)
    assert journal.append([entry("y")], 1)
