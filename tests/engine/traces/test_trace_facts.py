"""A trace fact is declared once and computed by one function: the rest of its way follows the declaration.

Proves that a made-up fact, added to the declarations and computed by a function, comes to policies, into the
decision record, to late spans and into the stored row, while no other module names it. Does not prove that each
built-in fact has the right value: the tests of assembly, triggers and thresholds do.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from collector.engine.journal.decisions import TRACES
from collector.engine.traces import trace_facts
from collector.model import schema
from collector.model.trace_schema import DECLARED, STORED, SpanValue

DECLARATION = """
    TraceFact(
        name="root_count",
        dtype=pa.int64(),
        meaning="spans without a parent",
        stored_as="trace_root_count",
    ),
"""
FUNCTION = """
@_computes("root_count", reads=["parent_span_id"])
def _root_count(due: TraceSpans) -> npt.NDArray[np.int64]:
    return np.bincount(due.trace[due.is_root], minlength=due.num_traces).astype(np.int64)

"""
WITH_A_MADE_UP_FACT = """
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location

sources = dict(zip(sys.argv[1::2], sys.argv[2::2]))


class Changed(SourceFileLoader):
    def get_code(self, name):
        return compile(sources[name], self.path, "exec")


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in sources:
            return None
        file = path[0] + "/" + name.rpartition(".")[2] + ".py"
        return spec_from_file_location(name, file, loader=Changed(name, file))


sys.meta_path.insert(0, Finder)

from collector.engine.assembly.assembly import KeepAll
from collector.engine.journal.decisions import DecisionRecord
from collector.model.stored.observations import observations
from tests.engine.assembly_kit import SECOND, Bench

seen = []


class Sampler(KeepAll):
    def decide(self, due):
        seen.extend(due.traces["root_count"].to_pylist())
        return super().decide(due)


bench = Bench(Sampler())
stored = []


def deliver(now):
    for decision in bench.tick(now):
        written = DecisionRecord.unpack(decision.pack())
        assert written.traces["root_count"].to_pylist() == [2], written.traces
        (part,) = bench.reader.read("traces", written)[0]
        stored.extend(observations(part.spans, part.decided, None)["trace_root_count"].to_pylist())


bench.send([{"span_id": 1}, {"span_id": 2}, {"span_id": 3, "parent_span_id": 1}])
deliver(100 * SECOND)
bench.send([{"span_id": 4, "parent_span_id": 1}], at=101 * SECOND)
deliver(200 * SECOND)
assert seen == [2], seen
assert stored == [2, 2, 2, 2], stored
"""


def changed(module: str, before: str, added: str) -> list[str]:
    """A module's name and its source with something added."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    assert source.count(before) == 1
    return [module, source.replace(before, added + before)]


def test_a_new_fact_is_a_declaration_and_a_function() -> None:
    declared = changed("collector.model.trace_schema", ')\n"""Every trace fact', DECLARATION)
    computed = changed("collector.engine.traces.trace_facts", "\nNEEDED = ", FUNCTION)
    code = [sys.executable, "-c", WITH_A_MADE_UP_FACT, *declared, *computed]
    run = subprocess.run(code, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("fact", DECLARED, ids=lambda fact: fact.name)
def test_every_declared_fact_goes_its_whole_way(fact) -> None:
    assert fact.name in trace_facts.COMPUTED
    assert schema.TRACE_FACTS.field(fact.name).type == fact.dtype
    assert fact.meaning
    if fact.stored_as is None:
        assert fact.name == "trace_id" or fact.name not in TRACES.names
        return
    assert STORED[fact.stored_as] is fact
    assert TRACES.field(fact.name).type == fact.dtype
    assert fact.stored_as in schema.DECIDED.names
    assert fact.stored_as in schema.OBSERVATIONS.names
    assert fact.span_value is SpanValue.NEVER or schema.SPANS.field(fact.name).type == fact.dtype


def test_nothing_is_computed_that_is_not_declared() -> None:
    assert trace_facts.COMPUTED.keys() == {fact.name for fact in DECLARED}
