"""What lies in a Parquet lake."""

from __future__ import annotations

import datetime as dt
import json

import pyarrow.dataset as ds

TODAY = dt.date(2026, 9, 21)


def parts(lake, dataset="observations"):
    return sorted((lake / dataset).glob("*/*.parquet"))


def read(lake, dataset="observations"):
    return ds.dataset(lake / dataset, partitioning="hive").to_table()


def identities(paths):
    return [(path.name, path.stat().st_ino, path.stat().st_mtime_ns) for path in paths]


def manifest(folder):
    return json.loads((folder / "_manifest.json").read_text())
