"""Dialects from outside: makes the tables of this process those of the package and some files more."""

from __future__ import annotations

from collections.abc import Sequence

from collector.errors import ConfigError
from collector.model.dialects import table_files
from collector.model.dialects.compiled_tables import compiled
from collector.model.dialects.messages import content_tables
from collector.model.dialects.table_files import AddedFile


def use(added: Sequence[AddedFile]) -> None:
    """From now on the tables are those of the package and ``added``; nothing in it: those of the package alone.

    They are one for the whole process: batches that are being worked on meanwhile may see either. Raises
    ``ConfigError`` naming file, line, row and key of what is wrong; the tables are then as they were.
    """
    before = table_files.added_files()
    if before == tuple(added):
        return
    table_files.add(added)
    try:
        compiled()
        content_tables.rows()
    except ConfigError:
        table_files.add(before)
        raise
