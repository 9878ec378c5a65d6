"""The relation that SQL conditions see: one row per span, named as in ``observations``.

What of a stored row is content does not exist before the decision. An attribute is there under its key,
as text: ``attributes['http.route']``, ``resource['service.name']``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.model import attributes, schema, stored_columns
from collector.model.batch import SpanBatch
from collector.model.remains import KINDS, STATUS_CODES
from processors._sampling.traces import Traces

TRACE = "_trace"
"""Column that groups the spans."""

_MONEY = ("input_cost", "output_cost", "total_cost")
_TOKENS = (
    "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
)  # fmt: skip
_COUNTED = (*_TOKENS, *_MONEY, "cost_source", "price_ref")
_OF_TRACE = ("trace_name", "user_id", "session_id")
_PLAIN = (
    "type", "subtype", "name", "span_name", "level", "error_type", "service_name", "environment", "release", "version",
    "provider", "request_model", "response_model", "model", "response_id", "finish_reasons", "agent_name", "tool_name",
    "tool_call_id", "prompt_name", "prompt_version", "usage_scope", "dialect", "scope_name", "scope_version",
)  # fmt: skip


@dataclass(frozen=True)
class _Column:
    """How a column comes about: what is read, and what becomes of it."""

    sources: Sequence[str]
    make: Callable[[SpanBatch], pa.Array]


def _plain(name: str) -> _Column:
    return _Column((name,), lambda spans: _decoded(spans.column(name)))


def _counted(name: str) -> _Column:
    def make(spans: SpanBatch) -> pa.Array:
        values = _decoded(spans.column(name))
        counted = pc.equal(_decoded(spans.column("usage_scope")), "counted").fill_null(pa.scalar(False))
        values = stored_columns.decimals(values) if name in _MONEY else values
        return pc.if_else(counted, values, pa.scalar(None, values.type))

    return _Column((name, "usage_scope"), make)


def _time(name: str, source: str) -> dict[str, _Column]:
    return {
        source: _plain(source),
        name: _Column((source,), lambda spans: stored_columns.timestamps(spans.column(source))),
    }


COLUMNS: Mapping[str, _Column] = {
    "trace_id": _Column(("trace_id",), lambda spans: stored_columns.hex_ids(spans.column("trace_id"))),
    "span_id": _Column(("span_id",), lambda spans: stored_columns.hex_ids(spans.column("span_id"))),
    "parent_span_id": _Column(
        ("parent_span_id",), lambda spans: stored_columns.parent_ids(spans.column("parent_span_id"))
    ),
    "kind": _Column(("kind",), lambda spans: stored_columns.named(spans.column("kind"), KINDS)),
    "status_code": _Column(
        ("status_code",), lambda spans: stored_columns.named(spans.column("status_code"), STATUS_CODES)
    ),
    **_time("start_time", "start_unix_nano"),
    **_time("end_time", "end_unix_nano"),
    "duration_ns": _Column(
        ("start_unix_nano", "end_unix_nano"),
        lambda spans: pc.subtract(spans.column("end_unix_nano"), spans.column("start_unix_nano")),
    ),
    **{name: _plain(name) for name in (*_PLAIN, *_OF_TRACE)},
    **{name: _counted(name) for name in _COUNTED},
}
"""Every name a condition may use."""

UNKNOWN_YET = frozenset(schema.OBSERVATIONS.names) - COLUMNS.keys()
"""Columns of ``observations`` that do not exist before the decision."""

_ATTRIBUTE = re.compile(
    r"""(?P<skip>'(?:[^']|'')*')|\b(?P<of>attributes|resource)\s*\[\s*'(?P<key>(?:[^']|'')*)'\s*\]"""
)
_WORD = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[A-Za-z_][A-Za-z0-9_]*""")


@dataclass(frozen=True)
class Condition:
    """One condition as it is run."""

    sql: str
    columns: tuple[str, ...]
    """Of ``COLUMNS``."""
    keys: tuple[tuple[str, str], ...]
    """(``attributes`` or ``resource``, key), each a column named by ``column_of``."""

    @property
    def sources(self) -> set[str]:
        """The columns of spans it is made of."""
        named = {source for name in self.columns for source in COLUMNS[name].sources}
        return named | {of for of, _ in self.keys}


def column_of(of: str, key: str) -> str:
    """The name of an attribute's column."""
    return f"{of}[{key}]"


def parsed(text: str) -> Condition:
    """The condition, with its attributes as columns. Raises ``ValueError`` for what is not there yet."""
    keys: dict[tuple[str, str], None] = {}

    def column(match: re.Match[str]) -> str:
        if match["skip"]:
            return match[0]
        key = match["key"].replace("''", "'")
        keys[match["of"], key] = None
        return '"' + column_of(match["of"], key).replace('"', '""') + '"'

    sql = _ATTRIBUTE.sub(column, text)
    words = [word.lower() for word in _WORD.findall(sql) if word[0] not in "'\""]
    if "select" in words:
        raise ValueError(f"{text!r}: a condition is an expression over the spans of one trace, without SELECT")
    if missing := sorted(UNKNOWN_YET.intersection(words)):
        raise ValueError(
            f"{text!r}: {', '.join(missing)} does not exist before the decision; "
            "an attribute does, as in attributes['http.route'] or resource['service.name']"
        )
    return Condition(sql, tuple(dict.fromkeys(word for word in words if word in COLUMNS)), tuple(keys))


def relation(conditions: Sequence[Condition], traces: Traces) -> pa.Table:
    """The columns the conditions use, of all spans, and ``TRACE``."""
    spans, owner = traces.spans()
    arrays = {TRACE: pa.array(owner)}
    for name in dict.fromkeys(name for condition in conditions for name in condition.columns):
        values = COLUMNS[name].make(spans)
        if name in _OF_TRACE:
            values = pc.coalesce(values, traces.texts(name).take(pa.array(owner)))
        arrays[name] = values
    for of, key in dict.fromkeys(key for condition in conditions for key in condition.keys):
        arrays[column_of(of, key)] = _attribute(spans, of, key)
    return pa.table(arrays)


def nothing(condition: Condition) -> pa.Table:
    """The relation of a condition without spans: for a look at it before anything comes."""
    empty = SpanBatch(pa.RecordBatch.from_pylist([], schema.SPANS)).with_columns(
        {"usage_scope": pa.array([], pa.string())}
    )
    arrays = {TRACE: pa.array([], pa.int32())}
    arrays |= {name: COLUMNS[name].make(empty) for name in condition.columns}
    arrays |= {column_of(*key): pa.array([], pa.string()) for key in condition.keys}
    return pa.table(arrays)


def _attribute(spans: SpanBatch, of: str, key: str) -> pa.Array:
    if of == "resource":
        return _of_resource(spans.column("resource"), key)
    flat = attributes.flatten(spans.column("attributes"))
    mine = flat.select(np.isin(flat.key_codes, [code for code, name in enumerate(flat.keys) if name == key]))
    rows, first = np.unique(mine.rows, return_index=True)
    found = mine.select(first)
    texts = pa.array(map(_text, found.types.tolist(), found.nums.tolist(), found.texts.to_pylist()), pa.string())
    position = np.full(spans.num_rows, -1)
    position[rows] = np.arange(len(rows))
    return texts.take(pa.array(position, mask=position < 0))


def _of_resource(column: pa.DictionaryArray, key: str) -> pa.Array:
    texts = []
    for header in column.dictionary.to_pylist():
        given = attributes.resource_values(header)
        texts.append(_text(*attributes.encode_value(given[key])) if key in given else None)
    return pa.array(texts, pa.string()).take(column.indices)


def _text(kind: int, num: int, text: str) -> str | None:
    if kind == schema.BOOL:
        return "true" if num else "false"
    if kind in (schema.INT, schema.DOUBLE):
        return str(attributes.decode_value(kind, num, text))
    return None if kind == schema.EMPTY else text


def _decoded(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
