"""Log records from protobuf messages into columns."""

from __future__ import annotations

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.model import schema
from collector.model.codec.reference.array_builders import Layout, Struct, value_columns
from collector.model.codec.wire import dropped

_LAYOUT = Layout(schema.LOGS)


class LogRows(Struct):
    """The columns of ``schema.LOGS``."""

    def __init__(self) -> None:
        super().__init__(_LAYOUT)

    def add(self, record: LogRecord, resource: bytes, scope: bytes) -> int:
        """Appends one record; returns 1."""
        columns = self.columns
        (kind, num, text), too_deep = value_columns(record.body)
        columns["time_unix_nano"].append(record.time_unix_nano)
        columns["observed_time_unix_nano"].append(record.observed_time_unix_nano)
        columns["severity_number"].append(record.severity_number)
        columns["severity_text"].append(record.severity_text)
        columns["event_name"].append(record.event_name)
        columns["body_type"].append(kind)
        columns["body_num"].append(num)
        columns["body_text"].append(text)
        emptied = columns["attributes"].add(record.attributes) + too_deep
        columns["dropped_attributes_count"].append(dropped(record.dropped_attributes_count, emptied))
        columns["flags"].append(record.flags)
        columns["trace_id"].append(record.trace_id)
        columns["span_id"].append(record.span_id)
        columns["resource"].append(resource)
        columns["scope"].append(scope)
        return 1
