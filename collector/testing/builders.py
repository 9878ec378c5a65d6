"""Batches from Python rows: every column has a sensible default, a row names what matters.

>>> batch = spans([{"span_name": "chat", "attributes": {"gen_ai.request.model": "gpt-4o"}}])

Ids may be whole numbers, hex text or bytes; attributes are plain dicts; ``resource`` is a dict of
attributes and ``scope`` a name or a (name, version) pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from collector.model import attributes, schema
from collector.model.batch import LogBatch, MetricBatch, SpanBatch

Row = Mapping[str, Any]

START_UNIX_NANO = 1_760_000_000_000_000_000
"""2025-10-09T08:53:20Z: when the first span, record or point of a built batch starts."""

_MILLISECOND = 1_000_000

_FACT_DEFAULTS: dict[str, Any] = {
    "dialect": "otel",
    "type": "span",
    "level": "DEFAULT",
    "service_name": "unknown_service",
    "scope_name": "",
    "scope_version": "",
    "tags_weak": False,
    "role": schema.ROLE_OTHER,
}


def spans(rows: Sequence[Row], *, facts: bool | None = None) -> SpanBatch:
    """One span per row, all of one trace unless ``trace_id`` says otherwise.

    The columns of ``schema.FACTS`` are there when ``facts`` is true, or by default when a row
    names one. Raises ``ValueError`` for a key that is no column.
    """
    if facts is None:
        facts = any(key in schema.FACTS.names for row in rows for key in row)
    return SpanBatch(_record_batch(schema.SPANS if facts else schema.WIRE, rows, _span_defaults))


def logs(rows: Sequence[Row]) -> LogBatch:
    """One log record per row; ``body`` is any Python value an attribute may have."""
    return LogBatch(_record_batch(schema.LOGS, [_with_body(row) for row in rows], _log_defaults))


def metrics(rows: Sequence[Row]) -> MetricBatch:
    """One point per row, each of a metric of its own unless ``metric`` says otherwise."""
    return MetricBatch(_record_batch(schema.METRICS, rows, _metric_defaults))


def resource(values: Mapping[str, Any], *, schema_url: str = "") -> bytes:
    """An entry of a ``resource`` column."""
    return attributes.resource_header(Resource(attributes=_key_values(values)), schema_url)


def scope(name: str = "", version: str = "", values: Mapping[str, Any] | None = None, *, schema_url: str = "") -> bytes:
    """An entry of a ``scope`` column."""
    message = InstrumentationScope(name=name, version=version, attributes=_key_values(values or {}))
    return ScopeSpans(scope=message, schema_url=schema_url).SerializeToString(deterministic=True)


def _key_values(values: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=k, value=ParseDict(attributes.tagged(v), AnyValue())) for k, v in values.items()]


def _span_defaults(position: int, row: Row) -> dict[str, Any]:
    start = row.get("start_unix_nano", START_UNIX_NANO + position * _MILLISECOND)
    return {
        "trace_id": 1,
        "span_id": position + 1,
        "span_name": f"span {position}",
        "kind": 1,  # INTERNAL
        "start_unix_nano": start,
        "end_unix_nano": start + _MILLISECOND,
        "name": row.get("span_name", f"span {position}"),
        **_FACT_DEFAULTS,
    }


def _log_defaults(position: int, row: Row) -> dict[str, Any]:
    time = row.get("time_unix_nano", START_UNIX_NANO + position * _MILLISECOND)
    return {"time_unix_nano": time, "observed_time_unix_nano": time, "severity_number": 9, "severity_text": "INFO"}


def _with_body(row: Row) -> dict[str, Any]:
    row = dict(row)
    if "body" in row:
        row["body_type"], row["body_num"], row["body_text"] = attributes.encode_value(row.pop("body"))
    return row


def _metric_defaults(position: int, row: Row) -> dict[str, Any]:
    time = row.get("time_unix_nano", START_UNIX_NANO + position * _MILLISECOND)
    return {
        "metric": position,
        "name": f"metric {position}",
        "kind": "gauge",
        "has_point": row.get("kind") != "none",
        "time_unix_nano": time,
    }


def _record_batch(
    fields: pa.Schema, rows: Sequence[Row], defaults: Callable[[int, Row], dict[str, Any]]
) -> pa.RecordBatch:
    unknown = {key for row in rows for key in row} - set(fields.names)
    if unknown:
        raise ValueError(f"no such column: {', '.join(sorted(unknown))}; there are: {', '.join(fields.names)}")
    full = [{**defaults(position, row), **row} for position, row in enumerate(rows)]
    columns = [_array(f, [row.get(f.name) for row in full]) for f in fields]
    return pa.RecordBatch.from_arrays(columns, schema=fields)


def _array(field: pa.Field, values: list[Any]) -> pa.Array:
    """One column; ``None`` is null, or the neutral value where the column has no nulls."""
    kind = field.type
    if field.name == "resource":
        return pa.array([v if isinstance(v, bytes) else resource(v or {}) for v in values], kind)
    if field.name == "scope":
        return pa.array([_scope_entry(v) for v in values], kind)
    if kind == schema.ATTRIBUTES:
        return attributes.from_dicts([v or {} for v in values])
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        return _struct_list(kind, [v or [] for v in values])
    if pa.types.is_fixed_size_binary(kind):
        return pa.array([_id(v, kind.byte_width) for v in values], kind)
    if pa.types.is_binary(kind):
        width = 16 if field.name == "trace_id" else 8
        return pa.array([b"" if v is None else _id(v, width) for v in values], kind)
    if not field.nullable:
        values = [_neutral(kind) if v is None else v for v in values]
    return pa.array(values, kind)


def _struct_list(kind: pa.ListType, values: list[Sequence[Row]]) -> pa.ListArray:
    offsets = [0]
    for items in values:
        offsets.append(offsets[-1] + len(items))
    flat = [item for items in values for item in items]
    fields = list(kind.value_type)
    child = pa.StructArray.from_arrays([_array(f, [v.get(f.name) for v in flat]) for f in fields], fields=fields)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), child, type=kind)


def _scope_entry(value: Any) -> bytes:
    match value:
        case bytes():
            return value
        case None:
            return scope()
        case str():
            return scope(value)
        case _:
            return scope(*value)


def _id(value: Any, width: int) -> bytes | None:
    match value:
        case int():
            return value.to_bytes(width, "big")
        case str():
            return bytes.fromhex(value)
        case _:
            return value  # type: ignore[no-any-return]


def _neutral(kind: pa.DataType) -> Any:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind):
        return ""
    return False if pa.types.is_boolean(kind) else 0
