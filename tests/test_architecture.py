"""The rules of the code base that a sentence in a document would not keep.

Proves rules of form: docstrings, options, libraries, tests by name. Does not prove that a docstring is true or a test
is good.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from collector.component.base import Kind
from collector.component.registry import Registry, installed
from collector.config.engine_processors import ENGINE_PROCESSORS
from collector.config.service_config import ServiceConfig
from collector.config.validation import keys_of, models_in

ROOT = Path(__file__).parents[1]
PACKAGES = ("collector", "processors", "connectors", "exporters", "extensions")
MODULES = [*sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")), ROOT / "spanloom.py"]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}

HEAVY = {
    "duckdb": ("exporters/duckdb.py", "exporters/_duckdb/", "collector/kernels/sql/", "collector/cli/query.py"),
    "grpc": ("collector/receivers/", "collector/options/tls.py", "exporters/otlp_grpc.py", "exporters/_otlp/"),
    "fastapi": ("collector/receivers/", "collector/api/", "collector/serving/"),
    "uvicorn": ("collector/receivers/", "collector/serving/"),
    "httpx": ("exporters/otlp_http.py", "collector/cli/client.py"),
    "genai_prices": ("processors/_prices/",),
    "re2": ("processors/", "collector/model/", "collector/kernels/"),
    "typer": ("collector/cli/",),
    "rich": ("collector/cli/",),
    "ruamel": ("collector/", "processors/_"),
}
"""Library → where it may be imported. The rest of the code starts without it."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[str]:
    """Full names of all modules a file imports, wherever in it."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_only_the_command_line_reads_the_environment() -> None:
    found = [
        name_of(path)
        for path in MODULES
        if any(isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") for node in ast.walk(TREES[path]))
    ]
    # service/logs.py looks for NO_COLOR, which is a matter of the terminal and not of the configuration.
    assert [name for name in found if not name.startswith(("collector/cli", "collector/service/logs.py"))] == []


@pytest.mark.parametrize("library", HEAVY)
def test_heavy_libraries_are_imported_where_they_are_needed(library: str) -> None:
    users = [name_of(path) for path in MODULES if any(module.partition(".")[0] == library for module in imports(path))]
    assert [user for user in users if not user.startswith(HEAVY[library])] == []


def public_definitions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in TREES[path].body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def says_enough(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """True for definitions that need no docstring: all fields have theirs, or it is one expression with a name."""
    if ast.get_docstring(node) is not None:
        return True
    if not isinstance(node, ast.ClassDef):
        return len(node.body) == 1
    fields = [at for at, part in enumerate(node.body) if isinstance(part, ast.AnnAssign)]
    following = [node.body[at + 1] if at + 1 < len(node.body) else None for at in fields]
    return bool(fields) and all(isinstance(part, ast.Expr) for part in following)


PARTS = "collector/model/dialects/messages/"
"""Converters there are named after the message part they convert, which says it all."""


def test_every_module_says_what_it_is_for() -> None:
    missing = [name_of(path) for path, tree in TREES.items() if path.stat().st_size and ast.get_docstring(tree) is None]
    assert missing == []


def test_every_test_module_says_what_it_proves_and_what_it_does_not() -> None:
    missing = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        said = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").lower().split())
        if "fixtures" not in path.parts and not ("proves " in said and "not prove" in said):
            missing.append(name_of(path))
    assert missing == []


def test_every_public_name_of_a_module_has_a_docstring() -> None:
    missing = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in MODULES
        for node in public_definitions(path)
        if not says_enough(node) and not name_of(path).startswith(PARTS)
    ]
    assert missing == []


def configs() -> Iterator[tuple[str, type[BaseModel]]]:
    """Every model that a configuration file can reach, with the path of its owner."""
    waiting: list[tuple[str, type[BaseModel]]] = [("service", ServiceConfig)]
    waiting += [(f"processors.{name}", model) for name, model in ENGINE_PROCESSORS.items()]
    registry = Registry()
    for kind in (Kind.RECEIVER, Kind.PROCESSOR, Kind.EXPORTER):
        waiting += [(f"{kind}s.{name}", registry.get(kind, name).config) for name in registry.names(kind)]
    seen: set[type[BaseModel]] = set()
    while waiting:
        path, model = waiting.pop()
        if model not in seen:
            seen.add(model)
            yield path, model
            waiting += [(f"{path}.{key}", m) for key, kind in keys_of(model).items() for m in models_in(kind)]


def test_every_option_is_documented() -> None:
    missing = [
        f"{path}.{name}"
        for path, model in configs()
        for name, info in model.model_fields.items()
        if not info.description
    ]
    assert missing == []


def test_every_option_has_a_lower_snake_case_name() -> None:
    keys = [f"{path}.{key}" for path, model in configs() for key in keys_of(model)]
    assert [key for key in keys if not re.fullmatch(r"[a-z][a-z0-9_]*", key.rpartition(".")[2])] == []


def test_every_config_is_frozen_and_refuses_unknown_keys() -> None:
    for path, model in configs():
        assert model.model_config.get("frozen") is True, path
        assert model.model_config.get("extra") == "forbid", path


POINTS = [
    (kind, point) for kind in Kind for point in installed(kind.group) if point.dist and point.dist.name == "spanloom"
]


@pytest.mark.parametrize(("kind", "point"), POINTS, ids=lambda value: str(getattr(value, "name", value)))
def test_a_component_has_one_name_a_file_and_a_test(kind: Kind, point: object) -> None:
    name, value = point.name, point.value  # type: ignore[attr-defined]
    module, _, attribute = value.partition(":")
    assert module.rpartition(".")[2] == name
    assert attribute == "factory"
    assert (ROOT / (module.replace(".", "/") + ".py")).exists()
    tests = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / f"{kind}s").rglob("*.py")]
    package = re.escape(module.rpartition(".")[0])
    assert any(re.search(rf"\b{package}\.{name}\b|\b{package} import .*\b{name}\b", text) for text in tests)
