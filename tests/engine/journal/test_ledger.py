"""The ledger alone, with faults: a full disk, a lock, torn and damaged files.

Proves that what was committed is there after a reopening and what was not leaves no trace, and that damage is said
and never skipped. Does not prove that the disk keeps what it was told to sync.
"""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from collector.engine.journal.addresses import Range
from collector.engine.journal.ledger import Ledger, NewDecisionRecord
from collector.errors import JournalError, RetryableError


@pytest.fixture
def open_ledger(tmp_path):
    opened = []

    def open_(folder=tmp_path, **how):
        opened.append(Ledger(folder, **how))
        return opened[-1]

    yield open_
    for ledger in opened:
        ledger.close()


def new(*ranges, pipeline="p", payload=b"x"):
    return NewDecisionRecord(pipeline, 7, tuple(Range(*some) for some in ranges), 3, 100, payload)


def test_all_is_there_after_a_reopening(open_ledger):
    ledger = open_ledger()
    infos = ledger.add([new((0, 1, 4)), new((0, 5, 5), (2, 1, 3))])
    ledger.set_cursor("sink", 1)
    ledger.set_intent("store", 1, 2)
    index = ledger.log("spans/0", is_lasting=False).log
    epoch = ledger.epoch
    ledger.close()
    again = open_ledger()
    assert (again.infos(0), again.infos(1), again.last()) == (infos, infos[1:], 2)
    assert (again.cursors(), again.intent("store"), again.intent("sink")) == ({"sink": 1}, (1, 2), None)
    assert (again.epoch, again.pipelines(), list(again.payloads("p"))) == (epoch, {"p"}, [(1, b"x"), (2, b"x")])
    assert again.log("spans/0", is_lasting=False).log == index
    assert again.lost_logs() == [index]


def test_numbers_of_decisions_do_not_come_back(open_ledger):
    ledger = open_ledger()
    ledger.add([new((0, 1, 1))])
    ledger.forget("p", below=2, oldest={0: 2})
    ledger.close()
    ledger = open_ledger()
    assert (ledger.infos(0), ledger.last()) == ([], 1)
    assert ledger.add([new((0, 1, 1))])[0].dseq == 2


def test_a_delivery_closes_its_intent(open_ledger):
    ledger = open_ledger()
    ledger.set_intent("store", 1, 2)
    ledger.set_cursor("store", 2)
    assert ledger.intent("store") is None
    ledger.set_intent("store", 3, 4)
    ledger.drop_cursor("store")
    assert (ledger.intent("store"), ledger.cursors()) == (None, {})


def test_a_decision_over_two_logs_is_kept_while_one_of_them_holds_a_record_of_it(open_ledger):
    ledger = open_ledger()
    ledger.add([new((0, 1, 9), (1, 1, 2)), new((1, 3, 3)), new((5, 1, 1))])
    ledger.forget("p", below=9, oldest={0: 10, 1: 2})
    assert [info.dseq for info in ledger.infos(0)] == [1, 2]  # nobody has log 5 any more
    ledger.forget("p", below=9, oldest={0: 10, 1: 3})
    assert [(info.dseq, info.oldest) for info in ledger.infos(0)] == [(2, ((1 << 48) + 3,))]
    ledger.forget("p", below=9, oldest={0: 10, 1: 4})
    assert ledger.infos(0) == []
    assert ledger._read("select count(*) from further_ranges", ()) == [(0,)]


def test_a_log_keeps_its_index_and_never_gives_a_number_that_is_named(open_ledger):
    ledger = open_ledger()
    assert ledger.log("w00", is_lasting=True) == (0, 1)
    assert ledger.meta("format", "") == "1"
    assert ledger.log("w01", is_lasting=True) == (1, 1)
    assert ledger.meta("format", "") == "2"
    ledger.set_next_seq(1, 40)
    ledger.set_next_seq(1, 30)
    ledger.add([new((0, 7, 8), (1, 50, 60))])
    ledger.close()
    ledger = open_ledger()
    assert [ledger.log(name, is_lasting=True) for name in ("w02", "w01", "w00")] == [(2, 1), (1, 61), (0, 9)]
    ledger.forget("p", below=9, oldest={})
    assert ledger.log("w01", is_lasting=True) == (1, 40)


def test_a_decision_is_written_anew_or_deleted_under_its_number(open_ledger):
    ledger = open_ledger()
    ledger.add([new((0, 1, 1), (1, 1, 1)), new((1, 2, 2)), new((0, 3, 3))])
    ledger.replace(1, new((0, 1, 1), payload=b"less"))
    ledger.replace(2, None)
    assert [(info.dseq, info.ranges) for info in ledger.infos(0)] == [(1, (Range(0, 1, 1),)), (3, (Range(0, 3, 3),))]
    assert ledger.payload(1) == b"less"
    with pytest.raises(JournalError, match="decision 2 is missing"):
        ledger.payload(2)


def test_a_full_disk_refuses_whole_transactions_and_takes_them_when_there_is_room(open_ledger):
    ledger = open_ledger()
    ledger.add([new((0, 1, 1))])
    ledger._db.execute("pragma max_page_count=1")
    with pytest.raises(RetryableError, match="full"):
        ledger.add([new((0, 2, 2)), new((0, 3, 3), (1, 1, 1), payload=bytes(200_000))])
    assert [info.dseq for info in ledger.infos(0)] == [1]
    ledger._db.execute("pragma max_page_count=1000000")
    assert [info.dseq for info in ledger.add([new((0, 2, 2))])] == [2]


def test_a_ledger_that_another_process_writes_is_waited_for_and_then_refused(open_ledger, tmp_path):
    ledger = open_ledger(wait_seconds=0.05)
    other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(JournalError, match="locked"):
        ledger.set_cursor("sink", 1)
    with pytest.raises(JournalError, match="cannot be used"):
        open_ledger(wait_seconds=0.05)
    assert ledger.cursors() == {}
    other.execute("rollback")
    ledger.set_cursor("sink", 1)
    assert ledger.cursors() == {"sink": 1}
    other.close()


def test_a_torn_write_loses_the_newest_transactions_only(open_ledger, tmp_path):
    ledger = open_ledger()
    for seq in range(1, 6):
        ledger.add([new((0, seq, seq), (1, seq, seq), payload=bytes(3000))])
    log = (tmp_path / "ledger.sqlite-wal").read_bytes()
    found = set()
    for at, end in enumerate(range(0, len(log), 4000)):
        torn = tmp_path / f"torn-{at}"
        torn.mkdir()
        shutil.copy(tmp_path / "ledger.sqlite", torn)
        (torn / "ledger.sqlite-wal").write_bytes(log[:end])
        infos = open_ledger(torn).infos(0)
        assert [info.dseq for info in infos] == list(range(1, len(infos) + 1))
        assert all([r.first for r in info.ranges] == [info.dseq] * 2 for info in infos)
        found.add(len(infos))
    assert found >= {0, 1, 4}


@pytest.mark.parametrize("where", ["head", "middle"])
def test_a_damaged_ledger_is_said_and_kept(open_ledger, tmp_path, where):
    ledger = open_ledger()
    ledger.add([new((0, seq, seq), payload=bytes(2000)) for seq in range(1, 50)])
    ledger.close()
    path = tmp_path / "ledger.sqlite"
    data = bytearray(path.read_bytes())
    start = 0 if where == "head" else len(data) // 2
    data[start : start + 20_000] = b"\xff" * 20_000
    path.write_bytes(data)
    with pytest.raises(JournalError, match=r"ledger\.sqlite"):
        open_ledger().infos(0)
    assert path.read_bytes() == data


def test_in_memory_nothing_is_written_and_nothing_is_shared(open_ledger, tmp_path):
    first, second = open_ledger(None), open_ledger(None)
    first.add([new((0, 1, 1))])
    assert (first.last(), second.last()) == (1, 0)
    assert first.epoch != second.epoch
    assert list(tmp_path.iterdir()) == []
