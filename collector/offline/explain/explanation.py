"""From a recorded dry run to explanations, one per observation."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from collector.config.plan import CollectorConfig, Pipeline
from collector.errors import ConfigError
from collector.model.batch import Signal
from collector.model.dialects.fields import COUNT_FIELDS, MONEY_FIELDS
from collector.model.dialects.messages.choices import KINDS
from collector.model.facts.recorder import FieldRecord, Recorder, SpanRecord
from collector.model.stored.as_json import json_objects
from collector.offline.dry_run import dry_run
from collector.offline.explain import reasons, unread
from collector.offline.explain.decisive import held_by
from collector.offline.explain.source_values import SourceValue, of_candidate, of_choice, passed_over

_FACTS = (
    "type", "subtype", "role", "name", "trace_name", "level", "status_message", "error_type", "provider",
    "request_model", "response_model", "model", "service_tier", "response_id", "finish_reasons", "agent_name",
    "tool_name", "tool_call_id", "prompt_name", "prompt_version", "completion_start_time", "service_name",
    "environment", "release", "version", "user_id", "session_id", "tags",
)  # fmt: skip
_CONTENT = ("input", "output", "tool_definitions", "model_parameters", "metadata")
_USAGE = ("usage_scope", "usage_rule", "input_tokens", "output_tokens", "total_tokens", "usage")
_COST = ("currency", "cache_hit", "cost_source", "price_ref", "cost", "input_cost", "output_cost", "total_cost")
_DECISION = ("sampled_by", "sampling_trigger")
_ORDER = (*_FACTS, *_CONTENT, *COUNT_FIELDS, *_USAGE, *MONEY_FIELDS, "cost_object", *_COST, *_DECISION)
_FACT_OF_COLUMN = {"completion_start_time": "completion_start_unix_nano"}


@dataclass(frozen=True, slots=True)
class Line:
    """One field of one observation."""

    field: str
    value: Any
    said: SourceValue | None
    """Who gave the value; none: no rule of the tables did."""
    note: str | None
    also: tuple[SourceValue, ...]
    """What else was there, and lost."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One observation, explained."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    span_name: str
    scope: str
    dialect: str
    detected_by: str
    other_dialects: tuple[str, ...]
    """Further dialects the span could have been taken for."""
    fields: tuple[Line, ...]
    known_only: tuple[str, ...]
    """Attributes that only told a dialect, a condition or how to mask, or that no column is for."""
    read_in_vain: tuple[str, ...]
    """Attributes that some row reads and that gave nothing here."""
    unknown: tuple[str, ...]
    """Attributes that no table knows: they are kept in ``attributes``."""


@dataclass(frozen=True, slots=True)
class Explained:
    """What became of some captured requests."""

    observations: tuple[Explanation, ...]
    not_kept: int
    """Spans that gave no observation: filtered, sampled out, or mere announcements of a span."""
    pipeline: str
    """The traces pipeline that was run."""
    left_out: int
    """How many other traces pipelines there are."""


def explain(
    config: CollectorConfig,
    inputs: Sequence[tuple[Signal, bytes]],
    *,
    pipeline: str = "",
    names: Sequence[str] = (),
    data_dir: Path | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> Explained:
    """Explains what a traces pipeline of ``config`` makes of ``inputs``; see ``dry_run``.

    ``pipeline``: its id; empty: the first one. Only one is run, because of a span that several resolve only one's
    reasons would be known. Raises ``ConfigError`` when there is none of that id.
    """
    traces_pipelines = [p for p in config.pipelines if p.signal is Signal.TRACES]
    chosen = _chosen(traces_pipelines, pipeline)
    others = tuple(p for p in config.pipelines if p is chosen or p.signal is not Signal.TRACES)
    config = replace(config, pipelines=others)
    recorder = Recorder()
    tables = dry_run(config, inputs, names=names, data_dir=data_dir, clock=clock, recorder=recorder)
    rows = [row for table in tables for row in json_objects(table)]
    traces: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        traces.setdefault(row["trace_id"], []).append(row)
    keys = [(bytes.fromhex(row["trace_id"]), bytes.fromhex(row["span_id"])) for row in rows]
    found = (
        _Observation(row, traces[row["trace_id"]], rows, recorder, recorder.spans[key]).explanation()
        for key, row in zip(keys, rows, strict=True)
    )
    not_kept = len(recorder.spans.keys() - set(keys))
    return Explained(tuple(found), not_kept, str(chosen.id), len(traces_pipelines) - 1)


def _chosen(pipelines: Sequence[Pipeline], wanted: str) -> Pipeline:
    chosen = next((p for p in pipelines if not wanted or str(p.id) == wanted), None)
    if chosen is None:
        known = ", ".join(str(p.id) for p in pipelines) or "there is none"
        raise ConfigError(f"no traces pipeline {wanted!r}: {known}" if wanted else "no traces pipeline is configured")
    return chosen


class _Observation:
    def __init__(
        self,
        row: dict[str, Any],
        trace: Sequence[dict[str, Any]],
        rows: Sequence[dict[str, Any]],
        recorder: Recorder,
        record: SpanRecord,
    ) -> None:
        self._row = row
        self._trace = trace
        self._rows = rows
        self._recorder = recorder
        self._record = record
        self._attributes: dict[str, Any] = json.loads(row["attributes"] or "{}")

    def explanation(self) -> Explanation:
        row, context = self._row, self._record.context
        left = unread.attributes(self._attributes, self._record)
        return Explanation(
            row["trace_id"],
            row["span_id"],
            row["parent_span_id"],
            row["span_name"],
            " ".join(filter(None, (row["scope_name"], row["scope_version"]))),
            context.dialect,
            self._detected_by(),
            tuple(dict.fromkeys(name for name, _ in context.matches if name != context.dialect)),
            tuple(line for line in map(self._line, _ORDER) if line is not None),
            left.known_only,
            left.read_in_vain,
            left.unknown,
        )

    def _detected_by(self) -> str:
        """The test that told the dialect, and the attribute that made it hold."""
        matches = self._record.context.matches
        if not matches:
            return "no dialect's test holds"
        test, here = reasons.condition(matches[0][1]), held_by(matches[0][1], self._attributes)
        return f"{test} (here {here})" if here else test

    def _line(self, name: str) -> Line | None:
        if name in KINDS:
            return self._content_line(name)
        found = self._record.fields.get(_FACT_OF_COLUMN.get(name, name), FieldRecord())
        chosen = found.chosen
        source = None if chosen is None else of_candidate(chosen, self._attributes)
        lost = [of_candidate(c, self._attributes) for c in found.candidates if c is not chosen]
        if name != "role":  # most types have none
            lost += passed_over(_FACT_OF_COLUMN.get(name, name), self._record, self._attributes)
        value = self._row.get(name, None if chosen is None else chosen.value)
        note = self._note(name, value, source)
        if value is None and source is None and note is None and all(s.is_for_other_types for s in lost):
            return None
        return Line(name, value, None if self._elsewhere(name) else source, note, tuple(lost))

    def _content_line(self, name: str) -> Line | None:
        choices = [c for c in self._record.choices if c.kind == name]
        used = [of_choice(c, self._attributes) for c in choices if c.chosen]
        first = next((n for n, c in enumerate(choices) if c.chosen), len(choices))
        lost = [
            of_choice(c, self._attributes, "nothing usable in it" if n < first else None)
            for n, c in enumerate(choices)
            if not c.chosen
        ]
        lost = _of_other_places(lost, {s.origin for s in used})
        value, note = self._row.get(name), self._note(name, self._row.get(name), used[0] if used else None)
        if value is None and not choices:
            return None
        more = f"merged with {', '.join(s.origin for s in used[1:])}" if used[1:] else None
        default = None if used else reasons.DEFAULTS.get(name)
        return Line(name, value, used[0] if used else None, note or more or (default if value else None), tuple(lost))

    def _elsewhere(self, name: str) -> bool:
        """Whether the stored value is another span's."""
        return name in self._record.inherited

    def _note(self, name: str, value: Any, source: SourceValue | None) -> str | None:
        if name in self._record.inherited:
            return f"from span {self._record.inherited[name][1].hex()}, which is the same call"
        if name == "usage_scope":
            return reasons.scope(self._row, self._trace, self._rows)
        if name == "usage_rule" and value is not None:
            return reasons.usage_rule(value)
        if name in {"input_tokens", "output_tokens"}:
            return reasons.sides(name, self._row)
        if name in {"cost_source", "price_ref"}:
            return reasons.cost(name, value, self._record)
        if source is None and (value is not None or name == "role"):
            return self._filled_down(name) or self._record.notes.get(name) or reasons.DEFAULTS.get(name)
        return None

    def _filled_down(self, name: str) -> str | None:
        trace_id = bytes.fromhex(self._row["trace_id"])
        span_id = self._recorder.filled.get((trace_id, name))
        if span_id is None:
            return None
        record = self._recorder.spans[trace_id, span_id].fields.get(name, FieldRecord()).chosen
        key = f" ({of_candidate(record, {}).origin})" if record is not None else ""
        return f"filled down from span {span_id.hex()}{key}"


def _of_other_places(lost: Sequence[SourceValue], used: set[str]) -> list[SourceValue]:
    """One entry per place: several content rows read the same attribute in different ways."""
    found = {source.origin: source for source in reversed(lost) if source.origin not in used}
    return list(reversed(found.values()))
