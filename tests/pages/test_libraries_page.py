"""``docs/libraries.md``: the page is what its data says, and its links lead somewhere.

Proves form alone. Does not prove that the lines work: ``e2e/documents/test_libraries`` runs them.
"""

from __future__ import annotations

import re

import pytest

from collector.pages.libraries import DATA, PAGE, captured, page, read
from collector.pages.written import PageError
from tests.deploy.tools import ROOT

DOCS = ROOT / "docs"
VERSIONS = captured(ROOT / "tests" / "fixtures" / "otlp" / "MANIFEST.tsv")


def test_the_page_is_what_the_data_says() -> None:
    assert (DOCS / PAGE).read_text(encoding="utf-8") == page(read(DOCS), VERSIONS), "run `make docs`"


def test_links_lead_to_pages_and_headings() -> None:
    text = (DOCS / PAGE).read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= headings
    assert [link for link in re.findall(r"\]\((dialects/[^)]*)\)", text) if not (DOCS / link).exists()] == []


def test_an_unknown_key_and_a_folder_that_is_not_there_are_named(tmp_path) -> None:
    (tmp_path / DATA).write_text("{setups: {}, calls: {}, libraries: [], others: 1}")
    with pytest.raises(PageError, match=r"libraries.yaml: others"):
        read(tmp_path)
    data = read(DOCS)
    with pytest.raises(PageError, match="no folder py/langfuse-v3"):
        page(data, {folder: found for folder, found in VERSIONS.items() if folder != "py/langfuse-v3"})
