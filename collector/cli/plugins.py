"""``spanloom plugins``: begin a package with a component of your own, and run the laws over what a package brings."""

from __future__ import annotations

import keyword
import re
import shlex
import string
from collections.abc import Callable, Sequence
from enum import StrEnum
from importlib import resources
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML

from collector.cli.output import errors_explained, note, print_line
from collector.component.base import Kind
from collector.errors import ConfigError

plugins = typer.Typer(help="Make and check components of your own.", no_args_is_help=True)

_KINDS = (Kind.PROCESSOR, Kind.EXPORTER, Kind.EXTENSION)
"""Of these there are laws."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "config.yaml": "config.yaml",
    "module.py": "${module}.py",
    "test_module.py": "tests/test_${module}.py",
}
"""File of the template (with ``.template`` at its end) → path in the package."""


class PluginKind(StrEnum):
    """What a new package brings."""

    PROCESSOR = "processor"
    EXPORTER = "exporter"
    EXTENSION = "extension"


@plugins.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Type of the component, as a configuration names it.")],
    kind: Annotated[PluginKind, typer.Option(help="What it is.")] = PluginKind.PROCESSOR,
    directory: Annotated[
        Path | None, typer.Option(metavar="DIR", file_okay=False, help="Folder to make; default: spanloom-NAME.")
    ] = None,
) -> None:
    """Write a package with a component of your own: options, tests and entry point, ready to install."""
    with errors_explained():
        folder = directory or Path(_distribution(name))
        written = write_package(name, kind, folder)
    for path in written:
        print_line(str(path))
    check = shlex.join(["spanloom", "plugins", "test", _distribution(name), *_needed_options(name, kind)])
    note(f"next: pip install -e {shlex.quote(f'{folder}[test]')}, then {check}, and pytest {shlex.quote(str(folder))}")


def write_package(name: str, kind: PluginKind, folder: Path) -> list[Path]:
    """Writes the files and names them.

    Raises ``ConfigError`` for a name that cannot be, and a folder that is used or cannot be written.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ConfigError(f"{name!r} is no name for a component: lower case letters, digits and _, as in my_processor")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is there already, and not empty")
    values = {
        "name": name,
        "module": f"spanloom_{name}",
        "class": "".join(word.capitalize() for word in name.split("_")),
        "distribution": _distribution(name),
        "kind": kind.value,
    }
    template = resources.files(__package__) / "plugin_template" / kind.value
    texts = {
        folder / string.Template(target).substitute(values): (template / f"{source}.template").read_text("utf-8")
        for source, target in _FILES.items()
    }
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(string.Template(text).substitute(values), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error.strerror}") from error
    return list(texts)


def _needed_options(name: str, kind: PluginKind) -> list[str]:
    """What the laws must be told to make the component of a new package: only the exporter has a required option."""
    return ["--options", f"{name}={{path: observations.jsonl}}"] if kind is PluginKind.EXPORTER else []


def _distribution(name: str) -> str:
    return f"spanloom-{name.replace('_', '-')}"


@plugins.command("test")
def check(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help="An installed distribution.")],
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--options", metavar="NAME=YAML", help="Options of one component, as in my_exporter={path: out.jsonl}."
        ),
    ] = None,
    examples: Annotated[int, typer.Option(min=1, max=10_000, help="Generated batches per component and signal.")] = 50,
) -> None:
    """Run the laws over every component that an installed package brings."""
    failed = 0
    with errors_explained():
        check_component = _laws()
        given = dict(map(_named_options, options or ()))
        for kind, name, factory in _components(_installed(package)):
            problems = check_component(kind, name, factory, given.get(name, {}), examples=examples)
            print_line(f"{kind} {name}: {'ok' if not problems else 'FAILED'}")
            for problem in problems:
                print_line(f"  {problem}")
            failed += bool(problems)
    if failed:
        raise typer.Exit(1)


def _laws() -> Callable[..., Sequence[str]]:
    """Raises ``ConfigError`` where the library that makes up batches is not installed."""
    try:
        from collector.testing.plugin_checks import check_component  # noqa: PLC0415 - needs hypothesis
    except ModuleNotFoundError as error:
        raise ConfigError(f"the laws need {error.name}: pip install 'spanloom[test]' into this environment") from None
    return check_component


def _installed(package: str) -> Distribution:
    try:
        return distribution(package)
    except PackageNotFoundError:
        raise ConfigError(f"no package {package!r} is installed here: pip install it into this environment") from None


def _components(package: Distribution) -> list[tuple[Kind, str, Any]]:
    """(kind, name, factory) of each entry point. Raises ``ConfigError`` when one cannot be loaded, or there is none."""
    found = []
    for kind in _KINDS:
        for point in package.entry_points.select(group=kind.group):
            try:
                found.append((kind, point.name, point.load()))
            except Exception as error:
                raise ConfigError(f"{kind} {point.name}: {point.value} cannot be loaded: {error}") from error
    if not found:
        groups = ", ".join(kind.group for kind in _KINDS)
        raise ConfigError(f"{package.name} has no entry points in any of {groups}")
    return found


def _named_options(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    options = YAML(typ="safe").load(value) if equals else None
    if not isinstance(options, dict):
        raise ConfigError(f"--options {text!r}: expected NAME={{key: value, ...}}")
    return name, options
