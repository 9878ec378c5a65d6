"""The log without a disk: what it holds, and which positions of its source are delivered.

Proves that the low water never passes a position that is open or not delivered, whatever order things end in. Does
not prove the way from a receiver to here: ``tests/service/test_durable_source.py``.
"""

from __future__ import annotations

import pytest

from collector.engine.journal.log import Logs
from collector.engine.journal.memory_log import MemoryLog
from collector.engine.journal.records import Entry
from collector.errors import JournalError, RetryableError
from collector.testing import builders

ENTRY = Entry(builders.logs([{"body": "x"}]), ("logs",))


def test_records_have_ascending_numbers_and_go_when_they_are_released():
    log = MemoryLog(3, "spans/0", next_seq=8)
    written = log.append([ENTRY, ENTRY], 5) + log.append([ENTRY], 6)
    assert [(w.seq, w.log, w.time_unix_nano) for w in written] == [(8, 3, 5), (9, 3, 5), (10, 3, 6)]
    assert (log.tail(0), log.tail(8), log.tail(10), log.oldest_seq) == (written, written[1:], [], 8)
    log.release(10)
    assert (log.tail(0), log.oldest_seq, log.nbytes) == (written[2:], 10, written[2].nbytes)
    assert [seq in log for seq in (9, 10)] == [False, True]
    with pytest.raises(JournalError, match="no record 9"):
        log.read(9)
    with pytest.raises(KeyError):
        log.info(9)
    log.release(1 << 40)
    assert (log.nbytes, log.oldest_seq, log.append([ENTRY], 7)[0].seq) == (0, 11, 11)


def test_a_full_log_refuses_and_takes_nothing():
    full = [True]
    log = MemoryLog(is_full=lambda: full[0])
    with pytest.raises(RetryableError, match="exporters have to catch up"):
        log.append([ENTRY], 1)
    full[0] = False
    assert log.append([ENTRY], 1)[0].seq == 1


def take(log, *positions, entries=1):
    """Bodies with these positions, worked on together."""
    for position in positions:
        log.hand_in(position)
    log.append([ENTRY] * entries, 1)
    log.taken(positions)


def test_positions_are_delivered_with_the_records_that_were_made_of_them():
    told = []
    log = MemoryLog(on_delivered=told.append)
    assert log.delivered() is None
    take(log, 10, 11, entries=2)
    take(log, 12)
    for below, low in ((2, None), (3, 11), (3, 11), (4, 12), (4, 12)):
        log.release(below)
        assert log.delivered() == low
    assert told == [11, 12]


def test_a_position_without_records_waits_for_those_before_it():
    log = MemoryLog()
    take(log, 0)
    take(log, 1, entries=0)
    log.release(1)
    assert log.delivered() is None
    log.release(2)
    assert log.delivered() == 1
    take(log, 2, entries=0)
    log.release(2)
    assert log.delivered() == 2


def test_a_position_that_was_refused_holds_the_low_water_until_it_is_taken():
    log = MemoryLog()
    take(log, 1)
    log.hand_in(2)  # and it was refused for now
    take(log, 3)
    log.release(99)
    assert log.delivered() == 1
    take(log, 2)
    log.release(99)
    assert log.delivered() == 3


def test_the_low_water_stays_when_the_source_goes_back():
    told = []
    log = MemoryLog(on_delivered=told.append)
    take(log, 5, 6)
    log.release(99)
    take(log, 4)
    take(log, 5)
    log.release(99)
    take(log, 7)
    log.release(99)
    assert (log.delivered(), told) == (7, [6, 7])


def test_two_logs_may_not_have_one_index():
    with pytest.raises(ValueError, match="index 1"):
        Logs(MemoryLog(1, "a"), MemoryLog(1, "b"))


def test_what_lies_in_no_log_is_missing():
    logs = Logs(MemoryLog(1, "a"))
    assert (1 << 48) + 1 not in logs
    assert 1 not in logs
    with pytest.raises(JournalError, match="no log 0: its record 7"):
        logs.read(7)
