"""A start after a crash: what was acknowledged is delivered, with what damage took away said.

Proves recovery over journals on disk, one and two, and with a log in memory whose records are gone. The crash is a
copy of the folder as it lay: nothing was closed. Does not prove what a disk does to pages it was not told to sync.
"""

from __future__ import annotations

import shutil

import pytest

from collector.engine.journal import segments
from collector.engine.journal.addresses import address
from collector.engine.journal.journal import Journal
from collector.engine.journal.records import Entry
from collector.engine.journal.storage import Storage
from collector.errors import JournalError
from collector.testing import builders
from tests.engine.engine_kit import SECOND, Engine


class Machine:
    """A data folder, engines over it, and crashes between them."""

    def __init__(self, folder):
        self._folder = folder
        self._runs = 0
        self._opened = []

    @property
    def journal(self):
        """The folder of the current run."""
        return self._folder / f"run-{self._runs}"

    def start(self, *exporters, logs=("w00",), now=0):
        self.storage = Storage.on_disk(self.journal, max_bytes=1 << 30)
        self._opened.append(self.storage)
        self.logs = [self.storage.log]
        for name in logs[1:]:
            self.logs.append(Journal(self.journal / name, self.storage.ledger, max_bytes=1 << 30))
            self.storage.logs.add(self.logs[-1])
        self.engine = Engine(self.storage, *(exporters or ["sink"]), now=now).recover()
        return self.engine

    def crash(self):
        """The files as they lie, in another folder: nobody closed them."""
        left = self.journal
        self._runs += 1
        shutil.copytree(left, self.journal)

    def close(self):
        for storage in self._opened:
            storage.close()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 64 * 1024)
    machine = Machine(tmp_path)
    yield machine
    machine.close()


def spans(*rows):
    """Spans by (trace, number), and what else their rows say."""
    rows = [
        {"trace_id": trace, "span_id": number, "span_name": f"{trace}.{number}", **more}
        for trace, number, *rest in rows
        for more in (rest or [{}])
    ]
    return Entry(builders.spans(rows, facts=True), ("traces",))


def log(text, **more):
    return Entry(builders.logs([{"body": text}]), ("logs",), **more)


CHILD = {"parent_span_id": 99}


def test_undecided_rows_wait_on_from_when_they_came(machine):
    engine = machine.start()
    machine.storage.log.append([spans((1, 1, CHILD)), log("a")], 5 * SECOND)
    machine.crash()
    engine = machine.start(now=6 * SECOND)
    assert engine.assembly.next_deadline() == 35 * SECOND
    assert engine.assembly.oldest_pending == [1]
    engine.finish()
    assert (engine.spans("sink"), engine.others("sink")) == ({"1.1": 1}, {"a": 1})


def test_what_was_decided_and_not_delivered_is_delivered_and_the_rest_of_its_records_waits(machine):
    engine = machine.start()
    machine.storage.log.append([spans((1, 1), (2, 1, CHILD), (1, 2)), log("a")], 0)
    engine.decide(3 * SECOND)
    machine.storage.log.append([spans((1, 3)), log("b")], 4 * SECOND)
    machine.crash()
    engine = machine.start(now=5 * SECOND)
    assert engine.assembly.oldest_pending == [1, 3]
    assert len(engine.runners[0]._queue) == 2
    engine.finish()
    assert engine.spans("sink") == {"1.1": 1, "1.2": 1, "1.3": 1, "2.1": 1}
    assert engine.others("sink") == {"a": 1, "b": 1}


def test_what_was_delivered_does_not_come_again(machine):
    engine = machine.start("sink", "slow")
    machine.storage.log.append([spans((1, 1)), log("a")], 0)
    engine.decide(3 * SECOND)
    machine.storage.ledger.set_cursor("sink", 2)
    machine.crash()
    engine = machine.start("sink", "slow", now=4 * SECOND).finish()
    assert (engine.spans("sink"), engine.others("sink")) == ({}, {})
    assert (engine.spans("slow"), engine.others("slow")) == ({"1.1": 1}, {"a": 1})
    assert machine.storage.log.delivered() == 2


def test_a_torn_tail_was_never_promised_and_all_before_it_is_delivered(machine):
    machine.start()
    machine.storage.log.append([spans((1, 1))], 0)
    machine.storage.log.append([spans((1, 2)), log("torn")], 0)
    machine.crash()
    path = segments.segment_path(machine.journal / "w00", 1)
    records, _ = segments.scan(machine.journal / "w00", 1)
    with path.open("r+b") as file:
        file.truncate(records[1].offset + 50)
    engine = machine.start(now=SECOND)
    (again,) = machine.storage.log.append([log("after")], SECOND)
    engine.finish()
    assert again.seq == 2
    assert (engine.spans("sink"), engine.others("sink")) == ({"1.1": 1}, {"after": 1})


def test_damage_before_good_records_stops_the_start_and_the_folder_can_be_opened_again(machine):
    machine.start()
    for seq in range(3):
        machine.storage.log.append([spans((seq + 1, 1))], 0)
    machine.crash()
    records, _ = segments.scan(machine.journal / "w00", 1)
    with segments.segment_path(machine.journal / "w00", 1).open("r+b") as file:
        file.seek(records[1].offset)
        file.write(b"XXXX")
    for _ in range(2):
        with pytest.raises(JournalError, match="damaged"):
            machine.start()


def test_without_a_segment_the_rest_is_delivered_and_the_loss_counted(machine):
    engine = machine.start()
    for seq in range(1, 4):
        machine.storage.log.append([spans((1, seq)), log(f"log {seq}")], 0)
        machine.storage.log._seal()
    machine.storage.log.append([spans((2, 1, CHILD))], 0)
    engine.decide(3 * SECOND)
    machine.crash()
    segments.segment_path(machine.journal / "w00", 2).unlink()
    engine = machine.start(now=4 * SECOND).finish()
    assert engine.spans("sink") == {"1.1": 1, "1.3": 1, "2.1": 1}
    assert engine.others("sink") == {"log 1": 1, "log 3": 1}
    assert engine.telemetry.registry.get_sample_value("spanloom_journal_missing_records_total") == 2


def test_two_journals_feed_one_core_and_each_is_freed_by_itself(machine):
    logs = ("w00", "w01")
    engine = machine.start(logs=logs)
    one, two = machine.logs
    for _ in range(5):
        one.append([log("filler")], 0)
    two.append([spans((1, 1)), log("a")], 0)
    one.append([spans((1, 2, {"parent_span_id": 1}), (3, 1, CHILD))], 0)
    two.append([spans((2, 1, CHILD))], 0)
    engine.decide(3 * SECOND)
    ranges = [[(r.log, r.first, r.last) for r in info.ranges] for info in machine.storage.ledger.infos(0)]
    assert ranges[0] == [(0, 6, 6), (1, 1, 1)]
    machine.crash()

    engine = machine.start(logs=logs, now=4 * SECOND)
    assert sorted(engine.assembly.oldest_pending) == [6, address(1, 3)]
    one, two = machine.logs
    two._seal()
    one._seal()
    engine.core.free()
    assert [some.delivered() for some in machine.logs] == [None, None]  # decided, and delivered to nobody
    engine.finish()
    assert engine.spans("sink") == {"1.1": 1, "1.2": 1, "2.1": 1, "3.1": 1}
    assert engine.others("sink") == {"filler": 5, "a": 1}
    assert [some.delivered() for some in machine.logs] == [6, 3]
    assert [some.nbytes for some in machine.logs] == [0, 0]
    assert [some.append([log("next")], 0)[0].address for some in machine.logs] == [7, address(1, 4)]


def test_a_log_waits_for_its_own_oldest_row_only(machine):
    engine = machine.start(logs=("w00", "w01"))
    one, two = machine.logs
    two.append([spans((2, 1, CHILD))], 0)
    for some in (one, two):
        some.append([log("x")], 0)
    engine.decide(SECOND)
    for runner in engine.runners:
        runner.start()
        assert runner._exporter.wait_for_rows(2)
    while engine.runners[0].oldest:
        pass
    engine.core.free()
    assert [some.delivered() for some in machine.logs] == [1, None]
    engine.finish()
    assert [some.delivered() for some in machine.logs] == [1, 2]


def test_records_that_were_in_memory_come_again_and_are_delivered_beside_those_on_disk(machine):
    engine = machine.start("sink", "slow")
    source = machine.storage.source("broker/0", lambda _: None)
    source.append([spans((1, 1)), log("known")], 0)
    engine.decide(3 * SECOND)
    for name in ("sink", "slow"):
        machine.storage.ledger.set_cursor(name, 2)
    source.append([spans((2, 1)), log("lost")], 4 * SECOND)
    machine.storage.log.append([spans((2, 2, {"parent_span_id": 1}), (3, 1))], 4 * SECOND)
    engine.decide(7 * SECOND)
    machine.storage.ledger.set_cursor("sink", 4)
    machine.crash()

    engine = machine.start("sink", "slow", now=8 * SECOND)
    source = machine.storage.source("broker/0", lambda _: None)
    first, *_ = source.append([spans((1, 1)), log("known"), spans((2, 1)), log("lost")], 8 * SECOND)
    assert first.address == address(1, 3)  # decisions that are delivered still name what came before
    engine.finish()
    assert engine.spans("slow") == {"2.1": 1, "2.2": 1, "3.1": 1}
    assert engine.others("slow") == {"known": 1, "lost": 1}
    assert engine.spans("sink") == {"2.1": 1}
    assert engine.telemetry.registry.get_sample_value("spanloom_journal_missing_records_total") in (0, None)
    assert source.delivered() is None  # no positions were handed in
    assert source.nbytes == 0
