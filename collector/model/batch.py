"""Batches: immutable tables of spans, log records or metric points on their way to an exporter.

Each wraps one Arrow RecordBatch. Arrow data cannot be changed in place, so a batch may be shared
by any number of consumers; a processor returns a new batch that shares the columns it left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Self, TypeVar, final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.model import schema


class Signal(StrEnum):
    """The three kinds of telemetry; the value is also the pipeline type in the configuration."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What the three kinds of batch share."""

    record_batch: pa.RecordBatch
    signal: ClassVar[Signal]
    schema: ClassVar[pa.Schema]

    @property
    def num_rows(self) -> int:
        return int(self.record_batch.num_rows)

    @property
    def nbytes(self) -> int:
        """Bytes of the rows shown, not of the buffers they are a slice of."""
        return int(self.record_batch.nbytes)

    def column(self, name: str) -> pa.Array:
        return self.record_batch.column(name)

    def has(self, name: str) -> bool:
        return name in self.record_batch.schema.names

    def with_columns(self, columns: Mapping[str, pa.Array]) -> Self:
        """A batch with these columns replaced or, where the name is new, appended.

        Known columns are cast to the type of the in-flight schema.
        """
        table = self.record_batch
        for name, values in columns.items():
            field = _field(type(self).schema, name, values)
            if values.type != field.type:
                values = values.cast(field.type)
            position = table.schema.get_field_index(name)
            table = table.append_column(field, values) if position < 0 else table.set_column(position, field, values)
        return type(self)(table)

    def take(self, rows: pa.Array | npt.NDArray[np.integer]) -> Self:
        """The given rows, in the given order."""
        return type(self)(self.record_batch.take(pa.array(rows)))

    def filter(self, keep: pa.Array | npt.NDArray[np.bool_]) -> Self:
        """The rows where ``keep`` is true."""
        return type(self)(self.record_batch.filter(pa.array(keep)))

    def slice(self, offset: int, length: int | None = None) -> Self:
        return type(self)(self.record_batch.slice(offset, length))

    @classmethod
    def concat(cls, batches: list[Self]) -> Self:
        """All rows in order. Raises ``ValueError`` on an empty list."""
        if not batches:
            raise ValueError("no batches to concatenate")
        if len(batches) == 1:
            return batches[0]
        return cls(pa.concat_batches([b.record_batch for b in batches]))

    def to_ipc(self) -> pa.Buffer:
        """One self-contained, uncompressed Arrow IPC stream."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.record_batch.schema) as writer:
            writer.write_batch(self.record_batch)
        return sink.getvalue()

    @classmethod
    def from_ipc(cls, payload: pa.Buffer | bytes | memoryview) -> Self:
        """Reads what ``to_ipc`` wrote; zero-copy over ``payload``."""
        with pa.ipc.open_stream(pa.py_buffer(payload)) as reader:
            return cls(reader.read_next_batch())


@final
class SpanBatch(Batch):
    """Spans: the columns of ``schema.WIRE``, and those of ``schema.FACTS`` once resolved."""

    __slots__ = ()
    signal = Signal.TRACES
    schema = schema.SPANS


@final
class LogBatch(Batch):
    """Log records: the columns of ``schema.LOGS``."""

    __slots__ = ()
    signal = Signal.LOGS
    schema = schema.LOGS


@final
class MetricBatch(Batch):
    """Metric points: the columns of ``schema.METRICS``."""

    __slots__ = ()
    signal = Signal.METRICS
    schema = schema.METRICS


BatchT = TypeVar("BatchT", SpanBatch, LogBatch, MetricBatch)
"""One of the three kinds: what works on any of them gives back the kind it was given."""

BATCH_OF: Mapping[Signal, type[Batch]] = {
    Signal.TRACES: SpanBatch,
    Signal.LOGS: LogBatch,
    Signal.METRICS: MetricBatch,
}


def _field(known: pa.Schema, name: str, values: pa.Array) -> pa.Field:
    position = known.get_field_index(name)
    return known.field(position) if position >= 0 else pa.field(name, values.type)
