"""Spans from protobuf messages into columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import pyarrow as pa
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.model import schema
from collector.model.codec.reference.array_builders import Layout, Struct
from collector.model.codec.wire import dropped

_LAYOUT = Layout(schema.WIRE)
_FIELDS = {
    "trace_id": "trace_id",
    "span_id": "span_id",
    "parent_span_id": "parent_span_id",
    "trace_state": "trace_state",
    "flags": "flags",
    "span_name": "name",
    "kind": "kind",
    "start_unix_nano": "start_time_unix_nano",
    "end_unix_nano": "end_time_unix_nano",
    "status_code": "status.code",
    "status_message": "status.message",
    "dropped_events_count": "dropped_events_count",
    "dropped_links_count": "dropped_links_count",
}
"""Columns that are fields of the message as they are, and which."""
_PLAIN: Callable[[Span], tuple[Any, ...]] = attrgetter(*_FIELDS.values())
_NESTED: Callable[[Span], tuple[Any, ...]] = attrgetter("attributes", "dropped_attributes_count", "events", "links")
_IDS: Callable[[Span], tuple[bytes, bytes, bytes]] = attrgetter("trace_id", "span_id", "parent_span_id")
_NO_TRACE_ID = bytes(16)
_NO_SPAN_ID = bytes(8)


def refusal(span: Span) -> str | None:
    """Why a span cannot be taken, in words without content; None: it can."""
    trace_id, span_id, parent = _IDS(span)
    if len(trace_id) != 16 or trace_id == _NO_TRACE_ID:
        return "trace_id is not 16 bytes or all zero"
    if len(span_id) != 8 or span_id == _NO_SPAN_ID:
        return "span_id is not 8 bytes or all zero"
    if parent and len(parent) != 8:
        return "parent_span_id is neither empty nor 8 bytes"
    return None


class SpanRows(Struct):
    """The columns of ``schema.WIRE``."""

    def __init__(self) -> None:
        super().__init__(_LAYOUT)
        self._plain: list[Any] = []
        """The values of ``_FIELDS``, span after span: taken by one call, put into columns at the end."""

    def add(self, span: Span, resource: bytes, scope: bytes) -> int:
        """Appends one span; returns 1."""
        columns = self.columns
        self._plain += _PLAIN(span)
        attributes, count, events, links = _NESTED(span)
        emptied = columns["attributes"].add(attributes)
        columns["dropped_attributes_count"].append(dropped(count, emptied) if emptied else count)
        columns["resource"].append(resource)
        columns["scope"].append(scope)
        if events:
            self._add_events(events)
        if links:
            self._add_links(links)
        columns["events"].end_row(len(events))
        columns["links"].end_row(len(links))
        return 1

    def finish(self) -> list[pa.Array]:
        for position, name in enumerate(_FIELDS):
            self.columns[name] = self._plain[position :: len(_FIELDS)]
        # An all-zero parent is how some SDKs say that there is none.
        parents = self.columns["parent_span_id"]
        self.columns["parent_span_id"] = [p if p and p != _NO_SPAN_ID else None for p in parents]
        return super().finish()

    def _add_events(self, events: Sequence[Span.Event]) -> None:
        columns = self.columns["events"].items.columns
        for event in events:
            columns["time_unix_nano"].append(event.time_unix_nano)
            columns["name"].append(event.name)
            emptied = columns["attributes"].add(event.attributes)
            columns["dropped_attributes_count"].append(dropped(event.dropped_attributes_count, emptied))

    def _add_links(self, links: Sequence[Span.Link]) -> None:
        columns = self.columns["links"].items.columns
        for link in links:
            columns["trace_id"].append(link.trace_id)
            columns["span_id"].append(link.span_id)
            columns["trace_state"].append(link.trace_state)
            emptied = columns["attributes"].add(link.attributes)
            columns["dropped_attributes_count"].append(dropped(link.dropped_attributes_count, emptied))
            columns["flags"].append(link.flags)
