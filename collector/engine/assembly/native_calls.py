"""Finds model calls that are reported twice, in two traces, and counts each once.

A provider's SDK may report a call in a separate trace, beside the span of an instrumentation; Anthropic's SDK does so
when the instrumentation does not make its span current. Both spans have the same response id. The instrumentation's
span counts if it is known when the SDK's span is decided: due in the same tick, waiting, or decided recently. If the
SDK's span was written as counted before, the instrumentation's span does not count.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.engine.assembly.decided import DecidedTraces
from collector.engine.assembly.pending import Pending
from collector.engine.journal.decisions import DecisionRecord
from collector.engine.journal.records import Records
from collector.engine.traces import counting
from collector.model import schema
from collector.model.arrow_arrays import numpy_of

_MAX_REMEMBERED = 65_536
_MAX_DECIDED_TRACES = 4_096
"""How many of the traces decided last are searched."""
_NEAR_NS = 10 * 10**9
"""The other span of a call is exported with it, or shortly before or after: SDKs export every five seconds or
sooner, and this is twice that.
"""
_MAX_NEAR_RECORDS = 256
"""How many records are searched at most, in a rush: those that came nearest in time."""


class NativeCalls:
    """The counted native calls of one pipeline's recent traces. Used by the core thread only."""

    def __init__(self, decided: DecidedTraces, pending: Pending, records: Records) -> None:
        self._decided = decided
        self._pending = pending
        self._records = records
        self._counted: OrderedDict[int, None] = OrderedDict()

    def remember(self, decision: DecisionRecord) -> None:
        """Adds the native calls that a decision record counted and kept."""
        rows = decision.rows
        native = numpy_of(rows["rule"]) == counting.NATIVE
        native &= numpy_of(rows["keep"])
        for response in numpy_of(rows["response"])[native].tolist():
            self._counted[response] = None
        while len(self._counted) > _MAX_REMEMBERED:
            self._counted.popitem(last=False)

    def link(
        self, spans: counting.Spans, counted: counting.Counted, response_ids: pa.Array, times: npt.NDArray[np.int64]
    ) -> None:
        """Changes ``counted``: a call that counts in another trace becomes a duplicate.

        ``response_ids`` (texts) and ``times`` (ns, when their records were acknowledged) have a row per row of
        ``spans``.
        """
        counts = spans.is_new & spans.is_call & (counted.scope == counting.COUNTED) & (spans.response != 0)
        native = counts & (spans.role == schema.ROLE_NATIVE)
        others = counts & ~native
        if self._counted and others.any():
            _take_back(counted, others & np.isin(spans.response, np.fromiter(self._counted, np.uint64)))
            others &= counted.scope == counting.COUNTED
        if native.any():
            rows = np.flatnonzero(native)
            known = np.isin(spans.response[rows], spans.response[others])
            known |= np.isin(spans.response[rows], self._decided.counted_responses(_MAX_DECIDED_TRACES))
            _take_back(counted, rows[known])
            rows = rows[~known]
            _take_back(counted, rows[self._waiting(response_ids.take(pa.array(rows)), times[rows])])

    def _waiting(self, response_ids: pa.Array, times: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which of these responses are also reported by a call that still waits for its trace's decision."""
        if not len(times):
            return np.zeros(0, np.bool_)
        first, last = int(times.min()) - _NEAR_NS, int(times.max()) + _NEAR_NS
        waiting = self._pending.span_rows(first, last, max_records=_MAX_NEAR_RECORDS)
        found = [self._reported_in(record, rows, response_ids) for record, rows in waiting]
        seen = pa.chunked_array(found, pa.string()).combine_chunks()
        out: npt.NDArray[np.bool_] = numpy_of(pc.is_in(response_ids, value_set=seen))
        return out

    def _reported_in(self, record: int, rows: npt.NDArray[np.int32], response_ids: pa.Array) -> pa.Array:
        batch = (
            self._records.read(record).batch.record_batch.select(["role", "usage", "response_id"]).take(pa.array(rows))
        )
        calls = pc.and_(pc.equal(batch.column("role"), schema.ROLE_CALL), batch.column("usage").is_valid())
        ids = batch.column("response_id")
        return ids.filter(pc.and_(calls, pc.is_in(ids, value_set=response_ids)))


def _take_back(counted: counting.Counted, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> None:
    counted.scope[rows], counted.rule[rows] = counting.DUPLICATE, counting.ELSEWHERE
