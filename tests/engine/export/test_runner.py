"""One exporter fed from the ledger: ranges, intents, the position, crashes at every step, the end.

Proves over a real journal and ledger that ranges follow each other without gap, that an intent stands before the
export and is gone after it, and what each kind of exporter gets when the process ends at any step.
Does not prove that real stores keep their promises (their own tests kill them), nor that the service builds its
runners so (``tests/e2e``).
"""

from __future__ import annotations

import threading
import time

import pytest

from collector.component.exporter import Checkpointed
from collector.errors import ConfigError, PermanentError, RetryableError
from tests.engine.export.runner_kit import MINUTE, CheckpointedStore, Killed, Plain, Store, wait_until

FAR_AHEAD = 2**62
"""A time of decisions that has not come: the clock was set back since."""


def test_what_was_decided_is_delivered_in_order_and_the_position_kept(bench):
    on = bench()
    on.decide(2, 1, 3)
    assert on.finish()
    assert on.exporter.items == [1, 2, 3, 4, 5, 6]
    assert on.exporter.notes[-2:] == [("export", 1, 3), ("cursor", 3)]
    assert on.cursor == 3
    assert on.counted("otelcol_exporter_sent") == 6


def test_ranges_are_cut_at_twice_the_rows_an_exporter_likes(bench):
    on = bench(batch_rows=2)
    on.decide(*[1] * 10)
    on.finish()
    assert on.exporter.ranges == [(1, 4), (5, 8), (9, 10)]


def test_a_decision_is_never_cut(bench):
    on = bench(batch_rows=2)
    on.decide(1, 9, 1)
    on.finish()
    assert on.exporter.ranges == [(1, 1), (2, 2), (3, 3)]


def test_decisions_of_other_pipelines_are_passed_over(bench):
    on = bench()
    on.decide(2)
    on.decide(5, pipeline="logs/others")
    on.decide(1)
    on.decide(4, pipeline="logs/others")
    on.finish()
    assert on.exporter.ranges == [(1, 4)]
    assert on.exporter.items == [1, 2, 8]
    assert on.cursor == 4


def test_a_range_without_anything_of_ours_moves_the_position_alone(bench):
    on = bench(Store())
    on.decide(5, 5, pipeline="logs/others")
    on.finish()
    assert on.exporter.notes == [("cursor", 0), ("cursor", 2)]


def test_fresh_decisions_wait_until_there_are_enough(bench):
    on = bench(batch_rows=3, batch_seconds=MINUTE)
    on.start()
    on.decide(1, 1, 1, created=time.time_ns())
    assert on.exporter.wait_for_rows(3)
    assert on.exporter.ranges == [(1, 3)]


def test_the_end_waits_for_no_more(bench):
    on = bench(batch_seconds=MINUTE)
    on.start()
    on.decide(1, created=time.time_ns())
    assert on.finish()
    assert on.exporter.items == [1]


def test_a_clock_that_was_set_back_holds_nothing_up(bench):
    on = bench(batch_seconds=MINUTE)
    on.start()
    on.decide(1, created=FAR_AHEAD)
    assert on.exporter.wait_for_rows(1)


def test_an_intent_stands_before_the_export_and_is_gone_after_it(bench):
    on = bench(Store())
    on.decide(1, 1)
    seen = []
    on.exporter.start_of_export = lambda: seen.append(on.intent)
    on.finish()
    assert seen == [(1, 2)]
    assert on.exporter.notes == [("cursor", 0), ("intent", 1, 2), ("export", 1, 2), ("cursor", 2)]
    assert on.intent is None


@pytest.mark.parametrize("kind", [Plain, CheckpointedStore])
def test_who_needs_no_intent_writes_none(bench, kind):
    on = bench(kind())
    on.decide(1, 1)
    on.finish()
    assert [note[0] for note in on.exporter.notes] == ["cursor", "export", "cursor"]


CRASHES = {
    "between intent and export": lambda on: on.exporter.before.append(Killed()),
    "between export and position": lambda on: on.exporter.after.append(Killed()),
    "at the position": lambda on: on.faults["cursor"].append(Killed()),
}
BEFORE_THE_INTENT = {"before the intent": lambda on: on.faults["intent"].append(Killed())}
"""A crash that those who write none cannot have."""


def crashed(bench, kind, crash):
    """A bench whose runner ended at this point of its first range; more was decided since."""
    on = bench(kind(), batch_rows=2)
    on.decide(2)
    on.build()
    (CRASHES | BEFORE_THE_INTENT)[crash](on)
    on.runner.start()
    on.runner._thread.join(MINUTE)
    assert on.exporter.shut_down
    on.restart()
    for faults in on.faults.values():
        faults.clear()
    on.decide(1, 1)
    return on


@pytest.mark.parametrize(
    ("kind", "crash"),
    [(Store, crash) for crash in CRASHES | BEFORE_THE_INTENT] + [(CheckpointedStore, crash) for crash in CRASHES],
)
def test_a_store_has_everything_once_wherever_the_process_ends(bench, kind, crash):
    on = crashed(bench, kind, crash)
    assert on.finish()
    assert on.exporter.items == [1, 2, 3, 4]
    assert on.cursor == 3


@pytest.mark.parametrize("crash", CRASHES)
def test_any_other_exporter_has_everything_at_least_once(bench, crash):
    on = crashed(bench, Plain, crash)
    assert on.finish()
    assert sorted(set(on.exporter.items)) == [1, 2, 3, 4]
    twice = crash in ("between export and position", "at the position")
    assert len(on.exporter.items) == (6 if twice else 4)


@pytest.mark.parametrize("crash", CRASHES)
def test_after_a_crash_just_the_intended_range_comes_again(bench, crash):
    on = crashed(bench, Store, crash)
    assert on.intent == (1, 1)
    on.finish()
    assert on.exporter.ranges[-2:] == [(1, 1), (2, 3)]


def test_the_kinds_are_told_apart():
    assert isinstance(CheckpointedStore(), Checkpointed)
    assert not isinstance(Store(), Checkpointed)


def test_a_new_exporter_begins_with_what_is_decided_from_now_on(bench):
    on = bench()
    on.decide(1, 1)
    on.build(new_from=2).start()
    on.decide(1)
    on.finish()
    assert on.exporter.items == [3]
    assert on.exporter.notes[0] == ("cursor", 2)


def test_the_position_of_a_store_counts_where_it_is_ahead(bench):
    on = bench(CheckpointedStore())
    on.decide(1, 1)
    on.faults["cursor"].extend([None, Killed()])
    on.finish()
    assert on.cursor == 0
    on.restart()
    assert on.build().cursor == on.cursor == 2


def test_a_journal_that_is_older_than_the_store_is_refused(bench):
    on, older = bench(CheckpointedStore()), bench(CheckpointedStore())
    on.decide(1, 1, 1)
    on.finish()
    older.decide(1)
    older.ledger.epoch = on.ledger.epoch
    older.exporter = on.exporter
    with pytest.raises(ConfigError, match=r"up to 3 of this journal, the journal knows 1: it is an older copy"):
        older.build()


def test_a_position_of_another_journal_says_nothing(bench):
    one, other = bench(CheckpointedStore()), bench(CheckpointedStore())
    one.decide(1, 1, 1)
    one.finish()
    other.exporter.batches += one.exporter.batches
    assert other.build().cursor == 0


def test_a_range_that_was_given_up_on_is_not_offered_again(bench):
    on = bench(CheckpointedStore(), batch_rows=1)
    on.exporter.before.extend([None, PermanentError("never")])
    on.decide(2, 1)
    on.finish()
    on.restart()
    on.decide(1)
    on.finish()
    assert on.exporter.checkpoint()[1] == 3
    assert on.exporter.items == [1, 2, 4]


def test_what_is_not_delivered_is_known_by_its_oldest_record_and_its_bytes(bench):
    on = bench(batch_rows=1)
    on.decide(1, 1, 1)
    on.build()
    assert on.oldest == 1
    assert on.queued == sum(info.nbytes for info in on.ledger.infos(0))
    runner = on.runner
    on.finish()
    assert (runner.oldest, on.queued) == ([], 0)


def test_past_the_time_a_call_in_progress_may_end_and_no_other_begins(bench):
    on = bench(batch_rows=1)
    on.exporter.hold()
    on.decide(2, 2)
    runner = on.start()
    assert on.exporter.wait_for_attempts(1)
    assert not runner.drain(0)
    on.exporter.release()
    runner._thread.join(MINUTE)
    assert on.exporter.shut_down
    assert (on.exporter.ranges, on.cursor) == ([(1, 1)], 1)
    on.restart()
    on.finish()
    assert on.exporter.items == [1, 2, 3, 4]


def test_the_end_interrupts_a_wait_and_loses_nothing(bench):
    on = bench(batch_rows=1)
    on.exporter.set_available(False)
    on.decide(1, 1)
    runner = on.start()
    assert on.exporter.wait_for_attempts(1)
    assert not runner.drain(0)
    runner._thread.join(MINUTE)
    assert (on.exporter.attempts, on.cursor, on.dropped("retries_exhausted")) == (1, 0, 0)
    on.exporter.set_available(True)
    on.restart()
    on.finish()
    assert on.exporter.items == [1, 2]


def test_without_a_start_the_end_only_closes_the_exporter(bench):
    on = bench()
    on.decide(1)
    assert on.build().drain(0)
    assert on.exporter.shut_down
    assert (on.exporter.attempts, on.cursor) == (0, 0)


def test_a_task_runs_in_the_thread_of_the_exporter(bench):
    on = bench()
    threads = []
    on.start().call(lambda: threads.append(threading.current_thread().name))
    assert threads == ["export-sink"]
    with pytest.raises(ZeroDivisionError):
        on.runner.call(lambda: 1 / 0)
    on.decide(1)
    on.finish()
    assert on.exporter.items == [1]


def test_who_is_ending_or_not_running_takes_no_task(bench):
    on = bench()
    runner = on.build()
    with pytest.raises(RetryableError, match="not running"):
        runner.call(lambda: None)
    runner.start()
    on.finish()
    with pytest.raises(RetryableError, match="not running"):
        runner.call(lambda: None)


def test_a_task_that_waits_when_the_exporter_dies_is_refused(bench):
    on = bench()
    on.exporter.hold()
    on.exporter.after.append(Killed())
    on.decide(1)
    runner = on.start()
    assert on.exporter.wait_for_attempts(1)
    answers = []

    def ask():
        try:
            runner.call(lambda: None)
        except RetryableError as error:
            answers.append(str(error))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    wait_until(lambda: runner._tasks)
    on.exporter.release()
    asking.join(MINUTE)
    assert answers == ["the exporter sink is not running"]
    with pytest.raises(RetryableError, match="not running"):
        runner.call(lambda: None)
