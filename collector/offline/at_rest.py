"""Stores that no service uses: which exporter knows how to read them, and what it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from collector.component.base import Kind
from collector.component.exporter import ExporterFactory
from collector.component.registry import Registry
from collector.config.confmap import Document
from collector.config.validation import Findings, validate
from collector.config.yaml_tree import Mapping, find
from collector.errors import ConfigError, InvalidDataError, PermanentError


def query_at_rest(document: Document, data_dir: Path, sql: str, *, limit: int) -> pa.Table:
    """The first ``limit`` rows of one SELECT over the first store of a configuration that takes SQL.

    Only that exporter's options are looked at: reading needs none of the secrets that running needs. Raises
    ``FileNotFoundError`` when nothing was stored yet, ``PermanentError`` when the configuration has no such store or
    the statement fails, ``ConfigError`` for options that are wrong.
    """
    if not document.is_complete:
        raise ConfigError(*(str(problem) for problem in document.problems))
    exporters = find(document.root, ["exporters"])
    for id_ in exporters.entries if isinstance(exporters, Mapping) else ():
        factory = _factory(id_.partition("/")[0].strip())
        if factory is None or factory.query_at_rest is None:
            continue
        report = Findings(document.root)
        config = validate(factory.config, find(exporters, [id_]), ("exporters", id_), report)
        if config is None:
            raise ConfigError(*(str(problem) for problem in report.problems))
        return factory.query_at_rest(config, data_dir, sql, limit=limit)
    able = " or ".join(name for name, factory in _installed() if factory.query_at_rest is not None)
    raise PermanentError(f"this configuration has no {able} exporter to query")


def read_at_rest(folder: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """These columns of the observations in a folder, in tables that hold each trace whole.

    Raises ``InvalidDataError`` when no installed exporter can read it.
    """
    problems = []
    for _, factory in _installed():
        if factory.read_at_rest is None:
            continue
        tables = factory.read_at_rest(folder, columns)
        try:
            first = next(tables, None)
        except InvalidDataError as error:
            problems.append(str(error))
            continue
        if first is not None:
            yield first
            yield from tables
        return
    raise InvalidDataError("; ".join(problems) or f"{folder}: no installed exporter reads stored observations back")


def _installed() -> Iterator[tuple[str, ExporterFactory]]:
    """Every exporter that can be loaded."""
    for name in Registry().names(Kind.EXPORTER):
        if (factory := _factory(name)) is not None:
            yield name, factory


def _factory(type_: str) -> ExporterFactory | None:
    """None for a type that is not there or cannot be loaded: another exporter may be able to answer."""
    try:
        factory = Registry().get(Kind.EXPORTER, type_)
    except ConfigError:
        return None
    assert isinstance(factory, ExporterFactory)
    return factory
