"""What the generators of pages share: tables, a folder's pages written anew, and a fault that stops them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

INDEX = "README.md"
"""Name of a folder's index page."""


class PageError(Exception):
    """What is missing for the pages to be written, a line each; never skipped in silence."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; each cell is one line."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |") for cells in lines)


def replace_pages(folder: Path, pages: Callable[[], Mapping[str, str]]) -> None:
    """Writes the pages, and removes those of things that are gone. Exits with 1 and says why if they cannot be made."""
    try:
        made = pages()
    except PageError as fault:
        sys.exit(str(fault))
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
