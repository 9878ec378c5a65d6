"""``_manifest.json`` of a date folder: what files stand there and what they hold.

The folder is the truth and the manifest a copy of the files' footers, so that it can always be
brought up to date: entries of files that are gone are dropped, unknown files are read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from exporters._parquet.data_files import Part, parquet_files, write_file

MANIFEST = "_manifest.json"
SCHEMA_KEY = b"spanloom.schema_version"
"""Key of the stored schema's version in a file's footer."""

_VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def update_manifest(folder: Path, scratch: Path, *, time_column: str) -> None:
    """Makes the manifest agree with the folder.

    ``time_column``: the column of int64 nanoseconds or of times whose smallest and largest value are noted.
    """
    known = _read(folder / MANIFEST)
    files = parquet_files(folder)
    entries = [
        entry if (entry := known.get(name)) and entry["bytes"] == size else _entry(folder / name, size, time_column)
        for name, size in sorted(files.items())
    ]
    if entries != list(known.values()):
        document = {"version": _VERSION, "rows": sum(entry["rows"] for entry in entries), "files": entries}
        text = json.dumps(document, separators=(",", ":"))
        write_file(folder / MANIFEST, scratch, lambda path: _write_text(path, text))


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """File name → entry; empty when there is no manifest or it cannot be used."""
    try:
        document = json.loads(path.read_bytes())
        if document["version"] != _VERSION:
            return {}
        return {entry["file"]: entry for entry in document["files"] if isinstance(entry["bytes"], int)}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}


def _entry(path: Path, size: int, time_column: str) -> dict[str, Any]:
    footer = pq.read_metadata(path)
    part = Part.parse(path.name)
    first_time, last_time = _bounds(footer, time_column)
    return {
        "file": path.name,
        "rows": footer.num_rows,
        "bytes": size,
        "min_unix_nano": first_time,
        "max_unix_nano": last_time,
        "first": part.first if part else None,
        "last": part.last if part else None,
        "schema_version": _schema_version(footer.metadata),
    }


def _bounds(footer: Any, column: str) -> tuple[int | None, int | None]:
    index = next((i for i in range(footer.num_columns) if footer.schema.column(i).path == column), None)
    if index is None:
        return None, None
    groups = [footer.row_group(group).column(index).statistics for group in range(footer.num_row_groups)]
    known = [stats for stats in groups if stats is not None and stats.has_min_max]
    if not known:
        return None, None
    return _nanos(min(stats.min for stats in known)), _nanos(max(stats.max for stats in known))


def _nanos(value: int | datetime) -> int:
    return value if isinstance(value, int) else (value - _EPOCH) // timedelta(microseconds=1) * 1_000


def _schema_version(metadata: Mapping[bytes, bytes] | None) -> int | None:
    value = (metadata or {}).get(SCHEMA_KEY)
    return int(value) if value else None


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
