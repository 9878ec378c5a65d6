"""Finds evaluation results in spans and log records: the rows of ``scores`` that a store derives from them.

Where results stand is said by the dialect tables (``scores:``). Runs for kept spans and stored log records only, over
the masked batch, so that rows are a pure function of decision and records. Spans and records without results cost one
look at their distinct attribute keys and event names.
"""

from __future__ import annotations

import functools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.model import attributes, json_values
from collector.model.arrow_arrays import numpy_of
from collector.model.batch import LogBatch, SpanBatch
from collector.model.dialects import table_files
from collector.model.dialects.kept import kept
from collector.model.dialects.messages import carriers
from collector.model.dialects.score_carriers import ScoreCarrier
from collector.model.facts import convert
from collector.model.scores.rows import Result, Target, table
from collector.model.stored import columns as stored_columns, logs_and_metrics

_Place = tuple[int, str, str]
"""Where an attribute belongs: which carrier (of ``_carriers``), which of its results, and which member of that."""
_EVENT_NAME = "event.name"
_HEX_SPAN = re.compile(r"[0-9a-f]{16}\Z")
_COUNTED = "counted"


def span_scores(
    spans: SpanBatch, decided: pa.RecordBatch, logs: LogBatch | None, faults: Counter[str] | None = None
) -> pa.Table:
    """The rows of ``schema.SCORES`` that these spans say, in attributes and events.

    ``spans``, ``decided`` and ``logs`` are those of ``stored.observations``. Of the log records only those that name
    the judged call by its response id give a row, with the span that made it: all others are rows where logs are
    stored. ``faults`` counts ``score_name`` (left out), ``score_value`` and ``score_data_type`` (kept in ``metadata``)
    and ``score_target`` (no usable id).
    """
    faults = Counter() if faults is None else faults
    found = _Found(spans, decided, faults)
    results = [*_in_attributes(found), *_in_events(found)]
    if logs is not None and logs.num_rows:
        results += _by_response(found, logs)
    return table(results, faults)


def log_scores(logs: LogBatch, ingested_unix_nano: int, faults: Counter[str] | None = None) -> pa.Table:
    """The rows of ``schema.SCORES`` that these log records are."""
    faults = Counter() if faults is None else faults
    return table(_in_logs(logs, ingested_unix_nano, faults), faults)


def newest_scores(rows: pa.Table) -> pa.Table:
    """One row per id: the one received last, with the ``created_at`` of the first.

    Rows of one id and time are one result, so a span that one of them names is that of both.
    """
    if pc.count_distinct(rows.column("id")).as_py() == rows.num_rows:
        return rows
    best: dict[str, dict[str, Any]] = {}
    for row in rows.to_pylist():
        known = best.setdefault(row["id"], row)
        later, other = (row, known) if row["updated_at"] >= known["updated_at"] else (known, row)
        span_id = later["span_id"] or (other["span_id"] if other["timestamp"] == later["timestamp"] else None)
        created_at = min(known["created_at"], row["created_at"])
        best[row["id"]] = {**later, "span_id": span_id, "created_at": created_at}
    return pa.Table.from_pylist(list(best.values()), schema=rows.schema)


def awaits_span(logs: LogBatch) -> npt.NDArray[np.bool_]:
    """Marks results that name a trace and a response but no span: the trace's spans tell which call they judge."""
    marked = carriers.logs_named(logs, _is_result)
    if not marked.any():
        return marked
    keys = {key for carrier in _events().values() for key in carrier.fields.get("response_id", ())}
    flat = attributes.flatten(logs.column("attributes"))
    named = np.zeros(logs.num_rows, np.bool_)
    named[flat.rows[np.array([key in keys for key in flat.keys], np.bool_)[flat.key_codes]]] = True
    ids = zip(logs.column("trace_id").to_pylist(), logs.column("span_id").to_pylist(), strict=True)
    return marked & named & np.array([_usable(trace, 16) and not _usable(span, 8) for trace, span in ids], np.bool_)


class _Found:
    """Spans, with what is asked of the few rows that carry a result."""

    def __init__(self, spans: SpanBatch, decided: pa.RecordBatch, faults: Counter[str]) -> None:
        self.spans = spans
        self.decided = decided
        self._faults = faults

    @functools.cached_property
    def ends(self) -> stored_columns.Int64s:
        return stored_columns.filled_times(self.spans, self.ingested)[1]

    @functools.cached_property
    def ingested(self) -> stored_columns.Int64s:
        column: stored_columns.Int64s = numpy_of(self.decided.column("ingested_unix_nano"))
        return column

    def own(self, row: int) -> Target:
        trace_id, span_id = (self.spans.column(name)[row].as_py() for name in ("trace_id", "span_id"))
        return Target(trace_id.hex(), span_id.hex())

    def linked(self, row: int) -> Target:
        """The one span it links to, or itself."""
        links = self.spans.column("links")[row].as_py()
        ids = [(link["trace_id"], link["span_id"]) for link in links]
        if len(ids) != 1 or not _usable(ids[0][0], 16) or not _usable(ids[0][1], 8):
            return self.own(row)
        return Target(ids[0][0].hex(), ids[0][1].hex())

    def target(self, row: int, carrier: ScoreCarrier, fields: Mapping[str, Any]) -> Target:
        if carrier.about == "session":
            session = self.decided.column("session_id")[row].as_py()
            if session is not None:
                return Target(session_id=session)
            self._faults["score_target"] += 1
        target = self.own(row) if carrier.about == "span" else self.linked(row)
        if carrier.about not in {"trace", "session"}:
            return target
        named = fields.get("span_id")
        return Target(target.trace_id, named if isinstance(named, str) and _HEX_SPAN.match(named) else None)

    def result(self, row: int, carrier: ScoreCarrier, members: Mapping[str, Any], time: int = 0) -> Result:
        fields = _fields(carrier, members)
        sent_environment = fields.get("environment")
        known = convert.environment(sent_environment) if isinstance(sent_environment, str) else None
        return Result(
            carrier,
            fields,
            _rest(carrier, members),
            self.target(row, carrier, fields),
            time or int(self.ends[row]),
            int(self.ingested[row]),
            known or self.spans.column("environment")[row].as_py(),
            origin=self.own(row).span_id,
        )


def _in_attributes(found: _Found) -> Iterator[Result]:
    flat = attributes.flatten(found.spans.column("attributes"))
    places = [_place(key) for key in flat.keys]
    wanted = np.array([place is not None for place in places], np.bool_)
    if not wanted.any():
        return
    gathered: defaultdict[tuple[int, int, str], dict[str, Any]] = defaultdict(dict)
    for row, code, value in carriers.values(flat.select(wanted[flat.key_codes])):
        if (place := places[code]) is not None:
            number, which, member = place
            gathered[row, number, which][member] = value
    for (row, number, which), members in gathered.items():
        carrier = _carriers()[number]
        if carrier.named:
            members = {"name": which, **members}
        elif carrier.objects:
            (packed,) = members.values()
            members = json_values.parse_json(packed) if isinstance(packed, str) else packed
        if isinstance(members, dict):
            yield found.result(row, carrier, members)


def _in_events(found: _Found) -> Iterator[Result]:
    for row, time, event in carriers.span_events(found.spans.column("events"), frozenset(_events())):
        yield found.result(row, _events()[event.name], event.attributes, time)


def _in_logs(logs: LogBatch, ingested: int, faults: Counter[str]) -> Iterator[Result]:
    rows = np.flatnonzero(carriers.logs_named(logs, _is_result))
    if not len(rows):
        return
    logs = logs.take(rows)
    environments = logs_and_metrics.environments(logs.column("resource")).to_pylist()
    observed = logs.column("observed_time_unix_nano").to_pylist()
    names, sent = logs.column("event_name").to_pylist(), logs.column("time_unix_nano").to_pylist()
    for row, members in enumerate(carriers.dicts(logs.column("attributes"))):
        named = members.pop(_EVENT_NAME, None)
        carrier = _events().get(names[row]) or _events().get(str(named))
        if carrier is None:  # the attribute comes twice, and the last one counts
            continue
        fields, rest = _fields(carrier, members), _rest(carrier, members)
        target = _log_target(logs, row, fields, rest, faults)
        if target.span_id is None and (response := fields.get("response_id")) is not None:
            rest["response_id"] = response
        time = sent[row] or observed[row]
        sent_environment = fields.get("environment")
        environment = convert.environment(sent_environment) if isinstance(sent_environment, str) else None
        yield Result(carrier, fields, rest, target, time, ingested, environment or environments[row])


def _log_target(
    logs: LogBatch, row: int, fields: Mapping[str, Any], rest: dict[str, Any], faults: Counter[str]
) -> Target:
    ids: dict[str, str | None] = {}
    for name, width in (("trace_id", 16), ("span_id", 8)):
        octets = logs.column(name)[row].as_py()
        ids[name] = octets.hex() if _usable(octets, width) else None
        if any(octets) and ids[name] is None:
            rest[name] = octets.hex()
    session = fields.get("session_id")
    session_id = session if isinstance(session, str) and session.strip() else None
    if ids["trace_id"] is None and session_id is None:
        faults["score_target"] += 1
    if ids["trace_id"] is None and ids["span_id"] is not None:
        rest["span_id"] = ids["span_id"]
        ids["span_id"] = None
    return Target(ids["trace_id"], ids["span_id"], session_id)


def _by_response(found: _Found, logs: LogBatch) -> Iterator[Result]:
    """Results that name the judged call by its response id, with the span of that call."""
    waiting = logs.filter(awaits_span(logs))
    if not waiting.num_rows:
        return
    calls = _calls(found)
    ingested = int(found.ingested[0])
    for result in _in_logs(waiting, ingested, Counter()):
        span_id = calls.get((result.target.trace_id, result.fields.get("response_id")))
        if span_id is not None:
            yield replace(result, resolved_span_id=span_id)


def _calls(found: _Found) -> dict[tuple[Any, Any], str]:
    """(trace id, response id) → span id of the call: of several the one that counts, else the first."""
    scopes = found.decided.column("usage_scope").cast(pa.string()).to_pylist()
    columns = (found.spans.column(name).to_pylist() for name in ("response_id", "trace_id", "span_id"))
    calls: dict[tuple[Any, Any], str] = {}
    for scope, response, trace_id, span_id in zip(scopes, *columns, strict=True):
        if response is not None and (scope == _COUNTED or (trace_id.hex(), response) not in calls):
            calls[trace_id.hex(), response] = span_id.hex()
    return calls


def _fields(carrier: ScoreCarrier, members: Mapping[str, Any]) -> dict[str, Any]:
    if carrier.named:
        return dict(members)
    fields: dict[str, Any] = {}
    for name, keys in carrier.fields.items():
        values = [json_values.at_path(members, key) if carrier.objects else members.get(key) for key in keys]
        value = next((value for value in values if value is not None and value != ""), None)
        if value is not None:
            fields[name] = value
    return fields


def _rest(carrier: ScoreCarrier, members: Mapping[str, Any]) -> dict[str, Any]:
    """What no field of the carrier names."""
    if carrier.named:
        return {}
    named = [key for keys in carrier.fields.values() for key in keys]
    return _without(members, named) if carrier.objects else {k: v for k, v in members.items() if k not in named}


def _without(members: Mapping[str, Any], paths: Sequence[str]) -> dict[str, Any]:
    """Nested objects without the members at dotted paths; one that nothing is left of goes too."""
    left = {}
    for key, member in members.items():
        inner = [path.partition(".")[2] for path in paths if path.partition(".")[0] == key]
        if isinstance(member, dict) and inner and "" not in inner:
            member = _without(member, inner)
        elif inner:
            continue
        if member != {}:
            left[key] = member
    return left


def _usable(octets: bytes, width: int) -> bool:
    return len(octets) == width and any(octets)


def _is_result(names: pa.StringArray) -> pa.BooleanArray:
    return pc.is_in(names, value_set=pa.array(sorted(_events()), pa.string()))


@kept()
def _carriers() -> tuple[ScoreCarrier, ...]:
    return tuple(carrier for file in table_files.files() for carrier in file.scores)


@kept()
def _events() -> dict[str, ScoreCarrier]:
    return {name: carrier for carrier in _carriers() for name in carrier.events}


@kept()
def _patterns() -> list[tuple[int, re.Pattern[str]]]:
    """Per carrier in attributes a pattern of its keys: which result, and which member of it."""
    out = []
    for number, carrier in enumerate(_carriers()):
        for prefix in carrier.prefixes:
            start = re.escape(prefix).replace(r"\*", r"(?P<which>\d{1,9})")
            end = r"(?P<member>.+)" if carrier.indexed else r"(?P<which>.+)"
            out.append((number, re.compile(rf"{start}{end}\Z", re.DOTALL)))
    return out


@kept(16_384)
def _place(key: str) -> _Place | None:
    for number, pattern in _patterns():
        if matched := pattern.match(key):
            return number, matched["which"], matched.groupdict().get("member", "value")
    return None
