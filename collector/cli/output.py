"""How commands print: rich on a terminal, plain text elsewhere, JSON, CSV or one line per value on request."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, NoReturn

import typer

from collector.cli import cells
from collector.errors import CollectorError, ConfigError


class Output(StrEnum):
    """Formats of a table."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    VERTICAL = "vertical"


_WIDEST = 40
"""Characters to which a column is padded where there is no terminal."""
_NARROWEST = 9
"""Columns of a terminal that a column of a table needs to be of use, with its border."""


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


def styled(text: str, style: str) -> str:
    """The text ``bold`` or ``dim`` on a terminal that takes colours, else as it is."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return typer.style(text, bold=style == "bold" or None, dim=style == "dim" or None)


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


def print_table(
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    output: Output,
    *,
    types: Sequence[str] = (),
    hint: str = "cut to the terminal: --output vertical shows all of each row",
) -> None:
    """Rows of JSON values under their names, on stdout.

    ``types``: what the columns hold, as Arrow names it, so that tables for people show money and times readably.
    ``hint``: said where a terminal had no room for all.
    """
    if output is Output.JSON:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    elif output is Output.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([cells.cell(value) for value in row] for row in rows)
    elif output is Output.VERTICAL:
        _vertical(names, cells.readable_rows(rows, types))
    elif sys.stdout.isatty():
        _rich_table(names, list(cells.readable_rows(rows, types)), hint)
    else:
        _plain_table(names, cells.readable_rows(rows, types))


def _vertical(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Each row as a block of lines, one per column; long texts go on below, and nothing is cut."""
    width = max(map(len, names), default=0)
    for number, row in enumerate(rows, start=1):
        print_line(f"-- row {number} --")
        for name, value in zip(names, row, strict=True):
            first, *more = cells.harmless(cells.cell(value)).split("\n")
            print_line(f"{name:>{width}}: {first}".rstrip())
            for line in more:
                print_line(f"{'':{width}}  {line}".rstrip())


def _rich_table(names: Sequence[str], rows: Sequence[Sequence[Any]], hint: str) -> None:
    """A table that the terminal has room for: what is longer than its column is cut."""
    from rich.console import Console  # noqa: PLC0415 - only needed on a terminal
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    lines = [[cells.on_one_line(cells.cell(value)) for value in row] for row in rows]
    longest = [max(map(len, column)) for column in zip(names, *lines, strict=True)]
    terminal = shutil.get_terminal_size().columns
    if len(names) * _NARROWEST > terminal:  # no table of so many columns can be read
        for name, column in _short_vertical(names, lines, terminal):
            print_line(f"{name}{column}".rstrip())
        note(hint)
        return
    widths = _fitted(longest, terminal - 3 * len(names) - 1)
    table = Table()
    for name, width in zip(names, widths, strict=True):
        table.add_column(Text(name), no_wrap=True, overflow="ellipsis", max_width=width)
    for line, row in zip(lines, rows, strict=True):
        # Text, so that brackets in the data are no markup.
        texts = (
            Text(text, justify="right" if _is_number(value) else "left") for text, value in zip(line, row, strict=True)
        )
        table.add_row(*texts)
    Console(width=terminal).print(table)
    if widths != longest and hint:
        note(hint)


def _short_vertical(names: Sequence[str], lines: Sequence[Sequence[str]], width: int) -> Iterator[tuple[str, str]]:
    """Each row as a block, a line per column that holds something, cut to the terminal."""
    left = max(map(len, names))
    for number, line in enumerate(lines, start=1):
        yield f"-- row {number} --", ""
        for name, text in zip(names, line, strict=True):
            if text:
                yield f"{name:>{left}}: ", cells.cut(text, max(8, width - left - 2))


def _fitted(longest: Sequence[int], room: int) -> list[int]:
    """Widths that fit: the longest columns are cut first, all to the same width; never below one character."""
    cap = max(longest, default=0)
    while cap > 1 and sum(min(size, cap) for size in longest) > room:
        cap -= 1
    return [min(size, cap) for size in longest]


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"-?\d+(\.\d+)?", value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain_table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Columns side by side, nothing cut: for a pipe. One long cell pushes its own row only."""
    lines = [list(names), *([cells.on_one_line(cells.cell(value)) for value in row] for row in rows)]
    widths = [min(_WIDEST, max(len(line[at]) for line in lines)) for at in range(len(names))]
    for line in lines:
        print_line("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
