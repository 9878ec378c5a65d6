"""What expressions over spans, log records and metric points see: a relation each, a row per item.

Columns of spans are named as in ``observations``. Nothing that is made after a trace was decided is among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from collector.errors import suggest
from collector.kernels.sql.column_names import Column, SqlExpression, attribute, column_of, parse, plain
from collector.model import attributes, schema
from collector.model.batch import BATCH_OF, Batch, Signal
from collector.model.schema import KINDS, STATUS_CODES
from collector.model.stored import columns as stored_columns

MONEY = ("input_cost", "output_cost", "total_cost")
TOKENS = (
    "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
)  # fmt: skip
OF_TRACE = ("trace_name", "user_id", "session_id")
PLAIN = (
    "type", "subtype", "name", "span_name", "level", "error_type", "service_name", "environment", "release", "version",
    "provider", "request_model", "response_model", "model", "response_id", "finish_reasons", "agent_name", "tool_name",
    "tool_call_id", "prompt_name", "prompt_version", "dialect", "scope_name", "scope_version",
)  # fmt: skip


def _made(name: str, make: Callable[[pa.Array], pa.Array], source: str = "") -> dict[str, Column]:
    source = source or name
    return {name: Column((source,), lambda batch: make(batch.column(source)))}


def _time(name: str, source: str) -> dict[str, Column]:
    return {source: plain(source), **_made(name, stored_columns.timestamps, source)}


IDENTITY: Mapping[str, Column] = {
    **_made("trace_id", stored_columns.hex_ids),
    **_made("span_id", stored_columns.hex_ids),
    **_made("parent_span_id", stored_columns.parent_ids),
    **_made("kind", lambda column: stored_columns.named(column, KINDS)),
    **_made("status_code", lambda column: stored_columns.named(column, STATUS_CODES)),
    **_time("start_time", "start_unix_nano"),
    **_time("end_time", "end_unix_nano"),
    "duration_ns": Column(
        ("start_unix_nano", "end_unix_nano"),
        lambda spans: pc.subtract(spans.column("end_unix_nano"), spans.column("start_unix_nano")),
    ),
    **{name: plain(name) for name in (*PLAIN, *OF_TRACE)},
}
"""Columns of spans that say the same before and after assembly."""

_SPANS: Mapping[str, Column] = {
    **IDENTITY,
    **{name: plain(name) for name in (*TOKENS, "cost_source", "price_ref", "status_message", "trace_state")},
    **{name: value for money in MONEY for name, value in _made(money, stored_columns.decimals).items()},
}


def _hex(column: pa.Array) -> pa.Array:
    """Ids of any length; null for none."""
    ids = column.dictionary_encode()
    return pa.array([value.hex() or None for value in ids.dictionary.to_pylist()], pa.string()).take(ids.indices)


def _scope(part: str) -> dict[str, Column]:
    def make(column: pa.Array) -> pa.Array:
        values = [getattr(attributes.parse_scope(header).scope, part) for header in column.dictionary.to_pylist()]
        return pa.array(values, pa.string()).take(column.indices)

    return _made(f"scope_{part}", make, "scope")


def _service(column: pa.Array) -> pa.Array:
    named = [attributes.resource_values(header).get("service.name") for header in column.dictionary.to_pylist()]
    return pa.array([None if name is None else str(name) for name in named], pa.string()).take(column.indices)


_ORIGIN = {**_scope("name"), **_scope("version"), **_made("service_name", _service, "resource")}

_LOGS: Mapping[str, Column] = {
    **_time("time", "time_unix_nano"),
    **_time("observed_time", "observed_time_unix_nano"),
    **{name: plain(name) for name in ("severity_number", "severity_text", "event_name")},
    **_made("body", lambda column: column, "body_text"),
    **_made("trace_id", _hex),
    **_made("span_id", _hex),
    **_ORIGIN,
}
_METRICS: Mapping[str, Column] = {
    **{name: plain(name) for name in ("name", "description", "unit", "kind", "is_monotonic", "count", "sum")},
    **_time("start_time", "start_time_unix_nano"),
    **_time("time", "time_unix_nano"),
    "value": Column(
        ("value_int", "value_double"),
        lambda points: pc.coalesce(
            points.column("value_double"), points.column("value_int").cast(pa.float64(), safe=False)
        ),
    ),
    **_ORIGIN,
}


@dataclass(frozen=True)
class Relation:
    """The items of one signal as a table."""

    item: str
    signal: Signal
    columns: Mapping[str, Column]

    def parse(self, text: str) -> SqlExpression:
        """Raises ``ValueError`` for what is not there, and for a query."""
        expression = parse(text, self.columns)
        if missing := sorted((expression.words & _NOT_YET) - self.columns.keys()) if self.item == "span" else ():
            raise ValueError(
                f"{text!r}: {', '.join(missing)} does not exist here: content, counting and sampling come after the "
                "decision; an attribute does, as in attributes['http.route'] or resource['service.name']"
            )
        return expression

    def table(self, batch: Batch, expressions: list[SqlExpression]) -> pa.Table:
        """The columns these expressions use."""
        arrays: dict[str, pa.Array] = {}
        for name in dict.fromkeys(name for e in expressions for name in e.columns):
            arrays[name] = self.columns[name].make(batch)
        for of, key in dict.fromkeys(key for e in expressions for key in e.keys):
            arrays[column_of(of, key)] = attribute(batch, of, key)
        arrays["_row"] = pa.nulls(batch.num_rows, pa.bool_())
        return pa.table(arrays)

    def near(self, name: str) -> str:
        """What may have been meant by a name that is no column."""
        return suggest(name, self.columns)

    def nothing(self, expression: SqlExpression) -> pa.Table:
        """The relation without items, with every column: for a look at an expression before anything comes."""
        of = BATCH_OF[self.signal]
        batch = of(pa.RecordBatch.from_pylist([], of.schema))
        arrays = {name: column.make(batch) for name, column in self.columns.items()}
        return pa.table(arrays | {column_of(*key): pa.array([], pa.string()) for key in expression.keys})


_NOT_YET = frozenset(schema.OBSERVATIONS.names)

SPAN_RELATION = Relation("span", Signal.TRACES, _SPANS)
LOG_RELATION = Relation("log", Signal.LOGS, _LOGS)
"""Log records, as SQL sees them."""
METRIC_RELATION = Relation("metric", Signal.METRICS, _METRICS)
"""Metric points, as SQL sees them."""
RELATIONS = {relation.item: relation for relation in (SPAN_RELATION, LOG_RELATION, METRIC_RELATION)}
"""Word for one row (``span``, ``log``, ``metric``) → its relation."""
RELATION_OF_SIGNAL = {relation.signal: relation for relation in (SPAN_RELATION, LOG_RELATION, METRIC_RELATION)}
"""Signal → its relation."""
