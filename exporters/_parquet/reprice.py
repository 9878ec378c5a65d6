"""The rows of Parquet files, priced again."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from spanloom import REPRICED_FROM, Reprice, schema


def folders_since(root: Path, since_unix_nano: int) -> list[Path]:
    """The date folders that can hold rows which started at that time or later, oldest first.

    A folder is named after the day a trace began, and a trace may go on for longer than a day: earlier
    folders are left out only when nothing in them was written to after that day.
    """
    if not root.is_dir():
        return []
    return sorted(folder for folder in root.iterdir() if _newest(folder, since_unix_nano))


def _newest(folder: Path, since_unix_nano: int) -> bool:
    try:
        day = date.fromisoformat(folder.name.removeprefix("date="))
    except ValueError:
        return False
    since = datetime.fromtimestamp(since_unix_nano / 1e9, UTC)
    return day >= since.date() or any(f.stat().st_mtime >= since.timestamp() for f in folder.glob("*.parquet"))


def repriced_rows(path: Path, price: Reprice, *, since_unix_nano: int, dry_run: bool) -> pa.Table | None:
    """All rows of the file with what ``price`` changed, or None when the file can stay as it is."""
    table = pq.read_table(path, columns=list(REPRICED_FROM), partitioning=None)
    chosen = np.flatnonzero(pc.greater_equal(table["start_unix_nano"], since_unix_nano).fill_null(False).to_numpy())
    if not len(chosen):
        return None
    found = price(table.take(pa.array(chosen)))
    if dry_run or not len(found.rows):
        return None
    # Where each row's value comes from: its own, or the one behind all rows.
    source = np.arange(table.num_rows)
    source[chosen[found.rows]] = table.num_rows + np.arange(len(found.rows))
    whole = pq.read_table(path, partitioning=None)
    for name in schema.PRICED:
        position = whole.schema.get_field_index(name)
        field = whole.schema.field(position)
        both = pa.chunked_array([*whole[name].chunks, *found.columns[name].cast(field.type).chunks])
        whole = whole.set_column(position, field, both.take(pa.array(source)))
    return whole


def with_all_columns(rows: pa.Table, columns: pa.Schema) -> pa.Table:
    """The rows with these columns first, null where a file of an older version has none; others it has stay."""
    fields = [*columns, *(field for field in rows.schema if field.name not in columns.names)]
    arrays = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in fields
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))
