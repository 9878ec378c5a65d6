"""Facts that only the log records of a trace say: Google's ADK names its user nowhere else."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa

from collector.model import schema
from collector.model.batch import LogBatch, SpanBatch
from collector.model.facts.lookup import Lookup
from collector.model.facts.values import MISSING

IDENTITY = ("user_id", "session_id")

NEEDED = ("time_unix_nano", "event_name", "attributes", "resource", "scope")
"""The columns of log records that are looked at."""


def identity(logs: LogBatch) -> dict[str, pa.StringArray]:
    """Per log record the user and the session it names (``IDENTITY``), by the rows of the dialect tables."""
    lookup = Lookup(_as_spans(logs), Counter())
    found = {}
    for field in IDENTITY:
        codes = lookup.text_codes(field, {})
        found[field] = pa.nulls(logs.num_rows, pa.string()) if (codes == MISSING).all() else lookup.texts(codes)
    return found


def _as_spans(logs: LogBatch) -> SpanBatch:
    """The records as far as a look-up of attributes sees them: spans without events and parents."""
    n = logs.num_rows
    columns = {
        "parent_span_id": pa.nulls(n, schema.SPAN_ID),
        "span_name": logs.column("event_name"),
        "kind": pa.array(np.zeros(n), schema.WIRE.field("kind").type),
        "events": pa.array([[]] * n, schema.EVENTS),
        **{name: logs.column(name) for name in ("attributes", "resource", "scope")},
    }
    fields = [schema.WIRE.field(name) for name in columns]
    return SpanBatch(pa.RecordBatch.from_arrays(list(columns.values()), schema=pa.schema(fields)))
