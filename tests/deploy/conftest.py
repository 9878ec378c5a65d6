"""The rendered chart."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.helm_kit import Object, files, template, yamls
from tests.deploy.tools import done, tool


@pytest.fixture(scope="session")
def helm() -> str:
    return tool("helm")


@pytest.fixture(scope="session")
def rendered(helm) -> Callable[[Path | None], str]:
    texts: dict[Path | None, str] = {}

    def render(values: Path | None) -> str:
        if values not in texts:
            texts[values] = done(*template(helm, *files(values)))
        return texts[values]

    return render


@pytest.fixture
def objects(rendered, values) -> list[Object]:
    return yamls(rendered(values))


@pytest.fixture
def with_values(helm, tmp_path) -> Callable[[str], list[Object]]:
    """Objects of the chart with the given YAML over its values."""

    def render(text: str) -> list[Object]:
        path = tmp_path / "values.yaml"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return yamls(done(*template(helm, "-f", path)))

    return render
