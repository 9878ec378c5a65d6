"""Attributes, events and links as plain JSON text: pleasant in SQL and without loss.

What the stored tables hold: ``{"gen_ai.request.model":"gpt-5","usage":12,"temperature":1.0}``. The
JSON type says the OTLP type: string, bool, array and object as they are; a number without ``.`` or
exponent is an int, one with either a double; null is an empty value. What JSON has no type for is
an object with a reserved key:

* ``{"$bytes":"<base64>"}``: a bytes value
* ``{"$double":"NaN"}`` (or ``Infinity``, ``-Infinity``): the doubles that JSON lacks
* ``"$entries":[["key",value],...]`` as one more member of an object: the entries whose key cannot
  stand there, because it comes again (the last one stands, the earlier are listed) or is reserved

so that ``parse_attributes`` gives back the same attributes, whatever they were.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import EntityRef, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from collector.model import attributes, schema
from collector.model.any_value import ValueColumns, bits_of_double, double_of_bits, nested_json, set_columns, to_columns
from collector.model.attributes import dumps, json_double
from collector.model.fast_json import quote, raw, write_object

Entry = tuple[str, int, int, str]
"""(key, type, num, text) of one attribute, as in ``schema.ATTRIBUTE``."""

Remains = Mapping[str, Any]
"""What a text leaves out: an object inside the ``otlp`` column."""

RESERVED = frozenset({"$bytes", "$double", "$entries"})


def attributes_json(column: pa.ListArray) -> pa.StringArray:
    """One JSON object per row of a ``schema.ATTRIBUTES`` column (slices included)."""
    return pa.array(attribute_texts(column), pa.string())


def attribute_texts(column: pa.ListArray) -> list[str]:
    """``attributes_json`` as Python strings."""
    flat = attributes.flatten(column)
    keys = [flat.keys[code] for code in flat.key_codes.tolist()]
    values = _members(flat)
    reserved = not RESERVED.isdisjoint(flat.keys)
    out = []
    for start, end in pairwise(_bounds(column)):
        members = dict(zip(keys[start:end], values[start:end], strict=True))
        if len(members) < end - start or (reserved and not RESERVED.isdisjoint(members)):
            out.append(_object([(keys[i], _value_text_at(flat, i)) for i in range(start, end)]))
        else:
            out.append(write_object(members))
    return out


def _members(flat: attributes.Flat) -> list[Any]:
    """The values as ``write_object`` takes them."""
    values: list[Any] = flat.texts.to_pylist()
    others = np.flatnonzero(flat.types != schema.STRING)
    columns = (others.tolist(), flat.types[others].tolist(), flat.nums[others].tolist())
    for at, kind, num in zip(*columns, strict=True):
        values[at] = num if kind == schema.INT else raw(value_text(kind, num, values[at]))
    return values


def _value_text_at(flat: attributes.Flat, at: int) -> str:
    return value_text(int(flat.types[at]), int(flat.nums[at]), flat.texts[at].as_py())


def value_text(kind: int, num: int, text: str) -> str:
    """The JSON text of one value, given as columns."""
    if kind == schema.STRING:
        return quote(text)
    if kind == schema.INT:
        return str(num)
    if kind == schema.DOUBLE:
        return _double_text(double_of_bits(num))
    if kind == schema.BOOL:
        return "true" if num else "false"
    if kind == schema.EMPTY:
        return "null"
    try:
        return _tagged_text(nested_json(kind, text))
    except (ValueError, KeyError, TypeError, AttributeError):
        return quote(text)  # a plug-in's text that is not what its type says


def _double_text(number: float) -> str:
    written = json_double(number)
    return repr(written) if isinstance(written, float) else f'{{"$double":"{written}"}}'


def _tagged_text(value: dict[str, Any]) -> str:
    """The plain JSON text of an OTLP/JSON AnyValue."""
    match value:
        case {"stringValue": text}:
            return quote(text)
        case {"intValue": number}:
            return str(int(number))
        case {"doubleValue": number}:
            return _double_text(float(number))
        case {"boolValue": flag}:
            return "true" if flag else "false"
        case {"bytesValue": text}:
            return f'{{"$bytes":{quote(text)}}}'
        case {"arrayValue": inner}:
            return "[" + ",".join([_tagged_text(v) for v in inner.get("values", ())]) + "]"
        case {"kvlistValue": inner}:
            return _object([(v["key"], _tagged_text(v.get("value", {}))) for v in inner.get("values", ())])
    return "null"


def _object(entries: Sequence[tuple[str, str]]) -> str:
    """A JSON object of keys and value texts, with what cannot stand under ``$entries``."""
    last = {key: position for position, (key, _) in enumerate(entries) if key not in RESERVED}
    members = [f"{quote(k)}:{v}" for i, (k, v) in enumerate(entries) if last.get(k) == i]
    others = [f"[{quote(k)},{v}]" for i, (k, v) in enumerate(entries) if last.get(k) != i]
    if others:
        members.append(f'"$entries":[{",".join(others)}]')
    return "{" + ",".join(members) + "}"


def parse_attributes(text: str) -> list[Entry]:
    """The attributes behind one text of ``attributes_json``. Raises ``ValueError`` on other text."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("the text is not a JSON object")
    return [(key, *_columns(member)) for key, member in _entries(value)]


def _columns(value: Any) -> ValueColumns:
    if isinstance(value, bool):
        return schema.BOOL, int(value), ""
    if isinstance(value, str):
        return schema.STRING, 0, value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return schema.INT, value, ""
    if isinstance(value, int | float):
        return schema.DOUBLE, bits_of_double(float(value)), ""
    match _tagged(value):
        case {"doubleValue": name}:
            return schema.DOUBLE, bits_of_double(float(name)), ""
        case {"bytesValue": text}:
            return schema.BYTES, 0, text
        case {"arrayValue": inner}:
            return schema.ARRAY, 0, dumps(inner)
        case {"kvlistValue": inner}:
            return schema.KVLIST, 0, dumps(inner)
    return schema.EMPTY, 0, ""


def _tagged(value: Any) -> dict[str, Any]:
    """The OTLP/JSON AnyValue of a plain JSON value."""
    match value:
        case list():
            return {"arrayValue": {"values": [_tagged(v) for v in value]}}
        case {"$bytes": text}:
            return {"bytesValue": text}
        case {"$double": name}:
            return {"doubleValue": name}
        case dict():
            return {"kvlistValue": {"values": [{"key": k, "value": _tagged(v)} for k, v in _entries(value)]}}
    return attributes.tagged(value)


def _entries(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    # The listed ones first: they came before the last one of their key.
    for key, member in value.get("$entries", ()):
        yield key, member
    for key, member in value.items():
        if key != "$entries":
            yield key, member


def resource_json(column: pa.DictionaryArray) -> pa.StringArray:
    """The resource's attributes, one JSON object per row of a ``resource`` column."""
    return _per_header(column, lambda header: key_values_text(attributes.parse_resource(header).resource.attributes))


def key_values_text(key_values: Iterable[KeyValue]) -> str:
    """The JSON object of protobuf KeyValues (resource and scope attributes)."""
    return _object([(kv.key, value_text(*to_columns(kv.value))) for kv in key_values])


def _per_header(column: pa.DictionaryArray, text_of: Callable[[bytes], str | None]) -> pa.StringArray:
    texts = pa.array([text_of(header) for header in column.dictionary.to_pylist()], pa.string())
    return texts.take(column.indices)


def resource_remains(header: bytes) -> dict[str, Any]:
    """What ``resource_json`` leaves out of a ``resource`` entry: for the ``otlp`` column.

    Keys, each only where it is not the default: ``schema_url``, ``dropped_attributes_count``,
    ``entity_refs``.
    """
    parsed = attributes.parse_resource(header)
    refs = [_entity_ref(ref) for ref in parsed.resource.entity_refs]
    return _set(
        schema_url=parsed.schema_url,
        dropped_attributes_count=parsed.resource.dropped_attributes_count,
        entity_refs=refs,
    )


def scope_remains(header: bytes) -> dict[str, Any]:
    """What the columns ``scope_name`` and ``scope_version`` leave out of a ``scope`` entry.

    Keys, each only where it is not the default: ``schema_url``, ``attributes`` (an object as
    ``attributes_json`` writes it), ``dropped_attributes_count``.
    """
    parsed = attributes.parse_scope(header)
    return _set(
        schema_url=parsed.schema_url,
        attributes=json.loads(key_values_text(parsed.scope.attributes)),
        dropped_attributes_count=parsed.scope.dropped_attributes_count,
    )


def _entity_ref(ref: Any) -> dict[str, Any]:
    return _set(
        schema_url=ref.schema_url,
        type=ref.type,
        id_keys=list(ref.id_keys),
        description_keys=list(ref.description_keys),
    )


def _set(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value}


def resource_header(text: str, remains: Remains) -> bytes:
    """The ``resource`` entry behind ``resource_json`` and ``resource_remains``."""
    resource = Resource(dropped_attributes_count=remains.get("dropped_attributes_count", 0))
    resource.entity_refs.extend(EntityRef(**ref) for ref in remains.get("entity_refs", ()))
    _add_key_values(resource.attributes, text)
    return attributes.resource_header(resource, remains.get("schema_url", ""))


def scope_header(name: str, version: str, remains: Remains) -> bytes:
    """The ``scope`` entry behind its name, its version and ``scope_remains``."""
    scope = InstrumentationScope(
        name=name, version=version, dropped_attributes_count=remains.get("dropped_attributes_count", 0)
    )
    _add_key_values(scope.attributes, dumps(remains.get("attributes", {})))
    return ScopeSpans(scope=scope, schema_url=remains.get("schema_url", "")).SerializeToString(deterministic=True)


def _add_key_values(target: Any, text: str) -> None:
    for key, kind, num, value in parse_attributes(text):
        set_columns(target.add(key=key).value, kind, num, value)


def events_json(column: pa.ListArray) -> pa.StringArray:
    """One JSON array per row of an ``events`` column.

    Each event is ``{"time_unix_nano":int,"name":text,"attributes":{...}}``, with
    ``dropped_attributes_count`` where it is not 0.
    """
    items = _items(column)
    if not len(items):
        return _no_items(column)
    members = zip(
        items.field("time_unix_nano").to_pylist(),
        items.field("name").to_pylist(),
        attribute_texts(items.field("attributes")),
        items.field("dropped_attributes_count").to_pylist(),
        strict=True,
    )
    texts = [
        f'{{"time_unix_nano":{time},"name":{quote(name)},"attributes":{text}{_count(dropped)}}}'
        for time, name, text, dropped in members
    ]
    return _arrays(column, texts)


def links_json(column: pa.ListArray) -> pa.StringArray:
    """One JSON array per row of a ``links`` column.

    Each link is ``{"trace_id":hex,"span_id":hex,"attributes":{...}}``, with ``trace_state``,
    ``flags`` and ``dropped_attributes_count`` where they are not empty.
    """
    items = _items(column)
    if not len(items):
        return _no_items(column)
    members = zip(
        items.field("trace_id").to_pylist(),
        items.field("span_id").to_pylist(),
        attribute_texts(items.field("attributes")),
        items.field("trace_state").to_pylist(),
        items.field("flags").to_pylist(),
        items.field("dropped_attributes_count").to_pylist(),
        strict=True,
    )
    texts = [
        f'{{"trace_id":"{trace.hex()}","span_id":"{span.hex()}","attributes":{text}'
        + (f',"trace_state":{quote(state)}' if state else "")
        + (f',"flags":{flags}' if flags else "")
        + f"{_count(dropped)}}}"
        for trace, span, text, state, flags, dropped in members
    ]
    return _arrays(column, texts)


def _count(dropped: int) -> str:
    return f',"dropped_attributes_count":{dropped}' if dropped else ""


def _items(column: pa.ListArray) -> pa.StructArray:
    """The children of the rows shown, of a column that may be a slice."""
    start, end = column.offsets[0].as_py(), column.offsets[-1].as_py()
    return column.values.slice(start, end - start)


def _no_items(column: pa.ListArray) -> pa.StringArray:
    return pa.array(["[]"] * len(column), pa.string())


def _arrays(column: pa.ListArray, texts: list[str]) -> pa.StringArray:
    return pa.array(["[" + ",".join(texts[a:b]) + "]" for a, b in pairwise(_bounds(column))], pa.string())


def _bounds(column: pa.ListArray) -> list[int]:
    """Where each row's items begin in those of all rows shown, and the end."""
    offsets = column.offsets.to_numpy()
    return list((offsets - offsets[0]).tolist())
