"""What ``hash`` and ``convert`` make of one value: the Collector's rules."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

from collector.model import schema
from collector.model.any_value import ValueColumns, bits_of_double, double_of_bits, nested_json
from collector.model.stored.json_text import value_text

Target = Literal["int", "double", "string", "bool"]

_INT = re.compile(r"[+-]?[0-9]+\Z", re.ASCII)
_HEX_FLOAT = re.compile(r"[+-]?0[xX][0-9a-fA-F.]+[pP][+-]?[0-9]+\Z")
_LARGEST = 2**63
_NESTED = (schema.ARRAY, schema.KVLIST)


def attribute_text(value: ValueColumns) -> str:
    """The value as text, as pdata's ``AsString`` writes it: lists and maps as JSON without blanks, keys sorted, bytes
    as base64. Where a list or map holds NaN or an infinity, for which JSON has no number, pdata gives the empty text;
    here they stand in it, so that what is beside them is found, too.
    """
    kind, num, text = value
    if kind == schema.DOUBLE:
        return _double_text(double_of_bits(num))
    if kind in {schema.STRING, schema.BYTES, schema.EMPTY}:
        return text
    if kind not in _NESTED:
        return value_text(kind, num, text)
    try:
        return _nested_text(nested_json(kind, text))
    except (ValueError, KeyError, TypeError, AttributeError):
        return _quoted(text)  # a plug-in's text that is not what its type says


def _nested_text(value: dict[str, Any]) -> str:
    """The text of an OTLP/JSON AnyValue inside a list or map."""
    match value:
        case {"stringValue": text} | {"bytesValue": text}:
            return _quoted(text)
        case {"intValue": number}:
            return str(int(number))
        case {"doubleValue": number}:
            return _double_text(float(number))
        case {"boolValue": flag}:
            return "true" if flag else "false"
        case {"arrayValue": inner}:
            return "[" + ",".join(_nested_text(entry) for entry in inner.get("values", ())) + "]"
        case {"kvlistValue": inner}:
            entries = {entry["key"]: _nested_text(entry.get("value", {})) for entry in inner.get("values", ())}
            return "{" + ",".join(f"{_quoted(key)}:{entries[key]}" for key in sorted(entries)) + "}"
    return "null"


def _quoted(text: str) -> str:
    """A JSON text as Go writes it."""
    written = json.dumps(text, ensure_ascii=False)
    return written.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def hashed(value: ValueColumns) -> ValueColumns:
    """SHA-256 in hex: of a text's UTF-8, of a number's eight bytes (little-endian), of 0 or 1 in one byte. Anything
    else becomes "", as in the Collector: what should be hashed must not stay.
    """
    kind, num, text = value
    match kind:
        case schema.STRING:
            content = text.encode()
        case schema.BOOL:
            content = bytes([num])
        case schema.INT | schema.DOUBLE:
            content = struct.pack("<q", num)
        case _:
            return schema.STRING, 0, ""
    return schema.STRING, 0, hashlib.sha256(content).hexdigest()


def converter(target: Target) -> Callable[[ValueColumns], ValueColumns]:
    """Makes a value one of another type, and leaves what cannot be one."""
    return {"int": _to_int, "double": _to_double, "string": _to_string, "bool": _to_bool}[target]


def _to_int(value: ValueColumns) -> ValueColumns:
    kind, num, text = value
    if kind == schema.BOOL:
        return schema.INT, num, ""
    if kind == schema.DOUBLE:
        number = double_of_bits(num)
        return (schema.INT, int(number), "") if math.isfinite(number) and abs(number) < _LARGEST else value
    if kind == schema.STRING and _INT.match(text) and -_LARGEST <= int(text[:40]) < _LARGEST and len(text) <= 40:
        return schema.INT, int(text), ""
    return value


def _to_double(value: ValueColumns) -> ValueColumns:
    kind, num, text = value
    if kind in {schema.BOOL, schema.INT}:
        return schema.DOUBLE, bits_of_double(float(num)), ""
    if kind == schema.STRING and (number := parse_float(text)) is not None:
        return schema.DOUBLE, bits_of_double(number), ""
    return value


def parse_float(text: str) -> float | None:
    """The number a text is to Go's ``ParseFloat``: decimal or hexadecimal, without blanks; None: it is none."""
    if text != text.strip():
        return None
    try:
        return float.fromhex(text) if _HEX_FLOAT.match(text) else float(text)
    except (ValueError, OverflowError):
        return None


def _to_string(value: ValueColumns) -> ValueColumns:
    return value if value[0] == schema.STRING else (schema.STRING, 0, attribute_text(value))


def _to_bool(value: ValueColumns) -> ValueColumns:
    kind, num, text = value
    if kind == schema.STRING and text in {"1", "t", "T", "TRUE", "true", "True"}:
        return schema.BOOL, 1, ""
    if kind == schema.STRING and text in {"0", "f", "F", "FALSE", "false", "False"}:
        return schema.BOOL, 0, ""
    if kind in {schema.INT, schema.DOUBLE}:
        return schema.BOOL, int((num if kind == schema.INT else double_of_bits(num)) != 0), ""
    return value


def _double_text(number: float) -> str:
    """As Go's JSON writes it: the shortest digits that read back as the number."""
    if not math.isfinite(number):
        return {"inf": "Infinity", "-inf": "-Infinity"}.get(str(number), "NaN")
    size = abs(number)
    if number and (size < 1e-6 or size >= 1e21):
        digits, _, exponent = repr(number).partition("e")
        return f"{digits.removesuffix('.0')}e{exponent}".replace("e-0", "e-")
    return format(Decimal(repr(number)), "f").removesuffix(".0")
