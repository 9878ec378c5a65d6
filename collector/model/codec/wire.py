"""The protobuf wire format, walked by hand: framing checks, and repair of what a parser refuses.

A protobuf parser refuses a whole request for one string that is not UTF-8 or one value nested too
deep. ``repair`` rewrites such a request so that only that string or that value suffers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.errors import InvalidDataError
from collector.model.any_value import MAX_DEPTH, TooDeepError
from collector.model.batch import Signal

REQUEST: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}
"""The request message of each signal. Field 1 of all three is the repeated ResourceX message."""

_VARINT, _FIXED64, _BYTES, _GROUP, _END_GROUP, _FIXED32 = range(6)
_MAX_GROUPS = 100
_MAX_LOOKED_AT = 10_000
_UINT32_MAX = 2**32 - 1


def check_framing(signal: Signal, body: bytes) -> None:
    """Checks the outermost fields of a serialised request, to its end.

    Requests are concatenated before they are decoded; this is what keeps a truncated one from
    swallowing its neighbour. Raises ``InvalidDataError``.
    """
    count_resources(signal, body)


def dropped(sent: int, emptied: int) -> int:
    """A ``dropped…count`` field with the values that were emptied here."""
    return min(sent + emptied, _UINT32_MAX)


def count_resources(signal: Signal, body: bytes) -> int:
    """How many ResourceX messages the request holds. Raises ``InvalidDataError`` on bad framing."""
    try:
        return len(_FRAME.FromString(body).resources)
    except DecodeError:
        raise _invalid(signal, _first_fault(body)) from None


def _frame_type() -> Any:
    """A message whose field 1 is what a request's is, unparsed: the runtime then checks frames alone."""
    file = FileDescriptorProto(name="frame.proto", package="spanloom")
    field = file.message_type.add(name="Frame").field.add(name="resources", number=1)
    field.type, field.label = field.TYPE_BYTES, field.LABEL_REPEATED
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("spanloom.Frame"))


_FRAME = _frame_type()


def _first_fault(body: bytes) -> str:
    """What is wrong with the outermost fields, and where; looks at the first ones only."""
    try:
        for _ in islice(_fields(body, 0, len(body)), _MAX_LOOKED_AT):
            pass
    except _FramingError as error:
        return str(error)
    return "its framing is broken"


def repair(signal: Signal, body: bytes) -> bytes:
    """The request with invalid UTF-8 as U+FFFD, too deep values emptied and unknown fields gone.

    A value emptied is counted in ``dropped_attributes_count`` of the message it belongs to, if that
    has one. Raises ``InvalidDataError`` if the framing is broken.
    """
    try:
        return _repair_message(REQUEST[signal].DESCRIPTOR, body, 0, len(body))[0]
    except _FramingError as error:
        raise _invalid(signal, str(error)) from None


class _FramingError(Exception):
    """Says what is wrong, and at which byte."""


def _invalid(signal: Signal, fault: str) -> InvalidDataError:
    return InvalidDataError(f"not a serialised {REQUEST[signal].DESCRIPTOR.name}: {fault}")


def _fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """(number, wire type, start, value start, value end) of each field in ``data[start:end]``."""
    at = start
    while at < end:
        tag, value = _varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 2**29:
            raise _FramingError(f"field number {number} at byte {at}")
        if kind == _BYTES:
            length, value = _varint(data, value, end)
            stop = value + length
        else:
            stop = _skip(data, number, kind, value, end)
        if stop > end:
            raise _FramingError(f"field {number} at byte {at} is longer than what holds it")
        yield number, kind, at, value, stop
        at = stop


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The varint at ``at`` and the position behind it."""
    result = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise _FramingError("it ends within a number")
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
    raise _FramingError(f"the number before byte {at} is longer than 10 bytes")


def _skip(data: bytes, number: int, kind: int, at: int, end: int) -> int:
    """The position behind the value at ``at``, which is not length-delimited."""
    if kind == _VARINT:
        return _varint(data, at, end)[1]
    if kind == _FIXED64:
        return at + 8
    if kind == _FIXED32:
        return at + 4
    if kind == _GROUP:
        return _skip_group(data, number, at, end)
    raise _FramingError(f"wire type {kind} at byte {at}")


def _skip_group(data: bytes, number: int, at: int, end: int) -> int:
    """The position behind the end tag of a group (a form OTLP never uses, so its fields are unknown)."""
    open_groups = [number]
    while open_groups:
        if at >= end:
            raise _FramingError(f"the group of field {open_groups[-1]} does not end")
        tag, at = _varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if kind == _END_GROUP:
            if number != open_groups.pop():
                raise _FramingError(f"the group that ends before byte {at} is another than began")
        elif kind == _GROUP:
            open_groups.append(number)
            if len(open_groups) > _MAX_GROUPS:
                raise _FramingError("groups nest too deep")
        elif kind == _BYTES:
            length, at = _varint(data, at, end)
            at += length
        else:
            at = _skip(data, number, kind, at, end)
    return at


@cache
def _known(descriptor: Descriptor) -> dict[int, FieldDescriptor]:
    return {field.number: field for field in descriptor.fields}


def _repair_message(descriptor: Descriptor, data: bytes, start: int, end: int, depth: int = 0) -> tuple[bytes, int]:
    """``data[start:end]``, a message, rewritten, and how many values were emptied and not counted in it.

    ``depth`` is the number of containers the message is inside of.
    """
    out: list[bytes] = []
    emptied = dropped = 0
    counter = descriptor.fields_by_name.get("dropped_attributes_count")
    for number, kind, at, value, stop in _fields(data, start, end):
        field = _known(descriptor).get(number)
        if field is None:
            continue
        if kind == _BYTES and field.message_type is not None:
            inner, count = _repair_inner(field.message_type, data, value, stop, depth)
            emptied += count
            out.append(_delimited(number, inner))
        elif kind == _BYTES and field.type == FieldDescriptor.TYPE_STRING:
            out.append(_delimited(number, data[value:stop].decode(errors="replace").encode()))
        else:
            out.append(data[at:stop])
            if kind == _VARINT and field is counter:
                dropped = _varint(data, value, stop)[0] & _UINT32_MAX
    if emptied and counter is not None:
        # Of a number sent twice the last one counts.
        out.append(_encode_varint(counter.number << 3 | _VARINT) + _encode_varint(min(dropped + emptied, _UINT32_MAX)))
        emptied = 0
    return b"".join(out), emptied


def _repair_inner(descriptor: Descriptor, data: bytes, start: int, end: int, depth: int) -> tuple[bytes, int]:
    if descriptor.name in {"ArrayValue", "KeyValueList"}:
        depth += 1
        if depth > MAX_DEPTH:
            raise TooDeepError
    if descriptor.name != "AnyValue" or depth:
        return _repair_message(descriptor, data, start, end, depth)
    try:
        return _repair_message(descriptor, data, start, end)
    except TooDeepError:
        return b"", 1


def _delimited(number: int, inner: bytes) -> bytes:
    return _encode_varint(number << 3 | _BYTES) + _encode_varint(len(inner)) + inner


def _encode_varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
