"""From decided spans to the rows of ``observations``: the stored form of everything.

Runs after the sampling decision, for kept rows only. Whatever is a column stays a column; Python
per row is spent on messages, metadata and what ``otlp`` keeps.
"""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.model import schema
from collector.model.arrow_arrays import numpy_of
from collector.model.batch import LogBatch, SpanBatch
from collector.model.dialects.messages import carriers, choices as resolve
from collector.model.dialects.messages.carriers import genai_logs
from collector.model.dialects.messages.span_content import Content
from collector.model.dialects.model_families import model_family
from collector.model.facts.recorder import Recorder
from collector.model.schema import KINDS, STATUS_CODES
from collector.model.stored import columns as stored_columns, json_text
from collector.model.stored.otlp_rest import remains

__all__ = ["genai_logs", "observation_inputs", "observations"]

_INHERITED = ("input", "output", "tool_definitions", "model_parameters", "prompt_name", "prompt_version")
_COST = ("input_cost", "output_cost", "total_cost", "cost", "cost_source", "price_ref")
_COUNTED_ONLY = (
    "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
    "usage", *_COST,
)  # fmt: skip
_COUNTED, _PROVIDED = (pa.scalar(text, pa.string()) for text in ("counted", "provided"))
_FALSE = pa.scalar(False, pa.bool_())
_FACTS = tuple(name for name in schema.FACTS.names if name in frozenset(schema.OBSERVATIONS.names))
_DECIDED = tuple(
    name for name in schema.DECIDED.names if name in frozenset(schema.OBSERVATIONS.names) and name != "usage_rule"
)


def observations(
    spans: SpanBatch,
    decided: pa.RecordBatch,
    logs: LogBatch | None = None,
    *,
    faults: Counter[str] | None = None,
    recorder: Recorder | None = None,
) -> pa.Table:
    """The rows of ``schema.OBSERVATIONS`` for these spans, in their order.

    ``spans`` has the columns of ``schema.SPANS``; ``decided`` those of ``schema.DECIDED``, row by
    row the same spans; ``logs`` the GenAI log records of their traces. ``faults`` counts, by name
    of the column, values that could not be read and were kept as they came. ``recorder`` is told
    what the content came from.
    """
    faults = Counter() if faults is None else faults
    contents = carriers.contents(spans, logs)
    columns = {name: _plain(spans.column(name)) for name in _FACTS}
    columns |= {name: _plain(decided.column(name)) for name in _DECIDED}
    columns["usage_rule"] = pc.coalesce(_plain(decided.column("usage_rule")), columns["usage_rule"])
    columns |= _wire(spans, decided)
    columns["model_family"] = families(columns["model"])
    choices: list[list[resolve.Choice]] | None = None if recorder is None else [[] for _ in contents]
    columns |= _content(contents, _plain(spans.column("service_tier")), faults, choices)
    columns |= _money(columns, faults)
    columns["status_message"] = _status_message(spans, contents, columns)
    own = dict(columns)
    _inherit(columns, decided.column("inherit_from"))
    if recorder is not None and choices is not None:
        recorder.stored(spans, choices)
        recorder.inherited(decided.column("inherit_from"), own, columns)
    _keep_counted(columns)
    columns["otlp"] = remains(spans, columns)
    arrays = [_as_type(columns[field.name], field.type) for field in schema.OBSERVATIONS]
    return pa.Table.from_arrays(arrays, schema=schema.OBSERVATIONS)


def observation_inputs(spans: SpanBatch) -> pa.StringArray:
    """The column ``input`` of ``observations`` alone, as far as spans themselves say it."""
    position = resolve.KINDS.index("input")
    texts = [resolve.texts(one, Counter())[position] for one in carriers.contents(spans, None)]
    return pa.array(texts, pa.string())


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _as_type(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column if column.type == kind else column.cast(kind)


def families(models: pa.StringArray) -> pa.StringArray:
    """The column ``model_family`` for a column ``model``."""
    coded = models.dictionary_encode()
    return pa.array([model_family(model) for model in coded.dictionary.to_pylist()], pa.string()).take(coded.indices)


def _wire(spans: SpanBatch, decided: pa.RecordBatch) -> dict[str, pa.Array]:
    ingested = numpy_of(decided.column("ingested_unix_nano"))
    start, end = stored_columns.filled_times(spans, ingested)
    first = spans.column("completion_start_unix_nano")
    return {
        "trace_id": stored_columns.hex_ids(spans.column("trace_id")),
        "span_id": stored_columns.hex_ids(spans.column("span_id")),
        "parent_span_id": stored_columns.parent_ids(spans.column("parent_span_id")),
        "span_name": spans.column("span_name"),
        "kind": stored_columns.named(spans.column("kind"), KINDS),
        "status_code": stored_columns.named(spans.column("status_code"), STATUS_CODES),
        "start_unix_nano": pa.array(start),
        "end_unix_nano": pa.array(end),
        "start_time": stored_columns.timestamps(start),
        "end_time": stored_columns.timestamps(end),
        "duration_ns": stored_columns.difference(start, end),
        "completion_start_time": stored_columns.timestamps(first),
        "time_to_first_token_ns": stored_columns.time_to(first, start),
        "ingested_at": stored_columns.timestamps(ingested),
        "attributes": json_text.attributes_json(spans.column("attributes")),
        "resource": json_text.resource_json(spans.column("resource")),
        "events": json_text.events_json(spans.column("events")),
        "links": json_text.links_json(spans.column("links")),
    }


def _content(
    contents: list[Content],
    service_tier: pa.Array,
    faults: Counter[str],
    choices: list[list[resolve.Choice]] | None,
) -> dict[str, pa.Array]:
    if choices is None:
        rows = [resolve.texts(c, faults) for c in contents]
    else:
        rows = [resolve.texts(c, faults, chosen) for c, chosen in zip(contents, choices, strict=True)]
    texts = zip(*rows, strict=True) if rows else [()] * len(resolve.KINDS)
    columns = {kind: pa.array(column, pa.string()) for kind, column in zip(resolve.KINDS, texts, strict=True)}
    columns["model_parameters"] = _with_service_tier(columns["model_parameters"], service_tier)
    return columns


def _with_service_tier(parameters: pa.StringArray, service_tier: pa.StringArray) -> pa.StringArray:
    """Parameters with the tier the call was served at: prices depend on it, and it has no column."""
    if service_tier.null_count == len(service_tier):
        return parameters
    texts = parameters.to_pylist()
    for row, tier in enumerate(service_tier.to_pylist()):
        if tier is not None:
            known = json.loads(texts[row]) if texts[row] else {}
            texts[row] = resolve.as_text({**known, "service_tier": tier}) if isinstance(known, dict) else texts[row]
    return pa.array(texts, pa.string())


def _money(columns: dict[str, pa.Array], faults: Counter[str]) -> dict[str, pa.Array]:
    money = {name: stored_columns.decimals(columns[name]) for name in ("input_cost", "output_cost", "total_cost")}
    money["cost"] = stored_columns.decimal_map(columns["cost"])
    lost = sum(
        money[name].null_count - columns[name].null_count for name in ("input_cost", "output_cost", "total_cost")
    )
    if lost:
        faults["cost"] += lost
    return money


def _status_message(spans: SpanBatch, contents: list[Content], columns: dict[str, pa.Array]) -> pa.StringArray:
    sent = stored_columns.unless_empty(spans.column("status_message"))
    raised = pa.array([resolve.raised_message(c) for c in contents], pa.string())
    return pc.coalesce(columns["status_message"], sent, columns["error_message"], raised)


def _keep_counted(columns: dict[str, pa.Array]) -> None:
    """Usage and cost of the rows that count, null on the others."""
    counted = numpy_of(pc.equal(columns["usage_scope"], _COUNTED).fill_null(_FALSE))
    if counted.all():
        return
    rows = stored_columns.rows_where(counted)
    for name in _COUNTED_ONLY:
        columns[name] = columns[name].take(rows)


def _inherit(columns: dict[str, pa.Array], inherit_from: pa.Array) -> None:
    """The counted leaf takes from the duplicate it replaces what it does not know itself."""
    if inherit_from.null_count == len(inherit_from):
        return
    for name in _INHERITED:
        columns[name] = pc.coalesce(columns[name], columns[name].take(inherit_from))
    source = columns["cost_source"]
    theirs = pc.equal(source.take(inherit_from), _PROVIDED).fill_null(_FALSE)
    ours = pc.equal(source, _PROVIDED).fill_null(_FALSE)
    rows = np.arange(len(source))
    takes = numpy_of(pc.and_not(theirs, ours))
    rows[takes] = numpy_of(inherit_from)[takes]
    for name in _COST:
        columns[name] = columns[name].take(pa.array(rows))
