"""Values on their way from attributes to fact columns: entries, distinct values, JSON; and builders
of Arrow arrays over numpy ones.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.model import schema
from collector.model.arrow_arrays import numpy_of
from collector.model.attributes import decode_value
from collector.model.json_values import parse_json

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MISSING = -1
"""Code of a row without a value."""

_NO_INDEX = pa.scalar(-1, pa.int32())


@dataclass(frozen=True, slots=True)
class Entries:
    """Some attributes: where each stands in the flat arrays, and its row."""

    positions: Ints
    rows: Ints

    def where(self, keep: Bools) -> Entries:
        if np.count_nonzero(keep) == len(keep):
            return self
        return Entries(self.positions[keep], self.rows[keep])


@dataclass(frozen=True, slots=True)
class Distinct:
    """Distinct values, and per entry the index of its own (-1: none)."""

    values: list[Any]
    indices: npt.NDArray[np.int32]

    def spread(self, per_value: Sequence[int]) -> Ints:
        """One number per distinct value, brought to the entries; ``MISSING`` where there is none."""
        spread: Ints = np.array([*per_value, MISSING], np.int64)[self.indices]
        return spread


class JsonGroup:
    """Attributes of one key that may be JSON; each distinct text is parsed once, when asked for."""

    def __init__(
        self, entries: Entries, texts: pa.StringArray, kinds: npt.NDArray[np.uint8], indices: npt.NDArray[np.int32]
    ) -> None:
        self.entries = entries
        self._texts = texts
        self._kinds = kinds
        self._indices = indices
        self._values: dict[int, Any] = {}

    def used(self, keep: Bools) -> tuple[list[int], npt.NDArray[np.int32]]:
        """The numbers of the distinct texts of some entries, and per entry the place among these."""
        indices = self._indices[keep]
        seen = np.zeros(len(self._texts), np.bool_)
        seen[indices] = True
        used = seen.nonzero()[0]
        place = np.zeros(len(seen), np.int32)
        place[used] = np.arange(len(used), dtype=np.int32)
        return used.tolist(), place[indices]

    def parsed(self, numbers: list[int]) -> list[Any]:
        """The values of distinct texts; ``None`` where one is no JSON."""
        values = self._values
        new = [number for number in numbers if number not in values]
        if new:
            texts = self._texts.take(pa.array(new, pa.int64())).to_pylist()
            for number, kind, text in zip(new, self._kinds[new].tolist(), texts, strict=True):
                value = parse_json(text) if kind == schema.STRING else decoded(kind, 0, text)
                values[number] = parse_json(value) if isinstance(value, str) else value  # encoded twice
        return [values[number] for number in numbers]


def decoded(kind: int, number: int, text: str) -> Any:
    """The Python value of an attribute, ``None`` where its text is not what its type says."""
    try:
        return decode_value(kind, number, text)
    except (ValueError, KeyError, TypeError, RecursionError, struct.error):
        return None


def named(values: Sequence[str], indices: npt.NDArray[np.integer[Any]]) -> pa.DictionaryArray:
    """A column of ``schema.NAME`` from distinct texts and per row the place of its own (-1: null)."""
    if not values:
        return pa.nulls(len(indices), schema.NAME)
    codes = int_array(indices.astype(np.int32, copy=False), indices < 0)
    return pa.DictionaryArray.from_arrays(codes, text_array(values), safe=False)


def int_array(values: npt.NDArray[np.integer[Any]], nulls: Bools | None = None) -> pa.Array:
    """An Arrow array over a numpy one. ``pa.array`` does the same, with a look at pandas first."""
    values = np.ascontiguousarray(values)
    kind = _ARROW[values.dtype.char]
    buffers = [None, pa.py_buffer(values)]
    if nulls is not None and (null_count := np.count_nonzero(nulls)):
        if null_count == len(values):
            return pa.nulls(null_count, kind)
        buffers[0] = pa.py_buffer(np.packbits(~nulls, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), buffers)


_ARROW = {np.dtype(t.to_pandas_dtype()).char: t for t in (pa.int32(), pa.int64(), pa.uint8())}


def filled(indices: pa.Array) -> npt.NDArray[np.int32]:
    """Dictionary indices with -1 for null."""
    if indices.null_count:
        indices = pc.fill_null(indices, _NO_INDEX)
    return cast("npt.NDArray[np.int32]", numpy_of(indices))


def text_array(texts: Sequence[str | None]) -> pa.StringArray:
    """A text array from Python values."""
    return pa.array(texts, pa.string())
