"""Laws of ``resolve``: it is a pure function of each row, whatever the attributes hold.

Proves purity, independence of rows and idempotence, by property. Does not prove that a fact is right.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from collector.model import schema
from collector.model.batch import Signal, SpanBatch
from collector.model.codec.chosen import decode
from collector.model.dialects.key_classes import known_keys
from collector.model.facts import resolve
from collector.testing.builders import spans
from collector.testing.laws import check_pure, same_rows

CAPTURES = Path(__file__).parents[2] / "fixtures" / "otlp"
LIBRARIES = (
    "py/langfuse-v5",
    "py/langfuse-v3",
    "py/openinference-langchain",
    "py/openlit",
    "js/vercel-ai-7",
    "py/mlflow",
)

KEYS = sorted(key.replace("*", "0") for key in known_keys())
SCOPES = ("", "langfuse-sdk", "ai", "gen_ai", "litellm", "strands.telemetry.tracer", "pydantic-ai", "livekit-agents")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["input", "output", "total", "user_id", "usage", "low", "high"]), inner, max_size=4
        )
    ),
    max_leaves=6,
)
TEXTS = st.text(max_size=12) | JSON.map(json.dumps) | JSON.map(repr) | st.sampled_from(
    ["chat", "LLM", "AGENT", "generation", "1e309", "-0", "NaN", '"', "[", "{'a': ", "2026-13-41T99:99:99Z", "\x00"]
)  # fmt: skip
VALUES = (
    TEXTS
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.booleans()
    | st.none()
    | st.binary(max_size=4)
    | JSON.filter(lambda v: isinstance(v, list | dict))
)
ROWS = st.fixed_dictionaries(
    {
        "attributes": st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=12),
        "scope": st.tuples(st.sampled_from(SCOPES), st.sampled_from(["", "3.1", "5.0.4", "x"])),
        "resource": st.dictionaries(st.sampled_from(["service.name", "langfuse.environment"]), VALUES, max_size=2),
        "status_code": st.integers(-1, 3),
        "parent_span_id": st.none() | st.just(7),
        "start_unix_nano": st.sampled_from([0, 1_760_000_000_000_000_000, 2**63 - 1, -1]),
        "end_unix_nano": st.just(0),
        "events": st.lists(
            st.fixed_dictionaries(
                {
                    "name": st.sampled_from(["exception", "First Token Stream Event", "x"]),
                    "time_unix_nano": st.sampled_from([0, 1_760_000_000_000_000_009, -5]),
                    "attributes": st.dictionaries(st.just("exception.type"), VALUES, max_size=1),
                }
            ),
            max_size=2,
        ),
    }
)


def captured(library):
    bodies = [path.read_bytes() for path in sorted((CAPTURES / library).glob("*.traces.binpb"))]
    return SpanBatch.concat(decode(Signal.TRACES, bodies).batches)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROWS, min_size=1, max_size=5))
def test_any_attribute_may_hold_anything(rows):
    check_pure(resolve.resolve, [spans(rows)])


@pytest.mark.parametrize("library", LIBRARIES)
def test_captured_spans_keep_the_laws(library):
    check_pure(resolve.resolve, [captured(library)])


def test_resolving_again_changes_nothing():
    once = resolve.resolve(captured("py/openinference-langchain"))
    assert same_rows(resolve.resolve(once), once)


def test_rows_do_not_see_each_other():
    batch = SpanBatch.concat([captured(library) for library in LIBRARIES])
    order = np.random.default_rng(5).permutation(batch.num_rows)
    assert same_rows(resolve.resolve(batch.take(order)), resolve.resolve(batch).take(order))


def test_a_slice_of_a_larger_batch_is_read_where_it_stands():
    batch = captured("py/langfuse-v5")
    part = resolve.resolve(batch.slice(10, 7))
    assert same_rows(part, resolve.resolve(batch).slice(10, 7))


def test_no_rows_and_a_full_batch():
    assert resolve.resolve(spans([])).num_rows == 0
    attributes = [{"gen_ai.usage.input_tokens": i, "user.id": f"u{i}"} for i in range(schema.MAX_BATCH_ROWS)]
    full = resolve.resolve(spans([{"attributes": a} for a in attributes]))
    assert full.column("input_tokens").to_pylist() == list(range(schema.MAX_BATCH_ROWS))
    assert full.column("user_id").to_pylist()[-1] == f"u{schema.MAX_BATCH_ROWS - 1}"


def test_columns_of_a_plug_in_survive():
    import pyarrow as pa

    batch = spans([{}]).with_columns({"mine": pa.array(["x"])})
    assert resolve.resolve(batch).column("mine").to_pylist() == ["x"]
