"""Rows of the stored tables ``logs`` and ``metrics``; spans have ``collector.model.stored.observations``.

Every column that OTLP has is a typed column or stands in ``attributes`` and ``resource`` (see
``collector.model.stored.json_text``); what is left over and not at its default is an object in ``otlp``:

* logs: ``flags``, ``dropped_attributes_count``, ``body_type`` where the body is not a string
* metrics: ``flags``, ``metadata``, ``temporality`` where the number has no name, ``no_point`` for a
  metric sent without points
* both: ``resource`` and ``scope`` as ``json_text.resource_remains`` and ``scope_remains`` give them

A time or an id that was not sent is null, as is an empty text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.model import attributes, schema
from collector.model.arrow_arrays import numpy_of
from collector.model.attributes import dumps
from collector.model.batch import Batch, LogBatch, MetricBatch
from collector.model.dialects.compiled_tables import compiled
from collector.model.dialects.kept import kept
from collector.model.facts import convert
from collector.model.stored import columns as stored_columns, json_text

TEMPORALITIES = ("UNSPECIFIED", "DELTA", "CUMULATIVE")
"""Names of AggregationTemporality by number."""
BODY_TYPES = ("empty", "string", "bool", "int", "double", "array", "kvlist", "bytes")
"""Names of the codes of ``schema.ATTRIBUTE``, as ``body_type`` says them."""

_SUM = pa.scalar("sum", pa.string())
_NO_FLAG = pa.scalar(None, pa.bool_())
_WITH_TEMPORALITY = pa.array(["sum", "histogram", "exponential_histogram"])
_UNCHANGED = (
    *("value_int", "value_double", "count", "sum", "min", "max", "bucket_counts", "explicit_bounds"),
    *("scale", "zero_count", "zero_threshold"),
    *("positive_offset", "positive_bucket_counts", "negative_offset", "negative_bucket_counts"),
)

StoredColumns = dict[str, pa.Array]


def stored_logs(batch: LogBatch, ingested_unix_nano: int) -> pa.Table:
    """The records as rows of ``schema.STORED_LOGS``, in order. ``body`` is the text of a string body, else JSON."""
    sent, observed = _nanos(batch, "time_unix_nano"), _nanos(batch, "observed_time_unix_nano")
    columns = {
        "time": stored_columns.timestamps(pc.coalesce(sent, observed)),
        "time_unix_nano": sent,
        "observed_time_unix_nano": observed,
        "trace_id": _hex(batch.column("trace_id")),
        "span_id": _hex(batch.column("span_id")),
        "event_name": _text(batch, "event_name"),
        "severity_number": batch.column("severity_number"),
        "severity_text": _text(batch, "severity_text"),
        **_origin(batch, ingested_unix_nano),
        "body": _bodies(batch),
        "otlp": _otlp(
            batch,
            flags=batch.column("flags").to_pylist(),
            dropped_attributes_count=batch.column("dropped_attributes_count").to_pylist(),
            body_type=[_BODY_TYPE.get(code) for code in batch.column("body_type").to_pylist()],
        ),
    }
    return pa.table([columns[name] for name in schema.STORED_LOGS.names], schema=schema.STORED_LOGS)


def stored_metrics(batch: MetricBatch, ingested_unix_nano: int) -> pa.Table:
    """The points as rows of ``schema.STORED_METRICS``, in order."""
    kind = batch.column("kind").cast(pa.string())
    numbers = batch.column("temporality")
    has_temporality = pc.is_in(kind, _WITH_TEMPORALITY)
    sent = _nanos(batch, "time_unix_nano")
    columns = {
        "name": batch.column("name"),
        "description": _text(batch, "description"),
        "unit": _text(batch, "unit"),
        "kind": kind,
        "temporality": pc.if_else(
            has_temporality, stored_columns.named(numbers, TEMPORALITIES), stored_columns.NO_TEXT
        ),
        "is_monotonic": pc.if_else(pc.equal(kind, _SUM), batch.column("is_monotonic"), _NO_FLAG),
        "time": stored_columns.timestamps(sent),
        "start_time_unix_nano": _nanos(batch, "start_time_unix_nano"),
        "time_unix_nano": sent,
        **{name: batch.column(name) for name in _UNCHANGED},
        "quantiles": batch.column("quantiles").cast(schema.STORED_METRICS.field("quantiles").type),
        "exemplars": _exemplars(batch.column("exemplars")),
        **_origin(batch, ingested_unix_nano),
        "otlp": _otlp(
            batch,
            flags=batch.column("flags").to_pylist(),
            metadata=[_Json(t) if t != "{}" else None for t in json_text.attribute_texts(batch.column("metadata"))],
            temporality=[n if not 0 <= n < len(TEMPORALITIES) else None for n in numbers.to_pylist()],
            no_point=[not has for has in batch.column("has_point").to_pylist()],
        ),
    }
    return pa.table([columns[name] for name in schema.STORED_METRICS.names], schema=schema.STORED_METRICS)


def _nanos(batch: Batch, name: str) -> pa.Int64Array:
    return stored_columns.unless_zero(batch.column(name))


def _text(batch: Batch, name: str) -> pa.StringArray:
    return stored_columns.unless_empty(batch.column(name))


def _hex(column: pa.BinaryArray) -> pa.StringArray:
    return pa.array([octets.hex() or None for octets in column.to_pylist()], pa.string())


def _origin(batch: Batch, ingested_unix_nano: int) -> StoredColumns:
    """What both tables say about who sent a row, and when it was taken."""
    resources, scopes = batch.column("resource"), batch.column("scope")
    ingested = pa.array(np.full(batch.num_rows, ingested_unix_nano, np.int64))
    return {
        "service_name": _per_value(resources, _service_name),
        "environment": environments(resources),
        "scope_name": _per_value(scopes, lambda header: attributes.parse_scope(header).scope.name),
        "scope_version": _per_value(scopes, lambda header: attributes.parse_scope(header).scope.version),
        "ingested_at": stored_columns.timestamps(ingested),
        "attributes": json_text.attributes_json(batch.column("attributes")),
        "resource": json_text.resource_json(resources),
    }


def _per_value(column: pa.DictionaryArray, text_of: Callable[[bytes], str | None]) -> pa.StringArray:
    texts = pa.array([text_of(header) for header in column.dictionary.to_pylist()], pa.string())
    return texts.take(column.indices)


def _resource_texts(header: bytes) -> dict[str, str]:
    parsed = attributes.parse_resource(header).resource.attributes
    return {attribute.key: attribute.value.string_value for attribute in parsed}


def environments(resources: pa.DictionaryArray) -> pa.StringArray:
    """Per row of a ``resource`` column the environment it names, or null."""
    return _per_value(resources, _environment)


def _service_name(header: bytes) -> str | None:
    return _resource_texts(header).get("service.name") or None


def _environment(header: bytes) -> str | None:
    texts = _resource_texts(header)
    found = (convert.environment(texts[key]) for key in _environment_keys() if texts.get(key))
    return next((name for name in found if name), None)


@kept()
def _environment_keys() -> tuple[str, ...]:
    """The resource attributes that name the environment, best first, by the dialect tables."""
    sources = (rule.source for rule in compiled().by_field["environment"])
    return tuple(source.resource for source in sources if source.resource)


_BODY_TYPE = {code: name for code, name in enumerate(BODY_TYPES) if code not in {schema.EMPTY, schema.STRING}}


class _Json(str):
    """JSON text that goes into the object as the value it is."""

    __slots__ = ()


def _otlp(batch: Batch, **members: list[Any]) -> pa.StringArray:
    """The ``otlp`` texts: the members of each row that are set, and the remains of its headers."""
    resources, scopes = batch.column("resource"), batch.column("scope")
    of_resource = [json_text.resource_remains(header) for header in resources.dictionary.to_pylist()]
    of_scope = [json_text.scope_remains(header) for header in scopes.dictionary.to_pylist()]
    written: dict[Any, str | None] = {}
    texts = []
    for key in zip(resources.indices.to_pylist(), scopes.indices.to_pylist(), *members.values(), strict=True):
        if key not in written:
            resource, scope, *values = key
            left = dict(zip(members, values, strict=True), scope=of_scope[scope], resource=of_resource[resource])
            written[key] = _object_text(left)
        texts.append(written[key])
    return pa.array(texts, pa.string())


def _object_text(members: Mapping[str, Any]) -> str | None:
    left = {k: json.loads(v) if isinstance(v, _Json) else v for k, v in members.items() if v}
    return dumps(left) if left else None


def _bodies(batch: Batch) -> pa.StringArray:
    codes = batch.column("body_type")
    texts = batch.column("body_text")
    if (codes.to_numpy() == schema.STRING).all():
        return texts
    columns = zip(codes.to_pylist(), batch.column("body_num").to_pylist(), texts.to_pylist(), strict=True)
    return pa.array([_body(*column) for column in columns], pa.string())


def _body(kind: int, num: int, text: str) -> str | None:
    if kind == schema.STRING:
        return text
    return None if kind == schema.EMPTY else json_text.value_text(kind, num, text)


def _exemplars(column: pa.ListArray) -> pa.ListArray:
    offsets = column.offsets.to_numpy()
    items = column.values.slice(offsets[0], offsets[-1] - offsets[0])
    times = items.field("time_unix_nano")
    children = [
        stored_columns.unless_zero(times),
        items.field("value_int"),
        items.field("value_double"),
        _hex(items.field("trace_id")),
        _hex(items.field("span_id")),
        json_text.attributes_json(items.field("attributes")),
    ]
    structs = pa.StructArray.from_arrays(children, fields=list(schema.STORED_EXEMPLAR))
    missing = pa.array(numpy_of(column.is_null()))
    return pa.ListArray.from_arrays(pa.array(offsets - offsets[0]), structs, mask=missing).cast(
        schema.STORED_METRICS.field("exemplars").type
    )
