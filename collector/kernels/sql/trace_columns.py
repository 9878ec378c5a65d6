"""The relation that SQL conditions see: one row per span, named as in ``observations``.

What of a stored row is content does not exist before the decision. An attribute is there under its key,
as text: ``attributes['http.route']``, ``resource['service.name']``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from collector.kernels.due_traces import Traces
from collector.kernels.sql.column_names import Column, SqlExpression, attribute, column_of, decoded, parse, plain
from collector.kernels.sql.relations import IDENTITY, MONEY, OF_TRACE, TOKENS
from collector.model import schema
from collector.model.batch import SpanBatch
from collector.model.stored import columns

TraceCondition = SqlExpression
"""A parsed condition over whole traces, which may aggregate over their spans."""
TRACE = "_trace"
"""Column that groups the spans."""


def _counted(name: str) -> Column:
    def make(spans: SpanBatch) -> pa.Array:
        values = decoded(spans.column(name))
        counted = pc.equal(decoded(spans.column("usage_scope")), "counted").fill_null(pa.scalar(False))
        values = columns.decimals(values) if name in MONEY else values
        return pc.if_else(counted, values, pa.scalar(None, values.type))

    return Column((name, "usage_scope"), make)


COLUMNS: Mapping[str, Column] = {
    **IDENTITY,
    "usage_scope": plain("usage_scope"),
    **{name: _counted(name) for name in (*TOKENS, *MONEY, "cost_source", "price_ref")},
}
"""Every name a condition may use."""

UNKNOWN_YET = frozenset(schema.OBSERVATIONS.names) - COLUMNS.keys()
"""Columns of ``observations`` that do not exist before the decision."""


def columns_needed(conditions: Sequence[TraceCondition]) -> set[str]:
    """The columns of spans that these conditions are made of."""
    named = {source for c in conditions for name in c.columns for source in COLUMNS[name].sources}
    return named | {of for c in conditions for of, _ in c.keys}


def parse_trace_condition(text: str) -> TraceCondition:
    """The condition, with its attributes as columns. Raises ``ValueError`` for what is not there yet."""
    condition = parse(text, COLUMNS)
    if missing := sorted(UNKNOWN_YET & condition.words):
        raise ValueError(
            f"{text!r}: {', '.join(missing)} does not exist before the decision; "
            "an attribute does, as in attributes['http.route'] or resource['service.name']"
        )
    return condition


def relation(conditions: Sequence[TraceCondition], traces: Traces) -> pa.Table:
    """The columns the conditions use, of all spans, and ``TRACE``."""
    spans, owner = traces.spans()
    arrays = {TRACE: pa.array(owner)}
    for name in dict.fromkeys(name for condition in conditions for name in condition.columns):
        values = COLUMNS[name].make(spans)
        if name in OF_TRACE:
            values = pc.coalesce(values, traces.texts(name).take(pa.array(owner)))
        arrays[name] = values
    for of, key in dict.fromkeys(key for condition in conditions for key in condition.keys):
        arrays[column_of(of, key)] = attribute(spans, of, key)
    return pa.table(arrays)


def nothing(condition: TraceCondition) -> pa.Table:
    """The relation of a condition without spans: for a look at it before anything comes."""
    empty = SpanBatch(pa.RecordBatch.from_pylist([], schema.SPANS)).with_columns(
        {"usage_scope": pa.array([], pa.string())}
    )
    arrays = {TRACE: pa.array([], pa.int32())}
    arrays |= {name: COLUMNS[name].make(empty) for name in condition.columns}
    arrays |= {column_of(*key): pa.array([], pa.string()) for key in condition.keys}
    return pa.table(arrays)
