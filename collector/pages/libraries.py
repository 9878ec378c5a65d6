"""Writes ``docs/libraries.md``: how each library is pointed at Spanloom, from ``docs/libraries.yaml``.

``python -m collector.pages.libraries DOCS MANIFEST``: the folder of the documents, and the list of captured payloads,
whose versions are printed. The page is committed; a test compares it, and others run what it says.
"""

from __future__ import annotations

import csv
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML

from collector.pages.written import PageError, table

DATA = "libraries.yaml"
PAGE = "libraries.md"
_GENERATED = "<!-- Generated from docs/libraries.yaml by `make docs`; change that file instead. -->"
_ABOUT = """Install the packages, set the variables, put the lines before your own code: its calls are rows.
`spanloom run` listens where exporters send to by default, `http://localhost:4318` (HTTP) and `localhost:4317` (gRPC);
another address goes where this one stands. What a library says that is not understood, and why, shows
`spanloom explain`.

*Ran*: exactly these lines were run with the versions named, against a mock of the provider's API, and the stored row
was looked at. *Captured*: payloads of these versions are among our tests, and the lines are from documentation. A
library that is not here, but sends OTLP, is set up as its documentation says."""
_TITLES = {"python": "Python", "javascript": "JavaScript"}


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Library(_Strict):
    """One library, or one way to instrument it."""

    name: str
    language: Literal["python", "javascript"]
    fixtures: tuple[str, ...] = ()
    """Folders of the captured payloads it stands for."""
    no_fixtures: str = ""
    """Why there are none."""
    dialects: tuple[str, ...]
    """Its pages of ``docs/dialects``."""
    tools: str = ""
    """Where its packages are installed for the tests; empty: they are not."""
    install: str
    env: Mapping[str, str] = {}
    setup: str = ""
    """Name of the lines before its own."""
    module: bool = False
    """JavaScript with ``import``."""
    code: str = ""
    call: str = ""
    """Name of what an application does behind the lines."""
    then: str = ""
    """The same, where only this library does it so."""
    finish: str = ""
    """What a short program needs at its end, so that nothing is left unsent."""
    scope: str = ""
    """Beginning of the scope of its model calls' spans."""
    ran: str = ""
    """The versions it was run with."""
    limits: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        """True when it is a whole program."""
        return bool(self.call or self.then)


class Libraries(_Strict):
    """``libraries.yaml``."""

    setups: Mapping[str, str]
    calls: Mapping[str, Mapping[str, str]]
    libraries: tuple[Library, ...]

    def lines(self, library: Library) -> str:
        """What stands before an application's own code."""
        return "\n".join(part for part in (self.setups.get(library.setup, ""), library.code) if part)

    def application(self, library: Library) -> str:
        """What the application does."""
        called = self.calls[library.language][library.call] if library.call else ""
        return "\n".join(part for part in (called, library.then, library.finish) if part).rstrip("\n") + "\n"

    def program(self, library: Library) -> str:
        """All of it, in one file."""
        return f"{self.lines(library)}\n{self.application(library)}"


def read(docs: Path) -> Libraries:
    """The checked data. Raises ``PageError``."""
    try:
        return Libraries.model_validate(YAML(typ="safe").load(docs / DATA))
    except ValidationError as error:
        raise PageError([f"{DATA}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]) from None


def captured(manifest: Path) -> dict[str, list[str]]:
    """Folder of captured payloads → the versions in it."""
    found: dict[str, dict[str, None]] = {}
    with manifest.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            found.setdefault("/".join(row["file"].split("/")[:2]), {})[row["version"]] = None
    return {folder: list(versions) for folder, versions in found.items()}


def page(data: Libraries, versions: Mapping[str, list[str]]) -> str:
    """The Markdown. Raises ``PageError`` for an entry without payloads that does not say why."""
    faults = [f"{one.name}: no folder {f}" for one in data.libraries for f in one.fixtures if f not in versions]
    faults += [
        f"{one.name}: no fixtures, and no reason" for one in data.libraries if not (one.fixtures or one.no_fixtures)
    ]
    if faults:
        raise PageError(faults)
    return "\n".join(["# Point your library at Spanloom", "", _GENERATED, "", _ABOUT, "", *_sections(data, versions)])


def _sections(data: Libraries, versions: Mapping[str, list[str]]) -> Iterator[str]:
    for language, title in _TITLES.items():
        chosen = [one for one in data.libraries if one.language == language]
        rows = [[f"[{one.name}](#{_anchor(one, title)})", _dialects(one), "yes" if one.ran else ""] for one in chosen]
        yield from (f"## {title}", "", table(("library", "dialect", "ran"), rows), "")
        for one in chosen:
            yield from (f"### {title}: {one.name}", "", *_entry(data, one, versions))


def _anchor(one: Library, title: str) -> str:
    kept = "".join(c for c in f"{title}: {one.name}".lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def _dialects(one: Library) -> str:
    return ", ".join(f"[{name}](dialects/{name}.md)" for name in one.dialects)


def _entry(data: Libraries, one: Library, versions: Mapping[str, list[str]]) -> Iterator[str]:
    shell = [one.install, *(f"export {name}={shlex.quote(value)}" for name, value in one.env.items())]
    yield from ("```sh", *shell, "```", "")
    if lines := data.lines(one):
        yield from (f"```{one.language}", lines.rstrip("\n"), "```", "")
    if one.runs:
        yield from ("Then, as ever:", "", f"```{one.language}", data.application(one).rstrip("\n"), "```", "")
    for limit in one.limits:
        yield f"- {limit}"
    if one.limits:
        yield ""
    tested = "; ".join(version for folder in one.fixtures for version in versions[folder])
    said = [
        f"Dialect: {_dialects(one)}.",
        f"Ran with {one.ran}." if one.ran else "",
        f"Captured: {tested}." if tested else one.no_fixtures,
    ]
    yield from (" ".join(filter(None, said)), "")


def write(docs: Path, manifest: Path) -> None:
    """Writes the page. Exits with 1 and says why if it cannot be made."""
    try:
        text = page(read(docs), captured(manifest))
    except PageError as fault:
        sys.exit(str(fault))
    (docs / PAGE).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
