"""``spanloom query``: SQL over what is stored, through the running service or the store itself."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.cli.asking import Stored
from collector.cli.options import DEFAULT_DATA_DIR, ConfigFiles, DataDir, Endpoint, Overrides
from collector.cli.output import Output, errors_explained, note, print_table


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT over observations, traces, sessions, ...")],
    config: ConfigFiles = None,
    overrides: Overrides = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    endpoint: Endpoint = None,
    output: Annotated[Output, typer.Option(help="How to print the result.")] = Output.TABLE,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="Print at most this many rows.")] = 1_000,
) -> None:
    """Query the stored data with SQL.

    Asks the service that uses the data folder, or opens the store read-only when none runs. On a terminal a table is
    cut to its width; --output vertical prints each row in full, one line per column.
    """
    with errors_explained():
        answer = Stored(config, overrides, data_dir, endpoint).select(sql, limit)
    print_table(answer.names, answer.rows, output, types=answer.types)
    if answer.truncated:
        note(f"only the first {limit} rows are shown: raise --limit for more", kind="warning")
