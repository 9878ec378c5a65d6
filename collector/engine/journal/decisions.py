"""Decisions as they are written to the ledger, and back.

A decision names rows of journal records and what was decided about them; it holds no content.
Everything an exporter sees is a function of (decision, records), so the same range of decisions
always gives the same output.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.errors import JournalError
from collector.model import schema
from collector.model.arrow_arrays import completed, numpy_of, with_column
from collector.model.trace_schema import STORED

TRACES = pa.schema(
    [
        pa.field("trace_id", schema.TRACE_ID, nullable=False),
        pa.field("keep", pa.bool_(), nullable=False),
        pa.field("sampled_by", schema.NAME),
        pa.field("adjusted_count", pa.float64(), nullable=False),
        pa.field("date", pa.date32(), nullable=False),  # the partition of the whole trace
        *(pa.field(fact.name, fact.dtype) for fact in STORED.values()),
    ]
)
"""One row per trace the decision touches. Trace facts of policies (``TraceFact.of_policies``) are null where no
policy kept the trace."""

ROWS = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),  # journal record
        pa.field("row", pa.int32(), nullable=False),  # row in it
        pa.field("trace", pa.int32(), nullable=False),  # row in TRACES
        pa.field("keep", pa.bool_(), nullable=False),  # false: dropped, or a span seen before
        pa.field("span_id", pa.uint64(), nullable=False),
        pa.field("parent_id", pa.uint64(), nullable=False),
        pa.field("response", pa.uint64(), nullable=False),  # hash of the response id, 0: none
        pa.field("scope", pa.uint8(), nullable=False),  # counting.SCOPE_NAMES
        pa.field("rule", pa.uint8(), nullable=False),  # counting.RULES
        pa.field("inherit", pa.int32(), nullable=False),  # row of this table, -1: none
        pa.field("stored", pa.bool_(), nullable=False),  # a store has it already, from another pipeline
        pa.field("dropped", pa.bool_(), nullable=False),  # a tombstone in a kept trace; ``keep`` is false
        pa.field("kept_parent_id", pa.uint64(), nullable=False),  # the nearest ancestor that was not dropped
    ]
)
"""One row per span. In a pipeline without assembly the table is empty and ``WHOLE`` is used."""

REFS = pa.schema([pa.field("seq", pa.int64(), nullable=False), pa.field("row", pa.int32(), nullable=False)])
"""Log records that go with the rows, for their content."""

WHOLE = pa.schema([pa.field("seq", pa.int64(), nullable=False)])
"""Records passed on whole."""

_PARTS = (TRACES, ROWS, REFS, WHOLE)
_LENGTHS = struct.Struct("<4Q")


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """The four tables of one decision."""

    traces: pa.RecordBatch
    rows: pa.RecordBatch
    logs: pa.RecordBatch
    whole: pa.RecordBatch

    @classmethod
    def of_records(cls, seqs: npt.NDArray[np.int64]) -> DecisionRecord:
        """The decision of a pipeline without assembly: pass these records on."""
        whole = pa.record_batch([pa.array(seqs, pa.int64())], schema=WHOLE)
        return cls(empty(TRACES), empty(ROWS), empty(REFS), whole)

    def pack(self) -> bytes:
        parts = [_stream(table) for table in (self.traces, self.rows, self.logs, self.whole)]
        return _LENGTHS.pack(*(len(p) for p in parts)) + b"".join(parts)

    @classmethod
    def unpack(cls, payload: bytes) -> DecisionRecord:
        """Raises ``JournalError`` when the payload is not a decision."""
        tables = []
        try:
            lengths = _LENGTHS.unpack_from(payload)
            start = _LENGTHS.size
            for length in lengths:
                with pa.ipc.open_stream(pa.py_buffer(payload).slice(start, length)) as reader:
                    tables.append(reader.read_next_batch())
                start += length
        except (struct.error, pa.ArrowInvalid, StopIteration) as error:
            raise JournalError(f"a decision cannot be read: {error}") from error
        try:
            return cls(*(_as_today(table, fields) for table, fields in zip(tables, _PARTS, strict=True)))
        except (ValueError, NotImplementedError) as error:
            raise JournalError(f"a decision cannot be read: {error}") from error

    def with_stored(self, found: npt.NDArray[np.bool_]) -> DecisionRecord:
        """The decision with these rows marked as stored already."""
        stored = found | numpy_of(self.rows["stored"])
        return replace(self, rows=with_column(self.rows, "stored", stored))

    def without(self, gone: npt.NDArray[np.int64]) -> DecisionRecord:
        """The decision without rows of these records; positions in ``rows`` stay, so ``inherit`` does."""
        there = ~np.isin(numpy_of(self.rows["seq"]), gone)
        keep = there & numpy_of(self.rows["keep"])
        logs, whole = (t.filter(pa.array(~np.isin(t["seq"].to_numpy(), gone))) for t in (self.logs, self.whole))
        return DecisionRecord(self.traces, with_column(self.rows, "keep", keep), logs, whole)

    def seqs(self) -> npt.NDArray[np.int64]:
        """Every record it refers to, distinct, ascending."""
        columns = (self.rows["seq"], self.logs["seq"], self.whole["seq"])
        return np.unique(np.concatenate([numpy_of(c) for c in columns]))


def empty(of: pa.Schema) -> pa.RecordBatch:
    """No rows of a schema."""
    return pa.RecordBatch.from_pylist([], schema=of)


def _as_today(table: pa.RecordBatch, fields: pa.Schema) -> pa.RecordBatch:
    """A table of a decision that another version wrote: its columns are found by name."""
    # Before spans left tombstones every parent was kept.
    given = {"kept_parent_id": table["parent_id"]} if fields is ROWS else {}
    return completed(table, fields, given)


def _stream(table: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_batch(table)
    return bytes(sink.getvalue())
