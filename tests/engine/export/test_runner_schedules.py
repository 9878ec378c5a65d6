"""Random lives of a runner: decisions before and while it runs, failures, crashes, new starts.

Proves that the position never goes back and that everything is delivered or counted as dropped, in any order of
events that hypothesis thinks of. Does not prove liveness under load, nor races inside one step: threads are
scheduled as the system likes, and each life is drained before the next begins.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from collector.errors import PermanentError, RetryableError
from collector.options.retry import RetryConfig
from tests.engine.export.runner_kit import Bench, CheckpointedStore, Killed, Plain, Store

FAULTS = {
    "retryable": lambda: RetryableError("not now"),
    "permanent": lambda: PermanentError("never"),
    "unforeseen": lambda: ValueError("?"),
    "killed": Killed,
}
DECISIONS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["logs", "logs/others"])), max_size=4)
LIVES = st.lists(
    st.fixed_dictionaries(
        {
            "before": DECISIONS,
            "while": DECISIONS,
            "faults": st.lists(st.sampled_from([None, None, *FAULTS]), max_size=4),
            "killed after": st.lists(st.booleans(), max_size=3),
            "killed at intent": st.lists(st.booleans(), max_size=2),
            "killed at position": st.lists(st.booleans(), max_size=3),
        }
    ),
    min_size=1,
    max_size=5,
)


def kills(turns):
    return [Killed() if turn else None for turn in turns]


def live(on, life):
    """One process from start to end, by a crash or by the last delivery."""
    for n, pipeline in life["before"]:
        on.decide(n, pipeline=pipeline)
    on.exporter.before.extend(fault and FAULTS[fault]() for fault in life["faults"])
    on.exporter.after.extend(kills(life["killed after"]))
    on.build()
    on.faults["intent"].extend(kills(life["killed at intent"]))
    on.faults["cursor"].extend(kills(life["killed at position"]))
    on.runner.start()
    for n, pipeline in life["while"]:
        on.decide(n, pipeline=pipeline)
    on.finish()
    for faults in (on.exporter.before, on.exporter.after, *on.faults.values()):
        faults.clear()
    on.restart()


def play(kind, lives):
    """All lives and a last one without faults; how many items were dropped, and the bench as it ended."""
    dropped = 0
    with tempfile.TemporaryDirectory() as folder:
        on = Bench(Path(folder), kind(), batch_rows=2, retry=RetryConfig(initial_interval="1ms", max_interval="1ms"))
        for life in [*lives, dict.fromkeys(lives[0], ())]:
            telemetry = on.telemetry
            live(on, life)
            name, labels = "spanloom_exporter_dropped_log_records_total", {"exporter": "sink", "reason": "permanent"}
            dropped += telemetry.registry.get_sample_value(name, labels) or 0
        ours = sum(info.rows for info in on.ledger.infos(0) if info.pipeline == "logs")
        last = on.ledger.last()
        assert (on.cursor or 0) == last
        on.close()
    return on.exporter, ours, dropped


@pytest.mark.parametrize("kind", [Plain, Store, CheckpointedStore])
@given(lives=LIVES)
@settings(max_examples=25, deadline=None)
def test_the_position_only_grows_and_nothing_is_lost(kind, lives):
    exporter, ours, dropped = play(kind, lives)
    positions = [note[1] for note in exporter.notes if note[0] == "cursor"]
    assert positions == sorted(positions)
    ends = [last for _, last in exporter.ranges]
    assert ends == sorted(ends)
    distinct = len(set(exporter.items))
    assert distinct <= ours <= distinct + dropped
    if kind is not Plain:
        assert len(exporter.items) == distinct


def test_a_crash_of_each_kind_in_each_life_is_survived():
    """One schedule that is known to be hard, so that it is always played."""
    life = {"before": [(2, "logs"), (1, "logs/others"), (3, "logs")], "while": [(1, "logs")]}
    calm = {"faults": [], "killed after": [], "killed at intent": [], "killed at position": []}
    lives = [
        {**life, **calm, "faults": ["unforeseen", "killed"]},
        {**life, **calm, "killed after": [True]},
        {**life, **calm, "killed at intent": [False, True]},
        {**life, **calm, "killed at position": [False, True]},
    ]
    for kind in (Plain, Store, CheckpointedStore):
        exporter, ours, dropped = play(kind, lives)
        assert (len(set(exporter.items)), dropped) == (ours, 0)
