"""Dialects from outside: those of installed packages, and the files that ``service.dialects`` names."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from importlib.metadata import EntryPoint
from pathlib import Path

from collector.component.registry import EntryPoints
from collector.config.validation import Findings
from collector.errors import ConfigError
from collector.model.dialects.table_files import AddedFile
from collector.model.facts import added_tables

GROUP = "spanloom.dialects"
"""Entry points whose value is a package (all its YAML files are dialects) or ``package:FILE.yaml``."""

_KEY = ("service", "dialects")


def use(paths: Sequence[Path], findings: Findings, entry_points: EntryPoints) -> None:
    """Makes the dialect tables of this process those of this configuration; ``findings`` says what is wrong.

    ``paths``: the files of ``service.dialects``, relative ones from the working folder.
    """
    added: list[AddedFile] = []
    for point in entry_points(GROUP):
        try:
            added += _installed(point)
        except ConfigError as error:
            findings.error(_KEY, str(error))
    for number, path in enumerate(paths):
        try:
            added.append(_file(path))
        except ConfigError as error:
            findings.error((*_KEY, number), str(error))
    try:
        added_tables.use(added)
    except ConfigError as error:
        for problem in error.problems:
            blamed = next((n for n, path in enumerate(paths) if problem.startswith(f"{path}:")), None)
            findings.error(_KEY if blamed is None else (*_KEY, blamed), problem)


def _file(path: Path) -> AddedFile:
    if path.suffix not in {".yaml", ".yml"}:
        raise ConfigError(f"{path}: a dialect is a file NAME.yaml")
    try:
        return AddedFile(path.stem, str(path), path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None


def _installed(point: EntryPoint) -> list[AddedFile]:
    """Raises ``ConfigError`` naming the package to blame."""
    home = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
    package, _, name = point.value.partition(":")
    try:
        folder = resources.files(package)
        names = [name] if name else sorted(found.name for found in folder.iterdir() if found.name.endswith(".yaml"))
        texts = [(each, (folder / each).read_text(encoding="utf-8")) for each in names]
    # A package may fail at import in any way.
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise ConfigError(f"dialect {point.name!r} of {home}: {point.value} cannot be read: {why}") from error
    if not texts:
        raise ConfigError(f"dialect {point.name!r} of {home}: {package} holds no YAML file")
    return [AddedFile(each.rpartition(".")[0], f"{package}/{each}", text) for each, text in texts]
