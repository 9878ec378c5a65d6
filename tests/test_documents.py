"""What the documents for people who change the code name is there: every path, and every name said to be in a file.

Proves that paths and names exist, and that the recipe of a route works. Does not prove that what is said about them
is true.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
    ROOT / "bench" / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
]
PAGES = [*DOCUMENTS, *sorted(ROOT.glob("docs/*/*.md"))]

TOPS = "collector|processors|connectors|exporters|extensions|tests|docs|bench|config|deploy|\\.ci"
PATH = re.compile(rf"(?<![\w./-])((?:{TOPS})/[\w./<>*-]*|\w[\w-]*\.(?:py|md|toml))(?![\w/])")
"""A file or folder of the repository; ``<name>`` and ``*`` stand for any text."""

SPAN = re.compile(r"`([^`\n]+)`")
NAMED = re.compile(r"`([A-Za-z_][\w.]*)`,? ?\s*\(?`((?:[\w-]+/)*\w+\.py)`")
"""A name with the file it is in: `Name` (`path`), or `name`, `path` inside brackets."""

INVENTED = ("my_", "acme", "my.yaml", "service_status", "root_count")
"""Parts of file names in recipes: what the reader is about to write."""


def unfenced(text: str) -> str:
    """The text without blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def paths_in(document: Path) -> set[str]:
    """Every path of ours that the document names as code, and those in its drawings."""
    text = document.read_text(encoding="utf-8")
    spans = [span for span in SPAN.findall(unfenced(text)) if " " not in span]
    drawn = re.findall(r"^```\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    found = {path for part in (*spans, *drawn) for path in PATH.findall(part)}
    return {path.rstrip(".") for path in found if not any(part in path for part in INVENTED)}


def exists(path: str) -> bool:
    """A path from the root, or the bare name of a file anywhere in the repository's own folders."""
    pattern = re.sub(r"<[^>]*>", "*", path)
    if "/" in path:
        return any(ROOT.glob(pattern.rstrip("/")))
    return (ROOT / path).exists() or any(any((ROOT / top).rglob(path)) for top in TOPS.split("|") if top.isalpha())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_named_exists(document: Path) -> None:
    assert sorted(path for path in paths_in(document) if not exists(path)) == []


def defined(name: str, source: str) -> bool:
    """Every part of a dotted name is defined in the source."""
    return all(
        re.search(rf"^\s*(?:async def|def|class) {part}\b|^{part}\b", source, re.MULTILINE) for part in name.split(".")
    )


def named(document: Path) -> list[tuple[str, str]]:
    """(name, file) as the document has them; a bare file name follows a path whose folder it shares."""
    return NAMED.findall(unfenced(document.read_text(encoding="utf-8")))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_name_is_in_the_file_it_is_said_to_be_in(document: Path) -> None:
    missing = [
        f"{name} is not in {path}"
        for name, path in named(document)
        if (ROOT / path).exists() and not defined(name, (ROOT / path).read_text(encoding="utf-8"))
    ]
    assert missing == []


def test_the_architecture_names_many_and_a_wrong_one_is_found(tmp_path: Path) -> None:
    assert len(named(ROOT / "ARCHITECTURE.md")) >= 15
    assert len(paths_in(ROOT / "ARCHITECTURE.md")) >= 25
    wrong = tmp_path / "wrong.md"
    wrong.write_text(
        "`Core.fly` (`collector/engine/core.py`) and `collector/engine/gone.py`, drawn:\n```\nexporters/lost/\n```\n"
    )
    assert named(wrong) == [("Core.fly", "collector/engine/core.py")]
    assert not defined("Core.fly", (ROOT / "collector/engine/core.py").read_text(encoding="utf-8"))
    assert sorted(path for path in paths_in(wrong) if not exists(path)) == [
        "collector/engine/gone.py",
        "exporters/lost/",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = [
        link
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", unfenced(page.read_text(encoding="utf-8")))
        if "://" not in link
    ]
    assert [link for link in links if not (page.parent / link).exists()] == []


async def test_the_route_of_the_recipe_answers() -> None:
    recipes = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    (recipe,) = [text for text in recipes if text.startswith("# collector/api/service_status.py")]
    module: dict[str, Any] = {}
    exec(recipe, module)
    app = FastAPI()
    module["add_status"](app, lambda: {"receivers": 1})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        assert (await client.get("/api/v1/status")).json() == {"receivers": 1}
