"""What the OTLP exporters share: batches into requests of a bounded size, and what became of them.

A batch may need several requests. Those already acknowledged are remembered for as long as the
engine comes back with the same range, so that a failure of the third does not send the first two
again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from spanloom import (
    Batch,
    DecidedSpans,
    ExportBatch,
    PermanentError,
    RetryableError,
    Settings,
    Signal,
    TooLargeError,
    encode,
    encode_json,
    translate,
)

SMALLEST_SPLIT_BYTES = 64 * 1024
"""A request that is too large even at this size is refused for another reason than its size."""

MAX_RESPONSE_BYTES = 4 * 1024 * 1024
"""OTLP 1.11: clients must limit what they accept."""


@dataclass(frozen=True)
class Reply:
    """What a server said to a request it took."""

    rejected: int = 0
    warned: bool = False
    """The server had something to say although it took everything."""


def protobuf_reply(response: bytes) -> Reply:
    """The partial success of a protobuf response; the field numbers are the same for all signals."""
    try:
        partial = ExportTraceServiceResponse.FromString(response).partial_success
    except DecodeError:
        return Reply()
    return Reply(partial.rejected_spans, warned=bool(partial.error_message))


class Transport(Protocol):
    """Sends serialised requests. Used by one thread."""

    joinable: bool
    """Whether two serialised requests, one behind the other, are one request (protobuf)."""

    def open(self) -> None:
        """Raises ``ConfigError`` when it never can."""

    def encode(self, batch: Batch) -> bytes: ...

    def send(self, signal: Signal, body: bytes) -> Reply:
        """Raises ``RetryableError``, ``TooLargeError`` (splitting may help) or ``PermanentError``."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class _Request:
    """Rows on their way, in order; ``body`` is all of them encoded."""

    batches: tuple[Batch, ...]
    body: bytes

    @property
    def rows(self) -> int:
        return sum(batch.num_rows for batch in self.batches)


class OtlpExporter:
    """Implements ``component.Exporter`` over a transport."""

    def __init__(
        self, transport: Transport, settings: Settings, *, max_request_bytes: int, dialect: str = "original"
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._max_bytes = max_request_bytes
        self._dialect = dialect
        self._progress = _Progress()

    def start(self) -> None:
        self._transport.open()

    def shutdown(self) -> None:
        self._transport.close()

    def export(self, batch: ExportBatch) -> Mapping[Signal, int] | None:
        """Sends spans, then logs and metrics; at least once.

        Raises ``RetryableError``. Items a server refuses for good are dropped, counted and returned.
        """
        self._progress.begin(batch)
        for batches in self._runs(batch):
            for request in self._requests(self._progress.skip(batches)):
                self._deliver(request)
        return self._progress.end()

    def _runs(self, batch: ExportBatch) -> Iterator[Iterable[Batch]]:
        """Everything in a fixed order, one run per signal; spans are translated one batch at a time."""
        yield map(self._spans, batch.spans)
        for _, run in itertools.groupby((other.batch for other in batch.others), key=lambda batch: batch.signal):
            yield run

    def _spans(self, decided: DecidedSpans) -> Batch:
        if self._dialect == "original":
            return decided.spans
        return translate(decided.spans, decided.observations, self._dialect)

    def _requests(self, batches: Iterable[Batch]) -> Iterator[_Request]:
        """Requests of at most the size limit; small batches share one, as serialised requests concatenate."""
        waiting: list[_Request] = []
        size = 0
        for batch in batches:
            for piece in self._pieces(batch):
                if waiting and (size + len(piece.body) > self._max_bytes or not self._transport.joinable):
                    yield _joined(waiting)
                    waiting, size = [], 0
                waiting.append(piece)
                size += len(piece.body)
        if waiting:
            yield _joined(waiting)

    def _pieces(self, batch: Batch) -> Iterator[_Request]:
        # Arrow's size is near the encoded one: a first cut by it saves encoding the same rows
        # again and again on the way down.
        parts = min(batch.num_rows, batch.nbytes // self._max_bytes + 1)
        for part in _cut(batch, parts):
            yield from self._within_limit(_Request((part,), self._transport.encode(part)))

    def _within_limit(self, request: _Request) -> Iterator[_Request]:
        if len(request.body) <= self._max_bytes or request.rows == 1:
            yield request
            return
        for half in self._halves(request):
            yield from self._within_limit(half)

    def _deliver(self, request: _Request) -> None:
        try:
            reply = self._transport.send(request.batches[0].signal, request.body)
        except TooLargeError as error:
            if request.rows == 1 or len(request.body) <= SMALLEST_SPLIT_BYTES:
                self._drop(request, request.rows, "too_large", str(error))
                return
            for half in self._halves(request):
                self._deliver(half)
        except PermanentError as error:
            self._drop(request, request.rows, "permanent", str(error))
        else:
            self._acknowledged(request, reply)

    def _halves(self, request: _Request) -> Iterator[_Request]:
        if len(request.batches) > 1:
            middle = len(request.batches) // 2
            parts = [request.batches[:middle], request.batches[middle:]]
        else:
            parts = [(half,) for half in _cut(request.batches[0], 2)]
        for batches in parts:
            yield _Request(batches, b"".join(map(self._transport.encode, batches)))

    def _acknowledged(self, request: _Request, reply: Reply) -> None:
        if reply.rejected > 0:
            self._drop(request, min(reply.rejected, request.rows), "rejected", "the server took a part of the request")
            return
        if reply.warned:
            self._settings.log.warning("the server took a request with a warning", items=request.rows)
        self._progress.advance(request.rows)

    def _drop(self, request: _Request, items: int, reason: str, why: str) -> None:
        signal, name = request.batches[0].signal, str(self._settings.id)
        telemetry, log = self._settings.telemetry, self._settings.log
        telemetry.exporter_dropped.add(signal, items, exporter=name, reason=reason)
        telemetry.send_failed.add(signal, items, exporter=name, error_permanent="true")
        log.warning("data dropped", reason=reason, error=why, signal=signal.value, items=items)
        self._progress.drop(signal, items)
        self._progress.advance(request.rows)


class _Progress:
    """How far the current range has come, over several attempts."""

    def __init__(self) -> None:
        self._range: tuple[str, int, int] | None = None
        self._done = 0
        self._dropped: dict[Signal, int] = {}
        self._to_skip = 0

    def begin(self, batch: ExportBatch) -> None:
        wanted = (batch.epoch, batch.first, batch.last)
        if self._range != wanted:
            self._range, self._done, self._dropped = wanted, 0, {}
        self._to_skip = self._done

    def skip(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches without the rows that are done."""
        for batch in batches:
            skipped = min(self._to_skip, batch.num_rows)
            self._to_skip -= skipped
            if skipped < batch.num_rows:
                yield batch.slice(skipped) if skipped else batch

    def advance(self, rows: int) -> None:
        self._done += rows

    def drop(self, signal: Signal, items: int) -> None:
        self._dropped[signal] = self._dropped.get(signal, 0) + items

    def end(self) -> Mapping[Signal, int] | None:
        dropped = self._dropped
        self._range, self._done, self._dropped = None, 0, {}
        return dropped or None


def encoder(encoding: str) -> Callable[[Batch], bytes]:
    """For ``proto`` and ``json``."""
    return encode_json if encoding == "json" else encode


def _cut(batch: Batch, parts: int) -> Iterator[Batch]:
    """Slices of nearly equal numbers of rows."""
    for part in range(parts):
        start, end = (batch.num_rows * at // parts for at in (part, part + 1))
        yield batch.slice(start, end - start)


def _joined(requests: Sequence[_Request]) -> _Request:
    if len(requests) == 1:
        return requests[0]
    return _Request(tuple(b for r in requests for b in r.batches), b"".join(r.body for r in requests))


__all__ = ["MAX_RESPONSE_BYTES", "OtlpExporter", "Reply", "RetryableError", "Transport", "encoder"]
