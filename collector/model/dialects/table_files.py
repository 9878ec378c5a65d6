"""Reads the tables: the YAML files of this package, checked; every problem with file, line and key."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from importlib import resources
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from collector.errors import ConfigError
from collector.model.dialects.fact_tables import File, UsageKeys
from collector.model.dialects.neighbours import Item, order_of_dialects
from collector.model.dialects.row_base import Strict
from collector.model.dialects.table_errors import problems

_M = TypeVar("_M", bound=BaseModel)

SHARED = ("aliases.yaml", "message_words.yaml", "model_families.yaml", "order.yaml", "usage_objects.yaml")
"""Files of this package that are no dialect."""


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
    text = read_text(name)
    try:
        # Not ``pure``: ruamel reads these files with its C parser, ten times as fast.
        data = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise ConfigError(f"{name}: {error}") from error
    return check(model, data, name, text)


@functools.cache
def files() -> tuple[File, ...]:
    """All dialect files, in the order of detection."""
    names = sorted(f.name for f in resources.files(__package__).iterdir() if f.name.endswith(".yaml"))
    loaded = {
        name.removesuffix(".yaml"): load(File, name).model_copy(update={"table": name.removesuffix(".yaml")})
        for name in names
        if name not in SHARED
    }
    return tuple(loaded[name] for name in order_of_dialects(order().detection, places(loaded.values())))


@functools.cache
def order() -> Order:
    """The lists of ``order.yaml``."""
    return load(Order, "order.yaml")


@functools.cache
def families() -> tuple[str, ...]:
    """The names of all files in the order in which their rows are asked."""
    return tuple(order_of_dialects(order().sources, places(files())))


def places(of: Iterable[File]) -> list[Item]:
    """What each file says of its place among the dialects."""
    return [Item(file.table, "", f"{file.table}.yaml", file.before, file.after) for file in of]


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
