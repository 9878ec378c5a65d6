"""Runners on benches, ended whatever the test does."""

import pytest

from tests.engine.export.runner_kit import Bench


@pytest.fixture
def bench(tmp_path):
    """Makes a bench in a folder of the test; arguments are those of ``Bench``."""
    made = []

    def make(exporter=None, **more):
        made.append(Bench(tmp_path / f"journal{len(made)}", exporter, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()
