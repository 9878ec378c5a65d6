"""Changes spans, log records and metric points: attributes, resources, names.

A list of operations per kind of item, each done to all items before the next begins. Values and conditions are SQL
(DuckDB's) over the columns of one item, as in [filter](filter.md). What facts come from may be changed: a key renamed
here is read as what it is called then, by ``cost`` behind it and in what is stored. An item that an expression fails
on is left as it was by that operation. How OTTL is said here: [OTTL and SQL](../ottl.md).
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from processors._transform.operations import Operation, Run
from spanloom import (
    RELATION_OF_SIGNAL,
    RELATIONS,
    Batch,
    ComponentConfig,
    ProcessorFactory,
    Settings,
    Signal,
    SqlFaults,
    ottl,
    unless_propagate,
)

_OTTL = {"trace_statements": "span", "log_statements": "log", "metric_statements": "metric", "profile_statements": ""}


class Statements(ComponentConfig):
    span: tuple[Operation, ...] = ()
    """Done to spans, in this order."""

    log: tuple[Operation, ...] = ()
    """Done to log records."""

    metric: tuple[Operation, ...] = ()
    """Done to metric points."""

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        if not any(self.of(item) for item in RELATIONS):
            raise ValueError("give operations under 'span', 'log' or 'metric'")
        wrong = [
            f"{item}[{n}]: {said}"
            for item in RELATIONS
            for n, op in enumerate(self.of(item))
            if (said := _wrong(item, op))
        ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def of(self, item: str) -> tuple[Operation, ...]:
        """The operations on one kind of item."""
        found: tuple[Operation, ...] = getattr(self, item)
        return found


class Config(ComponentConfig):
    sql: Statements
    """What is done."""

    error_mode: Literal["ignore", "silent"] = Field(default="ignore")
    """An item that an expression fails on is left as it was and counted in
    ``spanloom_processor_failed_expressions``; ``ignore`` says so in the log, too, once a minute."""

    @model_validator(mode="before")
    @classmethod
    def _is_no_ottl(cls, given: Any) -> Any:
        if isinstance(given, dict) and (keys := [key for key in _OTTL if key in given]):
            texts = [(_OTTL[key] or key, text) for key in keys for text in _statements(given[key])]
            said = f": {ottl.described(texts, ottl.operation_of)}" if texts else ""
            raise ValueError(f"OTTL ({', '.join(keys)}) is not supported; write operations, under 'sql'{said}")
        return given

    @field_validator("error_mode", mode="before")
    @classmethod
    def _refuses_nothing(cls, mode: Any) -> Any:
        return unless_propagate(mode)


class Transform:
    """Runs the operations."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._runs = {
            signal: [Run(relation, operation, settings.memory_bytes) for operation in config.sql.of(relation.item)]
            for signal, relation in RELATION_OF_SIGNAL.items()
        }
        self._faults = SqlFaults(settings, logged=config.error_mode == "ignore")

    def process(self, batch: Batch) -> Batch:
        """Takes batches of any signal."""
        if not batch.num_rows:
            return batch
        failed = 0
        for run in self._runs[batch.signal]:
            batch, faults = run.on(batch)
            failed += faults
        self._faults.count(failed, batch.signal)
        return batch


def _wrong(item: str, operation: Operation) -> str:
    try:
        Run(RELATIONS[item], operation)
    except ValueError as error:
        return str(error)
    return ""


def _statements(given: Any) -> list[Any]:
    """The OTTL of what stands under a key of the Collector."""
    found: list[Any] = []
    for entry in given if isinstance(given, list) else ():
        found += entry.get("statements", ()) if isinstance(entry, dict) else (entry,)
    return found


factory = ProcessorFactory(Config, Transform, signals=frozenset(Signal))
