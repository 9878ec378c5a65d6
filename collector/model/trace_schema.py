"""What is known of whole traces, declared once: each trace fact with its type, its meaning and where it goes.

A fact takes one way: ``engine.traces.trace_facts`` computes it when its trace is due, policies see it, the
decision record keeps it, an exporter's reader repeats it in every span of the trace, and the stored row shows it.
All of these follow the declarations here. A new trace fact is an entry of ``DECLARED`` and the function that
computes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import pyarrow as pa

_TEXT = pa.string()
_NAME = pa.dictionary(pa.int32(), pa.string())


class SpanValue(Enum):
    """When the column of the same name in ``schema.SPANS`` is stored instead of the fact of the trace."""

    NEVER = auto()
    """There is no such column, or it means something else. Without assembly the stored column is null."""
    WITHOUT_ASSEMBLY = auto()
    """In pipelines that see no whole traces."""
    FIRST = auto()
    """Wherever the span has a value, and in pipelines that see no whole traces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFact:
    """One column of ``TRACE_FACTS``, and of what is decided and stored."""

    name: str
    dtype: pa.DataType
    meaning: str
    nullable: bool = False
    stored_as: str | None = None
    """The column of ``schema.OBSERVATIONS`` that repeats it in every span of the trace; a name that does not stand
    there becomes a column at the end. None: only policies see the fact."""
    span_value: SpanValue = SpanValue.NEVER
    names: tuple[str, ...] = ()
    """For a fact that is a code: the text that is stored for each code."""
    of_policies: bool = False
    """Stored only for traces that a policy kept."""

    @property
    def stored_type(self) -> pa.DataType:
        """Its type beside a span in flight; texts for codes are dictionary-encoded."""
        return _NAME if self.names else self.dtype


TRIGGERS = ("decision_wait", "root_received", "trace_size", "overflow", "shutdown")
"""What made a trace due: its wait ended, or the wait after its root; it grew above a bound; it was the
oldest when memory or the journal had no room; nothing more can come."""

DECLARED = (
    TraceFact(name="trace_id", dtype=pa.binary(16), meaning="id of the trace"),
    TraceFact(name="start_unix_nano", dtype=pa.int64(), meaning="earliest start of its spans"),
    TraceFact(name="end_unix_nano", dtype=pa.int64(), meaning="latest end of its spans"),
    TraceFact(name="span_count", dtype=pa.int64(), meaning="number of spans"),
    TraceFact(
        name="status_codes",
        dtype=pa.uint8(),
        meaning="status codes of its spans: the bit 1 << code is set for each (UNSET 0, OK 1, ERROR 2)",
    ),
    TraceFact(name="error_count", dtype=pa.int64(), meaning="spans of level ERROR"),
    TraceFact(
        name="total_cost", dtype=pa.int64(), nullable=True, meaning="pico-dollars over counted spans; null: not known"
    ),
    TraceFact(name="total_tokens", dtype=pa.int64(), nullable=True, meaning="over counted spans; null: not known"),
    TraceFact(
        name="trace_name",
        dtype=_TEXT,
        nullable=True,
        meaning="the name that an attribute gives the trace, else the name of its root span",
        stored_as="trace_name",
        span_value=SpanValue.WITHOUT_ASSEMBLY,
    ),
    TraceFact(
        name="user_id",
        dtype=_TEXT,
        nullable=True,
        meaning="the user, of the root span before others, then by start",
        stored_as="user_id",
        span_value=SpanValue.FIRST,
    ),
    TraceFact(
        name="session_id",
        dtype=_TEXT,
        nullable=True,
        meaning="the session, of the root span before others, then by start",
        stored_as="session_id",
        span_value=SpanValue.FIRST,
    ),
    TraceFact(
        name="tags",
        dtype=pa.list_(_TEXT),
        nullable=True,
        meaning="union of its spans' tags; weak ones only where there are no others",
        stored_as="tags",
        span_value=SpanValue.WITHOUT_ASSEMBLY,
    ),
    TraceFact(name="size_bytes", dtype=pa.int64(), meaning="sizes.row_bytes of all its spans, as they came"),
    TraceFact(
        name="trigger",
        dtype=pa.uint8(),
        meaning="what made it due: index in TRIGGERS",
        stored_as="sampling_trigger",
        names=TRIGGERS,
        of_policies=True,
    ),
    TraceFact(
        name="upstream_probability",
        dtype=pa.float64(),
        meaning="how likely it was to come this far, by the tracestate of its root span, else of its first span",
    ),
)
"""Every trace fact, in the order of ``TRACE_FACTS``."""

STORED = {fact.stored_as: fact for fact in DECLARED if fact.stored_as is not None}
"""Stored column → the fact in it: what decision records keep and stored rows repeat."""

TRACE_FACTS = pa.schema([pa.field(fact.name, fact.dtype, nullable=fact.nullable) for fact in DECLARED])
"""What is known of a trace when it is due: the input of sampling policies."""

DECIDED = pa.schema(
    [
        pa.field("usage_scope", _NAME),  # counted, rollup, duplicate; null: no usage
        pa.field("usage_rule", _NAME),
        pa.field("inherit_from", pa.int32()),  # row of the same batch that knew more about this call
        *(pa.field(column, fact.stored_type) for column, fact in STORED.items()),
        pa.field("sampled_by", _NAME),
        pa.field("adjusted_count", pa.float64(), nullable=False),
        pa.field("date", pa.date32(), nullable=False),  # the partition of the whole trace
        pa.field("ingested_unix_nano", pa.int64(), nullable=False),
    ]
)
"""What the decision added to each kept span: row-aligned with the SpanBatch it belongs to."""


def with_trace_facts(observations: pa.Schema) -> pa.Schema:
    """The schema with a column at its end for each stored fact that has none yet."""
    for column, fact in STORED.items():
        if column not in observations.names:
            observations = observations.append(pa.field(column, _TEXT if fact.names else fact.dtype))
    return observations
