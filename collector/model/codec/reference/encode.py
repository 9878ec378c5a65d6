"""Batches into OTLP requests: the exact inverse of ``decode``, up to the order of grouping.

Any batch will do: with fact columns or without, sliced, filtered, or joined of several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.message import Message

from collector.model import schema
from collector.model.any_value import set_columns
from collector.model.batch import Batch, Signal
from collector.model.codec.otlp_json import to_json
from collector.model.codec.reference.encode_metrics import fill_metrics
from collector.model.codec.reference.readers import Columns, read
from collector.model.codec.wire import REQUEST

Scopes = list[Any]
"""Per row the Scope… message it belongs into."""


def encode(batch: Batch) -> bytes:
    """The serialised ``Export…ServiceRequest`` of all rows."""
    data: bytes = to_message(batch).SerializeToString()
    return data


def encode_json(batch: Batch) -> bytes:
    """The same request as OTLP/JSON."""
    return to_json(batch.signal, to_message(batch))


def split_encode(batch: Batch, max_bytes: int) -> Iterator[bytes]:
    """The rows in order as requests of at most ``max_bytes`` each, or of one row if that is larger."""
    if not batch.num_rows:
        return
    data = encode(batch)
    if len(data) <= max_bytes or batch.num_rows == 1:
        yield data
        return
    middle = batch.num_rows // 2
    yield from split_encode(batch.slice(0, middle), max_bytes)
    yield from split_encode(batch.slice(middle), max_bytes)


def to_message(batch: Batch) -> Message:
    """The ``Export…ServiceRequest`` of all rows, grouped by resource and scope as first seen."""
    request: Message = REQUEST[batch.signal]()
    known = schema.WIRE if batch.signal is Signal.TRACES else type(batch).schema
    columns = read(batch.record_batch, known.names)
    _FILL[batch.signal](columns, _scopes(request, batch.signal, columns))
    return request


def _scopes(request: Any, signal: Signal, columns: Columns) -> Scopes:
    """Adds a Resource… and Scope… message per distinct pair of headers."""
    part = "spans" if signal is Signal.TRACES else signal.value
    resources: dict[bytes, Any] = {}
    scopes: dict[tuple[bytes, bytes], Any] = {}
    out = []
    for key in zip(columns["resource"], columns["scope"], strict=True):
        scope = scopes.get(key)
        if scope is None:
            resource = resources.get(key[0])
            if resource is None:
                resource = resources[key[0]] = getattr(request, f"resource_{part}").add()
                resource.MergeFromString(key[0])
            scope = scopes[key] = getattr(resource, f"scope_{part}").add()
            scope.MergeFromString(key[1])
        out.append(scope)
    return out


def _fill_spans(columns: Columns, scopes: Scopes) -> None:
    attributes, events, links = columns["attributes"], columns["events"], columns["links"]
    for row, scope in enumerate(scopes):
        span = scope.spans.add(
            trace_id=columns["trace_id"][row],
            span_id=columns["span_id"][row],
            parent_span_id=columns["parent_span_id"][row],
            trace_state=columns["trace_state"][row],
            flags=columns["flags"][row],
            name=columns["span_name"][row],
            kind=columns["kind"][row],
            start_time_unix_nano=columns["start_unix_nano"][row],
            end_time_unix_nano=columns["end_unix_nano"][row],
            dropped_attributes_count=columns["dropped_attributes_count"][row],
            dropped_events_count=columns["dropped_events_count"][row],
            dropped_links_count=columns["dropped_links_count"][row],
        )
        code, message = columns["status_code"][row], columns["status_message"][row]
        if code or message:
            span.status.code = code
            span.status.message = message
        attributes.fill(span.attributes, row)
        for item in events.range(row):
            _add_event(span, events.items, item)
        for item in links.range(row):
            _add_link(span, links.items, item)


def _add_event(span: Any, columns: Columns, item: int) -> None:
    event = span.events.add(
        time_unix_nano=columns["time_unix_nano"][item],
        name=columns["name"][item],
        dropped_attributes_count=columns["dropped_attributes_count"][item],
    )
    columns["attributes"].fill(event.attributes, item)


def _add_link(span: Any, columns: Columns, item: int) -> None:
    link = span.links.add(
        trace_id=columns["trace_id"][item],
        span_id=columns["span_id"][item],
        trace_state=columns["trace_state"][item],
        dropped_attributes_count=columns["dropped_attributes_count"][item],
        flags=columns["flags"][item],
    )
    columns["attributes"].fill(link.attributes, item)


def _fill_logs(columns: Columns, scopes: Scopes) -> None:
    names = [
        "time_unix_nano",
        "observed_time_unix_nano",
        "severity_number",
        "severity_text",
        "event_name",
        "dropped_attributes_count",
        "flags",
        "trace_id",
        "span_id",
    ]
    for row, scope in enumerate(scopes):
        record = scope.log_records.add(**{name: columns[name][row] for name in names})
        kind = columns["body_type"][row]
        if kind != schema.EMPTY:
            set_columns(record.body, kind, columns["body_num"][row], columns["body_text"][row])
        columns["attributes"].fill(record.attributes, row)


_FILL: dict[Signal, Callable[[Columns, Scopes], None]] = {
    Signal.TRACES: _fill_spans,
    Signal.LOGS: _fill_logs,
    Signal.METRICS: fill_metrics,
}
