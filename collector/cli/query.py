"""``spanloom query``: SQL over what is stored, through the running service or the store itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from collector.cli.client import ask_service
from collector.cli.options import DEFAULT_DATA_DIR, ConfigFiles, DataDir, Overrides
from collector.cli.output import Output, errors_explained, note, print_table
from collector.config import load as configuration
from collector.errors import PermanentError, RetryableError
from collector.model.stored.as_json import json_rows
from collector.service import running as service_file

_SECONDS = 60.0


@dataclass(frozen=True)
class _Answer:
    names: Sequence[str]
    rows: Sequence[Sequence[Any]]
    truncated: bool
    """There are more rows."""


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT over observations, traces, sessions, ...")],
    config: ConfigFiles = None,
    overrides: Overrides = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    endpoint: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Admin address of a running service.")
    ] = None,
    output: Annotated[Output, typer.Option(help="How to print the result.")] = Output.TABLE,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="Print at most this many rows.")] = 1_000,
) -> None:
    """Query the stored data with SQL.

    Asks the service that uses the data folder, or opens the store read-only when none runs.
    """
    with errors_explained():
        answer = _ask_service(endpoint, sql, limit) if endpoint else _ask_running(data_dir, sql, limit)
        if answer is None:
            answer = _ask_store(config, overrides, data_dir, sql, limit)
    print_table(answer.names, answer.rows, output)
    if answer.truncated:
        note(f"only the first {limit} rows are shown: raise --limit for more", kind="warning")


def _ask_running(data_dir: Path, sql: str, limit: int) -> _Answer | None:
    """The answer of the service that uses the folder, or None when there is none."""
    running = service_file.read(data_dir)
    try:
        return _ask_service(service_file.reachable(running.endpoint), sql, limit) if running else None
    except RetryableError:
        return None  # a killed service left its file, and its process id is now another's


def _ask_service(address: str, sql: str, limit: int) -> _Answer:
    """Raises ``RetryableError`` when nobody listens there."""
    document = ask_service(address, "/api/v1/query", {"sql": sql, "limit": limit}, timeout_seconds=_SECONDS)
    return _Answer([column["name"] for column in document["columns"]], document["rows"], document["truncated"])


def _ask_store(
    config: Sequence[str] | None, overrides: Sequence[str] | None, data_dir: Path, sql: str, limit: int
) -> _Answer:
    """The answer of the store itself, which no service uses."""
    from collector.offline.at_rest import query_at_rest  # noqa: PLC0415 - stores are only needed here

    document = configuration.merged(list(config or ()), overrides=list(overrides or ()), environ=os.environ)
    try:
        table = query_at_rest(document, data_dir, sql, limit=limit + 1)
    except FileNotFoundError as error:
        where = f"there is no database at {error.filename}"
        raise PermanentError(f"{where}: start 'spanloom run' first, or say --data-dir") from None
    rows = list(json_rows(table.slice(0, limit), exact_integers=True))
    return _Answer(table.schema.names, rows, table.num_rows > limit)
