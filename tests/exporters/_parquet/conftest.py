"""Parquet exporters in a folder of the test."""

from __future__ import annotations

import pytest

from exporters.parquet import Config, ParquetExporter
from tests.exporters.stores import settings


@pytest.fixture
def lake(tmp_path):
    return tmp_path / "parquet"


@pytest.fixture
def started(tmp_path):
    def start(component_id="parquet", **config):
        exporter = ParquetExporter(Config(**config), settings(tmp_path, component_id))
        exporter.start()
        return exporter

    return start
