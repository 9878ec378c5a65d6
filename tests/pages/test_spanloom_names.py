"""What ``spanloom`` offers: its source, its list of versions and its page agree, and every name says what it means.

Proves that no name comes or goes unnoticed. Does not prove that a name still does what it did: tests of its home do.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import spanloom
from collector.pages import spanloom_names
from collector.pages.spanloom_names import LIST, PAGE, Name
from collector.pages.written import PageError

ROOT = Path(__file__).parents[2]
FACADE = ROOT / "spanloom.py"
OFFERED = spanloom_names.names(FACADE)
VERSIONS = spanloom_names.read_list(ROOT / LIST)


def type_checking_block() -> dict[str, str]:
    """Name → module, of the imports that only type checkers see."""
    tree = ast.parse(FACADE.read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    found = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert alias.asname == alias.name, (
                f"{alias.name}: 'as {alias.name}' tells type checkers that it is offered on"
            )
            found[alias.name] = node.module or ""
    return found


def test_the_homes_and_the_block_for_type_checkers_agree() -> None:
    homes = {name: module for module, names in spanloom._HOMES.items() for name in names}
    assert sum(map(len, spanloom._HOMES.values())) == len(homes), "a name has one home"
    assert type_checking_block() == homes
    assert spanloom.__all__ == sorted(homes) == dir(spanloom)
    assert spanloom_names.homes_of(FACADE.read_text(encoding="utf-8")) == spanloom._HOMES


def test_every_name_is_what_its_home_has() -> None:
    for one in OFFERED:
        module = import_module(one.home)
        assert getattr(spanloom, one.name) is getattr(module, one.name)
    with pytest.raises(AttributeError, match="spanloom offers no 'nothing'"):
        _ = spanloom.nothing


def test_the_list_has_every_name_once_and_says_what_became_of_the_others() -> None:
    listed = [name for version, names in VERSIONS.items() if version != "removed" for name in names]
    assert len(listed) == len(set(listed))
    assert set(spanloom.__all__) | set(VERSIONS["removed"]) == set(listed), "run `make docs`"
    assert set(spanloom.__all__) & set(VERSIONS["removed"]) == set()
    assert all(isinstance(use, str) and use for use in VERSIONS["removed"].values())
    assert set(VERSIONS["removed"]) & set(VERSIONS["unreleased"]) == set()


def test_every_name_says_what_it_means() -> None:
    assert [one.name for one in OFFERED if not one.meaning] == []


def test_the_committed_page_and_list_are_those_of_the_source() -> None:
    updated = spanloom_names.updated(VERSIONS, OFFERED)
    assert (ROOT / LIST).read_text(encoding="utf-8") == spanloom_names.list_text(updated), "run `make docs`"
    assert (ROOT / PAGE).read_text(encoding="utf-8") == spanloom_names.page(OFFERED, updated), "run `make docs`"


OLD = {"0.1": ["Gone", "Kept"], "unreleased": ["Tried"], "removed": {}}
KEPT = Name("Kept", "home", "class", "It stays.")
NEW = Name("New", "home", "class", "It came.")


def test_new_names_are_added_as_unreleased() -> None:
    updated = spanloom_names.updated({**OLD, "removed": {"Gone": "Kept"}, "unreleased": []}, [KEPT, NEW])
    assert updated == {"0.1": ["Gone", "Kept"], "unreleased": ["New"], "removed": {"Gone": "Kept"}}
    page = spanloom_names.page([KEPT, NEW], updated)
    assert "| `New` | class | It came. | unreleased |" in page
    assert "| `Gone` | Kept |" in page


def test_a_name_that_is_gone_needs_an_entry() -> None:
    with pytest.raises(PageError) as stopped:
        spanloom_names.updated(OLD, [KEPT])
    assert stopped.value.lines == (
        "tests/spanloom_api.yaml: Gone (since 0.1) is offered no more: say under 'removed' what to use instead",
        "tests/spanloom_api.yaml: Tried (since unreleased) is offered no more: strike it from the list",
    )
    with pytest.raises(PageError, match="Kept is offered and stands under 'removed'"):
        spanloom_names.updated({"0.1": ["Kept"], "unreleased": [], "removed": {"Kept": "New"}}, [KEPT])


def test_a_name_without_a_meaning_stops_the_generator() -> None:
    with pytest.raises(PageError, match="home: Mute, which spanloom offers, has no docstring"):
        spanloom_names.page([Name("Mute", "home", "class", "")], {"0.1": ["Mute"], "unreleased": [], "removed": {}})


def test_the_list_reads_back_as_it_was_written(tmp_path: Path) -> None:
    versions = {"0.1": ["A", "B"], "unreleased": [], "removed": {"A": "B, which takes 'more': all"}}
    file = tmp_path / "list.yaml"
    file.write_text(spanloom_names.list_text(versions))
    assert spanloom_names.read_list(file) == versions


def test_the_command_writes_both_files_or_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "tests").mkdir()
    shutil.copy(FACADE, tmp_path)
    command = [sys.executable, "-m", "collector.pages.spanloom_names", str(tmp_path)]
    subprocess.run(command, check=True)
    assert spanloom_names.read_list(tmp_path / LIST)["unreleased"] == spanloom.__all__
    page = (tmp_path / PAGE).read_text()

    (tmp_path / LIST).write_text('"0.1": [NeverThere]\n')
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "NeverThere (since 0.1) is offered no more" in done.stderr
    assert (tmp_path / PAGE).read_text() == page
