"""After a restart: decisions about records that were in memory only, and come again from their source."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.engine.journal.addresses import SEQ_BITS, ranges
from collector.engine.journal.decisions import DecisionRecord
from collector.engine.journal.ledger import Ledger, NewDecisionRecord
from collector.model.arrow_arrays import numpy_of, with_column


def let_go(ledger: Ledger) -> None:
    """Takes records of lost logs out of all decisions that some exporter has not delivered yet.

    Their spans will come again, and are decided then as if they had never been here. What every
    exporter has delivered stays remembered: it is known when it comes again.
    """
    lost = ledger.lost_logs()
    delivered = min(ledger.cursors().values(), default=0)
    for info in ledger.infos(delivered) if lost else ():
        if any(some.log in lost for some in info.ranges):
            left = _without(DecisionRecord.unpack(ledger.payload(info.dseq)), lost)
            new = None
            if left is not None:
                named = ranges(left.seqs())
                rows = int(left.rows["keep"].true_count) or min(info.rows, left.whole.num_rows)
                new = NewDecisionRecord(info.pipeline, info.created_unix_nano, named, rows, info.nbytes, left.pack())
            ledger.replace(info.dseq, new)


def _without(decision: DecisionRecord, lost: list[int]) -> DecisionRecord | None:
    """The decision without rows and traces of these logs; None: nothing is left of it."""
    there = _lies_elsewhere(decision.rows, lost)
    rows = decision.rows.filter(pa.array(there))
    position = np.where(there, np.cumsum(there) - 1, -1).astype(np.int32)
    inherit = numpy_of(rows["inherit"])
    rows = with_column(rows, "inherit", np.where(inherit >= 0, position[inherit], -1).astype(np.int32))
    left, trace = np.unique(numpy_of(rows["trace"]), return_inverse=True)
    rows = with_column(rows, "trace", trace.astype(np.int32))
    logs, whole = (table.filter(pa.array(_lies_elsewhere(table, lost))) for table in (decision.logs, decision.whole))
    if not rows.num_rows and not whole.num_rows:
        return None
    return DecisionRecord(decision.traces.take(pa.array(left)), rows, logs, whole)


def _lies_elsewhere(table: pa.RecordBatch, lost: list[int]) -> npt.NDArray[np.bool_]:
    return ~np.isin(numpy_of(table["seq"]) >> SEQ_BITS, lost)
