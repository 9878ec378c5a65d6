"""A DuckDB that computes and does nothing else: no files, no network, no settings, no other variables.

What is computed with may not be masked yet, so it never spills.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

MOST_MEMORY = 256 * 1024 * 1024


def connect(memory_bytes: int = MOST_MEMORY) -> duckdb.DuckDBPyConnection:
    """An empty database in memory, of one thread."""
    import duckdb  # noqa: PLC0415 - only for those who have an expression

    options: dict[str, Any] = {
        "enable_external_access": False,
        "autoload_known_extensions": False,
        "autoinstall_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
        "temp_directory": "",
        "memory_limit": f"{memory_bytes}B",
        "threads": 1,
    }
    connection = duckdb.connect(":memory:", config=options)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")
    return connection


@contextmanager
def for_a_look() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to look at expressions with, before anything is computed: all of them share one database, because
    opening one takes longer than the look.
    """
    cursor = _for_looks().cursor()
    try:
        yield cursor
    finally:
        cursor.close()


@cache
def _for_looks() -> duckdb.DuckDBPyConnection:
    return connect()


def closed(sql: str) -> str:
    """On lines of its own, so that a comment at its end ends with it."""
    return f"(\n{sql}\n)"


def reason(error: Exception) -> str:
    """What DuckDB says, without the place in a query that nobody wrote."""
    return re.sub(r"\s*\n.*", "", str(error), flags=re.DOTALL)
