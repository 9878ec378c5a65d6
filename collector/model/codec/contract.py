"""What a codec is: the way from OTLP requests to batches and back, whoever walks it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from collector.errors import InvalidDataError
from collector.model.batch import Batch, Signal


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


class Codec(Protocol):
    """Requests into batches and batches into requests. A module with these names is one.

    A request body is a serialised ``Export…ServiceRequest`` (protobuf) or what ``prepare_json`` made of OTLP/JSON.
    Bodies of both kinds may stand in one group: what many clients sent is decoded together.
    """

    NAME: str
    """What ``SPANLOOM_CODEC`` and ``/metrics`` call it."""

    def check_framing(self, signal: Signal, body: bytes) -> None:
        """Looks at the outermost fields of one request body, so that a truncated one cannot swallow its neighbour.

        Raises ``InvalidDataError``.
        """

    def decode(self, signal: Signal, bodies: Sequence[bytes]) -> Decoded:
        """A group of request bodies. Never raises for their content."""

    def decode_json(self, signal: Signal, bodies: Sequence[bytes]) -> Decoded:
        """A group of OTLP/JSON bodies, as they came. Never raises for their content."""

    def prepare_json(self, signal: Signal, body: bytes) -> bytes:
        """One OTLP/JSON body as a request body for a group.

        What is costly in reading JSON may be done here, where it holds up one request and not a group. What comes
        back is for this codec's ``check_framing`` and ``decode`` alone. Raises ``InvalidDataError`` when the body is
        no request as a whole; it says where, without content.
        """

    def encode(self, batch: Batch) -> bytes:
        """The serialised ``Export…ServiceRequest`` (protobuf) of all rows."""

    def encode_json(self, batch: Batch) -> bytes:
        """The same request as OTLP/JSON."""

    def split_encode(self, batch: Batch, max_bytes: int) -> Iterator[bytes]:
        """The rows in order as requests of at most ``max_bytes`` each, or of one row if that is larger."""
