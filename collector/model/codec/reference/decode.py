"""OTLP requests into batches: the reference decoder.

Requests of many clients are decoded as one (serialised protobuf messages concatenate), yet what one
client sent wrong is refused to that client alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError

from collector.errors import InvalidDataError
from collector.model import schema
from collector.model.batch import BATCH_OF, Batch, Signal
from collector.model.codec.contract import Decoded
from collector.model.codec.reference.array_builders import value_columns
from collector.model.codec.reference.decode_logs import LogRows
from collector.model.codec.reference.decode_metrics import MetricRows
from collector.model.codec.reference.decode_traces import SpanRows, refusal
from collector.model.codec.wire import REQUEST, count_resources, dropped, repair

_ROWS: dict[Signal, Any] = {Signal.TRACES: SpanRows, Signal.LOGS: LogRows, Signal.METRICS: MetricRows}
# The repeated fields from the request down to the items.
_RESOURCES = {Signal.TRACES: "resource_spans", Signal.LOGS: "resource_logs", Signal.METRICS: "resource_metrics"}
_SCOPES = {Signal.TRACES: "scope_spans", Signal.LOGS: "scope_logs", Signal.METRICS: "scope_metrics"}
_ITEMS = {Signal.TRACES: "spans", Signal.LOGS: "log_records", Signal.METRICS: "metrics"}


def decode(signal: Signal, bodies: Sequence[bytes]) -> Decoded:
    """Decodes a group of serialised ``Export…ServiceRequest`` messages. Never raises for their content.

    A string that is not UTF-8 gets U+FFFD in place of what is wrong with it. A value nested deeper
    than ``any_value.MAX_DEPTH`` becomes empty and is counted in ``dropped_attributes_count``.
    Unknown fields are ignored.
    """
    # A repaired request may be three times as long: U+FFFD instead of one byte.
    decoder = _Decoder(signal, len(bodies), 3 * sum(map(len, bodies)))
    for request, counts in _requests(signal, bodies, decoder.failed):
        decoder.add(request, counts)
    return decoder.finish()


def _requests(
    signal: Signal, bodies: Sequence[bytes], failed: dict[int, InvalidDataError]
) -> Iterator[tuple[Any, list[tuple[int, int]]]]:
    """Parsed messages, each with (index of the body, its number of resources) in the order they follow."""
    framed: list[tuple[int, int]] = []
    for index, body in enumerate(bodies):
        try:
            framed.append((index, count_resources(signal, body)))
        except InvalidDataError as error:
            failed[index] = error
    try:
        yield REQUEST[signal].FromString(b"".join([bodies[index] for index, _ in framed])), framed
    except DecodeError:
        for index, count in framed:
            try:
                yield _parse_alone(signal, bodies[index]), [(index, count)]
            except InvalidDataError as error:
                failed[index] = error


def _parse_alone(signal: Signal, body: bytes) -> Any:
    try:
        return REQUEST[signal].FromString(body)
    except DecodeError:
        repaired = repair(signal, body)
    try:
        return REQUEST[signal].FromString(repaired)
    except DecodeError:
        name = REQUEST[signal].DESCRIPTOR.name
        raise InvalidDataError(f"not a serialised {name}: a field inside it is malformed") from None


class _Decoder:
    """The batches of one group as they come into being."""

    def __init__(self, signal: Signal, num_bodies: int, num_bytes: int) -> None:
        self._signal = signal
        self._refusal = refusal if signal is Signal.TRACES else None
        self._rows = _ROWS[signal]()
        self._num_rows = self._num_bytes = 0
        # The size of an item costs as much as writing it: looked at only where it can matter.
        self._may_be_big = num_bytes >= schema.MAX_BATCH_BYTES
        self._headers: dict[tuple[bytes, str, bool], bytes] = {}
        self._batches: list[Batch] = []
        self._accepted = np.zeros(num_bodies, np.int64)
        self._refusals: list[Counter[str]] = [Counter() for _ in range(num_bodies)]
        self.failed: dict[int, InvalidDataError] = {}

    def add(self, request: Any, counts: list[tuple[int, int]]) -> None:
        resources = iter(getattr(request, _RESOURCES[self._signal]))
        for index, count in counts:
            for _ in range(count):
                self._add_resource(index, next(resources))

    def finish(self) -> Decoded:
        self._flush()
        rejected = [_reason(refusals) for refusals in self._refusals]
        return Decoded(self._batches, self._accepted, rejected, self.failed)

    def _add_resource(self, index: int, resource: Any) -> None:
        header = None
        for scope in getattr(resource, _SCOPES[self._signal]):
            items = getattr(scope, _ITEMS[self._signal])
            if items:
                header = header or self._header(resource, "resource")
                self._add_items(index, items, header, self._header(scope, "scope"))

    def _add_items(self, index: int, items: Any, resource: bytes, scope: bytes) -> None:
        accepted = 0
        refusal, may_be_big = self._refusal, self._may_be_big
        for item in items:
            reason = refusal(item) if refusal else None
            if reason:
                self._refusals[index][reason] += 1
                continue
            count = self._rows.add(item, resource, scope)
            accepted += count
            self._num_rows += count
            if may_be_big:
                self._num_bytes += item.ByteSize()
            if self._num_rows >= schema.MAX_BATCH_ROWS or self._num_bytes >= schema.MAX_BATCH_BYTES:
                self._flush()
        self._accepted[index] += accepted

    def _header(self, message: Any, name: str) -> bytes:
        """The message without its children, serialised: equal bytes for what is equal."""
        origin = getattr(message, name)
        key = (origin.SerializeToString(), message.schema_url, message.HasField(name))
        header = self._headers.get(key)
        if header is None:
            header = self._headers[key] = _canonical(message, name)
        return header

    def _flush(self) -> None:
        if not self._num_rows:
            return
        batch_type = BATCH_OF[self._signal]
        batch_schema = schema.WIRE if self._signal is Signal.TRACES else batch_type.schema
        batch = batch_type(pa.RecordBatch.from_arrays(self._rows.finish(), schema=batch_schema))
        for offset in range(0, batch.num_rows, schema.MAX_BATCH_ROWS):
            self._batches.extend(_halved(batch.slice(offset, schema.MAX_BATCH_ROWS)))
        self._rows = _ROWS[self._signal]()
        self._num_rows = self._num_bytes = 0


def _canonical(message: Any, name: str) -> bytes:
    copy = type(message)(schema_url=message.schema_url)
    if message.HasField(name):
        origin = getattr(copy, name)
        origin.CopyFrom(getattr(message, name))
        for attribute in origin.attributes:
            if value_columns(attribute.value)[1]:
                attribute.value.Clear()
                origin.dropped_attributes_count = dropped(origin.dropped_attributes_count, 1)
        copy.DiscardUnknownFields()
    header: bytes = copy.SerializeToString(deterministic=True)
    return header


def _halved(batch: Batch) -> Iterator[Batch]:
    """The batch in parts of at most ``MAX_BATCH_BYTES``, or of one row.

    Distinct values that every part repeats (keys, resources) are not counted: fewer rows would not
    make them smaller.
    """
    if batch.num_rows == 1 or batch.nbytes - _dictionary_bytes(batch) <= schema.MAX_BATCH_BYTES:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from _halved(batch.slice(0, middle))
    yield from _halved(batch.slice(middle))


def _dictionary_bytes(batch: Batch) -> int:
    return sum(_dictionaries(column) for column in batch.record_batch.columns)


def _dictionaries(array: pa.Array) -> int:
    kind = array.type
    if pa.types.is_dictionary(kind):
        return int(array.dictionary.nbytes)
    if pa.types.is_list(kind):
        return _dictionaries(array.values)
    if pa.types.is_struct(kind):
        return sum(_dictionaries(array.field(i)) for i in range(kind.num_fields))
    return 0


def _reason(refusals: Counter[str]) -> tuple[int, str]:
    count = refusals.total()
    if not count:
        return 0, ""
    reasons = "; ".join(f"{reason} ({n})" for reason, n in refusals.items())
    return count, f"{count} {'span was' if count == 1 else 'spans were'} rejected: {reasons}"
