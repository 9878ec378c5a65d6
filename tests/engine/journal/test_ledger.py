"""The ledger by itself: decisions, positions, intents, and what is left of a transaction that failed.

Proves that each write is whole or absent, is there after a new start, and that a full disk is told from a broken one.
Does not prove that a commit survives power loss, nor who writes when (``export/test_runner``, ``test_core``).
"""

from __future__ import annotations

import sqlite3

import pytest

from collector.errors import JournalError, RetryableError
from collector.testing import builders
from tests.engine.export.runner_kit import add_decisions, open_journal, passing_on, record


class Opened:
    """A journal's ledger, with decisions over records of one log record each."""

    def __init__(self, folder):
        self.folder = folder
        self.journal = open_journal(folder)

    @property
    def ledger(self):
        return self.journal.ledger

    def decide(self, n, pipeline="logs"):
        records = [record(self.journal, builders.logs([{}]), pipeline, 1) for _ in range(n)]
        return add_decisions(self.ledger, [(pipeline, passing_on([r]), [r], 1) for r in records])

    def reopen(self):
        self.journal.close()
        self.journal = open_journal(self.folder)

    def is_full(self):
        """Stands for a full disk: SQLite's own bound on pages gives the same error."""
        self.ledger._db.execute("pragma max_page_count=1")


@pytest.fixture
def opened(tmp_path):
    one = Opened(tmp_path / "journal")
    yield one
    one.journal.close()


def test_decisions_are_numbered_through_and_there_after_a_restart(opened):
    written = opened.decide(3)
    assert [info.dseq for info in written] == [1, 2, 3]
    payloads = [opened.ledger.payload(info.dseq) for info in written]
    opened.reopen()
    assert opened.ledger.infos(0) == written
    assert opened.ledger.infos(2) == written[2:]
    assert [opened.ledger.payload(n) for n in (1, 2, 3)] == payloads
    assert list(opened.ledger.payloads("logs")) == [(1, payloads[0]), (2, payloads[1]), (3, payloads[2])]


def test_a_number_is_given_out_once_even_after_all_was_forgotten(opened):
    opened.decide(2)
    with opened.ledger.transaction() as db:
        db.execute("delete from decisions")
    opened.reopen()
    assert opened.ledger.last() == 2
    assert opened.decide(1)[0].dseq == 3


def test_a_position_closes_the_intent_in_the_same_write(opened):
    opened.ledger.set_intent("a", 1, 2)
    opened.ledger.set_intent("b", 1, 5)
    opened.ledger.set_cursor("a", 2)
    opened.reopen()
    assert opened.ledger.cursors() == {"a": 2}
    assert (opened.ledger.intent("a"), opened.ledger.intent("b")) == (None, (1, 5))


def test_a_position_that_cannot_be_written_leaves_the_intent(opened):
    opened.ledger.set_intent("a", 1, 2)
    opened.ledger._db.execute("create trigger no before delete on intents begin select raise(abort, 'no'); end")
    with pytest.raises(JournalError, match="no"):
        opened.ledger.set_cursor("a", 2)
    assert (opened.ledger.cursors(), opened.ledger.intent("a")) == ({}, (1, 2))


def test_an_exporter_that_is_gone_leaves_nothing(opened):
    opened.ledger.set_cursor("a", 2)
    opened.ledger.set_intent("a", 3, 4)
    opened.ledger.drop_cursor("a")
    assert (opened.ledger.cursors(), opened.ledger.intent("a")) == ({}, None)


def test_whatever_ends_a_transaction_takes_all_of_it_back(opened):
    def fail():
        with opened.ledger.transaction() as db:
            db.execute("insert into cursors values ('a', 1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert opened.ledger.cursors() == {}
    opened.ledger.set_cursor("a", 2)
    assert opened.ledger.cursors() == {"a": 2}


def test_a_full_disk_is_for_later_and_takes_nothing(opened):
    written = opened.decide(1)
    opened.is_full()
    records = [record(opened.journal, builders.logs([{"body": "x" * 100}]), "logs", 1) for _ in range(200)]
    with pytest.raises(RetryableError) as caught:
        add_decisions(opened.ledger, [("logs", passing_on(records), records, 1)] * 200)
    assert caught.value.retry_after == 1
    assert opened.ledger.infos(0) == written


def test_a_setting_keeps_its_first_default(opened):
    epoch = opened.ledger.epoch
    assert opened.ledger.meta("k", "1") == opened.ledger.meta("k", "2") == "1"
    opened.ledger.set_meta("k", "3")
    opened.reopen()
    assert (opened.ledger.meta("k", "4"), opened.ledger.epoch) == ("3", epoch)


def test_a_newer_format_is_refused_with_its_path(opened):
    opened.ledger.set_meta("format", "99")
    with pytest.raises(JournalError, match=r"ledger\.sqlite has format 99"):
        opened.reopen()


def test_what_is_no_database_is_refused_with_its_path(opened):
    opened.journal.close()
    opened.ledger.path.write_bytes(b"no database " * 1000)
    with pytest.raises(JournalError, match=r"ledger\.sqlite cannot be used"):
        open_journal(opened.folder)


def test_a_payload_that_is_gone_is_an_error(opened):
    with pytest.raises(JournalError, match="decision 7 is missing"):
        opened.ledger.payload(7)


def test_it_belongs_to_its_owner_alone(opened):
    assert opened.ledger.path.stat().st_mode & 0o777 == 0o600


def test_a_closed_ledger_says_so(opened):
    opened.ledger.close()
    with pytest.raises(JournalError):
        opened.ledger.cursors()
    with pytest.raises(sqlite3.ProgrammingError):
        opened.ledger._db.execute("select 1")
