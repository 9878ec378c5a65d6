"""How commands read what is stored: through the service that uses the data folder, or from the store itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.cli.client import ask_service
from collector.config import load as configuration
from collector.errors import PermanentError, RetryableError
from collector.model.stored.as_json import json_rows
from collector.service import running as service_file

_SECONDS = 60.0
_DEFAULT_ADMIN = "localhost:4330"


@dataclass(frozen=True)
class Answer:
    """The first rows of a SELECT."""

    names: Sequence[str]
    types: Sequence[str]
    """What the columns hold, as Arrow names it."""
    rows: Sequence[Sequence[Any]]
    """Values as ``collector.model.stored.as_json`` writes them; integers beyond 2^53 are text."""
    truncated: bool
    """There are more rows."""

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The rows under the names of their columns."""
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Stored:
    """Where a command was told to read."""

    config: Sequence[str] | None
    overrides: Sequence[str] | None
    data_dir: Path
    endpoint: str | None
    """Admin address of a service; none: whoever uses the data folder, else the store itself."""

    def select(self, sql: str, limit: int) -> Answer:
        """Raises ``PermanentError`` with what is wrong with the statement, or where to look instead."""
        if self.endpoint:
            return self._ask_named(self.endpoint, sql, limit)
        return self._ask_running(sql, limit) or self._ask_store(sql, limit)

    def _ask_named(self, endpoint: str, sql: str, limit: int) -> Answer:
        try:
            return _ask_service(endpoint, sql, limit)
        except RetryableError as error:
            running = service_file.read(self.data_dir)
            if running is not None:
                hint = f"the collector of {self.data_dir} answers at {service_file.reachable(running.endpoint)}"
            elif self.data_dir.exists():
                hint = f"without --endpoint, what lies in {self.data_dir} is read"
            else:
                hint = _elsewhere() if endpoint != _DEFAULT_ADMIN else ""
            raise PermanentError("; ".join(filter(None, (str(error), hint)))) from None

    def _ask_running(self, sql: str, limit: int) -> Answer | None:
        """The answer of the service that uses the folder, or None when there is none."""
        running = service_file.read(self.data_dir)
        try:
            return _ask_service(service_file.reachable(running.endpoint), sql, limit) if running else None
        except RetryableError:
            return None  # a killed service left its file, and its process id is now another's

    def _ask_store(self, sql: str, limit: int) -> Answer:
        """The answer of the store itself, which no service uses."""
        from collector.offline.at_rest import query_at_rest  # noqa: PLC0415 - stores are only needed here

        document = configuration.merged(
            list(self.config or ()), overrides=list(self.overrides or ()), environ=os.environ
        )
        try:
            table = query_at_rest(document, self.data_dir, sql, limit=limit + 1)
        except FileNotFoundError as error:
            where = f"there is no database at {error.filename}"
            parts = [f"{where}: start 'spanloom run' first, or say --data-dir", _elsewhere()]
            raise PermanentError("; ".join(filter(None, parts))) from None
        rows = list(json_rows(table.slice(0, limit), exact_integers=True))
        return Answer(table.schema.names, [str(f.type) for f in table.schema], rows, table.num_rows > limit)


def _ask_service(address: str, sql: str, limit: int) -> Answer:
    """Raises ``RetryableError`` when nobody listens there."""
    document = ask_service(address, "/api/v1/query", {"sql": sql, "limit": limit}, timeout_seconds=_SECONDS)
    columns: Sequence[Mapping[str, str]] = document["columns"]
    return Answer([c["name"] for c in columns], [c["type"] for c in columns], document["rows"], document["truncated"])


def _elsewhere() -> str:
    """A hint when a collector answers at the default address, else nothing."""
    try:
        ask_service(_DEFAULT_ADMIN, "/api/v1/query", {"sql": "SELECT 1", "limit": 1}, timeout_seconds=1.0)
    except (RetryableError, PermanentError, AttributeError):
        return ""
    return f"a collector answers at {_DEFAULT_ADMIN}, with another data folder: say --endpoint {_DEFAULT_ADMIN}"


def quoted(text: str) -> str:
    """The text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
