"""``docs/commands.md`` and the README name commands and options that are there, and leave none out.

Proves names, and that the tree on the page is what `trace` prints. Does not prove what is said about a command.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner

from collector.cli.app import app
from tests.cli import stored_kit

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
GROUP = typer.main.get_command(app)


def lines(text: str) -> list[list[str]]:
    """The words of every command line of a document."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    words = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [line[1:] for line in words if line and line[0] in {"spanloom", ".venv/bin/spanloom"}]


def commands(group: click.Command = GROUP, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    found = {}
    for name, command in getattr(group, "commands", {}).items():
        found |= commands(command, (*path, name)) if hasattr(command, "commands") else {(*path, name): command}
    return found


@pytest.mark.parametrize("words", lines(PAGE) + lines(README), ids=" ".join)
def test_every_line_is_a_command_with_options_it_has(words: list[str]) -> None:
    path, command = next((path, found) for path, found in commands().items() if tuple(words[: len(path)]) == path)
    options = {name for option in command.params for name in option.opts}
    used = {word.partition("=")[0] for word in words[len(path) :] if re.match(r"--?[a-z]", word)}
    assert used <= options


def test_the_page_has_every_command() -> None:
    shown = {tuple(words[: len(path)]) for words in lines(PAGE) for path in commands()}
    assert commands().keys() - shown == set()


def test_every_command_says_what_it_does_in_words() -> None:
    silent = [path for path, command in commands().items() if not (command.help or "").strip()]
    assert silent == []


def test_the_tree_on_the_page_is_printed(tmp_path: Path) -> None:
    folder = stored_kit.store(tmp_path / "data")
    printed = CliRunner().invoke(app, ["trace", "01", "--data-dir", str(folder)]).stdout
    assert f"```\n{printed}```" in PAGE
