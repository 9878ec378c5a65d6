"""OTLP's AnyValue in its three forms: protobuf message, OTLP/JSON, and (type, num, text) columns.

Two rules hold in all of them. An absent value equals an empty one. And a value nests at most
``MAX_DEPTH`` containers: protobuf runtimes refuse messages nested deeper than 100, one level of a
key-value list takes three, and an exemplar's attribute starts at the eighth; so a deeper value
could be neither read by every codec nor forwarded to anybody.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring as quote
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList

from collector.model import schema
from collector.model.attributes import dumps, json_double

MAX_DEPTH = 30
"""Arrays and key-value lists inside one another; a deeper value is replaced by an empty one."""

ValueColumns = tuple[int, int, str]
"""(type, num, text), as in ``schema.ATTRIBUTE``."""

EMPTY: ValueColumns = (schema.EMPTY, 0, "")

_DOUBLE = struct.Struct("<d")
_INT64 = struct.Struct("<q")


class TooDeepError(ValueError):
    """The value nests deeper than ``MAX_DEPTH``."""


def bits_of_double(number: float) -> int:
    """The double's bits as an int64: how ``num`` holds it."""
    bits: int = _INT64.unpack(_DOUBLE.pack(number))[0]
    return bits


def double_of_bits(bits: int) -> float:
    """The inverse of ``bits_of_double``."""
    number: float = _DOUBLE.unpack(_INT64.pack(bits))[0]
    return number


def to_columns(value: AnyValue) -> ValueColumns:
    """The columns of a message. Raises ``TooDeepError``."""
    match value.WhichOneof("value"):
        case "string_value":
            return schema.STRING, 0, value.string_value
        case "int_value":
            return schema.INT, value.int_value, ""
        case "double_value":
            return schema.DOUBLE, bits_of_double(value.double_value), ""
        case "bool_value":
            return schema.BOOL, int(value.bool_value), ""
        case "array_value":
            return schema.ARRAY, 0, _array_text(value.array_value, 1)
        case "kvlist_value":
            return schema.KVLIST, 0, _kvlist_text(value.kvlist_value, 1)
        case "bytes_value":
            return schema.BYTES, 0, base64.b64encode(value.bytes_value).decode()
    # Nothing set, or an index into the string table that only the profiles signal has.
    return EMPTY


def _array_text(array: ArrayValue, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise TooDeepError
    return '{"values":[' + ",".join([_value_text(v, depth) for v in array.values]) + "]}"


def _kvlist_text(kvlist: KeyValueList, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise TooDeepError
    entries = [f'{{"key":{quote(kv.key)},"value":{_value_text(kv.value, depth)}}}' for kv in kvlist.values]
    return '{"values":[' + ",".join(entries) + "]}"


def _value_text(value: AnyValue, depth: int) -> str:
    match value.WhichOneof("value"):
        case "string_value":
            return f'{{"stringValue":{quote(value.string_value)}}}'
        case "int_value":
            return f'{{"intValue":"{value.int_value}"}}'
        case "double_value":
            return f'{{"doubleValue":{json.dumps(json_double(value.double_value))}}}'
        case "bool_value":
            return '{"boolValue":true}' if value.bool_value else '{"boolValue":false}'
        case "array_value":
            return f'{{"arrayValue":{_array_text(value.array_value, depth + 1)}}}'
        case "kvlist_value":
            return f'{{"kvlistValue":{_kvlist_text(value.kvlist_value, depth + 1)}}}'
        case "bytes_value":
            return f'{{"bytesValue":"{base64.b64encode(value.bytes_value).decode()}"}}'
    return "{}"


def set_columns(target: AnyValue, kind: int, num: int, text: str) -> None:
    """Sets ``target``, an empty message, from columns; the inverse of ``to_columns``.

    Text that is not what its type says (a plug-in's work) is kept as a string.
    """
    if kind == schema.STRING:
        target.string_value = text
    elif kind == schema.INT:
        target.int_value = num
    elif kind == schema.DOUBLE:
        target.double_value = double_of_bits(num)
    elif kind == schema.BOOL:
        target.bool_value = bool(num)
    elif kind in {schema.ARRAY, schema.KVLIST, schema.BYTES}:
        try:
            read_json(target, nested_json(kind, text))
        except ValueError:
            target.Clear()
            target.string_value = text


def nested_json(kind: int, text: str) -> dict[str, Any]:
    """The OTLP/JSON AnyValue of an ARRAY, KVLIST or BYTES text. Raises ``ValueError``."""
    if kind == schema.BYTES:
        return {"bytesValue": text}
    try:
        inner = json.loads(text)
    except RecursionError as error:
        raise TooDeepError from error
    if not isinstance(inner, dict):
        raise ValueError("not an ArrayValue or KeyValueList")
    return {"arrayValue" if kind == schema.ARRAY else "kvlistValue": inner}


def read_json(target: AnyValue, value: Any, depth: int = 0) -> None:
    """Sets ``target``, an empty message, from OTLP/JSON, leniently: nothing that was sent is lost.

    A member that is not what its name says becomes a string of what was sent; null is absent; of
    two members the last counts; unknown members are ignored. Raises ``TooDeepError``.
    """
    if not isinstance(value, dict):
        if value is not None:
            target.string_value = text_of(value)
        return
    for name, member in value.items():
        reader = _READERS.get(name)
        if reader is None or member is None:
            continue
        if not reader(target, member, depth):
            target.string_value = text_of(member)


def read_key_values(target: Any, values: list[Any], depth: int) -> int:
    """Appends OTLP/JSON KeyValues to a repeated field; how many were no objects and left out."""
    left_out = 0
    for entry in values:
        if isinstance(entry, dict):
            key_value = target.add()
            key = entry.get("key")
            if key is not None:
                key_value.key = text_of(key)
            read_json(key_value.value, entry.get("value"), depth)
        elif entry is not None:
            left_out += 1
    return left_out


def _read_string(target: AnyValue, member: Any, _depth: int) -> bool:
    target.string_value = text_of(member)
    return True


def _read_bool(target: AnyValue, member: Any, _depth: int) -> bool:
    flag = boolean(member)
    if flag is not None:
        target.bool_value = flag
    return flag is not None


def _read_int(target: AnyValue, member: Any, _depth: int) -> bool:
    number = integer(member)
    if number is None or not -(2**63) <= number < 2**63:
        return False
    target.int_value = number
    return True


def _read_double(target: AnyValue, member: Any, _depth: int) -> bool:
    number = double(member)
    if number is not None:
        target.double_value = number
    return number is not None


def _read_bytes(target: AnyValue, member: Any, _depth: int) -> bool:
    data = octets(member)
    if data is not None:
        target.bytes_value = data
    return data is not None


def _read_array(target: AnyValue, member: Any, depth: int) -> bool:
    values = _values_of(member, depth)
    if values is None:
        return False
    target.array_value.SetInParent()
    for value in values:
        # A null here is kept as an empty value, or the others would change their positions.
        read_json(target.array_value.values.add(), value, depth + 1)
    return True


def _read_kvlist(target: AnyValue, member: Any, depth: int) -> bool:
    values = _values_of(member, depth)
    if values is None or any(not isinstance(v, dict) for v in values if v is not None):
        return False
    target.kvlist_value.SetInParent()
    read_key_values(target.kvlist_value.values, values, depth + 1)
    return True


def _values_of(container: Any, depth: int) -> list[Any] | None:
    """The ``values`` of an ArrayValue or KeyValueList; None: it is neither."""
    if depth >= MAX_DEPTH:
        raise TooDeepError
    if not isinstance(container, dict):
        return None
    values = container.get("values")
    if values is None:
        return []
    return values if isinstance(values, list) else None


_READERS: dict[str, Callable[[AnyValue, Any, int], bool]] = {
    "stringValue": _read_string,
    "boolValue": _read_bool,
    "intValue": _read_int,
    "doubleValue": _read_double,
    "bytesValue": _read_bytes,
    "arrayValue": _read_array,
    "kvlistValue": _read_kvlist,
}


def text_of(value: Any) -> str:
    """A string as it is (lone surrogates as U+FFFD), anything else as its JSON text."""
    text = value if isinstance(value, str) else dumps(value)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def boolean(value: Any) -> bool | None:
    """A truth value sent as such or as text, None if it is not one."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value)
    return value if isinstance(value, bool) else None


def integer(value: Any) -> int | None:
    """A whole number sent as number or text (``7``, ``"7"``, ``1e3``), None if it is not one."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if not isinstance(value, str) or "_" in value:
        return None
    try:
        return int(value) if value.isdecimal() else _integral(Decimal(value))
    except (InvalidOperation, ValueError):
        return None


def _integral(number: Decimal) -> int | None:
    # The exponent is looked at first: int(Decimal("1e999999999")) would never end.
    if not number.is_finite() or number.adjusted() > 20 or number != number.to_integral_value():
        return None
    return int(number)


def double(value: Any) -> float | None:
    """A number sent as number or text (``"NaN"`` and ``"Infinity"`` too), None if it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and "_" in value:  # Python's float would take it
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def octets(value: Any) -> bytes | None:
    """Base64 of either alphabet, padded or not; None if it is not that."""
    if not isinstance(value, str):
        return None
    text = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
