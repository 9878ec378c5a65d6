"""``sql``: conditions over the spans of a trace, all of a sampler in one DuckDB query.

They run before the policies that ask for them are evaluated, over the traces that are due, after
counting. Unmasked spans may be among them, so DuckDB never writes a file here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import model_validator

from collector.component.registry import suggest
from collector.kernels.due_traces import FAILED, NOT_SAMPLED, SAMPLED, Bools, Decisions, Traces
from collector.kernels.sql.duck import MOST_MEMORY, closed, connect, reason
from collector.kernels.sql.trace_columns import COLUMNS, TRACE, Condition, nothing, parsed, relation, sources
from processors._sampling.policy import Options, Policy

if TYPE_CHECKING:
    import duckdb

_ANSWERS = {False: NOT_SAMPLED, True: SAMPLED}


class SqlOptions(Options):
    trace: tuple[str, ...] = ()
    """Conditions over all spans of a trace, with aggregates: ``sum(total_cost) > 0.10``."""

    span: tuple[str, ...] = ()
    """Conditions over one span: ``type = 'tool' and level = 'ERROR'``. Keeps traces in which some span meets one."""

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        if not self.trace and not self.span:
            raise ValueError("give conditions under 'trace' or 'span'")
        problems = [
            *(found for text in self.trace if (found := problem(text, whole=True))),
            *(found for text in self.span if (found := problem(text, whole=False))),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """Each an expression over the spans of one trace."""
        return (*(parsed(text) for text in self.trace), *(some_span(text) for text in self.span))

    @property
    def columns(self) -> Sequence[str]:
        return sorted(sources(self.conditions) | {"trace_id"})

    def evaluate(self, traces: Traces, asked: Bools) -> Decisions:  # noqa: ARG002 - all are looked at together
        answers = np.array([traces.answers[condition] for condition in self.conditions], np.int8)
        failed = (answers == FAILED).any(axis=0)
        return np.where((answers == SAMPLED).any(axis=0), SAMPLED, np.where(failed, FAILED, NOT_SAMPLED)).astype(
            np.int8
        )


def some_span(text: str) -> Condition:
    """Over a trace: some span of it meets the condition."""
    condition = parsed(text)
    return replace(condition, sql=f"bool_or({closed(condition.sql)})")


class SqlPolicy(Policy):
    type: Literal["sql"]
    """Keeps traces that meet some condition in SQL (DuckDB's), over the columns of observations; content,
    which does not exist before the decision, is not among them. A condition that fails keeps the trace."""

    sql: SqlOptions
    """The conditions."""


class Conditions:
    """All conditions of a sampler, and the DuckDB that runs them: one query for the traces of a tick."""

    def __init__(self, conditions: Sequence[Condition], *, memory_bytes: int = MOST_MEMORY) -> None:
        """``memory_bytes``: what DuckDB may use; a query that needs more fails, and is run in halves."""
        self._memory_bytes = min(memory_bytes, MOST_MEMORY)
        self._conditions = list(dict.fromkeys(conditions))
        self._connection: duckdb.DuckDBPyConnection | None = None

    def answers(self, traces: Traces) -> dict[Condition, Decisions]:
        """Per condition a decision per trace."""
        if not self._conditions or not len(traces):
            return {condition: np.zeros(len(traces), np.int8) for condition in self._conditions}
        table = relation(self._conditions, traces)
        found = self._run(self._conditions, table, len(traces))
        return dict(zip(self._conditions, found, strict=True))

    def _run(self, conditions: Sequence[Condition], table: pa.Table, n: int) -> list[Decisions]:
        import duckdb  # noqa: PLC0415 - only for those who have a condition

        if self._connection is None:
            self._connection = connect(self._memory_bytes)
        try:
            return _query(self._connection, conditions, table, n)
        except duckdb.Error:
            return self._apart(conditions, table, n)

    def _apart(self, conditions: Sequence[Condition], table: pa.Table, n: int) -> list[Decisions]:
        """Some condition failed on some trace: halves the work until it is known which on which."""
        if len(conditions) > 1:
            return [self._run([condition], table, n)[0] for condition in conditions]
        owner = table.column(TRACE).to_numpy()
        present = np.unique(owner)
        if len(present) == 1:
            found = np.zeros(n, np.int8)
            found[present] = FAILED
            return [found]
        upper = owner >= present[len(present) // 2]
        halves = [self._run(conditions, table.filter(pa.array(part)), n)[0] for part in (upper, ~upper)]
        return [halves[0] + halves[1]]


def _query(
    connection: duckdb.DuckDBPyConnection, conditions: Sequence[Condition], table: pa.Table, n: int
) -> list[Decisions]:
    connection.register("spans", table)
    try:
        columns = ", ".join(f"coalesce({closed(c.sql)}, false)::BOOLEAN" for c in conditions)
        # The conditions are the configuration's own, and reach nothing but these spans.
        sql = f'SELECT "{TRACE}", {columns} FROM spans GROUP BY "{TRACE}"'  # noqa: S608 - see above
        result = connection.sql(sql).to_arrow_table()
    finally:
        connection.unregister("spans")
    owner = result.column(0).to_numpy()
    found = [np.zeros(n, np.int8) for _ in conditions]
    for answer, column in zip(found, result.columns[1:], strict=True):
        answer[owner] = np.where(column.to_numpy(), SAMPLED, NOT_SAMPLED)
    return found


def problem(text: str, *, whole: bool) -> str | None:
    """Why a condition, over ``whole`` traces or over spans, cannot be run; None when it can."""
    import duckdb  # noqa: PLC0415 - as above

    try:
        condition = parsed(text)
    except ValueError as error:
        return str(error)
    connection = connect()
    try:
        connection.register("spans", nothing(condition))
        sql = f"SELECT {closed(condition.sql)}::BOOLEAN FROM spans"  # noqa: S608 - as in _query
        # Only an expression over one span can stand behind WHERE: no aggregate.
        more = f'GROUP BY "{TRACE}"' if whole else f"WHERE {closed(condition.sql)}"
        connection.sql(f"{sql} {more}").to_arrow_table()
    except duckdb.Error as error:
        return f"{text!r}: {reason(error)}{_near(reason(error))}"
    finally:
        connection.close()
    return None


def _near(said: str) -> str:
    unknown = re.search(r'column "([^"]+)" not found', said)
    return suggest(unknown[1], COLUMNS) if unknown else ""
