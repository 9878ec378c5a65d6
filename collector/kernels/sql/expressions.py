"""Expressions checked before anything comes, and computed for all items of a batch in one query."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.kernels.sql.column_names import SqlExpression
from collector.kernels.sql.duck import MOST_MEMORY, closed, connect, reason
from collector.kernels.sql.relations import Relation
from collector.model.arrow_arrays import numpy_of
from collector.model.batch import Batch

if TYPE_CHECKING:
    import duckdb

_CLOCKS = frozenset(
    (
        "age", "now", "today", "get_current_time", "get_current_timestamp", "transaction_timestamp", "current_date",
        "current_time", "current_timestamp", "current_localtime", "current_localtimestamp", "localtime",
        "localtimestamp", "current_setting", "getvariable",
    )
)  # fmt: skip
_CALLED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|([A-Za-z_][A-Za-z0-9_]*)\s*\(""")
_UNKNOWN_COLUMN = re.compile(r'Referenced column "([^"]*)" not found')

Bools = npt.NDArray[np.bool_]


def sql_condition(relation: Relation, text: str) -> SqlExpression:
    """Raises ``ValueError`` when it cannot be run or does not say yes or no."""
    expression = relation.parse(text)
    kind = _type(relation, expression)
    if kind not in (pa.bool_(), pa.null()):
        raise ValueError(f"{text!r}: a condition is true or false, this is {_NAMES.get(kind, kind)}")
    return expression


def sql_value(relation: Relation, text: str) -> tuple[SqlExpression, pa.DataType]:
    """An expression of any type. Raises ``ValueError`` when it cannot be run."""
    expression = relation.parse(text)
    return expression, _type(relation, expression)


class ComputedExpressions:
    """Expressions over one relation, computed together. Threads take turns."""

    def __init__(self, relation: Relation, expressions: Sequence[SqlExpression], memory_bytes: int) -> None:
        self._memory_bytes = min(memory_bytes, MOST_MEMORY)
        self._relation = relation
        self._expressions = list(expressions)
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._turn = threading.Lock()

    def of(self, batch: Batch) -> list[tuple[pa.Array, Bools]]:
        """Per expression a value per row, and the rows it failed on, whose value is null."""
        import duckdb  # noqa: PLC0415 - only for those who have an expression

        table = self._relation.table(batch, self._expressions)
        with self._turn:
            if self._connection is None:
                self._connection = connect(self._memory_bytes)
            self._connection.register("items", table)
            try:
                fine = np.zeros(batch.num_rows, np.bool_)
                return [
                    (column, fine) for column in _query(self._connection, [closed(e.sql) for e in self._expressions])
                ]
            except duckdb.Error:
                return [self._apart(expression) for expression in self._expressions]
            finally:
                self._connection.unregister("items")

    def _apart(self, expression: SqlExpression) -> tuple[pa.Array, Bools]:
        """One expression, by a slower way on which a row fails alone."""
        assert self._connection is not None
        sql = closed(expression.sql)
        values, known = _query(self._connection, [f"TRY{sql}", f"TRY({sql} IS NULL)"])
        return values, numpy_of(known.is_null())


def _query(connection: duckdb.DuckDBPyConnection, expressions: Sequence[str]) -> list[pa.Array]:
    # The expressions are the configuration's own, and reach nothing but these items.
    table = connection.sql(f"SELECT {', '.join(expressions)} FROM items").to_arrow_table()  # noqa: S608 - see above
    return [column.combine_chunks() for column in table.columns]


def _type(relation: Relation, expression: SqlExpression) -> pa.DataType:
    """The type of the expression's values. Raises ``ValueError``."""
    import duckdb  # noqa: PLC0415 - as above

    text, sql = expression.text, closed(expression.sql)
    called = {match[1].lower() for match in _CALLED.finditer(expression.sql) if match[1]}
    if unsteady := sorted((called & (_volatile() | _CLOCKS)) | (expression.words & _CLOCKS - relation.columns.keys())):
        raise ValueError(
            f"{text!r}: {', '.join(unsteady)} gives another answer each time, and what a batch becomes must not"
        )
    connection = connect()
    try:
        connection.register("items", relation.nothing(expression))
        # Only an expression over one item can stand behind WHERE: no aggregate, no window, no unnest.
        connection.sql(f"SELECT 1 FROM items WHERE {sql} IS NULL").to_arrow_table()  # noqa: S608 - as in _query
        return _query(connection, [sql])[0].type
    except duckdb.Error as error:
        unknown = _UNKNOWN_COLUMN.search(str(error))
        if unknown is not None and unknown[1].lower() in ("attributes", "resource"):
            raise ValueError(f"{text!r}: {unknown[1]} is read by key, as in {unknown[1]}['service.name']") from None
        near = relation.near(unknown[1]) if unknown is not None else ""
        problem = f'no column is called "{unknown[1]}"{near}' if unknown is not None else reason(error)
        raise ValueError(f"{text!r}: {problem}") from None
    finally:
        connection.close()


@cache
def _volatile() -> frozenset[str]:
    sql = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE'"
    return frozenset(name for (name,) in connect().execute(sql).fetchall())


_NAMES = {pa.string(): "text", pa.int32(): "a whole number", pa.int64(): "a whole number", pa.float64(): "a number"}
