"""From stored rows back to spans: the inverse of ``observations``.

A row of ``observations`` holds its whole span: ``attributes``, ``resource``, ``events`` and ``links``
without loss, ``otlp`` what has no column. So a Parquet dataset can be sent again as OTLP.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from collector.model import attributes, schema
from collector.model.attributes import dumps
from collector.model.batch import SpanBatch
from collector.model.schema import KINDS, STATUS_CODES
from collector.model.stored import json_text

Row = Mapping[str, Any]

NEEDED = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "span_name",
    "kind",
    "status_code",
    "status_message",
    "start_unix_nano",
    "end_unix_nano",
    "scope_name",
    "scope_version",
    "attributes",
    "resource",
    "events",
    "links",
    "otlp",
)


def to_spans(observations: pa.Table) -> SpanBatch:
    """The spans behind rows of ``schema.OBSERVATIONS``: the columns of ``schema.WIRE``, row by row.

    Raises ``KeyError`` when a column is missing and ``ValueError`` when a row's JSON is damaged.
    """
    rows = observations.select(list(NEEDED)).to_pylist()
    remains = [json.loads(row["otlp"]) if row["otlp"] else {} for row in rows]
    columns = {
        **_ids(rows, remains),
        **_scalars(rows, remains),
        "attributes": _attributes(row["attributes"] for row in rows),
        "events": _structs(schema.EVENTS, [[_event(e) for e in json.loads(row["events"])] for row in rows]),
        "links": _structs(schema.LINKS, [[_link(e) for e in json.loads(row["links"])] for row in rows]),
        "resource": _interned(
            (row["resource"], dumps(left.get("resource", {}))) for row, left in _pairs(rows, remains)
        ),
        "scope": _scopes(rows, remains),
    }
    arrays = [columns[field.name] for field in schema.WIRE]
    return SpanBatch(pa.RecordBatch.from_arrays(arrays, schema=schema.WIRE))


def _pairs(rows: Sequence[Row], remains: Sequence[Row]) -> Iterable[tuple[Row, Row]]:
    return zip(rows, remains, strict=True)


def _ids(rows: Sequence[Row], remains: Sequence[Row]) -> dict[str, pa.Array]:
    parents = [row["parent_span_id"] or left.get("parent_span_id") for row, left in _pairs(rows, remains)]
    return {
        "trace_id": pa.array([bytes.fromhex(row["trace_id"]) for row in rows], schema.TRACE_ID),
        "span_id": pa.array([bytes.fromhex(row["span_id"]) for row in rows], schema.SPAN_ID),
        "parent_span_id": pa.array([None if p is None else bytes.fromhex(p) for p in parents], schema.SPAN_ID),
    }


def _scalars(rows: Sequence[Row], remains: Sequence[Row]) -> dict[str, pa.Array]:
    """Columns that stand in a stored column, in ``otlp`` where that one differs, or only there."""
    stored: dict[str, list[Any]] = {
        "span_name": [row["span_name"] for row in rows],
        "kind": [KINDS.index(row["kind"]) for row in rows],
        "status_code": [STATUS_CODES.index(row["status_code"]) for row in rows],
        "status_message": [row["status_message"] or "" for row in rows],
        "start_unix_nano": [row["start_unix_nano"] for row in rows],
        "end_unix_nano": [row["end_unix_nano"] for row in rows],
        "trace_state": [""] * len(rows),
    }
    numbers = ("flags", "dropped_attributes_count", "dropped_events_count", "dropped_links_count")
    stored |= {name: [0] * len(rows) for name in numbers}
    return {
        name: pa.array(
            [left.get(name, value) for value, left in zip(values, remains, strict=True)], schema.WIRE.field(name).type
        )
        for name, values in stored.items()
    }


def _attributes(texts: Iterable[str]) -> pa.ListArray:
    lists = [json_text.parse_attributes(text) for text in texts]
    rows = np.repeat(np.arange(len(lists), dtype=np.int32), [len(entries) for entries in lists])
    flat = [entry for entries in lists for entry in entries]
    keys = pa.array([entry[0] for entry in flat], pa.string()).dictionary_encode()
    kinds = np.array([entry[1] for entry in flat], np.uint8)
    nums = np.array([entry[2] for entry in flat], np.int64)
    return attributes.build(len(lists), rows, keys, kinds, nums, pa.array([entry[3] for entry in flat], pa.string()))


def _structs(kind: pa.ListType, lists: Sequence[Sequence[Row]]) -> pa.ListArray:
    """A list column of events or links from their members."""
    flat = [member for members in lists for member in members]
    offsets = np.cumsum([0, *(len(members) for members in lists)], dtype=np.int32)
    fields = list(kind.value_type)
    arrays = [
        _attributes(member[f.name] for member in flat)
        if f.name == "attributes"
        else pa.array([member[f.name] for member in flat], f.type)
        for f in fields
    ]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(arrays, fields=fields), type=kind)


def _event(event: Row) -> Row:
    return {"dropped_attributes_count": 0, **event, "attributes": dumps(event["attributes"])}


def _link(link: Row) -> Row:
    ids = {name: bytes.fromhex(link[name]) for name in ("trace_id", "span_id")}
    defaults = {"trace_state": "", "dropped_attributes_count": 0, "flags": 0}
    return {**defaults, **link, **ids, "attributes": dumps(link["attributes"])}


def _interned(entries: Iterable[tuple[str, str]]) -> pa.DictionaryArray:
    headers: dict[tuple[str, str], bytes] = {}
    column = []
    for text, left in entries:
        if (text, left) not in headers:
            headers[text, left] = json_text.resource_header(text, json.loads(left))
        column.append(headers[text, left])
    return pa.array(column, pa.binary()).dictionary_encode().cast(schema.INTERNED)


def _scopes(rows: Sequence[Row], remains: Sequence[Row]) -> pa.DictionaryArray:
    headers: dict[tuple[str, str, str], bytes] = {}
    column = []
    for row, left in _pairs(rows, remains):
        key = (row["scope_name"], row["scope_version"], dumps(left.get("scope", {})))
        if key not in headers:
            headers[key] = json_text.scope_header(key[0], key[1], left.get("scope", {}))
        column.append(headers[key])
    return pa.array(column, pa.binary()).dictionary_encode().cast(schema.INTERNED)
