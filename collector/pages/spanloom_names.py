"""Writes ``docs/spanloom.md`` and keeps ``tests/spanloom_api.yaml``: what ``spanloom`` offers, and since when.

``python -m collector.pages.spanloom_names ROOT``, the folder of ``spanloom.py``. New names are added to the list under
``unreleased``; none is ever taken off: a name that is offered no more, or that nobody described, is a fault, which is
named, and the exit code is 1. ``spanloom.py`` is read, not imported: nothing here may stand on the door of components.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from ruamel.yaml import YAML

from collector.pages.written import PageError, table

PAGE = "docs/spanloom.md"
LIST = "tests/spanloom_api.yaml"
UNRELEASED = "unreleased"
REMOVED = "removed"

_GENERATED = "<!-- Generated from spanloom.py by `make docs`; change the docstrings of what it offers instead. -->"
_ABOUT = """What a component may import, built-in or of a plug-in: `from spanloom import ...`. Names load on first use.
A name stays until a release says what to use instead; `unreleased` names may still change."""
_LIST_ABOUT = """# What spanloom offers: version -> the names that came with it. `make docs` adds new names
# under "unreleased"; a release renames that key to its version. A name that is offered no more stays in its
# version, and stands under "removed" with what to use instead. A name that was never released is struck.
"""
_WIDTH = 120


@dataclass(frozen=True)
class Name:
    """One name that ``spanloom`` offers."""

    name: str
    home: str
    """The module it comes from."""

    kind: str
    """``class``, ``function``, ``protocol``, ``module``, ``constant`` or ``type``."""

    meaning: str
    """The first paragraph of its docstring; empty where it has none."""


def names(facade: Path) -> list[Name]:
    """Everything that this ``spanloom.py`` offers, in alphabetical order."""
    homes = homes_of(facade.read_text(encoding="utf-8"))
    return sorted((_name(name, home) for home, found in homes.items() for name in found), key=lambda one: one.name)


def homes_of(source: str) -> Mapping[str, tuple[str, ...]]:
    """``_HOMES`` as the source of ``spanloom.py`` has it: module → names."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_HOMES":
            found: Mapping[str, tuple[str, ...]] = ast.literal_eval(node.value)
            return found
    raise PageError(["spanloom.py has no _HOMES"])


def _name(name: str, home: str) -> Name:
    module = import_module(home)
    value = getattr(module, name) if hasattr(module, name) else import_module(f"{home}.{name}")
    own = value if isinstance(value, ModuleType) else None
    said = inspect.getdoc(own) if own else _said_of(module, name, value)
    return Name(name, home, _kind(value), _first_paragraph(said or ""))


def _kind(value: Any) -> str:
    if isinstance(value, ModuleType):
        return "module"
    if inspect.isclass(value):
        return "protocol" if getattr(value, "_is_protocol", False) else "class"
    if inspect.isroutine(value):
        return "function"
    return "type" if hasattr(value, "__args__") or hasattr(value, "__origin__") else "constant"


def _said_of(home: ModuleType, name: str, value: Any) -> str:
    """The docstring of a definition, or the text that stands behind an assignment; empty where there is neither.

    Read from the source: constants have none at run time, and dataclasses one that nobody wrote.
    """
    defined_in = sys.modules.get(getattr(value, "__module__", None) or "", home)
    return _docstrings(home).get(name) or _docstrings(defined_in).get(name, "")


@cache
def _docstrings(module: ModuleType) -> Mapping[str, str]:
    body = ast.parse(inspect.getsource(module)).body
    found: dict[str, str] = {}
    for node, behind in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = ast.get_docstring(node) or ""
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in _flat(targets):
                found[target] = _text(behind)
    return found


def _flat(targets: Sequence[ast.expr]) -> Iterator[str]:
    for target in targets:
        if isinstance(target, ast.Tuple):
            yield from _flat(target.elts)
        elif isinstance(target, ast.Name):
            yield target.id


def _text(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return inspect.cleandoc(node.value.value)
    return ""


def _first_paragraph(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text.partition("\n\n")[0].strip())


def read_list(path: Path) -> dict[str, Any]:
    """The versioned list: version → names, and ``removed``: name → what to use instead."""
    read = YAML(typ="safe").load(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {**read, UNRELEASED: read.get(UNRELEASED) or [], REMOVED: read.get(REMOVED) or {}}


def since(versions: Mapping[str, Any]) -> dict[str, str]:
    """Name → the version it came with, of those that are still offered."""
    released = {name: v for v, found in versions.items() if v != REMOVED for name in found}
    return {name: version for name, version in released.items() if name not in versions[REMOVED]}


def updated(versions: Mapping[str, Any], offered: list[Name]) -> dict[str, Any]:
    """The list with new names under ``unreleased``. Raises ``PageError`` for a name that is offered no more."""
    known, now = since(versions), {one.name for one in offered}
    faults = [
        f"{LIST}: {name} (since {known[name]}) is offered no more: "
        + ("strike it from the list" if known[name] == UNRELEASED else "say under 'removed' what to use instead")
        for name in sorted(known.keys() - now)
    ]
    faults += [f"{LIST}: {name} is offered and stands under 'removed'" for name in sorted(now & set(versions[REMOVED]))]
    if faults:
        raise PageError(faults)
    return {**versions, UNRELEASED: sorted({*versions[UNRELEASED], *(now - known.keys())})}


def page(offered: list[Name], versions: Mapping[str, Any]) -> str:
    """The page. Raises ``PageError`` for a name without a meaning."""
    if faults := [
        f"{one.home}: {one.name}, which spanloom offers, has no docstring" for one in offered if not one.meaning
    ]:
        raise PageError(faults)
    came = since(versions)
    rows = [[f"`{one.name}`", one.kind, _markdown(one.meaning), came[one.name]] for one in offered]
    parts = ["# spanloom", _GENERATED, _ABOUT, table(("name", "kind", "meaning", "since"), rows)]
    if gone := versions[REMOVED]:
        parts += ["## Removed", table(("name", "use instead"), [[f"`{name}`", gone[name]] for name in sorted(gone)])]
    return "\n\n".join(parts) + "\n"


def _markdown(text: str) -> str:
    return re.sub(r"::?$", ".", text.replace("``", "`").replace("|", "\\|"))


def list_text(versions: Mapping[str, Any]) -> str:
    """The list as it is written."""
    lines = [_LIST_ABOUT.rstrip("\n")]
    for version, found in versions.items():
        if version != REMOVED:
            filled = textwrap.fill(", ".join(found), _WIDTH, initial_indent="  ", subsequent_indent="  ")
            lines.append(f'"{version}": [\n{filled}\n]' if found else f'"{version}": []')
    gone = versions[REMOVED]
    lines += [f"{REMOVED}:", *(f"  {name}: {gone[name]!r}" for name in sorted(gone))] if gone else [f"{REMOVED}: {{}}"]
    return "\n".join(lines) + "\n"


def write(root: Path) -> None:
    """Brings the list and the page in step with ``spanloom.py``. Exits with 1 and says why if that cannot be."""
    try:
        offered = names(root / "spanloom.py")
        versions = updated(read_list(root / LIST), offered)
        text = page(offered, versions)
    except PageError as fault:
        sys.exit(str(fault))
    (root / LIST).write_text(list_text(versions), encoding="utf-8")
    (root / PAGE).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
