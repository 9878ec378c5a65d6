"""What makes a trace due: a wait, its root, its size, no room, the end.

Proves what makes a trace due, and that its decision remembers it. Does not prove that threads wake up in time, nor
what policies make of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from collector.component.base import ComponentId
from collector.component.sampler import DueTraces, TraceDecisions
from collector.engine.assembly.assembly import KeepAll
from collector.engine.journal.decisions import DecisionRecord
from collector.model import schema
from collector.model.sizes import row_bytes
from collector.telemetry import Telemetry
from collector.testing import builders
from processors.tail_sampling import Config, TailSampling
from tests.engine.assembly_kit import CALL, SECOND, Bench

pytestmark = pytest.mark.usefixtures("storages")


@dataclass
class Notes:
    """Keeps everything and notes what it was shown."""

    decision_wait_ns: int = 10 * SECOND
    decision_wait_after_root_ns: int = 2 * SECOND
    maximum_trace_size_bytes: int = 0
    columns: tuple[str, ...] = ()
    shown: list[dict] = field(default_factory=list)
    spans: list[dict] = field(default_factory=list)

    def decide(self, due: DueTraces) -> TraceDecisions:
        self.shown += due.traces.to_pylist()
        if self.columns:
            self.spans += due.load_spans(self.columns)[0].record_batch.to_pylist()
        n = due.traces.num_rows
        return TraceDecisions(keep=np.ones(n, np.bool_), sampled_by=pa.nulls(n, pa.string()), adjusted_count=np.ones(n))


def triggers(notes: Notes) -> list[str]:
    return [schema.TRIGGERS[row["trigger"]] for row in notes.shown]


def child(trace: int, **more) -> dict:
    return {"trace_id": trace, "span_id": trace + 100, "parent_span_id": 7, **more}


def test_a_trace_knows_what_made_it_due():
    notes = Notes()
    bench = Bench(notes, max_pending_spans=2)
    bench.send([child(1), child(2), child(3), {"trace_id": 4, "span_id": 1}], at=0)
    bench.tick(1)
    bench.tick(2 * SECOND)
    bench.tick(10 * SECOND)
    bench.send([child(5)], at=20 * SECOND)
    bench.tick(20 * SECOND, everything=True)

    assert sorted(triggers(notes)) == ["decision_wait"] + ["overflow"] * 2 + ["root_received", "shutdown"]
    found = {
        name: bench.telemetry.registry.get_sample_value(
            "spanloom_assembly_triggers_total", {"pipeline": "traces", "trigger": name}
        )
        for name in schema.TRIGGERS
    }
    assert found == {"decision_wait": 1, "overflow": 2, "root_received": 1, "shutdown": 1, "trace_size": 0}


def test_a_trace_above_the_size_bound_is_due_at_once_and_late_spans_follow_it():
    one = int(row_bytes(builders.spans([child(1)], facts=True))[0])
    notes = Notes(maximum_trace_size_bytes=2 * one)
    bench = Bench(notes)
    bench.send([child(1), child(1, span_id=8), child(2)])
    assert bench.tick(1) == []
    bench.send([child(1, span_id=9)])

    assert {row["span"] for row in bench.out(now=1)} == {"span 0", "span 1"}
    assert [(row["size_bytes"], schema.TRIGGERS[row["trigger"]]) for row in notes.shown] == [(3 * one, "trace_size")]


def test_when_the_journal_has_no_room_the_oldest_traces_are_decided_early():
    one = int(row_bytes(builders.spans([child(1)], facts=True))[0])
    bench = Bench(KeepAll(10**12, 0), max_pending_bytes=10 * one)
    for trace in range(1, 21):
        bench.send([child(trace, span_name="span 0")], at=trace)

    assert len(bench.out(now=100)) == 10
    assert bench.assembly._pending.nbytes == 10 * one
    bench.out(now=100, everything=True)
    assert bench.assembly._pending.nbytes == 0


def test_the_size_of_a_row_does_not_depend_on_its_batch():
    rows = [
        child(1, attributes={"a": "x" * 50, "n": 7, "list": [1, 2]}),
        child(2, events=[{"name": "e", "attributes": {"k": "v"}}], trace_state="a=b"),
        child(3, span_name="größer"),
    ]
    together = row_bytes(builders.spans(rows))
    batch = builders.spans([child(9), *rows])

    assert row_bytes(batch.slice(1)).tolist() == together.tolist()
    assert row_bytes(batch.take(np.array([2]))).tolist() == together[1:2].tolist()
    apart = [
        int(row_bytes(builders.spans([{**row, "span_name": row.get("span_name", f"span {n}")}]))[0])
        for n, row in enumerate(rows)
    ]
    assert apart == together.tolist()
    longer = row_bytes(builders.spans([{**rows[0], "attributes": rows[0]["attributes"] | {"b": "12345"}}]))
    assert longer[0] - together[0] == len("b") + len("12345") + 9  # a number and a type beside the texts


@pytest.mark.parametrize("size", [0, 1])
def test_sizes_of_few_rows(size: int):
    assert len(row_bytes(builders.spans([child(1)] * size))) == size
    assert len(row_bytes(builders.logs([{"body": "x"}] * size))) == size


def test_policies_load_the_columns_they_look_at_with_the_verdict_of_counting():
    notes = Notes(columns=("span_name", "usage_scope"))
    bench = Bench(notes)
    bench.send([{"span_id": 1, **CALL}, {"span_id": 2, "parent_span_id": 1, **CALL}])
    bench.tick(10 * SECOND)

    assert notes.spans == [
        {"span_name": "span 0", "usage_scope": "duplicate"},
        {"span_name": "span 1", "usage_scope": "counted"},
    ]


def test_the_trigger_of_a_decision_is_kept_with_its_rows_and_late_ones_show_it_too():
    policy = {"name": "all", "type": "always_sample"}
    config = Config.model_validate({"policies": [policy], "decision_wait_after_root_received": "2s"})
    settings = SimpleNamespace(memory_bytes=2**26, telemetry=Telemetry(), id=ComponentId("tail_sampling"), log=None)
    bench = Bench(TailSampling(config, settings))
    bench.send([child(1), {"trace_id": 2, "span_id": 1, "span_name": "root"}])
    shown = {row["span"]: row["sampling_trigger"] for now in (3, 40) for row in bench.out(now * SECOND)}
    bench.send([{"trace_id": 2, "span_id": 9, "span_name": "late"}])
    shown |= {row["span"]: row["sampling_trigger"] for row in bench.out(41 * SECOND)}
    assert sorted(shown.values()) == ["decision_wait", "root_received", "root_received"]
    assert shown["late"] == "root_received"


def test_without_a_policy_there_is_no_trigger_to_tell_of():
    bench = Bench()
    bench.send([child(1)])
    assert [row["sampling_trigger"] for row in bench.out()] == [None]


def test_a_decision_made_before_triggers_were_kept_is_still_read():
    bench = Bench()
    bench.send([child(1)])
    (decision,) = bench.tick(10**15)
    old = replace(decision, traces=decision.traces.drop_columns(["trigger"]))
    assert DecisionRecord.unpack(old.pack()).traces["trigger"].to_pylist() == [None]
