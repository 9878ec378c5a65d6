"""The content rows of all dialects in the order in which they are asked, read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from collector.model.dialects import table_files
from collector.model.dialects.content_rows import ContentRow
from collector.model.dialects.fact_tables import File
from collector.model.dialects.fields import ContentKind
from collector.model.dialects.kept import kept
from collector.model.dialects.neighbours import Item, arrange

KINDS: tuple[ContentKind, ...] = get_args(ContentKind)


@dataclass(frozen=True, slots=True)
class Row:
    """Where a piece of content stands and how it is read."""

    content: str
    shape: str
    source: str
    """``key``, ``indexed``, ``prefix`` or ``events``."""
    name: str
    """The key, pattern or prefix; for ``events`` empty."""
    events: frozenset[str]
    """Names of the events: the carriers of ``events``, or of a key inside an event."""
    system: str | None
    types: frozenset[str]
    """Types of observation the row is for; empty: all."""
    has: str | None
    drop: frozenset[str]
    table: str
    """The file it stands in."""
    rank: int
    """Its place among the rows of its kind, from 1."""


def ordered(files: Sequence[File], dialects: Sequence[str]) -> Iterator[Row]:
    """The content rows of these files, kind by kind, those asked first in front. Raises ``ConfigError``.

    ``dialects``: the files' names, those asked first in front.
    """
    for kind in KINDS:
        rows = [(file, n, row) for file in files for n, row in enumerate(file.content) if row.content == kind]
        items = [
            Item(file.table, row.label, f"{file.place}: content.{n} ({kind})", row.before, row.after)
            for file, n, row in rows
        ]
        for rank, chosen in enumerate(arrange(dialects, items), 1):
            file, _, row = rows[chosen]
            yield _row(row, file.table, rank)


def _row(row: ContentRow, table: str, rank: int) -> Row:
    source = row.source
    named = {"key": source.key, "indexed": source.indexed, "prefix": source.prefix}
    kind, name = next(((kind, name) for kind, name in named.items() if name), ("events", ""))
    return Row(
        content=row.content,
        shape=row.shape,
        source=kind,
        name=name,
        events=frozenset([*source.events, *([source.event] if source.event else [])]),
        system=row.system,
        types=frozenset(row.when.type),
        has=row.when.has,
        drop=frozenset(row.drop),
        table=table,
        rank=rank,
    )


@kept()
def rows() -> tuple[Row, ...]:
    """The content rows of all tables, kind by kind. Raises ``ConfigError`` for rows that say an impossible place."""
    return tuple(ordered(table_files.files(), table_files.families()))
