"""A processor as a function of one span, for people who would rather not work on columns.

It costs Python objects: about 50 µs for a span of five attributes, where a kernel over the column takes a
thousandth of that (``bench/rowwise.py``). That is fine for a few thousand spans a second, and behind
``tail_sampling``, where only kept spans arrive.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from collector.model import attributes, schema
from collector.model.any_value import to_columns
from collector.model.batch import SpanBatch
from collector.model.facts.origins import read_scope

_COLUMNS = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "span_name",
    "kind",
    "start_unix_nano",
    "end_unix_nano",
    "status_code",
    "status_message",
)


@dataclass(slots=True)
class Span:
    """One span. ``name``, ``attributes``, ``status_code`` and ``status_message`` may be changed."""

    trace_id: str
    """Lower-case hex."""
    span_id: str
    parent_span_id: str | None
    name: str
    kind: int
    """OTLP's number: 1 internal, 2 server, 3 client, 4 producer, 5 consumer."""
    start_unix_nano: int
    end_unix_nano: int
    status_code: int
    """0 unset, 1 ok, 2 error."""
    status_message: str
    attributes: dict[str, Any]
    """Text, bool, int, float, bytes, None, and lists and dicts of these."""
    resource: Mapping[str, Any]
    scope_name: str
    _batch: SpanBatch = field(repr=False)
    _row: int = field(repr=False)

    @property
    def facts(self) -> Mapping[str, Any]:
        """Its facts: ``type``, ``model``, ``input_tokens``, ... (``schema.FACTS``)."""
        present = [name for name in schema.FACTS.names if self._batch.has(name)]
        row: dict[str, Any] = self._batch.record_batch.select(present).slice(self._row, 1).to_pylist()[0]
        return row


Process = Callable[[Span], Span | None]
"""Gives the span back, changed or not; None drops it."""


def rowwise(process: Process) -> RowWise:
    """A processor that calls ``process`` for every span. The function must not keep state that changes its answer."""
    return RowWise(process)


class RowWise:
    """Implements ``component.Processor`` over a function of one span."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def process(self, batch: SpanBatch) -> SpanBatch:
        """The spans that the function returned. A span it did not change stays exactly as it was sent."""
        spans = _spans(batch)
        before = [_changeable(span) for span in spans]
        kept: list[int] = []
        changed: dict[int, Span] = {}
        for row, span in enumerate(spans):
            answer = self._process(span)
            if answer is None:
                continue
            if _differs(_changeable(answer), before[row]):
                changed[len(kept)] = answer
            kept.append(row)
        out = batch if len(kept) == batch.num_rows else batch.take(np.array(kept, np.int64))
        return _with_changes(out, changed) if changed else out


def _changeable(span: Span) -> tuple[Any, ...]:
    values = {k: copy.deepcopy(v) if isinstance(v, list | dict) else v for k, v in span.attributes.items()}
    return span.name, span.status_code, span.status_message, values


def _differs(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    # As text where they are not equal: a NaN is equal to itself here.
    return one != other and repr(one) != repr(other)


def _spans(batch: SpanBatch) -> list[Span]:
    columns = zip(*(batch.column(name).to_pylist() for name in _COLUMNS), strict=True)
    resources = _by_row(batch.column("resource"), _resource)
    scopes = _by_row(batch.column("scope"), lambda header: read_scope(header)[0])
    values = attributes.to_dicts(batch.column("attributes"))
    spans = []
    for row, (trace, span, parent, name, kind, start, end, code, message) in enumerate(columns):
        ids = trace.hex(), span.hex(), parent.hex() if parent else None
        spans.append(
            Span(*ids, name, kind, start, end, code, message, values[row], resources[row], scopes[row], batch, row)
        )
    return spans


def _by_row(column: pa.DictionaryArray, read: Callable[[bytes], Any]) -> list[Any]:
    """What ``read`` makes of each row's header; each distinct header is read once."""
    known = [read(header) for header in column.dictionary.to_pylist()]
    return [known[code] for code in column.indices.to_pylist()]


def _resource(header: bytes) -> dict[str, Any]:
    parsed = attributes.parse_resource(header).resource.attributes
    return {attribute.key: attributes.decode_value(*to_columns(attribute.value)) for attribute in parsed}


def _with_changes(batch: SpanBatch, changed: Mapping[int, Span]) -> SpanBatch:
    """The batch with the changed rows' values in place of theirs."""
    source = np.arange(batch.num_rows)
    source[list(changed)] = batch.num_rows + np.arange(len(changed))
    values = {
        "span_name": [span.name for span in changed.values()],
        "status_message": [span.status_message for span in changed.values()],
        "status_code": [span.status_code for span in changed.values()],
    }
    new = {name: pa.array(column, schema.WIRE.field(name).type) for name, column in values.items()}
    new["attributes"] = attributes.from_dicts([span.attributes for span in changed.values()])
    return batch.with_columns({name: _merged(batch.column(name), column, source) for name, column in new.items()})


def _merged(old: pa.Array, new: pa.Array, source: Any) -> pa.Array:
    both = pa.chunked_array([old, new.cast(old.type)])
    return both.take(pa.array(source)).combine_chunks()
