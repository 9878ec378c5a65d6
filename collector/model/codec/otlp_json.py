"""OTLP/JSON to protobuf and back.

Not protobuf's own JSON form: ids are hex, enums integers, and what does not fit costs only itself
where protobuf refuses the whole request. In detail: unknown names and nulls are ignored; numbers may
be text and text numbers; a malformed AnyValue is kept as a string; what cannot be kept at all is
counted in the ``dropped…Count`` beside it; a span whose ids are no ids stays in the request, for the
decoder to reject.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.errors import InvalidDataError
from collector.model.any_value import TooDeepError, boolean, double, integer, octets, read_json, text_of
from collector.model.attributes import dumps, json_double
from collector.model.batch import Signal
from collector.model.codec.wire import REQUEST, dropped

_F = FieldDescriptor
_IDS = frozenset({"trace_id", "span_id", "parent_span_id"})
_BAD_ID = b"\0"  # the decoder rejects it in every place of an id
_SPAN_FIELDS = tuple(Span.DESCRIPTOR.fields)
_INT64S = frozenset({_F.TYPE_INT64, _F.TYPE_UINT64, _F.TYPE_FIXED64, _F.TYPE_SFIXED64, _F.TYPE_SINT64})
_RANGE = {
    _F.TYPE_INT32: (-(2**31), 2**31),
    _F.TYPE_SINT32: (-(2**31), 2**31),
    _F.TYPE_UINT32: (0, 2**32),
    _F.TYPE_FIXED32: (0, 2**32),
    _F.TYPE_INT64: (-(2**63), 2**63),
    _F.TYPE_SFIXED64: (-(2**63), 2**63),
    _F.TYPE_UINT64: (0, 2**64),
    _F.TYPE_FIXED64: (0, 2**64),
}
_COUNTERS = {
    "attributes": "dropped_attributes_count",
    "body": "dropped_attributes_count",
    "events": "dropped_events_count",
    "links": "dropped_links_count",
}
# What leads down to the items: if one of these is something else, the body is no request.
_DATA = frozenset({"gauge", "sum", "histogram", "exponential_histogram", "summary"})
_ITEMS = frozenset(
    {
        *("resource_spans", "scope_spans", "spans"),
        *("resource_logs", "scope_logs", "log_records"),
        *("resource_metrics", "scope_metrics", "metrics", "data_points"),
    }
)


def to_protobuf(signal: Signal, body: bytes) -> bytes:
    """The serialised request of an OTLP/JSON body.

    Raises ``InvalidDataError`` if it is no such thing as a whole; it says where, without content.
    """
    value = _parse(body)
    if not isinstance(value, dict):
        raise InvalidDataError(f"$: expected an object, got {_name_of(value)}")
    request: Message = REQUEST[signal]()
    try:
        _read_message(request, value)
    except _MalformedError as error:
        raise InvalidDataError(f"${error.path}: expected {error.expected}") from None
    data: bytes = request.SerializeToString()
    return data


def to_json(signal: Signal, message: Message) -> bytes:  # noqa: ARG001  one form for all signals, so far
    """A request or response message as OTLP/JSON."""
    return dumps(to_dict(message)).encode()


def _parse(body: bytes) -> Any:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDataError(f"not JSON: byte {error.start} is not UTF-8") from None
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=_parse_int)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidDataError(f"not JSON: {error.msg} at {where}") from None
    except RecursionError:
        raise InvalidDataError("not OTLP/JSON: it is nested too deep") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; lists under one name are joined, as protobuf joins a repeated field sent in parts."""
    value = dict(pairs)
    if len(value) < len(pairs):
        value = {}
        for name, member in pairs:
            before = value.get(name)
            value[name] = before + member if isinstance(before, list) and isinstance(member, list) else member
    return value


def _parse_int(digits: str) -> int | float:
    # Python refuses to convert very long numbers; none of them is an int64.
    return int(digits) if len(digits) <= 40 else float(digits)


def _name_of(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    return {dict: "an object", list: "an array", str: "a string", int: "a number", float: "a number"}.get(
        type(value), "null"
    )


class _MalformedError(Exception):
    """Something on the way down to the items is not what it must be."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.path = ""


_Reader = Callable[[Message, Any], int]
"""Sets a field from JSON; returns how many entries could not be kept."""


@cache
def _readers(descriptor: Descriptor) -> dict[str, tuple[_Reader, str | None]]:
    """Per JSON name the reader, and the message's field that counts what it could not keep."""
    counters = {field: name for field, name in _COUNTERS.items() if name in descriptor.fields_by_name}
    return {field.json_name: (_reader(field), counters.get(field.name)) for field in descriptor.fields}


def _read_message(message: Message, value: dict[str, Any]) -> None:
    readers = _readers(message.DESCRIPTOR)
    losses: list[tuple[str, int]] = []
    for name, member in value.items():
        known = readers.get(name)
        if known is None or member is None:
            continue
        reader, counter = known
        try:
            lost = reader(message, member)
        except _MalformedError as error:
            error.path = f".{name}{error.path}"
            raise
        if lost and counter:
            losses.append((counter, lost))
    for counter, lost in losses:  # at the end: the counter itself may be sent behind
        setattr(message, counter, dropped(getattr(message, counter), lost))


def _reader(field: FieldDescriptor) -> _Reader:
    kind = field.message_type
    if kind is None:
        return _scalars_reader(field) if field.is_repeated else _scalar_reader(field)
    if kind.name == "AnyValue":
        return _value_reader(field)
    if kind.name == "KeyValue":
        return _key_values_reader(field)
    return _messages_reader(field) if field.is_repeated else _message_reader(field)


def _value_reader(field: FieldDescriptor) -> _Reader:
    name = field.name

    def read(message: Message, member: Any) -> int:
        return _read_value(getattr(message, name), member)

    return read


def _key_values_reader(field: FieldDescriptor) -> _Reader:
    name = field.name

    def read(message: Message, member: Any) -> int:
        if not isinstance(member, list):
            return 1
        target = getattr(message, name)
        lost = 0
        for entry in member:
            if isinstance(entry, dict):
                key = entry.get("key")
                key_value = target.add(key="" if key is None else text_of(key))
                lost += _read_value(key_value.value, entry.get("value"))
            elif entry is not None:
                lost += 1
        return lost

    return read


def _read_value(target: Any, member: Any) -> int:
    try:
        read_json(target, member)
    except TooDeepError:
        target.Clear()
        return 1
    return 0


def _message_reader(field: FieldDescriptor) -> _Reader:
    name = field.name
    structural = name in _DATA

    def read(message: Message, member: Any) -> int:
        if isinstance(member, dict):
            child = getattr(message, name)
            child.SetInParent()
            _read_message(child, member)
        elif structural:
            raise _MalformedError(f"an object, got {_name_of(member)}")
        return 0

    return read


def _messages_reader(field: FieldDescriptor) -> _Reader:
    name = field.name
    structural = name in _ITEMS

    def read(message: Message, member: Any) -> int:
        if not isinstance(member, list):
            if structural:
                raise _MalformedError(f"an array, got {_name_of(member)}")
            return 1
        target = getattr(message, name)
        lost = 0
        for index, entry in enumerate(member):
            if isinstance(entry, dict):
                _read_entry(target.add(), entry, index)
            elif name == "spans":
                target.add()  # without ids: the decoder rejects it, and it alone
            elif structural and entry is not None:
                error = _MalformedError(f"an object, got {_name_of(entry)}")
                error.path = f"[{index}]"
                raise error
            else:
                lost += entry is not None
        return lost

    return read


def _read_entry(message: Message, entry: dict[str, Any], index: int) -> None:
    try:
        _read_message(message, entry)
    except _MalformedError as error:
        error.path = f"[{index}]{error.path}"
        raise


def _scalar_reader(field: FieldDescriptor) -> _Reader:
    name, convert = field.name, _converter(field)

    def read(message: Message, member: Any) -> int:
        value = convert(member)
        if value is not None:
            setattr(message, name, value)
        return 0

    return read


def _scalars_reader(field: FieldDescriptor) -> _Reader:
    name, convert = field.name, _converter(field)

    def read(message: Message, member: Any) -> int:
        if isinstance(member, list):
            values = [convert(entry) for entry in member]
            # All or none: without one of them the others would stand for other buckets.
            if None not in values:
                getattr(message, name).extend(values)
        return 0

    return read


def _converter(field: FieldDescriptor) -> Callable[[Any], Any]:
    """From a JSON value to the field's Python value, None if it is none."""
    match field.type:
        case _F.TYPE_STRING:
            return lambda value: None if value is None else text_of(value)
        case _F.TYPE_BYTES if field.name in _IDS:
            return _span_id if field in _SPAN_FIELDS else _hex
        case _F.TYPE_BYTES:
            return octets
        case _F.TYPE_BOOL:
            return boolean
        case _F.TYPE_DOUBLE | _F.TYPE_FLOAT:
            return double
    if field.enum_type is not None:
        return partial(_enum, field.enum_type)
    return partial(_in_range, *_RANGE[field.type])


def _hex(value: Any) -> bytes | None:
    try:
        return binascii.unhexlify(value)
    except (binascii.Error, ValueError, TypeError):
        return None


def _span_id(value: Any) -> bytes:
    octets = _hex(value)
    return _BAD_ID if octets is None else octets


def _enum(kind: EnumDescriptor, value: Any) -> int | None:
    known = kind.values_by_name.get(value) if isinstance(value, str) else None
    return _in_range(-(2**31), 2**31, value) if known is None else known.number


def _in_range(low: int, high: int, value: Any) -> int | None:
    number = integer(value)
    return number if number is not None and low <= number < high else None


def to_dict(message: Message) -> dict[str, Any]:
    """The OTLP/JSON object of a message; fields at their default are left out."""
    writers = _writers(message.DESCRIPTOR)
    out = {}
    for field, value in message.ListFields():
        name, write = writers[field.name]
        out[name] = write(value)
    return out


@cache
def _writers(descriptor: Descriptor) -> dict[str, tuple[str, Callable[[Any], Any]]]:
    return {field.name: (field.json_name, _writer(field)) for field in descriptor.fields}


def _writer(field: FieldDescriptor) -> Callable[[Any], Any]:
    one = _one_writer(field)
    if not field.is_repeated:
        return one
    return lambda values: [one(value) for value in values]


def _one_writer(field: FieldDescriptor) -> Callable[[Any], Any]:
    if field.message_type is not None:
        return to_dict
    if field.type in _INT64S:
        return str
    if field.type == _F.TYPE_BYTES:
        return bytes.hex if field.name in _IDS else _base64
    if field.type == _F.TYPE_DOUBLE:
        return json_double
    return lambda value: value


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
