"""Kernels over attribute lists: flatten, look up, rebuild; and one value to and from Python.

An attribute list column is one flat child array with offsets, so work on all attributes of a batch
is one kernel call over the child, whatever the number of spans.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from collector.model import schema
from collector.model.arrow_arrays import numpy_of

_DOUBLE = struct.Struct("<d")
_INT64 = struct.Struct("<q")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Flat:
    """All attributes of a column, one entry each, in row order."""

    rows: npt.NDArray[np.int32]
    """The row of the batch each attribute belongs to, ascending."""
    key_codes: npt.NDArray[np.int32]
    """Index of each attribute's key in ``keys``."""
    keys: list[str]
    """Distinct keys (there may be unused ones)."""
    types: npt.NDArray[np.uint8]
    nums: npt.NDArray[np.int64]
    texts: pa.StringArray

    def select(self, where: npt.NDArray[np.bool_] | npt.NDArray[np.integer]) -> Flat:
        """The attributes picked by a mask or by positions."""
        if where.dtype == np.bool_:
            where = np.flatnonzero(where)
        return Flat(
            self.rows[where],
            self.key_codes[where],
            self.keys,
            self.types[where],
            self.nums[where],
            self.texts.take(pa.array(where)),
        )


def flatten(attributes: pa.ListArray) -> Flat:
    """Takes a list column of ``schema.ATTRIBUTES`` apart (slices with an offset included)."""
    offsets = numpy_of(attributes.offsets)
    values = attributes.values.slice(offsets[0], offsets[-1] - offsets[0])
    rows = np.repeat(np.arange(len(attributes), dtype=np.int32), np.diff(offsets))
    keys = values.field("key")
    return Flat(
        rows,
        numpy_of(keys.indices),
        keys.dictionary.to_pylist(),
        numpy_of(values.field("type")),
        numpy_of(values.field("num")),
        values.field("text"),
    )


def build(
    num_rows: int,
    rows: npt.NDArray[np.integer],
    keys: pa.DictionaryArray,
    types: npt.NDArray[np.uint8],
    nums: npt.NDArray[np.int64],
    texts: pa.StringArray,
) -> pa.ListArray:
    """Puts a list column together from flat attributes; ``rows`` must be ascending."""
    offsets = np.zeros(num_rows + 1, np.int32)
    np.cumsum(np.bincount(rows, minlength=num_rows), out=offsets[1:])
    child = pa.StructArray.from_arrays(
        [keys, pa.array(types, pa.uint8()), pa.array(nums, pa.int64()), texts],
        fields=list(schema.ATTRIBUTE),
    )
    return pa.ListArray.from_arrays(pa.array(offsets), child, type=schema.ATTRIBUTES)


def from_dicts(rows: Sequence[Mapping[str, Any]]) -> pa.ListArray:
    """A list column from Python values; for tests and row-wise plug-ins, not for the hot path."""
    index: list[int] = []
    keys: list[str] = []
    values: list[tuple[int, int, str]] = []
    for row, attributes in enumerate(rows):
        for key, value in attributes.items():
            index.append(row)
            keys.append(key)
            values.append(encode_value(value))
    return build(
        len(rows),
        np.array(index, np.int32),
        pa.array(keys, pa.string()).dictionary_encode(),
        np.array([v[0] for v in values], np.uint8),
        np.array([v[1] for v in values], np.int64),
        pa.array([v[2] for v in values], pa.string()),
    )


def to_dicts(attributes: pa.ListArray) -> list[dict[str, Any]]:
    """Python values per row (a repeated key: the last one wins). For kept rows and tests."""
    flat = flatten(attributes)
    out: list[dict[str, Any]] = [{} for _ in range(len(attributes))]
    texts = flat.texts.to_pylist()
    columns = zip(
        flat.rows.tolist(), flat.key_codes.tolist(), flat.types.tolist(), flat.nums.tolist(), texts, strict=True
    )
    for row, code, kind, num, text in columns:
        out[row][flat.keys[code]] = decode_value(kind, num, text)
    return out


def decode_value(kind: int, num: int, text: str) -> Any:
    """The Python value of one attribute: str, bool, int, float, list, dict, bytes or None."""
    if kind == schema.STRING:
        return text
    if kind == schema.INT:
        return num
    if kind == schema.DOUBLE:
        return _DOUBLE.unpack(_INT64.pack(num))[0]
    if kind == schema.BOOL:
        return bool(num)
    if kind == schema.BYTES:
        return base64.b64decode(text)
    if kind == schema.ARRAY:
        return plain({"arrayValue": json.loads(text)})
    if kind == schema.KVLIST:
        return plain({"kvlistValue": json.loads(text)})
    return None


def encode_value(value: Any) -> tuple[int, int, str]:
    """(type, num, text) of a Python value; the inverse of ``decode_value``.

    A whole number that not even a double holds is the text of its digits, a lone surrogate is U+FFFD. Raises
    ``TypeError`` for what OTLP has no value for.
    """
    match value:
        case None:
            return schema.EMPTY, 0, ""
        case bool():
            return schema.BOOL, int(value), ""
        case str():
            return schema.STRING, 0, well_formed(value)
        case int() if -(2**63) <= value < 2**63:
            return schema.INT, value, ""
        case int() if not _is_double(value):
            return schema.STRING, 0, str(value)
        case int() | float():
            return schema.DOUBLE, _INT64.unpack(_DOUBLE.pack(float(value)))[0], ""
        case bytes():
            return schema.BYTES, 0, base64.b64encode(value).decode()
        case Mapping():
            return schema.KVLIST, 0, well_formed(dumps(tagged(value)["kvlistValue"]))
        case list() | tuple():
            return schema.ARRAY, 0, well_formed(dumps(tagged(value)["arrayValue"]))
    raise TypeError(f"no OTLP value for {type(value).__name__}")


def well_formed(text: str) -> str:
    """The text with U+FFFD for lone surrogates: JSON can say them, no UTF-8 holds them."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") if _SURROGATE.search(text) else text


def _is_double(number: int) -> bool:
    """Whether a whole number is within a double's range."""
    try:
        float(number)
    except OverflowError:
        return False
    return True


def dumps(value: Any) -> str:
    """JSON text as stored: UTF-8 not escaped, no spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def plain(value: Mapping[str, Any]) -> Any:
    """The Python value of an OTLP/JSON AnyValue."""
    match value:
        case {"stringValue": text}:
            return text
        case {"intValue": number}:
            return int(number)
        case {"boolValue": flag}:
            return flag
        case {"doubleValue": number}:
            return float(number)
        case {"bytesValue": text}:
            return base64.b64decode(text)
        case {"arrayValue": inner}:
            return [plain(v) for v in inner.get("values", ())]
        case {"kvlistValue": inner}:
            return {v.get("key", ""): plain(v.get("value", {})) for v in inner.get("values", ())}
    return None


def tagged(value: Any) -> dict[str, Any]:
    """The OTLP/JSON AnyValue of a Python value; doubles that JSON lacks become text."""
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case str():
            return {"stringValue": value}
        case int() if -(2**63) <= value < 2**63:
            return {"intValue": str(value)}
        case int() if not _is_double(value):
            return {"stringValue": str(value)}
        case int() | float():
            return {"doubleValue": json_double(float(value))}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode()}
        case Mapping():
            entries = [{"key": str(k), "value": tagged(v)} for k, v in value.items()]
            return {"kvlistValue": {"values": entries}}
        case list() | tuple():
            return {"arrayValue": {"values": [tagged(v) for v in value]}}
    raise TypeError(f"no OTLP value for {type(value).__name__}")


def json_double(number: float) -> float | str:
    """A double as proto3 JSON writes it: NaN and the infinities as text."""
    if math.isnan(number):
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    return number


# Resource and scope are interned, so work on them is once per distinct value.


def parse_resource(header: bytes) -> ResourceSpans:
    """The Resource and schema_url behind one entry of a ``resource`` column.

    Holds for logs and metrics too: ResourceLogs and ResourceMetrics use the same field numbers.
    """
    return ResourceSpans.FromString(header)


def resource_values(header: bytes) -> dict[str, Any]:
    """The attributes of one entry of a ``resource`` column; of a repeated key the first."""
    found: dict[str, Any] = {}
    for entry in parse_resource(header).resource.attributes:
        found.setdefault(entry.key, plain(MessageToDict(entry.value)))
    return found


def parse_scope(header: bytes) -> ScopeSpans:
    """The InstrumentationScope and schema_url behind one entry of a ``scope`` column."""
    return ScopeSpans.FromString(header)


def resource_header(resource: Resource, schema_url: str = "") -> bytes:
    """The inverse of ``parse_resource``."""
    return ResourceSpans(resource=resource, schema_url=schema_url).SerializeToString(deterministic=True)
