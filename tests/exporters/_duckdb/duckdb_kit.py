"""Rows of a DuckDB store."""

from __future__ import annotations


def rows(exporter, sql, limit=100_000):
    return [tuple(row.values()) for row in exporter.query(sql, limit=limit).to_pylist()]
