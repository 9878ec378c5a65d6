"""Usage objects: JSON objects of token counts in the keys of many providers and SDKs.

Objects of one shape (the same keys, whole numbers) are read together; odd ones member by member.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from collector.model.dialects import table_files
from collector.model.dialects.fields import COUNT_FIELDS
from collector.model.facts.values import MISSING, Bools, Ints
from collector.model.json_values import MAX_COUNT

FIELD: dict[str, int] = {name: index for index, name in enumerate(COUNT_FIELDS)}
_INTS = {int}
_MAX_EXTRAS = 32
_MAX_EXTRA_NAME = 64
_LAST = 1_000

Extras = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Objects:
    """What distinct usage objects say, one entry each."""

    counts: Ints
    """(objects, fields): the count of each of ``COUNT_FIELDS``, or ``MISSING``."""
    inclusive: Bools
    """The object is a provider's own, with details: its totals include the parts."""
    extras: dict[int, Extras] = field(default_factory=dict)
    """Object → further buckets it names."""

    @property
    def says_something(self) -> Bools:
        """Objects with any count at all."""
        something: Bools = (self.counts != MISSING).any(axis=1)
        something[list(self.extras)] = True
        return something


def read_objects(values: Sequence[Any], count: Callable[[Any], int]) -> Objects:
    """Reads parsed JSON values; what is no object says nothing. ``count`` reads one odd member."""
    found = Objects(np.full((len(values), len(COUNT_FIELDS)), MISSING, np.int64), np.zeros(len(values), np.bool_))
    groups: dict[tuple[str, ...], tuple[list[int], list[list[int]]]] = {}
    odd: list[int] = []
    for index, value in enumerate(values):
        if not isinstance(value, dict) or not value:
            continue
        keys, members = _leaves(value)
        if set(map(type, members)) == _INTS and _shape(keys) is not None:
            indices, numbers = groups.setdefault(keys, ([], []))
            indices.append(index)
            numbers.append(members)
        else:
            odd.append(index)
    for keys, (indices, numbers) in groups.items():
        odd += _read_group(found, keys, indices, numbers)
    for index in odd:
        _read_odd(found, index, *_leaves(values[index]), count)
    return found


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which member of a tuple of keys holds which field."""

    members: npt.NDArray[np.intp]
    fields: npt.NDArray[np.intp]
    inclusive: bool


@functools.lru_cache(maxsize=1_024)
def _shape(keys: tuple[str, ...]) -> _Shape | None:
    """The shape of objects with these keys; none if there are buckets nobody knows."""
    known = object_keys()
    if any(key not in known and _is_bucket(key) for key in keys):
        return None
    best: dict[int, tuple[int, int]] = {}
    for member, key in enumerate(keys):
        if key in known:
            place = known[key]
            best[place.field] = min(best.get(place.field, (_LAST, 0)), (place.rank, member))
    inclusive = any(bool(_inclusive_keys().match(key)) for key in keys)
    return _Shape(np.array([m for _, m in best.values()], np.intp), np.array(list(best), np.intp), inclusive)


def _read_group(found: Objects, keys: tuple[str, ...], indices: list[int], numbers: list[list[int]]) -> list[int]:
    """Reads objects of one shape; gives back those with numbers that must be looked at singly."""
    shape, matrix = _shape(keys), np.array(numbers)
    if shape is None or matrix.dtype != np.int64:
        return indices
    fine = ((matrix >= 0) & (matrix <= MAX_COUNT)).all(axis=1)
    rows = np.array(indices)
    found.counts[rows[fine][:, None], shape.fields] = matrix[fine][:, shape.members]
    found.inclusive[rows[fine]] = shape.inclusive
    return [int(row) for row in rows[~fine]]


def _read_odd(
    found: Objects, index: int, keys: tuple[str, ...], members: list[Any], count: Callable[[Any], int]
) -> None:
    """Reads one object member by member: a member that is no count leaves its field to the next."""
    ranks: dict[int, int] = {}
    extras: list[tuple[str, int]] = []
    known = object_keys()
    for key, member in zip(keys, members, strict=True):
        number = count(member)
        if number == MISSING:
            continue
        found.inclusive[index] |= bool(_inclusive_keys().match(key))
        place = known.get(key)
        if place is None:
            if number and len(extras) < _MAX_EXTRAS and _is_bucket(key):
                extras.append((key, number))
        elif place.rank < ranks.get(place.field, _LAST):
            found.counts[index, place.field], ranks[place.field] = number, place.rank
    if extras:
        found.extras[index] = tuple(extras)


def _leaves(value: dict[str, Any]) -> tuple[tuple[str, ...], list[Any]]:
    """Keys and members, those of nested objects under dotted keys; nulls are left out."""
    keys: list[str] = []
    members: list[Any] = []
    for key, member in value.items():
        if isinstance(member, dict) and "low" not in member:
            for inner, leaf in member.items():
                if leaf is not None:
                    keys.append(f"{key}.{inner}")
                    members.append(leaf)
        elif member is not None:
            keys.append(str(key))
            members.append(member)
    return tuple(keys), members


@dataclass(frozen=True, slots=True)
class Place:
    """What a known key of a usage object is for."""

    field: int
    rank: int


@functools.cache
def object_keys() -> dict[str, Place]:
    """The known keys of usage objects."""
    entries = table_files.usage_keys().counts
    return {key: Place(FIELD[entry.field], rank) for entry in entries for rank, key in enumerate(entry.keys)}


def member_of(value: Any, field_name: str) -> str | None:
    """The dotted key under which a parsed usage object holds a count, where its members are numbers."""
    if not isinstance(value, dict):
        return None
    shape, keys = object_keys(), _leaves(value)[0]
    found = [(shape[key].rank, key) for key in keys if key in shape and shape[key].field == FIELD[field_name]]
    return min(found)[1] if found else None


@functools.lru_cache(maxsize=1_024)
def _is_bucket(key: str) -> bool:
    """Whether an unknown member stands for a bucket of its own."""
    return len(key) <= _MAX_EXTRA_NAME and not _ignored_keys().match(key)


@functools.cache
def _inclusive_keys() -> re.Pattern[str]:
    return table_files.matcher(table_files.usage_keys().inclusive)


@functools.cache
def _ignored_keys() -> re.Pattern[str]:
    return table_files.matcher(table_files.usage_keys().ignore)
