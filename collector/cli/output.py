"""How commands print: rich on a terminal, plain text elsewhere, JSON or CSV on request."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, NoReturn

import typer

from collector.errors import CollectorError, ConfigError


class Output(StrEnum):
    """Formats of a table."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def print_line(text: str = "") -> None:
    """One line on stdout."""
    print(text)  # noqa: T201 - printing is what this module is for


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print_line(json.dumps(value, ensure_ascii=False, indent=2))


def note(text: str, *, kind: str = "") -> None:
    """One line on stderr; ``kind`` (``error``, ``warning``) stands before it."""
    color = {"error": typer.colors.RED, "warning": typer.colors.YELLOW}.get(kind)
    styled = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    label = typer.style(kind, fg=color, bold=True) if kind and styled else kind
    print(f"{label}: {text}" if kind else text, file=sys.stderr)  # noqa: T201 - as above


@contextmanager
def errors_explained() -> Iterator[None]:
    """Ends the program with exit code 1 and what is wrong, without a traceback, on errors of ours."""
    try:
        yield
    except ConfigError as error:
        fail(*error.problems)
    except CollectorError as error:
        fail(str(error))


def fail(*problems: str) -> NoReturn:
    """Prints the problems and ends with exit code 1."""
    for problem in problems:
        note(problem, kind="error")
    raise typer.Exit(1)


def print_table(names: Sequence[str], rows: Iterable[Sequence[Any]], output: Output) -> None:
    """Rows of JSON values under their names, on stdout."""
    if output is Output.JSON:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    elif output is Output.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cell(value) for value in row] for row in rows)
    elif sys.stdout.isatty():
        _rich_table(names, rows)
    else:
        _plain_table(names, rows)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _rich_table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only needed on a terminal
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*names)
    for row in rows:
        # Text, so that brackets in the data are no markup.
        table.add_row(*(Text(_cell(value), justify="right" if _is_number(value) else "left") for value in row))
    Console().print(table)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain_table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    lines = [list(names), *([_cell(value).replace("\n", "\\n") for value in row] for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(names))]
    for line in lines:
        print_line("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
