"""SQL conditions over whole traces, all in one DuckDB query.

Unmasked spans may be among them, so DuckDB never writes a file here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from collector.errors import suggest
from collector.kernels.due_traces import FAILED, NOT_SAMPLED, SAMPLED, PolicyVerdicts, Traces
from collector.kernels.sql.duck import MOST_MEMORY, closed, connect, reason
from collector.kernels.sql.trace_columns import COLUMNS, TRACE, TraceCondition, nothing, parse_trace_condition, relation

if TYPE_CHECKING:
    import duckdb


_ANSWERS = {False: NOT_SAMPLED, True: SAMPLED}


def some_span_meets(text: str) -> TraceCondition:
    """Over a trace: some span of it meets the condition."""
    condition = parse_trace_condition(text)
    return replace(condition, sql=f"bool_or({closed(condition.sql)})")


class TraceConditions:
    """All conditions of a sampler, and the DuckDB that runs them: one query for the traces of a tick."""

    def __init__(self, conditions: Sequence[TraceCondition], *, memory_bytes: int = MOST_MEMORY) -> None:
        """``memory_bytes``: what DuckDB may use; a query that needs more fails, and is run in halves."""
        self._memory_bytes = min(memory_bytes, MOST_MEMORY)
        self._conditions = list(dict.fromkeys(conditions))
        self._connection: duckdb.DuckDBPyConnection | None = None

    def answers(self, traces: Traces) -> dict[TraceCondition, PolicyVerdicts]:
        """Per condition a decision per trace."""
        if not self._conditions or not len(traces):
            return {condition: np.zeros(len(traces), np.int8) for condition in self._conditions}
        table = relation(self._conditions, traces)
        found = self._run(self._conditions, table, len(traces))
        return dict(zip(self._conditions, found, strict=True))

    def _run(self, conditions: Sequence[TraceCondition], table: pa.Table, n: int) -> list[PolicyVerdicts]:
        import duckdb  # noqa: PLC0415 - only for those who have a condition

        if self._connection is None:
            self._connection = connect(self._memory_bytes)
        try:
            return _query(self._connection, conditions, table, n)
        except duckdb.Error:
            return self._apart(conditions, table, n)

    def _apart(self, conditions: Sequence[TraceCondition], table: pa.Table, n: int) -> list[PolicyVerdicts]:
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
    connection: duckdb.DuckDBPyConnection, conditions: Sequence[TraceCondition], table: pa.Table, n: int
) -> list[PolicyVerdicts]:
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


def trace_condition_problem(text: str, *, whole: bool) -> str | None:
    """Why a condition, over ``whole`` traces or over spans, cannot be run; None when it can."""
    import duckdb  # noqa: PLC0415 - as above

    try:
        condition = parse_trace_condition(text)
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


def _near(message: str) -> str:
    unknown = re.search(r'column "([^"]+)" not found', message)
    return suggest(unknown[1], COLUMNS) if unknown else ""
