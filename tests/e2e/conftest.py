"""Runs of the service that several tests look at: made once, on first use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.captures import send_fixtures
from tests.e2e.running import PORTS, Spanloom

FixtureRun = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def fixture_run(tmp_path_factory: pytest.TempPathFactory) -> FixtureRun:
    """(transport, encoding) → data folder of a stopped service that got every captured file of the encoding.

    It ran with the embedded default; only its ports were others.
    """
    made: dict[tuple[str, str], Path] = {}

    def run(transport: str, encoding: str) -> Path:
        if (transport, encoding) not in made:
            data_dir = tmp_path_factory.mktemp(f"{transport}-{encoding}")
            with Spanloom(data_dir, sets=PORTS) as service:
                send_fixtures(service, transport, encoding)
                assert service.terminate() == 0
            made[transport, encoding] = data_dir
        return made[transport, encoding]

    return run
