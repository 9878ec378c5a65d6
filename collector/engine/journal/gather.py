"""Scattered rows of records, brought together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.engine.journal.records import Records


def gather(
    records: Records,
    seqs: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int32],
    columns: Sequence[str] | None = None,
) -> pa.RecordBatch:
    """The given row of the given record, for each pair, in their order.

    ``columns`` restricts what is read; None reads all. There must be at least one pair. Records are
    views into the map, so only the rows taken are copied.
    """
    order = np.lexsort((rows, seqs))
    sorted_seqs = seqs[order]
    starts = np.flatnonzero(np.append(True, sorted_seqs[1:] != sorted_seqs[:-1]))
    parts = []
    for start, end in zip(starts, np.append(starts[1:], len(order)), strict=True):
        table = records.read(int(sorted_seqs[start])).batch.record_batch
        if columns is not None:
            table = table.select(columns)
        parts.append(table.take(pa.array(rows[order[start:end]])))
    table = parts[0] if len(parts) == 1 else pa.concat_batches(parts)
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return table if (back == np.arange(len(order))).all() else table.take(pa.array(back))
