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

from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from spanloom import (
    RELATION_OF_SIGNAL,
    RELATIONS,
    Batch,
    ComponentConfig,
    ComputedExpressions,
    ProcessorFactory,
    Relation,
    Settings,
    Signal,
    SqlFaults,
    numpy_of,
    ottl,
    sql_condition,
    unless_propagate,
)

_ITEMS = {
    "span": "span", "log_record": "log", "log": "log", "metric": "metric", "datapoint": "metric",
    "spanevent": "", "resource": "", "scope": "", "profile": "",
}  # fmt: skip
"""The Collector's contexts → ours; empty: none."""
_OF_LISTS = {"trace_conditions": "span", "log_conditions": "log", "metric_conditions": "metric"}
_OTTL = ("traces", "logs", "metrics", "spans", "profiles", "profile_conditions", *_OF_LISTS)


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
        wrong = [said for item in RELATIONS for text in self.of(item) if (said := _wrong(RELATIONS[item], text))]
        if wrong:
            raise ValueError("; ".join(wrong))
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
            texts = [entry for key in keys for entry in _conditions(key, given[key])]
            said = f": {ottl.described(texts, ottl.sql_of)}" if texts else ""
            raise ValueError(f"OTTL ({', '.join(keys)}) is not supported; write SQL, under 'sql'{said}")
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

    def process(self, batch: Batch) -> Batch:
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
        return f"{relation.item}: {error}"
    return ""


def _conditions(key: str, given: Any) -> list[tuple[str, Any]]:
    """(item, OTTL) of what stands under a key of the Collector."""
    if isinstance(given, dict):
        return [
            (_ITEMS.get(k, k) or k, text) for k, texts in given.items() if isinstance(texts, list) for text in texts
        ]
    found: list[tuple[str, Any]] = []
    for entry in given if isinstance(given, list) else ():
        texts = entry.get("conditions", ()) if isinstance(entry, dict) else (entry,)
        found += [(_OF_LISTS.get(key, key), text) for text in texts]
    return found


factory = ProcessorFactory(Config, Filter, signals=frozenset(Signal))
