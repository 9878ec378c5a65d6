"""The tables of forwarding: per target, which attribute says what, and what stays as it came.

One YAML file per target, checked at load. What a message looks like in a target is code (one module
per target); where a fact goes is data.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

from collector.model.dialects import table_files as dialects

TARGETS = ("semconv", "openinference", "langfuse")
"""The dialects a span can be forwarded in."""

MARKER = "spanloom.forwarded."
"""With a target's name: the attribute that says a span was translated, and what dialect it came in."""

CARRIER = "spanloom."
"""With a column's name: the attribute that holds a value for which the target has no name."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Attribute(_Strict):
    """One attribute of the target."""

    field: str
    """A column of ``observations``; ``usage.BUCKET`` and ``cost.BUCKET`` are entries of a map."""

    key: str

    form: Literal["plain", "joined", "iso_time", "seconds_after_start", "whole_number", "object"] = "plain"
    """``joined``: a list as one comma-separated text; ``whole_number``: digits become a number;
    ``object``: a map as JSON."""

    types: tuple[str, ...] = ()
    """Types of observation that get it; empty: all."""

    unless: tuple[str, ...] = ()
    """Only on rows where all of these text columns are null."""

    values: Mapping[str, str] | None = None
    """What each value is called there; of ``type`` also ``type/subtype``. A value without an entry is
    not written (``type``), or goes out as it is."""

    names: Mapping[str, str] = {}
    """Of a map: what its keys are called there."""


class Target(_Strict):
    """One file."""

    attributes: tuple[Attribute, ...]

    operations: Mapping[str, str] = {}
    """``gen_ai.operation.name`` → ``type/subtype``: a span keeps its operation while that says its
    type, else it gets the first that does."""

    keep: tuple[str, ...] = ()
    """Keys (prefixes with ``*``) the model reads that stay under their names all the same."""


@functools.cache
def target(name: str) -> Target:
    """The table of one of ``TARGETS``. Raises ``ConfigError`` for a file that is wrong."""
    shared = _read("all")
    own = _read(name)
    merged = {**own, "keep": [*shared["keep"], *own.get("keep", [])]}
    return dialects.check(Target, merged, f"forward/{name}.yaml")


@functools.cache
def kept(name: str) -> re.Pattern[str]:
    """A matcher of the keys that stay."""
    return dialects.matcher(target(name).keep)


def _read(name: str) -> dict[str, list[object]]:
    text = (resources.files(__package__) / f"{name}.yaml").read_text(encoding="utf-8")
    loaded: dict[str, list[object]] = YAML(typ="safe").load(text)
    return loaded
