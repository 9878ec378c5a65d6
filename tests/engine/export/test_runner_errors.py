"""An exporter that fails: retried, given up on, refused for good, poisoned by a row, broken; and a full disk.

Proves what is tried again and after how long, what is dropped and counted, what stops the process, and what it
costs the ranges behind. Does not prove when real exporters raise which error (their own tests), and draws no
jitter (``test_backoff``). One bad row costs its whole range today; a range is not cut to find it.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from collector.errors import JournalError, PermanentError, RetryableError
from collector.model.batch import Signal
from collector.options.retry import RetryConfig
from tests.engine.export.runner_kit import MINUTE, Plain, Store, items_of, wait_until

FAILED = "otelcol_exporter_send_failed"
LATER = "not now"


class Poisoned(Plain):
    """Refuses every batch that holds one item."""

    def __init__(self, item, error):
        super().__init__()
        self.item = item
        self.error = error
        self.refusals = 0

    def export(self, batch):
        if self.item in items_of(batch):
            self.refusals += 1
            raise self.error
        return super().export(batch)


@pytest.fixture
def quick(bench, monkeypatch):
    """Benches on which no test waits: the clock is turned by whoever waits."""

    def make(exporter=None, **more):
        on = bench(exporter, **more)
        on.turns_time(monkeypatch)
        return on

    return make


def test_waits_grow_and_the_same_range_comes_again(quick):
    on = quick()
    on.exporter.before.extend([RetryableError(LATER)] * 3)
    on.decide(2)
    on.finish()
    assert on.time.waits == [5, 7.5, 11.25]
    assert on.exporter.items == [1, 2]
    assert on.counted(FAILED, error_permanent="false") == 6
    assert on.counted("otelcol_exporter_sent") == 2


def test_the_waits_of_the_next_range_begin_anew(quick):
    on = quick(batch_rows=1)
    on.exporter.before.extend([RetryableError(LATER), None, RetryableError(LATER)])
    on.decide(1, 2)
    on.finish()
    assert on.time.waits == [5, 5]


def test_a_server_that_names_a_delay_is_obeyed(quick):
    on = quick()
    on.exporter.before.extend([RetryableError(LATER, retry_after=42), RetryableError(LATER, retry_after=1)])
    on.decide(1)
    on.finish()
    assert on.time.waits == [42, 7.5]


def test_after_the_elapsed_time_a_range_is_dropped_and_the_next_one_goes_on(quick):
    on = quick(batch_rows=1, retry=RetryConfig(max_elapsed_time=timedelta(seconds=20)))
    on.exporter.before.extend([RetryableError(LATER)] * 3)
    on.decide(2, 1)
    on.finish()
    assert on.time.waits == [5, 7.5]
    assert on.exporter.items == [3]
    assert on.dropped("retries_exhausted") == 2
    assert on.cursor == 2


def test_without_retries_the_first_failure_drops(quick):
    on = quick(batch_rows=1, retry=RetryConfig(enabled=False))
    on.exporter.before.append(RetryableError(LATER, retry_after=1))
    on.decide(2, 1)
    on.finish()
    assert on.time.waits == []
    assert (on.exporter.items, on.dropped("retries_exhausted")) == ([3], 2)


@pytest.mark.parametrize("kind", [Plain, Store])
def test_what_is_refused_for_good_is_dropped_counted_and_not_tried_again(quick, kind):
    on = quick(kind(), batch_rows=1)
    on.exporter.before.append(PermanentError("never"))
    on.decide(2, 1)
    on.finish()
    assert on.time.waits == []
    assert (on.exporter.items, on.cursor, on.intent) == ([3], 2, None)
    assert on.dropped("permanent") == 2
    assert on.counted(FAILED, error_permanent="true") == 2


def test_what_the_other_side_refuses_of_a_range_is_not_counted_as_sent(quick):
    on = quick()
    on.exporter.refused = {Signal.LOGS: 2}
    on.decide(5)
    on.finish()
    assert on.counted("otelcol_exporter_sent") == 3


def test_a_row_refused_for_good_takes_its_range_with_it_and_no_other(quick):
    on = quick(Poisoned(3, PermanentError("row 3")), batch_rows=2)
    on.decide(1, 1, 1, 1, 1)
    on.finish()
    assert on.exporter.refusals == 1
    assert on.exporter.items == [5]
    assert on.dropped("permanent") == 4


def test_a_row_that_breaks_the_exporter_holds_up_what_is_behind_and_loses_nothing(bench):
    on = bench(Poisoned(1, ValueError("row 1")), batch_rows=1, retry=RetryConfig(initial_interval=timedelta(0)))
    on.decide(1, 1, 1)
    runner = on.start()
    wait_until(lambda: on.exporter.refusals >= 20)
    assert (on.exporter.attempts, on.cursor) == (0, 0)
    on.exporter.item = None
    assert on.exporter.wait_for_rows(3)
    assert runner.alive
    on.finish()
    assert on.exporter.items == [1, 2, 3]


def test_an_error_nobody_foresaw_is_retried_and_its_text_is_not_told(quick):
    on = quick()
    on.exporter.before.append(ValueError("card 4111"))
    on.decide(1)
    with capture_logs() as log:
        on.finish()
    assert on.exporter.items == [1]
    (failed,) = (entry for entry in log if entry["event"] == "delivery failed")
    assert failed["error"] == "ValueError"
    assert failed["at"].startswith("runner_kit.py:")
    assert "4111" not in str(log)


def test_an_unforeseen_error_that_never_ends_is_given_up_on_like_any_other(quick):
    on = quick(retry=RetryConfig(max_elapsed_time=timedelta(seconds=6)))
    on.exporter.before.extend([ValueError("card 4111")] * 2)
    on.decide(1)
    with capture_logs() as log:
        on.finish()
    assert on.dropped("retries_exhausted") == 1
    assert "4111" not in str(log)


def test_since_when_it_fails_is_known_until_it_delivers_again(quick):
    on = quick(batch_rows=1)
    seen = []
    on.exporter.start_of_export = lambda: seen.append(runner.failing_since is not None)
    on.exporter.before.extend([None, RetryableError(LATER), RetryableError(LATER), None])
    on.decide(1, 2)
    runner = on.build()
    on.finish()
    assert seen == [False, False, True, True]
    assert runner.failing_since is None


def test_an_error_of_the_journal_ends_the_process_and_moves_nothing(quick):
    on = quick(Store())
    broken = JournalError("broken")
    on.exporter.before.append(broken)
    on.decide(1)
    on.start()._thread.join(MINUTE)
    assert on.fatal == [broken]
    assert on.exporter.shut_down
    assert (on.cursor, on.intent) == (0, (1, 1))


@pytest.mark.parametrize("write", ["intent", "cursor"])
def test_a_full_disk_is_waited_for_and_nothing_is_exported_twice(quick, write):
    on = quick(Store())
    on.decide(2)
    on.build()
    on.faults[write].extend([RetryableError("full", retry_after=1)] * 3)
    on.finish()
    assert on.time.waits == [1, 1, 1]
    assert on.exporter.ranges == [(1, 1)]
    assert on.cursor == 1


@pytest.mark.parametrize(("write", "exported"), [("intent", []), ("cursor", [(1, 1)])])
def test_the_end_interrupts_the_wait_for_a_full_disk(bench, write, exported):
    on = bench(Store())
    on.decide(2)
    on.build()
    on.faults[write].append(RetryableError("full", retry_after=3600))
    on.runner.start()
    wait_until(lambda: not on.faults[write])
    assert not on.runner.drain(0)
    on.runner._thread.join(MINUTE)
    assert (on.exporter.ranges, on.cursor) == (exported, 0)
    on.restart()
    on.finish()
    assert on.exporter.items == [1, 2]
