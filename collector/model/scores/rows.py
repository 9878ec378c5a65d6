"""One evaluation result as a row of ``scores``, read leniently: what cannot be read is kept in ``metadata``.

A row needs nothing but a name. Its type follows from what was sent unless the sender says it: a number is NUMERIC, a
yes or no BOOLEAN (1 or 0, and the label beside it), any other label CATEGORICAL, a remark alone TEXT.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from collector.model import attributes, json_values, schema
from collector.model.dialects.score_carriers import ScoreCarrier
from collector.model.facts import convert
from collector.model.scores.record import DATA_TYPES
from collector.model.stored import json_text

_ID_CHARACTERS = 32
_ALIKE_NS = 60 * 10**9
"""OpenLIT sends a result as span event and as log record, microseconds apart: equal results of one minute are one."""
_YES, _NO = "true", "false"


@dataclass(frozen=True, slots=True)
class Target:
    """What was judged: a span (both ids), a trace (no span id) or a session."""

    trace_id: str | None = None
    span_id: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """An evaluation result as it was found."""

    carrier: ScoreCarrier
    fields: Mapping[str, Any]
    """``fact_tables.ScoreField`` → its value as sent, where there is one."""
    rest: dict[str, Any]
    """What no field names."""
    target: Target
    time_unix_nano: int
    ingested_unix_nano: int
    environment: str | None = None
    resolved_span_id: str | None = None
    """The judged span, where only the whole trace could tell: no part of the row's identity."""
    origin: str | None = None
    """The span that carries it, if one does."""


@dataclass(frozen=True, slots=True)
class _Judgement:
    value: float | None
    string_value: str | None
    data_type: str


def table(results: Iterable[Result], faults: Counter[str]) -> pa.Table:
    """The results as rows of ``schema.SCORES``; those without a name are counted and left out.

    ``faults`` counts ``score_name``, ``score_value`` and ``score_data_type``, and ``score_failed``: a result nobody
    foresaw costs its own row, where it would hold up every store for good.
    """
    seen: Counter[tuple[Any, ...]] = Counter()
    rows = []
    for result in results:
        try:
            row = _row(result, seen, faults)
        except Exception:
            faults["score_failed"] += 1
            continue
        if row is not None:
            rows.append(row)
    return pa.Table.from_pylist(rows, schema=schema.SCORES) if rows else schema.SCORES.empty_table()


def _row(result: Result, seen: Counter[tuple[Any, ...]], faults: Counter[str]) -> dict[str, Any] | None:
    fields, target, rest = result.fields, result.target, dict(result.rest)
    name = _text(fields.get("name"))
    if name is None:
        faults["score_name"] += 1
        return None
    judged = _judgement(result, rest, faults)
    comment = _text(fields.get("comment"))
    received = result.ingested_unix_nano // 1_000
    row = {
        "id": _text(fields.get("id")) or _identity(result, name, judged, comment, seen),
        "trace_id": target.trace_id,
        "span_id": target.span_id or result.resolved_span_id,
        "session_id": target.session_id,
        "name": name,
        "value": judged.value,
        "string_value": judged.string_value,
        "data_type": judged.data_type,
        "source": _source(result, rest),
        "comment": comment,
        "timestamp": _micros(result),
        "environment": result.environment,
        "created_at": received,
        "updated_at": received,
    }
    row |= {column: _text(fields.get(column)) for column in ("config_id", "queue_id", "dataset_run_id")}
    return row | {"metadata": _metadata(fields.get("metadata"), rest)}


def _judgement(result: Result, rest: dict[str, Any], faults: Counter[str]) -> _Judgement:
    sent, label = result.fields.get("value"), _text(result.fields.get("label"))
    if (right := _text(result.fields.get("correction"))) is not None:
        return _Judgement(None, right, "CORRECTION")
    number = _number(sent)
    if sent is not None and number is None:
        if label is None and not _is_no_number(sent):
            label = _text(sent)
        else:
            faults["score_value"] += 1
            rest[_first_key(result, "value")] = sent
    named = _text(result.fields.get("data_type"))
    if named is not None and named.upper() not in DATA_TYPES:
        faults["score_data_type"] += 1
        rest[_first_key(result, "data_type")] = named
        named = None
    kind = named.upper() if named else _kind(result.carrier, sent, number, label)
    if kind == "BOOLEAN" and number is None and label is not None:
        flag = result.carrier.booleans.get(label.casefold())
        number = None if flag is None else float(flag)
    return _Judgement(number, label, kind)


def _kind(carrier: ScoreCarrier, sent: Any, number: float | None, label: str | None) -> str:
    folded = label.casefold() if label else ""
    if number is not None:
        is_flag = isinstance(sent, bool) or (folded in {_YES, _NO} and number == float(folded == _YES))
        return "BOOLEAN" if is_flag else "NUMERIC"
    if label is not None:
        return "BOOLEAN" if folded in carrier.booleans else "CATEGORICAL"
    return "TEXT" if sent is None else "NUMERIC"


def _number(sent: Any) -> float | None:
    """The finite number that was sent, as a number or as its text."""
    if not isinstance(sent, bool | int | float | str):
        return None
    try:
        number = float(sent)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _is_no_number(sent: Any) -> bool:
    """NaN, an infinity or a number beyond a double, rather than another kind of value."""
    try:
        return not math.isfinite(float(sent))
    except OverflowError:
        return True
    except (ValueError, TypeError):
        return False


def _source(result: Result, rest: dict[str, Any]) -> str:
    named = _text(result.fields.get("source"))
    if named is None:
        return result.carrier.source
    known = result.carrier.sources.get(named.upper()) or _SOURCES.get(named.upper())
    if known is None:
        rest[_first_key(result, "source")] = named
    return known or result.carrier.source


_SOURCES = {name: name for name in ("API", "EVAL", "ANNOTATION", "RULE")}


def _first_key(result: Result, name: str) -> str:
    keys = result.carrier.fields
    return next((keys[known][0] for known in keys if known == name), name)


def _identity(
    result: Result, name: str, judged: _Judgement, comment: str | None, seen: Counter[tuple[Any, ...]]
) -> str:
    """The id of a result that brought none: the same for the same result, however often and in whatever form.

    Equal results on one span are told apart by their order; ``seen`` counts them.
    """
    target, carrier = result.target, result.carrier
    about: list[Any] = [target.trace_id, target.span_id, None if target.trace_id else target.session_id, name]
    if (identifier := _text(result.fields.get("identifier"))) is not None:
        return _hash([*about, "identifier", identifier])
    minute = result.time_unix_nano // _ALIKE_NS if carrier.events else None
    # Each evaluator judges for itself; what a trace or a session is given may be copied to many spans.
    judge = result.origin if carrier.about == "linked" and result.origin != target.span_id else None
    parts = [*about, judged.value, judged.string_value, comment, minute, judge]
    key = (id(carrier), result.origin, *parts)
    seen[key] += result.origin is not None
    return _hash([*parts, max(0, seen[key] - 1)])


def _hash(parts: list[Any]) -> str:
    return hashlib.sha256(attributes.dumps(parts).encode()).hexdigest()[:_ID_CHARACTERS]


def _micros(result: Result) -> int:
    """The score's own time; when it was received, where there is none or none that can be."""
    sent = result.fields.get("time")
    nanos: int | None = result.time_unix_nano
    if isinstance(sent, str):
        nanos = convert.iso_time(sent) or nanos
    elif isinstance(sent, int) and not isinstance(sent, bool):
        nanos = sent * 1_000_000
    if nanos is None or not 0 < nanos < 2**63:
        nanos = result.ingested_unix_nano
    return nanos // 1_000


def _text(value: Any) -> str | None:
    """A value as text; None where there is nothing in it."""
    if isinstance(value, str):
        return attributes.well_formed(value) if value.strip() else None
    if value is None or isinstance(value, bool | int | float):
        return json_values.scalar_text(value)
    return _json(value)


def _metadata(sent: Any, rest: Mapping[str, Any]) -> str | None:
    """JSON text: what was sent as metadata, and whatever else was said."""
    given = json_values.parse_json(sent) if isinstance(sent, str) else sent
    given = sent if given is None else given
    if given is None or given == "":
        return _json(rest) if rest else None
    if not rest:
        return _json(given)
    return _json({**rest, **given} if isinstance(given, dict) else {**rest, "metadata": given})


def _json(value: Any) -> str:
    """JSON text as the stored tables write attributes: NaN and bytes are tagged, nothing is lost."""
    try:
        return json_text.value_text(*attributes.encode_value(value))
    except (TypeError, RecursionError):  # no value of OTLP, from a Python literal, or nested too deeply
        return attributes.dumps(f"({type(value).__name__})")
