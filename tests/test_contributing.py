"""CONTRIBUTING's recipes, pasted word for word into a copy of this repository.

Proves that what a newcomer pastes passes format, lint, types, the generators of pages, their own tests and the commands
beside them, and that a recipe touches the files it names and no others. Does not prove the sentences around them, nor
the rest of the test suite in such a copy.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TREE = ("collector", "connectors", "deploy", "docs", "exporters", "extensions", "processors", "config", "tests/api",
        "tests/connectors", "tests/engine/traces", "tests/exporters", "tests/extensions", "tests/golden",
        "tests/model/dialects", "tests/pages", "tests/plugin", "tests/processors")  # fmt: skip
"""What recipes need of the repository; the rest of the tests stays behind."""

COMPONENT = ("{kind}s/my_{kind}.py", "tests/{kind}s/test_my_{kind}.py", "pyproject.toml")
TOUCHED: Mapping[str, set[str]] = {
    **{
        f"Add {article} {kind}": {
            *(path.format(kind=kind) for path in COMPONENT),
            f"docs/{kind}s/my_{kind}/{example}.yaml",
        }
        for article, kind, example in (
            ("a", "processor", "short-names"),
            ("a", "connector", "errors-apart"),
            ("an", "exporter", "names"),
            ("an", "extension", "running"),
        )
    },
    "Add a dialect": {"collector/model/dialects/acme.yaml", "tests/model/dialects/test_acme.py"},
    "Add a trace fact": {
        "collector/model/trace_schema.py",
        "collector/engine/traces/trace_facts.py",
        "tests/engine/traces/test_root_count.py",
    },
    "Add an API route": {"collector/api/service_status.py", "collector/api/app.py", "tests/api/test_service_status.py"},
}
"""Recipe → the files that it writes; the table at the top of CONTRIBUTING names them."""

GENERATED = {
    "config/schema.json",
    "docs/dialects/README.md",
    "docs/dialects/acme.md",
    *(f"docs/{kind}s/{page}.md" for kind in ("processor", "connector", "exporter", "extension")
      for page in ("README", f"my_{kind}")),
}  # fmt: skip
"""What the two commands at the top write after all recipes."""


LAWS_OF_THE_PROCESSOR = """
from collector.component.base import Kind
from collector.component.registry import Registry
from collector.testing.plugin_checks import check_component

factory = Registry().get(Kind.PROCESSOR, "my_processor")
print(check_component(Kind.PROCESSOR, "my_processor", factory, {}, examples=5))
"""


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    language: str
    text: str

    @property
    def place(self) -> tuple[str, str, str] | None:
        """(path, ``above`` or ``below`` or nothing, the line it names); none: it goes nowhere."""
        found = re.match(r"(?:#|//) (\S+\.\w+)(?:, (above|below): (.+))?\n", self.text)
        return (found[1], found[2] or "", found[3] or "") if found else None

    @property
    def rest(self) -> str:
        return self.text.partition("\n")[2]


def sections() -> dict[str, list[Block]]:
    """Heading → the fenced blocks below it; those above the first heading under no name."""
    parts = re.split(r"^## (.+)\n", TEXT, flags=re.MULTILINE)
    named = zip(["", *parts[1::2]], parts[::2], strict=True)
    return {name: list(blocks(text)) for name, text in named}


def blocks(text: str) -> Iterator[Block]:
    for language, body in re.findall(r"^[ ]*```(\w+)\n(.*?)^[ ]*```$", text, flags=re.MULTILINE | re.DOTALL):
        yield Block(language, textwrap.dedent(body))


SECTIONS = sections()
RECIPES = [name for name in SECTIONS if name.startswith("Add ")]


@dataclass
class Copy:
    """A copy of the repository with an environment of its own, and what became of the recipes in it."""

    root: Path
    commands: Path
    """The folder of its programs."""
    touched: dict[str, set[str]] = field(default_factory=dict)
    generated: set[str] = field(default_factory=set)

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "PATH": f"{self.commands}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
        # No network, and Makefile's own environment is this one.
        environ |= {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "MAKEFLAGS": f" -- VENV={self.commands.parent}"}
        environ.pop("SPANLOOM_DATA_DIR", None)
        command = ["bash", "-euo", "pipefail", "-c", script]
        return subprocess.run(command, cwd=self.root, env=environ, capture_output=True, text=True, check=False)

    def state(self) -> dict[str, bytes]:
        files = (path for path in self.root.rglob("*") if path.is_file() and "cache" not in str(path))
        return {str(path.relative_to(self.root)): path.read_bytes() for path in files}

    def changed_since(self, before: Mapping[str, bytes]) -> set[str]:
        now = self.state()
        return {name for name in now.keys() | before.keys() if now.get(name) != before.get(name)}

    def paste(self, block: Block) -> None:
        if block.place is None:
            return
        name, side, line = block.place
        path = self.root / name
        if not side:
            assert not path.exists(), f"{name} is there already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.rest, encoding="utf-8")
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        (at,) = [number for number, text in enumerate(lines) if text.strip() == line]
        lines.insert(at + (side == "below"), block.rest)
        path.write_text("".join(lines), encoding="utf-8")


def environment(folder: Path) -> Path:
    """The programs of an environment that sees what is installed here."""
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "zz_here.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    python = folder / "bin" / "python"
    (folder / "bin" / "ruff").symlink_to(Path(sysconfig.get_path("scripts")) / "ruff")
    for command in ("spanloom", "pytest", "mypy"):
        module = {"spanloom": "collector"}.get(command, command)
        (folder / "bin" / command).write_text(f'#!/bin/sh\nexec {python} -m {module} "$@"\n')
        (folder / "bin" / command).chmod(0o755)
    return folder / "bin"


MANIFEST = "tests/fixtures/otlp/MANIFEST.tsv"
"""``make docs`` reads it for the page of libraries."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """All recipes pasted one after another, then the pages written."""
    folder = tmp_path_factory.mktemp("contributing")
    made = Copy(folder / "spanloom", environment(folder / "environment"))
    for name in TREE:
        shutil.copytree(ROOT / name, made.root / name, ignore=shutil.ignore_patterns("__pycache__", "*.parquet"))
    for path in (*ROOT.glob("*.*"), ROOT / "Makefile", ROOT / "LICENSE", *ROOT.glob("tests/*.*")):
        if path.is_file():
            shutil.copy(path, made.root / path.relative_to(ROOT))
    (made.root / MANIFEST).parent.mkdir(parents=True)
    shutil.copy(ROOT / MANIFEST, made.root / MANIFEST)
    for name in RECIPES:
        before = made.state()
        for block in SECTIONS[name]:
            made.paste(block)
        made.touched[name] = made.changed_since(before) - {"captured.json"}
    before = made.state()
    for block in SECTIONS[""]:
        done = made.shell(block.text)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    made.generated = made.changed_since(before)
    return made


pytestmark = pytest.mark.timeout(900)


def test_each_kind_of_addition_has_a_recipe() -> None:
    assert set(RECIPES) == TOUCHED.keys()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_touches_what_it_names_and_nothing_else(name: str, copy: Copy) -> None:
    assert copy.touched[name] == TOUCHED[name]


def test_the_pages_and_the_schema_follow(copy: Copy) -> None:
    assert copy.generated == GENERATED


@pytest.mark.parametrize("name", RECIPES)
def test_its_commands_work_word_for_word(name: str, copy: Copy) -> None:
    commands = [block.text for block in SECTIONS[name] if block.language == "sh"]
    assert commands
    for command in commands:
        done = copy.shell(command)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_what_was_pasted_passes_format_lint_and_types(copy: Copy) -> None:
    written = sorted(name for names in copy.touched.values() for name in names if name.endswith(".py"))
    code = [name for name in written if not name.startswith("tests/")]
    for command in (f"ruff format --check {' '.join(written)}", f"ruff check {' '.join(written)}"):
        done = copy.shell(command)
        assert done.returncode == 0, done.stdout
    done = copy.shell(f"mypy --config-file pyproject.toml --cache-dir {ROOT}/.mypy_cache/contributing {' '.join(code)}")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-500:]


def test_the_laws_hold_and_the_form_is_ours(copy: Copy) -> None:
    # The exporter's and the extension's own tests run theirs.
    done = copy.shell(f"python - <<'END'\n{LAWS_OF_THE_PROCESSOR}\nEND")
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stdout + done.stderr
    done = copy.shell(
        f"{sys.executable} -m pytest -q -n0 -p no:cacheprovider tests/test_architecture.py tests/test_imports.py"
        " tests/test_sizes.py || true"
    )
    mine = [name for name in ("my_", "acme", "service_status", "root_count") if name in done.stdout]
    assert mine == [], done.stdout[-4000:]
