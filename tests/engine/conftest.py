"""The engine's tests run over every kind of log."""

from __future__ import annotations

import pytest

from collector.engine.journal import segments
from tests.engine import assembly_kit
from tests.engine.storage_kit import KINDS, Storages


@pytest.fixture(params=KINDS)
def storages(request, tmp_path, monkeypatch):
    """Storage of each kind in turn; ``assembly_kit.Bench`` stands on it, too."""
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 1 << 20)
    opened = Storages(request.param, tmp_path / "storages")
    monkeypatch.setattr(assembly_kit, "STORAGES", opened)
    yield opened
    opened.close()
