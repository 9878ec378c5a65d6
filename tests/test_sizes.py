"""How large a folder, a module and a function may grow before a newcomer gets lost; and that names differ.

Proves sizes. Does not prove that the parts are well cut.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT = ("collector", "processors", "connectors", "exporters", "extensions")
OURS = (*PRODUCT, "tests", "bench")
GENERATED = ("tests/fixtures/", "tests/golden/")

MODULES_IN_A_FOLDER = 20
LINES_OF_A_MODULE = 400
LINES_OF_A_FUNCTION = 50

FILES = [path for package in OURS for path in sorted((ROOT / package).rglob("*.py"))]

SAME_NAME = {
    "one dialect, read and written": {"langfuse", "openinference"},
    "one task, as a command and as what does it": {"app", "dry_run", "explain", "pii", "query", "prices", "sampling"},
    "one task at each store": {"reprice"},
    "a component has the Collector's name for it": {"attributes"},
}
"""Why modules may share a name: they hold the same thing. Any other name stands once."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_folder_holds_more_than_twenty_modules() -> None:
    counts = Counter(name_of(path.parent) for path in FILES if not name_of(path).startswith(GENERATED))
    assert {folder: n for folder, n in counts.items() if n > MODULES_IN_A_FOLDER} == {}


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    lengths = {name_of(path): path.read_text(encoding="utf-8").count("\n") for path in FILES}
    assert {name: n for name, n in lengths.items() if n > LINES_OF_A_MODULE} == {}


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{name_of(path)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def test_no_function_is_longer_than_fifty_lines() -> None:
    lengths = dict(found for path in FILES for found in functions(path))
    assert {name: n for name, n in lengths.items() if n > LINES_OF_A_FUNCTION} == {}


def test_modules_of_one_name_hold_the_same_thing() -> None:
    stems: dict[str, list[str]] = defaultdict(list)
    for path in FILES:
        if path.stem not in {"__init__", "__main__"} and name_of(path).startswith(PRODUCT):
            stems[path.stem].append(name_of(path))
    allowed = set().union(*SAME_NAME.values())
    assert {stem: names for stem, names in stems.items() if len(names) > 1 and stem not in allowed} == {}
