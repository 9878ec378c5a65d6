"""The laws of processors: who keeps them passes, and each way to break them is caught.

Proves it for the mistakes named. Does not prove that the laws find every mistake.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from collector.component.extension import ComponentHealth
from collector.model.batch import SpanBatch
from collector.testing.builders import spans
from collector.testing.exports import export_batch
from collector.testing.laws import check_extension, check_pure, same_rows

BATCH = spans([{"span_name": name, "attributes": {"k": name}} for name in ("a", "", "ü", "b")])


def test_a_lawful_processor_passes() -> None:
    check_pure(lambda batch: batch.filter(np.ones(batch.num_rows, bool)), [BATCH, BATCH.slice(1, 2), spans([])])


def test_a_processor_that_numbers_rows_is_caught() -> None:
    def number(batch: SpanBatch) -> SpanBatch:
        return batch.with_columns({"kind": pa.array(np.arange(batch.num_rows, dtype=np.int32))})

    with pytest.raises(AssertionError, match="splitting at 1 changes the answer"):
        check_pure(number, [BATCH])


def test_a_processor_that_rebuilds_rows_from_python_is_caught() -> None:
    def rebuild(batch: SpanBatch) -> SpanBatch:
        return SpanBatch(pa.RecordBatch.from_pylist([{"span_name": n} for n in batch.column("span_name").to_pylist()]))

    with pytest.raises(AssertionError, match="without rows changed the schema"):
        check_pure(rebuild, [BATCH])


def test_a_processor_with_a_memory_is_caught() -> None:
    seen: list[int] = []

    def remember(batch: SpanBatch) -> SpanBatch:
        seen.append(1)
        return batch.filter(np.full(batch.num_rows, len(seen) < 2))

    with pytest.raises(AssertionError, match="the same batch gave another answer"):
        check_pure(remember, [BATCH])


def test_a_processor_that_answers_with_something_else_is_caught() -> None:
    with pytest.raises(AssertionError, match="became a RecordBatch"):
        check_pure(lambda batch: batch.record_batch, [BATCH])


def test_a_null_where_the_schema_has_none_is_caught() -> None:
    def forget(batch: SpanBatch) -> SpanBatch:
        return batch.with_columns({"span_name": pa.nulls(batch.num_rows, pa.string())})

    with pytest.raises(AssertionError, match="null in span_name"):
        check_pure(forget, [BATCH])


def test_rows_are_compared_by_value_not_by_dictionary_code() -> None:
    one = spans([{"model": "a"}, {"model": "b"}])
    other = spans([{"model": "x"}, {"model": "b"}, {"model": "a"}]).take(np.array([2, 1]))
    other = other.with_columns({name: one.column(name) for name in one.record_batch.schema.names if name != "model"})

    assert same_rows(one, other)
    assert not same_rows(one, other.with_columns({"model": other.column("model").take(pa.array([0, 0]))}))


class Watching:
    """A lawful extension; ``fails`` names a call that raises, from its second time on where ``again``."""

    def __init__(self, fails: str = "", *, again: bool = False) -> None:
        self.calls: list[str] = []
        self._fails, self._again = fails, again

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call == self._fails and (not self._again or self.calls.count(call) > 1):
            raise RuntimeError(call)

    async def start(self) -> None:
        self._note("start")

    async def shutdown(self) -> None:
        self._note("shutdown")

    def ready(self) -> None:
        self._note("ready")

    def not_ready(self) -> None:
        self._note("not_ready")

    def health(self) -> ComponentHealth:
        return ComponentHealth()

    def read_decided(self, batch: object) -> None:
        self._note("read_decided")


def test_a_lawful_extension_is_led_through_its_life() -> None:
    made: list[Watching] = []

    def make() -> Watching:
        made.append(Watching())
        return made[-1]

    check_extension(make, [export_batch([{}])])
    idle, live = made
    assert idle.calls == ["shutdown", "shutdown"]
    assert live.calls == [
        "start", "ready", "read_decided", "read_decided", "not_ready", "shutdown", "shutdown", "shutdown",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fails", "again", "error", "said"),
    [
        ("shutdown", False, AssertionError, "shutdown of one that was never started raised RuntimeError"),
        ("start", False, RuntimeError, "start"),
        ("read_decided", True, RuntimeError, "read_decided"),
    ],
)
def test_an_extension_that_breaks_a_law_is_caught(fails: str, again: bool, error: type, said: str) -> None:
    with pytest.raises(error, match=said):
        check_extension(lambda: Watching(fails, again=again), [export_batch([{}])])


def test_an_extension_that_cannot_say_how_it_is_is_caught() -> None:
    broken = Watching()
    broken.health = lambda: True  # type: ignore[assignment, method-assign, return-value]
    with pytest.raises(AssertionError, match="health\\(\\) gave a bool"):
        check_extension(lambda: broken)
