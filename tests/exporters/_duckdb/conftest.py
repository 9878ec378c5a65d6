"""DuckDB exporters in a folder of the test."""

from __future__ import annotations

import pytest

from exporters.duckdb import Config, DuckDBExporter
from tests.exporters.stores import NANO, START, settings


@pytest.fixture
def opened(tmp_path):
    """Opens exporters on ``tmp_path`` and closes them afterwards."""
    exporters = []

    def open_exporter(component_id="duckdb", now=START, **config):
        exporter = DuckDBExporter(Config(**config), settings(tmp_path, component_id), clock=lambda: now / NANO)
        exporters.append(exporter)
        exporter.start()
        return exporter

    yield open_exporter
    for exporter in exporters:
        exporter.shutdown()
