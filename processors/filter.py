"""Drops spans, log records and metric points that meet a condition, and passes the others on.

Conditions are SQL (DuckDB's), over the columns of one item. Those of spans are named as in ``observations``, without
what is only known when a trace was decided (content, ``usage_scope``); tokens and cost are as the span says them. An
attribute stands under its key, as text: ``attributes['http.route']``, ``resource['service.name']``; as a number it is
``try_cast(attributes['n'] as double)``. Log records have ``time``, ``observed_time``, ``severity_number``,
``severity_text``, ``event_name``, ``body``, ``trace_id``, ``span_id``; metric points ``name``, ``description``,
``unit``, ``kind``, ``is_monotonic``, ``value``, ``count``, ``sum``, ``time``, ``start_time``; both ``scope_name``,
``scope_version`` and ``service_name``. An item is dropped when a condition is true, not when it is null.
How OTTL is said in SQL: [OTTL and SQL](../ottl.md).

The children of a dropped span become children of its nearest ancestor that is left. Usage is counted as if it were
there: an agent's sum stays a sum when the calls below it are dropped, and what is dropped is not in any sum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from spanloom import (
    RELATION_OF_SIGNAL,
    RELATIONS,
    BatchT,
    ComponentConfig,
    ComputedExpressions,
    ProcessorFactory,
    Relation,
    Settings,
    Signal,
    SqlFaults,
    WrongValuesError,
    numpy_of,
    ottl,
    sql_condition,
    unless_propagate,
)

_ITEMS = {
    "traces": "span", "logs": "log", "metrics": "metric",
    "trace_conditions": "span", "log_conditions": "log", "metric_conditions": "metric",
}  # fmt: skip
"""The Collector's keys → what is dropped here."""
_OTTL = (*_ITEMS, "spans", "profiles", "profile_conditions")


class Conditions(ComponentConfig):
    span: tuple[str, ...] = ()
    """Spans that meet one of these are dropped: ``span_name = 'GET /healthz'``."""

    log: tuple[str, ...] = ()
    """Log records that meet one of these are dropped: ``severity_number < 9``."""

    metric: tuple[str, ...] = ()
    """Metric points that meet one of these are dropped: ``name = 'process.uptime'``."""

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        if not any(self.of(item) for item in RELATIONS):
            raise ValueError("give conditions under 'span', 'log' or 'metric'")
        wrong = [
            ((item, n), problem)
            for item, relation in RELATIONS.items()
            for n, text in enumerate(self.of(item))
            if (problem := _wrong(relation, text))
        ]
        if wrong:
            raise WrongValuesError(wrong, "; ".join(f"{path[0]}: {problem}" for path, problem in wrong))
        return self

    def of(self, item: str) -> tuple[str, ...]:
        """The conditions over one kind of item."""
        found: tuple[str, ...] = getattr(self, item)
        return found


class Config(ComponentConfig):
    sql: Conditions
    """What is dropped."""

    error_mode: Literal["ignore", "silent"] = Field(default="ignore")
    """An item that a condition fails on (a cast of what is no number) is kept and counted in
    ``spanloom_processor_failed_expressions``; ``ignore`` says so in the log, too, once a minute."""

    @model_validator(mode="before")
    @classmethod
    def _is_no_ottl(cls, given: Any) -> Any:
        if isinstance(given, dict) and (keys := [key for key in _OTTL if key in given]):
            written = [entry for key in keys for entry in _conditions(key, given[key])]
            answers = ottl.answered(written, ottl.condition_of, _problem)
            of_keys = f"OTTL ({', '.join(keys)}) is not supported; write SQL, under 'sql'"
            raise WrongValuesError(
                [
                    (path, f"OTTL is not supported; write SQL, under 'sql.{one.item}': {text}")
                    for one, (path, text) in zip(written, answers, strict=True)
                ]
                or [((keys[0],), of_keys)],
                f"{of_keys}: {'; '.join(text for _, text in answers)}" if answers else of_keys,
            )
        return given

    @field_validator("error_mode", mode="before")
    @classmethod
    def _refuses_nothing(cls, mode: Any) -> Any:
        return unless_propagate(mode)


class Filter:
    """Drops what meets a condition."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._computed = {
            signal: ComputedExpressions(
                relation, [sql_condition(relation, text) for text in texts], settings.memory_bytes
            )
            for signal, relation in RELATION_OF_SIGNAL.items()
            if (texts := config.sql.of(relation.item))
        }
        self._faults = SqlFaults(settings, logged=config.error_mode == "ignore")

    def process(self, batch: BatchT) -> BatchT:
        """Takes batches of any signal."""
        computed = self._computed.get(batch.signal)
        if computed is None or not batch.num_rows:
            return batch
        drop = np.zeros(batch.num_rows, np.bool_)
        failed = np.zeros(batch.num_rows, np.bool_)
        for matched, faults in computed.of(batch):
            drop |= numpy_of(matched.cast(pa.bool_()).fill_null(pa.scalar(False)))
            failed |= faults
        self._faults.count(int(failed.sum()), batch.signal)
        return batch.filter(~drop) if drop.any() else batch


def _wrong(relation: Relation, text: str) -> str:
    try:
        sql_condition(relation, text)
    except ValueError as error:
        return str(error)
    return ""


def _problem(written: ottl.Written) -> Callable[[Any], str]:
    """Why the condition that OTTL became cannot be run here."""
    relation = RELATIONS.get(written.item)
    return lambda sql: _wrong(relation, sql) if relation is not None else "it is about no item of ours"


def _conditions(key: str, given: Any) -> list[ottl.Written]:
    """The OTTL under a key of the Collector."""
    item = _ITEMS.get(key, "")
    if isinstance(given, dict):
        return [
            ottl.Written((key, context, n), item, context, text)
            for context, texts in given.items()
            if isinstance(texts, list)
            for n, text in enumerate(texts)
        ]
    found: list[ottl.Written] = []
    for n, entry in enumerate(given if isinstance(given, list) else ()):
        if not isinstance(entry, dict):
            found.append(ottl.Written((key, n), item, "", entry))
            continue
        context, texts = str(entry.get("context") or ""), entry.get("conditions")
        for at, text in enumerate(texts if isinstance(texts, list) else ()):
            found.append(ottl.Written((key, n, "conditions", at), item, context, text))
    return found


factory = ProcessorFactory(Config, Filter, signals=frozenset(Signal))
