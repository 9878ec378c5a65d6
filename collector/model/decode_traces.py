"""Spans from protobuf messages into columns."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.model import schema
from collector.model.columns import Struct, dropped

_NO_TRACE_ID = bytes(16)
_NO_SPAN_ID = bytes(8)


def refusal(span: Span) -> str | None:
    """Why a span cannot be taken, in words without content; None: it can."""
    if len(span.trace_id) != 16 or span.trace_id == _NO_TRACE_ID:
        return "trace_id is not 16 bytes or all zero"
    if len(span.span_id) != 8 or span.span_id == _NO_SPAN_ID:
        return "span_id is not 8 bytes or all zero"
    if len(span.parent_span_id) not in {0, 8}:
        return "parent_span_id is neither empty nor 8 bytes"
    return None


class SpanRows(Struct):
    """The columns of ``schema.WIRE``."""

    def __init__(self) -> None:
        super().__init__(schema.WIRE)

    def add(self, span: Span, resource: bytes, scope: bytes) -> int:
        """Appends one span; returns 1."""
        columns = self.columns
        parent = span.parent_span_id
        status = span.status
        columns["trace_id"].append(span.trace_id)
        columns["span_id"].append(span.span_id)
        # An all-zero parent is how some SDKs say that there is none.
        columns["parent_span_id"].append(parent if parent and parent != _NO_SPAN_ID else None)
        columns["trace_state"].append(span.trace_state)
        columns["flags"].append(span.flags)
        columns["span_name"].append(span.name)
        columns["kind"].append(span.kind)
        columns["start_unix_nano"].append(span.start_time_unix_nano)
        columns["end_unix_nano"].append(span.end_time_unix_nano)
        columns["status_code"].append(status.code)
        columns["status_message"].append(status.message)
        emptied = columns["attributes"].add(span.attributes)
        columns["dropped_attributes_count"].append(dropped(span.dropped_attributes_count, emptied))
        self._add_events(span.events)
        columns["dropped_events_count"].append(span.dropped_events_count)
        self._add_links(span.links)
        columns["dropped_links_count"].append(span.dropped_links_count)
        columns["resource"].append(resource)
        columns["scope"].append(scope)
        return 1

    def _add_events(self, events: Sequence[Span.Event]) -> None:
        column = self.columns["events"]
        columns = column.items.columns
        for event in events:
            columns["time_unix_nano"].append(event.time_unix_nano)
            columns["name"].append(event.name)
            emptied = columns["attributes"].add(event.attributes)
            columns["dropped_attributes_count"].append(dropped(event.dropped_attributes_count, emptied))
        column.end_row(len(events))

    def _add_links(self, links: Sequence[Span.Link]) -> None:
        column = self.columns["links"]
        columns = column.items.columns
        for link in links:
            columns["trace_id"].append(link.trace_id)
            columns["span_id"].append(link.span_id)
            columns["trace_state"].append(link.trace_state)
            emptied = columns["attributes"].add(link.attributes)
            columns["dropped_attributes_count"].append(dropped(link.dropped_attributes_count, emptied))
            columns["flags"].append(link.flags)
        column.end_row(len(links))
