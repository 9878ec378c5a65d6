"""What a codec gives: batches, and what became of each request."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from collector.errors import InvalidDataError
from collector.model.batch import Batch


@dataclass(frozen=True, slots=True)
class Decoded:
    """A group of requests in columns. What is said per request is indexed like the bodies given."""

    batches: list[Batch]
    """All rows, in order; spans have the columns of ``schema.WIRE``. None is empty."""
    accepted: npt.NDArray[np.int64]
    """Rows taken of each request: spans, log records, metric points (a metric without points is one)."""
    rejected: list[tuple[int, str]]
    """Spans refused of each request, and why, in words without content ("" if none)."""
    failed: dict[int, InvalidDataError] = field(default_factory=dict)
    """The requests that are malformed as a whole, by index; nothing of them is in the batches."""
