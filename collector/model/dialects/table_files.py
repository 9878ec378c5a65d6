"""Reads the tables: the YAML files of this package and those added to them, checked; problems with file, line, key."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from collector.errors import ConfigError
from collector.model.dialects.fact_tables import File, UsageKeys
from collector.model.dialects.fields import COUNT_FIELDS, MONEY_FIELDS
from collector.model.dialects.kept import forget, kept
from collector.model.dialects.neighbours import Item, order_of_dialects
from collector.model.dialects.row_base import Strict
from collector.model.dialects.table_errors import problems

_M = TypeVar("_M", bound=BaseModel)

SHARED = ("aliases.yaml", "message_words.yaml", "model_families.yaml", "order.yaml", "usage_objects.yaml")
"""Files of this package that are no dialect."""


_TABLE = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class AddedFile:
    """A dialect from outside this package."""

    table: str
    """Its name: the stem of the file."""
    path: str
    """What messages call the file."""
    text: str


_ADDED: list[AddedFile] = []


class Order(Strict):
    """``order.yaml``: the dialects in order. ``*`` stands for those that are not listed, by name."""

    detection: tuple[str, ...]
    """Which is asked first whether a span speaks it."""
    sources: tuple[str, ...]
    """Whose rows are asked first."""


def read_text(name: str) -> str:
    """One file of this package."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def check(model: type[_M], data: Any, name: str, text: str | None = None) -> _M:
    """``data`` as ``model``; ``text``: what it was read from, for line numbers.

    Raises ``ConfigError`` naming ``name`` and every bad entry.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(*problems(error, model, name, text)) from error


def load(model: type[_M], name: str) -> _M:
    """One file of this package, checked. Raises ``ConfigError`` naming the file and every bad row."""
    return read(model, name, read_text(name))


def read(model: type[_M], name: str, text: str) -> _M:
    """The text of a file, checked. Raises ``ConfigError`` naming ``name`` and every bad row."""
    try:
        # Not ``pure``: ruamel reads these files with its C parser, ten times as fast.
        data = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise ConfigError(f"{name}: {' '.join(str(error).split())}") from error
    return check(model, data, name, text)


def add(added: Sequence[AddedFile]) -> None:
    """These files besides those of the package; what was kept of other tables is forgotten."""
    _ADDED[:] = added
    forget()


def added_files() -> tuple[AddedFile, ...]:
    """The files that were added last."""
    return tuple(_ADDED)


@functools.cache
def _own_files() -> tuple[File, ...]:
    names = sorted(f.name for f in resources.files(__package__).iterdir() if f.name.endswith(".yaml"))
    own = [(name, name.removesuffix(".yaml")) for name in names if name not in SHARED]
    return tuple(load(File, name).model_copy(update={"table": table}) for name, table in own)


@kept()
def files() -> tuple[File, ...]:
    """All dialect files, in the order of detection. Raises ``ConfigError`` naming the file and every bad row."""
    loaded = {file.table: file for file in _own_files()}
    for file in _ADDED:
        if not _TABLE.fullmatch(file.table) or f"{file.table}.yaml" in SHARED:
            raise ConfigError(f"{file.path}: {file.table!r} is no name for a dialect: lower case letters, digits and _")
        if file.table in loaded:
            raise ConfigError(f"{file.path}: there is a dialect {file.table!r} already, {loaded[file.table].place}")
        read_file = read(File, file.path, file.text)
        loaded[file.table] = read_file.model_copy(update={"table": file.table, "path": file.path})
    _check_named(loaded.values())
    return tuple(loaded[name] for name in order_of_dialects(order().detection, places(loaded.values())))


def _check_named(all_files: Collection[File]) -> None:
    """Raises ``ConfigError`` for counts and amounts that are read and not kept as they came.

    A key without a dot may be anybody's: it is not asked for.
    """
    named = {
        "usage_keys": (COUNT_FIELDS, matcher(key for file in all_files for key in file.usage_keys)),
        "cost_keys": (MONEY_FIELDS, matcher(key for file in all_files for key in file.cost_keys)),
    }
    wrong = [
        f"{file.place}: rows.{n}.from.key: {row.field} reads {key}, which no {kept_in} names"
        for file in all_files
        for n, row in enumerate(file.rows)
        for kept_in, (fields, pattern) in named.items()
        if row.field in fields and (key := row.source.key) and "." in key and not pattern.match(key.replace("*", "0"))
    ]
    if wrong:
        raise ConfigError(*wrong)


@functools.cache
def order() -> Order:
    """The lists of ``order.yaml``."""
    return load(Order, "order.yaml")


@kept()
def families() -> tuple[str, ...]:
    """The names of all files in the order in which their rows are asked."""
    return tuple(order_of_dialects(order().sources, places(files())))


def places(of: Iterable[File]) -> list[Item]:
    """What each file says of its place among the dialects."""
    return [Item(file.table, "", file.place, file.before, file.after) for file in of]


@functools.cache
def usage_keys() -> UsageKeys:
    """How usage objects are read."""
    return load(UsageKeys, "usage_objects.yaml")


def matcher(names: Iterable[str]) -> re.Pattern[str]:
    """One pattern for keys, prefixes (trailing ``*``) and indexed keys (``.*.``)."""
    return re.compile("|".join(_pattern(name) for name in names) or r"(?!)")


def _pattern(name: str) -> str:
    prefix = name.endswith("*")
    body = re.escape(name.removesuffix("*")).replace(r"\*", r"\d+")
    return rf"\A{body}" if prefix else rf"\A{body}\Z"
