"""The ``otlp`` column: what of a span no other stored column tells, so that a row is the span.

A JSON object with snake_case names of OTLP's fields, each only where it is not the default; null
when nothing is left. ``scope`` and ``resource`` hold the remains of their headers. A time that was
0 on the wire, an unknown enum number, a parent id of zeros and a status message that another
source replaced stand here as they were sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.model.arrow_arrays import numpy_of
from collector.model.attributes import dumps
from collector.model.batch import SpanBatch
from collector.model.schema import KINDS, STATUS_CODES
from collector.model.stored import columns, json_text

_NO_COUNT = pa.scalar(0, pa.uint32())
_NUMBERS = ("flags", "dropped_attributes_count", "dropped_events_count", "dropped_links_count")


def remains(spans: SpanBatch, stored: Mapping[str, pa.Array]) -> pa.StringArray:
    """The ``otlp`` texts of these spans, given their other stored columns."""
    members: list[dict[str, Any]] = [{} for _ in range(spans.num_rows)]
    for name in _NUMBERS:
        _add(members, name, spans.column(name), pc.not_equal(spans.column(name), _NO_COUNT))
    _add(
        members,
        "trace_state",
        spans.column("trace_state"),
        pc.not_equal(spans.column("trace_state"), columns.EMPTY_TEXT),
    )
    for name, known in (("kind", len(KINDS)), ("status_code", len(STATUS_CODES))):
        numbers = spans.column(name).to_numpy()
        _add(members, name, spans.column(name), pa.array((numbers < 0) | (numbers >= known)))
    for name in ("start_unix_nano", "end_unix_nano"):
        _add(members, name, spans.column(name), pc.not_equal(spans.column(name), stored[name]))
    sent = spans.column("status_message")
    kept = pc.equal(sent, stored["status_message"].fill_null(columns.EMPTY_TEXT))
    _add(members, "status_message", sent, pc.invert(kept))
    parents = columns.hex_ids(spans.column("parent_span_id"))
    zero = pc.and_(pc.is_valid(parents), pc.is_null(stored["parent_span_id"]))
    _add(members, "parent_span_id", parents, zero)
    _add_header(members, "scope", spans.column("scope"), json_text.scope_remains)
    _add_header(members, "resource", spans.column("resource"), json_text.resource_remains)
    return _texts(members)


def _add(members: list[dict[str, Any]], name: str, values: pa.Array, where: pa.BooleanArray) -> None:
    rows = np.flatnonzero(numpy_of(where))
    if len(rows):
        for row, value in zip(rows.tolist(), values.take(pa.array(rows)).to_pylist(), strict=True):
            members[row][name] = value


def _add_header(
    members: list[dict[str, Any]], name: str, column: pa.DictionaryArray, read: Callable[[bytes], dict[str, Any]]
) -> None:
    found = [read(header) for header in column.dictionary.to_pylist()]
    codes: npt.NDArray[np.int32] = numpy_of(column.indices)
    if any(found):
        for row, code in enumerate(codes.tolist()):
            if found[code]:
                members[row][name] = found[code]


def _texts(members: list[dict[str, Any]]) -> pa.StringArray:
    # Most spans differ in nothing here but their flags, so texts are written once per distinct value.
    written: dict[Any, str] = {}
    texts = []
    for row in members:
        key = tuple((k, id(v) if isinstance(v, dict) else v) for k, v in row.items())
        if row and key not in written:
            written[key] = dumps(row)
        texts.append(written.get(key) if row else None)
    return pa.array(texts, pa.string())
