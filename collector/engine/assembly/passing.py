"""A pipeline without assembly: it passes whole records on at the next tick, without looking at traces."""

from __future__ import annotations

import numpy as np

from collector.engine.journal.decisions import DecisionRecord
from collector.engine.journal.records import Written
from collector.model import schema
from collector.model.batch import Batch


class Passing:
    """The records of one pipeline that wait for the next tick. Used by the core thread only."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, int]] = []
        self.last_seq = 0
        """The newest record seen."""

    def add(self, written: Written, batch: Batch) -> None:
        self._waiting.append((written.seq, batch.num_rows, written.nbytes))
        self.last_seq = max(self.last_seq, written.seq)

    @property
    def oldest_seq(self) -> int | None:
        return self._waiting[0][0] if self._waiting else None

    def decide(self) -> list[DecisionRecord]:
        """Decision records for all waiting records. Each stays within a batch's rows and bytes, or holds one record."""
        groups: list[list[int]] = []
        rows = nbytes = 0
        for seq, n, size in self._waiting:
            rows, nbytes = rows + n, nbytes + size
            if not groups or rows > schema.MAX_BATCH_ROWS or nbytes > schema.MAX_BATCH_BYTES:
                groups.append([])
                rows, nbytes = n, size
            groups[-1].append(seq)
        self._waiting.clear()
        return [DecisionRecord.of_records(np.array(group, np.int64)) for group in groups]
