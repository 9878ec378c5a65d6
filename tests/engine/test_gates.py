"""Traces behind a connector: parted when they are whole, and counted once.

Proves it by hand, step by step, without threads. Does not prove it in a running service and through restarts:
``e2e/test_routing`` does.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from collector.component.base import ComponentId
from collector.component.connector import Routes
from collector.engine.assembly.assembly import KeepAll
from collector.engine.gates import Gate, Routed
from collector.engine.journal.records import Entry
from collector.engine.journal.storage import Storage
from collector.telemetry import Telemetry
from collector.testing import builders
from processors.tail_sampling import Config, TailSampling
from tests.engine.assembly_kit import SECOND, Bench

pytestmark = pytest.mark.usefixtures("storages")

A, B, LOGS = (ComponentId.parse(text) for text in ("traces/a", "traces/b", "logs/a"))


class ByName:
    """Sends traces with a span named a to A, those with one named b to B, and those named neither nowhere."""

    request_conditions = ()

    def route_traces(self, due):
        spans, trace = due.load_spans(["span_name"])
        n = due.traces.num_rows
        outputs = {LOGS: np.ones(n, bool)}
        for output, name in ((A, "a"), (B, "b")):
            outputs[output] = np.zeros(n, bool)
            hits = pc.equal(spans.column("span_name").cast(pa.string()), name).to_numpy(zero_copy_only=False)
            outputs[output][trace[hits]] = True
        return Routes(outputs, np.arange(n) == 0)


class ByRequest(ByName):
    """Sends to A what met a condition."""

    def route_traces(self, due):
        met = np.array(["yes" in texts for texts in due.load_matched_conditions()], bool)
        return Routes({A: met, B: ~met})


def gate(output, *, counts_losses=False, telemetry=None, connector=ByName):
    return Gate(connector(), "routing", output, counts_losses, telemetry or Telemetry())


def spans(*names):
    """One span per name: its trace's number and its own, as in 1a."""
    return [{"trace_id": int(name[0]), "span_id": at + 1, "span_name": name[1:]} for at, name in enumerate(names)]


def kept(bench):
    return sorted(row["span"] for row in bench.out())


ROWS = spans("1x", "1a", "2b", "3x", "1y", "2a")


@pytest.mark.parametrize(("output", "expected"), [(A, ["a", "a", "b", "x", "y"]), (B, ["a", "b"])])
def test_a_trace_goes_where_one_of_its_spans_points_as_a_whole(output, expected):
    bench = Bench(Routed(KeepAll(), [gate(output)], []))
    for row in ROWS:
        bench.send([row])
    assert kept(bench) == expected
    assert bench.dropped("not_sampled") == bench.dropped("no_route") == 0


def test_what_goes_nowhere_is_counted_by_one_gate_its_late_spans_too():
    bench = Bench(Routed(KeepAll(), [gate(A, counts_losses=True)], []))
    bench.send(ROWS)
    assert len(bench.out()) == 5
    assert bench.dropped("no_route") == 1
    bench.send([{"trace_id": 3, "span_id": 50, "span_name": "a"}])
    assert bench.out() == []
    assert (bench.dropped("no_route"), bench.dropped("not_sampled")) == (2, 0)


def test_late_spans_follow_their_trace():
    bench = Bench(Routed(KeepAll(), [gate(B)], []))
    bench.send(ROWS)
    bench.out()
    bench.send([{"trace_id": t, "span_id": 50, "span_name": f"late {t}"} for t in (1, 2, 3)])
    assert kept(bench) == ["late 2"]
    value = bench.telemetry.registry.get_sample_value
    assert value("spanloom_assembly_late_spans_total", {"pipeline": "traces"}) == 1
    sampled = "otelcol_processor_tail_sampling_global_count_traces_sampled_total"
    assert value(sampled, {"pipeline": "traces", "sampled": "true"}) == 1
    assert value(sampled, {"pipeline": "traces", "sampled": "false"}) == 0


def sampler(*names):
    policies = [{"name": name, "type": "sql", "sql": {"span": [f"span_name = '{name}'"]}} for name in names]
    settings = SimpleNamespace(memory_bytes=2**26, telemetry=Telemetry(), id=ComponentId("tail_sampling"), log=None)
    return TailSampling(Config.model_validate({"policies": policies}), settings)


@pytest.mark.parametrize("behind", [False, True])
def test_a_sampler_on_either_side(behind):
    gates = ([], [gate(B)]) if behind else ([gate(B)], [])
    bench = Bench(Routed(sampler("x", "a"), *gates))
    bench.send([*ROWS, *spans("4b")])
    rows = bench.out()
    assert sorted((row["span"], row["sampled_by"]) for row in rows) == [("a", "a"), ("b", "a")]
    # Before the gate trace 4 is not sampled, and so is 3 kept by x, but sent to nobody here.
    assert bench.dropped("not_sampled") == 1
    policy = "otelcol_processor_tail_sampling_count_traces_sampled_total"
    value = bench.telemetry.registry.get_sample_value
    assert value(policy, {"pipeline": "traces", "policy": "x"}) is None


def test_two_gates_in_a_row_and_failures_are_told_once():
    telemetry = Telemetry()
    gates = [gate(A, counts_losses=True, telemetry=telemetry), gate(B, telemetry=telemetry)]
    bench = Bench(Routed(KeepAll(), gates, []))
    bench.send(ROWS)
    assert kept(bench) == ["a", "b"]
    labels = {"processor": "routing"}
    assert telemetry.registry.get_sample_value("spanloom_processor_failed_expressions_total", labels) == 1


def test_conditions_over_requests_are_those_of_all_requests_of_the_trace():
    bench = Bench(Routed(KeepAll(), [gate(A, connector=ByRequest)], []))
    for met, row in zip((["yes"], [], ["no"], [], [], ["yes", "no"]), ROWS, strict=True):
        batch = builders.spans([row], facts=True)
        (written,) = bench.log.append([Entry(batch, ("traces",), matched_conditions=frozenset(met))], SECOND)
        bench.assembly.add(written, batch)
    assert kept(bench) == ["a", "a", "b", "x", "y"]


def test_what_a_request_met_is_in_the_journal(tmp_path):
    storage = Storage.on_disk(tmp_path, max_bytes=2**28)
    batch = builders.spans(ROWS, facts=True)
    met = frozenset({'request["x"] == "ä\\n"', "b"})
    storage.log.append([Entry(batch, ("traces",), matched_conditions=met), Entry(batch, ("traces",))], SECOND)
    storage.close()
    again = Storage.on_disk(tmp_path, max_bytes=2**28)
    assert [again.log.read(seq).matched_conditions for seq in (1, 2)] == [met, frozenset()]
    again.close()


def test_a_policy_may_have_any_name():
    policies = [{"name": "no_route", "type": "always_sample"}]
    settings = SimpleNamespace(memory_bytes=2**26, telemetry=Telemetry(), id=ComponentId("tail_sampling"), log=None)
    bench = Bench(TailSampling(Config.model_validate({"policies": policies}), settings))
    bench.send(ROWS)
    assert len(bench.out()) == 6
    bench.send([{"trace_id": 1, "span_id": 50, "span_name": "late"}])
    assert len(bench.out()) == 1
    assert bench.dropped("no_route") == 0
    assert bench.telemetry.registry.get_sample_value("spanloom_assembly_late_spans_total", {"pipeline": "traces"}) == 1
