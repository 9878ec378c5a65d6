"""Stored observations read back from a lake, a day's folder at a time: a trace lies in one of them, whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from spanloom import InvalidDataError


def stored_days(lake: Path, dataset: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """These columns of a data set, a table per folder. ``lake``: the folder of the data sets, of this one, or the data
    folder that has them in ``parquet``.

    Raises ``InvalidDataError`` for a folder without such files.
    """
    places = (lake / dataset, lake / "parquet" / dataset)
    root = next((place for place in places if place.is_dir()), lake)
    folders: dict[Path, list[Path]] = {}
    for file in sorted(root.rglob("*.parquet")):
        if not any(part.startswith(("_", ".")) for part in file.relative_to(root).parts):
            folders.setdefault(file.parent, []).append(file)
    if not folders:
        raise InvalidDataError(f"{lake}: holds no Parquet files of {dataset}")
    for files in folders.values():
        yield _read(files, dataset, columns)


def _read(files: Sequence[Path], dataset: str, columns: Sequence[str]) -> pa.Table:
    folder = files[0].parent
    try:
        rows = pa.concat_tables(pq.ParquetFile(file).read(columns=list(columns)) for file in files)
    except (pa.ArrowInvalid, OSError) as error:
        raise InvalidDataError(f"{folder}: cannot be read as {dataset}: {error}") from None
    if missing := [name for name in columns if name not in rows.column_names]:
        raise InvalidDataError(f"{folder}: cannot be read as {dataset}: no column {', '.join(missing)}")
    return rows
