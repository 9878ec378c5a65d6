"""The laws every processor, exporter and extension keeps, as functions that run them: for our tests and plug-ins.

Needs no test framework: a broken law is an ``AssertionError`` that says which one and where.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from collector.component.exporter import ExportBatch, Exporter
from collector.component.extension import ComponentHealth, DecidedReader, Extension, PipelineWatcher
from collector.component.processor import AnyProcessor
from collector.model.batch import Batch


def check_processor(processor: AnyProcessor, batches: Iterable[Batch]) -> None:
    """Runs the processor over each batch and checks:

    - the input is unchanged, and the answer is a valid batch of the same kind;
    - the same batch gives the same answer again;
    - a batch without rows gives no rows, in the same schema;
    - splitting a batch and joining the answers changes nothing (so slices, too).

    Raises ``AssertionError`` naming the broken law.
    """
    for batch in batches:
        before = type(batch).from_ipc(batch.to_ipc())
        whole = _answer(processor, batch)
        assert same_rows(batch, before), "the processor changed its input"
        assert same_rows(_answer(processor, batch), whole), "the same batch gave another answer"
        empty = _answer(processor, batch.slice(0, 0))
        assert empty.num_rows == 0, "a batch without rows gave rows"
        assert empty.record_batch.schema.equals(whole.record_batch.schema), "a batch without rows changed the schema"
        for at in _split_points(batch.num_rows):
            _check_split(processor, batch, at, whole)


def check_exporter(create: Callable[[], Exporter], batches: Iterable[ExportBatch]) -> None:
    """Makes exporters and checks their lifecycle:

    - one that was only made, or only started, shuts down, and twice;
    - a started one takes each batch, and the same range again as after a lost answer.

    Raises ``AssertionError`` naming the broken law, or what the exporter raises itself.
    """
    _in_order("an exporter that was never started", create(), "shutdown", "shutdown")
    _in_order("an exporter without work", create(), "start", "shutdown", "shutdown")
    exporter = create()
    exporter.start()
    try:
        for batch in batches:
            for _ in range(2):
                refused = exporter.export(batch)
                assert refused is None or sum(refused.values()) <= batch.num_rows, "it refused more than it was given"
    finally:
        exporter.shutdown()


def check_extension(create: Callable[[], Extension], batches: Iterable[ExportBatch] = ()) -> None:
    """Makes extensions and checks their lifecycle:

    - one that was only made, or only started, shuts down, and twice;
    - it can say how it is at any time, and hears of the pipelines if it wants to;
    - one that reads takes each batch, and the same range again as after a crash.

    Raises ``AssertionError`` naming the broken law, or what the extension raises itself.
    """
    asyncio.run(_live(create(), batches=None))
    asyncio.run(_live(create(), batches=batches))


async def _live(extension: Extension, *, batches: Iterable[ExportBatch] | None) -> None:
    """From its making to its end; ``batches``: what it reads once it is started; None: it is not started."""
    _check_health(extension)
    if batches is not None:
        await extension.start()
        _check_health(extension)
        if isinstance(extension, PipelineWatcher):
            extension.ready()
        try:
            if isinstance(extension, DecidedReader):
                for batch in batches:
                    await asyncio.to_thread(extension.read_decided, batch)
                    await asyncio.to_thread(extension.read_decided, batch)
        finally:
            if isinstance(extension, PipelineWatcher):
                extension.not_ready()
            await extension.shutdown()
    for _ in range(2):
        try:
            await extension.shutdown()
        except Exception as error:
            when = "again" if batches is not None else "of one that was never started"
            raise AssertionError(f"shutdown {when} raised {type(error).__name__}: {error}") from error
    _check_health(extension)


def _check_health(extension: Extension) -> None:
    said: object = extension.health()
    assert isinstance(said, ComponentHealth), f"health() gave a {type(said).__name__}, not a ComponentHealth"


def _in_order(what: str, exporter: Exporter, *calls: str) -> None:
    done: list[str] = []
    for call in calls:
        try:
            getattr(exporter, call)()
        except Exception as error:
            after = f" after {', '.join(done)}" if done else ""
            raise AssertionError(f"{what}: {call}{after} raised {type(error).__name__}: {error}") from error
        done.append(call)


def same_rows(one: Batch, other: Batch) -> bool:
    """Whether both hold equal rows in the same schema, however their dictionaries are encoded."""
    if not one.record_batch.schema.equals(other.record_batch.schema) or one.num_rows != other.num_rows:
        return False
    return bool(one.record_batch.equals(other.record_batch)) or _rows(one) == _rows(other)


def _answer(processor: AnyProcessor, batch: Batch) -> Batch:
    process: Any = processor.process  # whoever calls gives it batches of its signal
    answer: Batch = process(batch)
    assert type(answer) is type(batch), f"a {type(batch).__name__} became a {type(answer).__name__}"
    answer.record_batch.validate(full=True)
    for field in answer.record_batch.schema:
        assert field.nullable or not answer.column(field.name).null_count, f"null in {field.name}, which has no nulls"
    return answer


def _check_split(processor: AnyProcessor, batch: Batch, at: int, whole: Batch) -> None:
    first, second = _answer(processor, batch.slice(0, at)), _answer(processor, batch.slice(at))
    for part in (first, second):
        assert part.record_batch.schema.equals(whole.record_batch.schema), f"splitting at {at} changes the schema"
    assert _rows(first) + _rows(second) == _rows(whole), f"splitting at {at} changes the answer"


def _split_points(num_rows: int) -> list[int]:
    return sorted({1, num_rows // 2, num_rows - 1} & set(range(1, num_rows)))


def _rows(batch: Batch) -> list[str]:
    # As text, because a NaN is equal to itself here.
    return [repr(row) for row in batch.record_batch.to_pylist()]


def check_pure(function: Callable[[Any], Any], batches: Iterable[Batch]) -> None:
    """``check_processor`` for a plain function of a batch."""
    check_processor(_Function(function), batches)


class _Function:
    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.process = function
