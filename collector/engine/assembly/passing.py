"""A pipeline without assembly: it passes whole records on at the next tick, without looking at traces."""

from __future__ import annotations

import numpy as np

from collector.engine.journal.addresses import oldest
from collector.engine.journal.decisions import DecisionRecord
from collector.engine.journal.records import Written
from collector.model import schema
from collector.model.batch import Batch


class Passing:
    """The records of one pipeline that wait for the next tick. Used by the core thread only."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, int]] = []

    def add(self, written: Written, batch: Batch) -> None:
        self._waiting.append((written.address, batch.num_rows, written.nbytes))

    @property
    def oldest(self) -> list[int]:
        """The oldest record that waits in each log; addresses."""
        return oldest(np.array([record for record, _, _ in self._waiting], np.int64))

    def decide(self) -> list[DecisionRecord]:
        """Decision records for all waiting records. Each stays within a batch's rows and bytes, or holds one record."""
        groups: list[list[int]] = []
        rows = nbytes = 0
        for record, n, size in self._waiting:
            rows, nbytes = rows + n, nbytes + size
            if not groups or rows > schema.MAX_BATCH_ROWS or nbytes > schema.MAX_BATCH_BYTES:
                groups.append([])
                rows, nbytes = n, size
            groups[-1].append(record)
        self._waiting.clear()
        return [DecisionRecord.of_records(np.array(group, np.int64)) for group in groups]
