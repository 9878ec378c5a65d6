"""Reads spans and log records of due traces back from the journal: what a sampler may look at besides trace facts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.component.sampler import DueTraces, no_logs
from collector.engine.assembly.pending import Refs
from collector.engine.journal.decisions import empty
from collector.engine.journal.gather import gather
from collector.engine.journal.records import Records
from collector.engine.traces import counting
from collector.engine.traces.span_columns import first_by_start
from collector.model import schema
from collector.model.arrow_arrays import numpy_of, with_column
from collector.model.batch import LogBatch, SpanBatch
from collector.model.facts import log_identity


class Loading:
    """Reads due traces' rows of journal records. Spans and logs are read only when a policy asks for them."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def due_traces(
        self, traces: pa.RecordBatch, due: Refs, live: npt.NDArray[np.bool_], counted: counting.Counted, now: int
    ) -> DueTraces:
        """The input of a sampler. ``live``: rows of ``due`` that are spans, not tombstones or spans sent again."""
        return DueTraces(
            traces=traces,
            now_unix_nano=now,
            load_spans=lambda columns=None: self._spans(due, live, counted, columns),
            load_logs=lambda: self._logs(due),
            load_matched_conditions=lambda: self._matched_conditions(due),
        )

    def are_tombstones(self, seqs: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which rows are tombstones: they lie in records of dropped spans."""
        distinct, record = np.unique(seqs, return_inverse=True)
        return np.array([self._records.read(seq).dropped for seq in distinct.tolist()], np.bool_)[record]

    def with_log_identity(self, traces: pa.RecordBatch, logs: pa.RecordBatch) -> pa.RecordBatch:
        """The trace facts, with user and session from log records where no span names them."""
        lacking = [name for name in log_identity.IDENTITY if traces[name].null_count]
        if not logs.num_rows or not lacking:
            return traces
        seqs, rows, owner = (numpy_of(logs[name]) for name in ("seq", "row", "trace"))
        records = LogBatch(gather(self._records, seqs, rows, log_identity.NEEDED))
        time = numpy_of(records.column("time_unix_nano"))
        identity = log_identity.identity(records)
        alike = np.zeros(len(owner), np.bool_)
        for name in lacking:
            first = first_by_start(owner, time, identity[name], traces.num_rows, prefer=alike)
            traces = with_column(traces, name, pc.coalesce(traces[name], first))
        return traces

    def row_bytes(self, seq: int) -> float:
        """The average size of a row of this record, in bytes."""
        entry = self._records.read(seq)
        return self._records.info(seq).nbytes / max(1, entry.batch.num_rows)

    def _spans(
        self,
        due: Refs,
        live: npt.NDArray[np.bool_],
        counted: counting.Counted,
        columns: Sequence[str] | None,
    ) -> tuple[SpanBatch, npt.NDArray[np.int32]]:
        stored = None if columns is None else [name for name in columns if name != "usage_scope"] or ["trace_id"]
        if live.any():
            spans = SpanBatch(gather(self._records, due.seqs[live], due.rows[live], stored))
        else:
            spans = SpanBatch(empty(schema.SPANS).select(stored or schema.SPANS.names))
        scopes = pa.array(counting.SCOPE_NAMES, pa.string()).take(pa.array(counted.scope[live]))
        return spans.with_columns({"usage_scope": scopes}), due.trace[live]

    def _logs(self, due: Refs) -> tuple[LogBatch, npt.NDArray[np.int32]]:
        if not due.logs.num_rows:
            return no_logs()
        seqs, rows, owner = (numpy_of(due.logs[name]) for name in ("seq", "row", "trace"))
        return LogBatch(gather(self._records, seqs, rows)), owner

    def _matched_conditions(self, due: Refs) -> list[frozenset[str]]:
        seqs, record = np.unique(due.seqs, return_inverse=True)
        of_record = [self._records.read(seq).matched_conditions for seq in seqs.tolist()]
        of_trace: list[frozenset[str]] = [frozenset()] * due.num_traces
        if any(of_record):
            pairs = np.unique(np.stack([due.trace, record.astype(np.int32)]), axis=1)
            for trace, at in zip(*pairs.tolist(), strict=True):
                of_trace[trace] |= of_record[at]
        return of_trace
