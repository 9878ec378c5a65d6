"""Takes what content rows look at out of the columns: one ``Content`` per span.

Keys are looked at once per distinct key of the batch, values only where some row wants them; spans
without content cost nothing here.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.model import attributes, schema
from collector.model.arrow_arrays import numpy_of
from collector.model.batch import LogBatch, SpanBatch
from collector.model.dialects import message_words
from collector.model.dialects.kept import kept
from collector.model.dialects.messages import content_tables
from collector.model.dialects.messages.event_messages import Event
from collector.model.dialects.messages.span_content import Content

EXCEPTION = "exception"
CLIENT_EXCEPTION = "gen_ai.client.operation.exception"

_MAX_PATH = 16
"""Segments of an indexed key behind its prefix; deeper ones are nobody's messages."""
_MAX_DIGITS = 9

_EVENT_NAME = "event.name"
_GENAI = "gen_ai."


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the content rows look at on spans."""

    exact: frozenset[str]
    patterns: Mapping[str, re.Pattern[str]]
    prefixes: tuple[str, ...]
    indexed: tuple[str, ...]


@kept()
def _asked() -> _Asked:
    rows = content_tables.rows()
    in_span = [row for row in rows if row.source != "events" and not row.events]
    keys = {row.name: "*" in row.name for row in in_span if row.source == "key"}
    beside = [key for row in rows for key in (row.system, row.has) if key]
    return _Asked(
        frozenset([*(key for key, is_pattern in keys.items() if not is_pattern), *beside]),
        {key: re.compile(fnmatch.translate(key)) for key, is_pattern in keys.items() if is_pattern},
        tuple({row.name for row in in_span if row.source == "prefix"}),
        tuple({row.name for row in in_span if row.source == "indexed"}),
    )


@kept()
def message_events() -> frozenset[str]:
    """Names of span events and log records that carry content."""
    return frozenset(name for row in content_tables.rows() for name in row.events)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one attribute key means to content rows."""

    names: tuple[str, ...]
    prefixed: tuple[tuple[str, str], ...]
    indexed: tuple[str, tuple[str | int, ...]] | None

    def __bool__(self) -> bool:
        return bool(self.names or self.prefixed or self.indexed)

    def is_name_alone(self) -> bool:
        return len(self.names) == 1 and not self.prefixed and not self.indexed


@kept(16_384)
def _plan(key: str) -> _Plan:
    asked = _asked()
    names = [key] if key in asked.exact else []
    names += [name for name, pattern in asked.patterns.items() if pattern.match(key)]
    prefixed = tuple((p, key[len(p) :]) for p in asked.prefixes if key.startswith(p) and len(key) > len(p))
    indexed = next((found for p in asked.indexed if (found := _path(key, p))), None)
    return _Plan(tuple(names), prefixed, indexed)


def names_of(key: str) -> frozenset[str]:
    """The keys and prefixes under which content rows ask for an attribute; none: no row does."""
    plan = _plan(key)
    prefixes = (prefix for prefix, _ in (*plan.prefixed, *([plan.indexed] if plan.indexed else [])))
    return frozenset([*plan.names, *prefixes])


def _path(key: str, prefix: str) -> tuple[str, tuple[str | int, ...]] | None:
    if not key.startswith(prefix + "."):
        return None
    segments = key[len(prefix) + 1 :].split(".")
    if not _is_index(segments[0]) or len(segments) > _MAX_PATH:
        return None
    return prefix, tuple(int(s) if _is_index(s) else s for s in segments)


def _is_index(segment: str) -> bool:
    return segment.isdecimal() and segment.isascii() and len(segment) <= _MAX_DIGITS


def contents(spans: SpanBatch, logs: LogBatch | None) -> list[Content]:
    """One per span, in order."""
    types = spans.column("type").dictionary_decode().to_pylist()
    found = [Content(type=t) for t in types]
    _add_attributes(found, spans)
    for row, _, event in span_events(spans.column("events"), message_events() | {EXCEPTION}):
        found[row].events.append(event)
    if logs is not None and logs.num_rows:
        for row, event in _log_events(spans, logs):
            found[row].logs.append(event)
    return found


def _add_attributes(found: list[Content], spans: SpanBatch) -> None:
    flat = attributes.flatten(spans.column("attributes"))
    plans = [_plan(key) for key in flat.keys]
    wanted = np.array([bool(plan) for plan in plans], np.bool_)
    chosen = flat.select(wanted[flat.key_codes]) if plans else flat
    alone = [plan.names[0] if plan.is_name_alone() else None for plan in plans]
    for row, code, value in values(chosen):
        if value is None:
            continue
        name = alone[code]
        if name is not None:
            found[row].keys[name] = value
        else:
            _put(found[row], plans[code], value)
    language = _json_metadata(spans)
    for row in np.flatnonzero(language).tolist():
        found[row].json_metadata = True


def _put(content: Content, plan: _Plan, value: Any) -> None:
    for name in plan.names:
        content.keys[name] = value
    for prefix, rest in plan.prefixed:
        content.prefixed.setdefault(prefix, {})[rest] = value
    if plan.indexed:
        prefix, path = plan.indexed
        node = content.indexed.setdefault(prefix, {})
        for segment in path[:-1]:
            inner = node.get(segment)
            if not isinstance(inner, dict):
                inner = node[segment] = {}
            node = inner
        if not isinstance(node.get(path[-1]), dict):  # deeper attributes say more than a value at their stem
            node[path[-1]] = value


def values(flat: attributes.Flat) -> Iterator[tuple[int, int, Any]]:
    """Row, key code and Python value of each attribute."""
    columns = (flat.rows.tolist(), flat.key_codes.tolist(), flat.types.tolist(), flat.nums.tolist())
    for row, code, kind, num, text in zip(*columns, flat.texts.to_pylist(), strict=True):
        yield row, code, text if kind == schema.STRING else decoded(kind, num, text)


def decoded(kind: int, num: int, text: str) -> Any:
    """The Python value of an attribute; text that is not what its type says stays text."""
    try:
        return attributes.decode_value(kind, num, text)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return text


def dicts(column: pa.ListArray) -> list[dict[str, Any]]:
    """The values of each row of a ``schema.ATTRIBUTES`` column by key; the last of a key wins."""
    flat = attributes.flatten(column)
    out: list[dict[str, Any]] = [{} for _ in range(len(column))]
    for row, code, value in values(flat):
        out[row][flat.keys[code]] = value
    return out


def _json_metadata(spans: SpanBatch) -> npt.NDArray[np.bool_]:
    """Rows of an SDK that writes every metadata value as JSON text."""
    rule = message_words.JSON_METADATA
    scopes, resources = spans.column("scope"), spans.column("resource")
    scope_ok = np.array([_writes_json(h, rule) for h in scopes.dictionary.to_pylist()], np.bool_)
    if not scope_ok.any():
        return np.zeros(spans.num_rows, np.bool_)
    spoken = [_language(h) == rule.language for h in resources.dictionary.to_pylist()]
    codes = numpy_of(scopes.indices), numpy_of(resources.indices)
    matched: npt.NDArray[np.bool_] = scope_ok[codes[0]] & np.array(spoken, np.bool_)[codes[1]]
    return matched


def _writes_json(header: bytes, rule: message_words.MetadataCondition) -> bool:
    scope = attributes.parse_scope(header).scope
    major = scope.version.split(".", maxsplit=1)[0]
    return scope.name.startswith(rule.scope) and major.isdecimal() and int(major) >= rule.version


def _language(header: bytes) -> str:
    pairs = attributes.parse_resource(header).resource.attributes
    return next((kv.value.string_value for kv in pairs if kv.key == "telemetry.sdk.language"), "")


def span_events(column: pa.ListArray, named: frozenset[str]) -> Iterator[tuple[int, int, Event]]:
    """The events of these names in an ``events`` column: row, time (ns since the epoch), event."""
    offsets = numpy_of(column.offsets)
    child = column.values.slice(offsets[0], offsets[-1] - offsets[0])
    names = child.field("name").dictionary_encode()
    wanted = np.array([n in named for n in names.dictionary.to_pylist()], np.bool_)
    if not wanted.any():
        return
    chosen = np.flatnonzero(wanted[numpy_of(names.indices)])
    rows = np.repeat(np.arange(len(column)), np.diff(offsets))[chosen].tolist()
    times = child.field("time_unix_nano").take(pa.array(chosen)).to_pylist()
    texts = names.take(pa.array(chosen)).dictionary_decode().to_pylist()
    fields = dicts(child.field("attributes").take(pa.array(chosen)))
    for row, time, name, members in zip(rows, times, texts, fields, strict=True):
        yield row, time, Event(name, members)


def _log_events(spans: SpanBatch, logs: LogBatch) -> Iterator[tuple[int, Event]]:
    """Log records of these spans by time, observed time, arrival."""
    keep = genai_logs(logs)
    logs = logs.filter(keep)
    rows = {key: row for row, key in reversed(list(enumerate(_ids(spans.record_batch))))}
    matched = [(n, rows[key]) for n, key in enumerate(_ids(logs.record_batch)) if key in rows]
    if not matched:
        return
    observed = logs.column("observed_time_unix_nano").to_pylist()
    times = [t or observed[n] for n, t in enumerate(logs.column("time_unix_nano").to_pylist())]
    matched.sort(key=lambda pair: (times[pair[0]], observed[pair[0]], pair[0]))
    fields = dicts(logs.column("attributes"))
    names = logs.column("event_name").to_pylist()
    bodies = list(zip(*(logs.column(f"body_{part}").to_pylist() for part in ("type", "num", "text")), strict=True))
    for n, row in matched:
        name = names[n] or fields[n].get(_EVENT_NAME)
        yield row, Event(str(name), fields[n], decoded(*bodies[n]))


def _ids(table: pa.RecordBatch) -> Sequence[bytes]:
    pairs = zip(table.column("trace_id").to_pylist(), table.column("span_id").to_pylist(), strict=True)
    return [trace + span for trace, span in pairs]


def genai_logs(batch: LogBatch) -> npt.NDArray[np.bool_]:
    """Records worth joining to a span: a GenAI event, or one with content, with a trace id and a span id."""
    with_content = pa.array(sorted(message_events()))
    named = logs_named(batch, lambda names: pc.or_(pc.starts_with(names, _GENAI), pc.is_in(names, with_content)))
    identified = pc.and_(_is_id(batch.column("trace_id"), 16), _is_id(batch.column("span_id"), 8))
    result: npt.NDArray[np.bool_] = named & numpy_of(identified)
    return result


def logs_named(batch: LogBatch, matches: Callable[[pa.StringArray], pa.BooleanArray]) -> npt.NDArray[np.bool_]:
    """Marks records whose event name, in its field or in the attribute ``event.name``, matches."""
    named: npt.NDArray[np.bool_] = numpy_of(matches(batch.column("event_name"))).copy()
    flat = attributes.flatten(batch.column("attributes"))
    is_name = np.array([key == _EVENT_NAME for key in flat.keys], np.bool_)
    if is_name.any():
        chosen = flat.select(is_name[flat.key_codes])
        found = numpy_of(matches(chosen.texts))
        named[chosen.rows[found & (chosen.types == schema.STRING)]] = True
    return named


def _is_id(column: pa.BinaryArray, width: int) -> pa.BooleanArray:
    return pc.and_(pc.equal(pc.binary_length(column), width), pc.not_equal(column, bytes(width)))
