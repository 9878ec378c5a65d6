"""Who may import whom: the layers of ``collector``, no circle, and one door for components.

Proves the order of the code's parts. Does not prove that a part does what its name says.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMPONENTS = ("processors", "connectors", "exporters", "extensions")
FILES = sorted(path for package in ("collector", *COMPONENTS) for path in (ROOT / package).rglob("*.py"))

LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "files", "memory", "telemetry", "version"),
    ("model",),
    ("component",),
    ("kernels", "options", "serving"),
    ("config", "receivers"),
    ("engine",),
    ("testing",),
    ("offline", "api"),
    ("service",),
    ("cli", "pages"),
)
"""Each may import what stands above it, and itself. Beside one another parts do not know each other."""

RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}

INSIDE: Mapping[str, tuple[str, ...]] = {
    "collector.engine.ingest": ("collector.engine.assembly", "collector.engine.export"),
    "collector.engine.assembly": ("collector.engine.ingest", "collector.engine.export"),
    "collector.engine.export": ("collector.engine.ingest", "collector.engine.assembly"),
    "collector.engine.journal": ("collector.engine.ingest", "collector.engine.assembly", "collector.engine.export"),
    "collector.engine.traces": (
        *("collector.engine.ingest", "collector.engine.assembly", "collector.engine.export"),
        "collector.engine.journal",
    ),
    "collector.model.codec": tuple(
        f"collector.model.{part}" for part in ("batch_", "dialects", "facts", "stored", "scores", "forward")
    ),
    "collector.model.dialects": tuple(f"collector.model.{part}" for part in ("facts", "stored", "scores", "forward")),
    "collector.model.facts": tuple(f"collector.model.{part}" for part in ("stored", "scores", "forward")),
    "collector.model.stored": ("collector.model.scores",),
}
"""Folder → what it may not import: stages of the engine meet in ``core`` and ``graph``, the model is a stair."""

ENGINE_KNOWS_OF_CONFIG = ("collector.config.plan", "collector.config.service_config")


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def imported(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports, wherever in it; ``spanloom`` is one."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in OURS)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative imports hide where a name comes from"
            if node.module and node.module.partition(".")[0] in OURS:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    yield full if full in MODULES else node.module


OURS = ("collector", "spanloom", *COMPONENTS)


def part_of(module: str) -> str:
    """The part of ``collector`` a module belongs to: the name behind the first dot."""
    return module.split(".")[1] if "." in module else ""


def below(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def test_every_part_of_collector_has_its_place_in_the_order() -> None:
    parts = {part_of(module) for module in MODULES if module.startswith("collector.")} - {"__main__"}
    assert parts == set(RANK), "LAYERS and LAYOUT name every part of collector once"


def test_parts_import_only_what_stands_below_them() -> None:
    breaches = [
        f"{module} imports {other}: {part_of(other)!r} stands above or beside {part_of(module)!r}; "
        "move what both need down, or hand it in"
        for module, path in MODULES.items()
        if module.startswith("collector.") and module != "collector.__main__"
        for other in imported(path)
        if below(other, "collector") and other != "collector" and part_of(other) != part_of(module)
        if RANK[part_of(other)] >= RANK[part_of(module)]
    ]
    assert breaches == []


@pytest.mark.parametrize("package", INSIDE)
def test_the_order_inside_the_large_parts(package: str) -> None:
    breaches = [
        f"{module} imports {other}: {package} is to be understood without it"
        for module, path in MODULES.items()
        if below(module, package)
        for other in imported(path)
        if any(below(other, forbidden) for forbidden in INSIDE[package])
    ]
    assert breaches == []


DIALECTS = tuple(f"collector.model.dialects{part}" for part in ("", ".messages.blocks", ".messages"))
"""Folders that read tables and messages; each may import those in front of it."""


def test_folders_of_the_dialects_import_one_way() -> None:
    breaches = [
        f"{module} imports {other}: {DIALECTS} stand in a row, each is to be understood without those behind it"
        for module, path in MODULES.items()
        for other in imported(path)
        if folder_of(module) in DIALECTS and folder_of(other) in DIALECTS
        if DIALECTS.index(folder_of(other)) > DIALECTS.index(folder_of(module))
    ]
    assert breaches == []


def folder_of(module: str) -> str:
    return module.rpartition(".")[0]


def test_the_engine_knows_of_the_configuration_only_what_was_planned() -> None:
    breaches = [
        f"{module} imports {other}: the engine is built from a checked plan, it reads no files"
        for module, path in MODULES.items()
        if below(module, "collector.engine")
        for other in imported(path)
        if below(other, "collector.config") and other not in ENGINE_KNOWS_OF_CONFIG
    ]
    assert breaches == []


def test_collector_never_imports_a_component() -> None:
    breaches = [
        f"{module} imports {other}: components meet the engine by entry points only"
        for module, path in MODULES.items()
        if below(module, "collector")
        for other in imported(path)
        if other.partition(".")[0] in (*COMPONENTS, "spanloom")
    ]
    assert breaches == []


def test_components_import_spanloom_and_their_own_parts_only() -> None:
    breaches = [
        f"{module} imports {other}: built-ins use the door that plug-ins use; export what it needs from spanloom"
        for module, path in MODULES.items()
        if module.partition(".")[0] in COMPONENTS
        for other in imported(path)
        if other != "spanloom" and other.partition(".")[0] != module.partition(".")[0]
    ]
    assert breaches == []


def test_no_component_reaches_into_the_private_folder_of_another() -> None:
    owners = private_folders()
    breaches = [
        f"{module} imports {other}: {folder} is private to {sorted(owners[folder])}; "
        "what components share lives in collector/kernels"
        for module, path in MODULES.items()
        if module.partition(".")[0] in COMPONENTS
        for other in imported(path)
        for folder in owners
        if below(other, folder) and not below(module, folder)
        if not (module in owners[folder] or shared(folder) or any(below(module, o) for o in owners[folder]))
    ]
    assert breaches == []


def shared(folder: str) -> bool:
    return folder.endswith("._shared")


def private_folders() -> dict[str, set[str]]:
    """Folder ``kind._name`` → the components it is for: those of its name, and those OWNERS lists."""
    folders = {".".join(m.split(".")[:2]) for m in MODULES if m.split(".")[0] in COMPONENTS and "._" in m}
    return {folder: OWNERS.get(folder, {folder.replace("._", ".")}) for folder in folders}


OWNERS = {
    "processors._prices": {"processors.cost"},
    "processors._probabilistic": {"processors.probabilistic_sampler"},
    "processors._sampling": {"processors.tail_sampling"},
    "exporters._otlp": {"exporters.otlp_http", "exporters.otlp_grpc", "exporters.file"},
}
"""Private folders that are not named after their component."""


def test_the_import_graph_has_no_circle() -> None:
    graph = {
        module: {other for other in imported(path) if other in MODULES and other != module}
        for module, path in MODULES.items()
        if module
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}; move what both need into a module of its own")


CODEC_PARTS = ("collector.model.codec.reference", "collector.model.codec.kernel", "collector.model.codec.otlp_json")


def test_decoding_and_encoding_are_imported_from_the_chosen_codec() -> None:
    """Also by tests and benchmarks, so that all of them can be run with another codec."""
    breaches = [
        f"{path.relative_to(ROOT)} imports {other}: import what it offers from collector.model.codec.chosen, "
        "or another codec cannot be put in its place"
        for path in (*FILES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py"))
        if "codec" not in path.relative_to(ROOT).parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        for other in ([f"{node.module}.{alias.name}"] if isinstance(node, ast.ImportFrom) else [alias.name])
        if any(below(other, part) for part in CODEC_PARTS)
    ]
    assert breaches == []


def test_packages_do_no_work() -> None:
    breaches = [
        f"{path.relative_to(ROOT)}: a package's __init__ holds its docstring at most: importing a module must not "
        "load its neighbours"
        for path, tree in TREES.items()
        if path.name == "__init__.py"
        and any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in tree.body)
    ]
    assert breaches == []
