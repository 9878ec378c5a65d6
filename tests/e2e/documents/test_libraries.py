"""What ``docs/libraries.md`` says, run word for word with the libraries that are installed: the call is a row.

Proves that the lines, the variables and nothing else make a library send here, and that its call is counted once with
the tokens of the API. Does not prove other versions, nor the lines of libraries that are not installed for the tests:
for those the page says with which versions they were run, if they were.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.pages.libraries import Library, captured
from tests.deploy.tools import ROOT
from tests.e2e.documents.library_runs import DATA, TOOLS, interpreter, started
from tests.e2e.mock_openai import openai_api
from tests.e2e.running import FAST, PORTS, Row, Spanloom, stored_rows

MANIFEST = ROOT / "tests" / "fixtures" / "otlp" / "MANIFEST.tsv"
INSTALLED = [library for library in DATA.libraries if library.tools]
pytestmark = pytest.mark.timeout(900)
FAMILY = {"gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-flash"}


def _name(library: Library) -> str:
    return f"{library.language}-{INSTALLED.index(library)}"


def _folder(library: Library) -> Path | None:
    """Where its packages are; None where they are not installed."""
    folder = TOOLS / library.tools
    return folder if library.tools == "test" or folder.exists() else None


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Of a service that all programs have sent to, one after the other."""
    data_dir = tmp_path_factory.mktemp("libraries")
    with openai_api() as api, Spanloom(data_dir, sets=(*PORTS, *FAST)) as service:
        for library in INSTALLED:
            folder = _folder(library)
            if folder is None:
                continue
            # Node finds packages from the file's folder upwards.
            place = folder if library.language == "javascript" else data_dir
            command = interpreter(library, folder)
            program = started(library, command, place, service=service.http, api=api, name=_name(library))
            said, _ = program.communicate(timeout=100)
            assert program.returncode == 0, said
            assert "Traceback" not in said, said
        assert service.terminate() == 0
    return stored_rows(data_dir)


@pytest.mark.parametrize("library", INSTALLED, ids=lambda one: f"{one.language}-{one.name}")
def test_the_call_is_a_row_with_the_tokens_of_the_api(library: Library, rows: list[Row]) -> None:
    if _folder(library) is None:
        pytest.skip(f"{library.tools} is not installed; .ci/install-tools installs it")
    mine = [row for row in rows if row["service_name"] == _name(library) and row["type"] == "generation"]
    assert any(row["scope_name"].startswith(library.scope) for row in mine)
    (counted,) = [row for row in mine if row["usage_scope"] == "counted"]
    assert (counted["input_tokens"], counted["output_tokens"]) == (100, 20)
    assert counted["model_family"] in FAMILY
    assert counted["total_cost"] > 0
    assert "Hello" in counted["input"]
    assert counted["output"]


def test_every_library_with_payloads_is_on_the_page_once() -> None:
    named = [folder for library in DATA.libraries for folder in library.fixtures]
    assert sorted(named) == sorted(captured(MANIFEST))


def test_what_is_on_the_page_has_payloads_or_says_why_not() -> None:
    assert [library.name for library in DATA.libraries if not library.fixtures and not library.no_fixtures] == []


def test_what_is_installed_for_the_tests_was_run() -> None:
    assert all(library.runs and library.scope for library in INSTALLED)
    assert all(library.runs for library in DATA.libraries if library.ran)
