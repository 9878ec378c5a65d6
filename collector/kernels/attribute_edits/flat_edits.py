"""Kernels that change attribute lists: put, remove and replace values, whatever the number of spans.

All take and give ``Flat``, rows ascending. Of a repeated key the first attribute is the one that counts, as in the
Collector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.model import attributes
from collector.model.any_value import ValueColumns
from collector.model.attributes import Flat

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Values:
    """One value per entry, in the columns of ``schema.ATTRIBUTE``."""

    types: npt.NDArray[np.uint8]
    nums: npt.NDArray[np.int64]
    texts: pa.StringArray

    @classmethod
    def at(cls, flat: Flat, positions: Ints) -> Values:
        """Those of some attributes."""
        return cls(flat.types[positions], flat.nums[positions], flat.texts.take(pa.array(positions)))

    @classmethod
    def repeated(cls, value: ValueColumns, times: int) -> Values:
        """The same one for all."""
        kind, num, text = value
        return cls(np.full(times, kind, np.uint8), np.full(times, num, np.int64), pa.repeat(pa.scalar(text), times))

    def take(self, where: Ints) -> Values:
        return Values(self.types[where], self.nums[where], self.texts.take(pa.array(where)))

    def changed(self, change: Callable[[ValueColumns], ValueColumns]) -> Values:
        """Each one changed; ``change`` is called once per distinct value."""
        columns = zip(self.types.tolist(), self.nums.tolist(), self.texts.to_pylist(), strict=True)
        known: dict[ValueColumns, ValueColumns] = {}
        new = [known[value] if value in known else known.setdefault(value, change(value)) for value in columns]
        return Values(
            np.array([v[0] for v in new], np.uint8),
            np.array([v[1] for v in new], np.int64),
            pa.array([v[2] for v in new], pa.string()),
        )


def first_of(flat: Flat, key: str, num_rows: int) -> Ints:
    """The position of each row's attribute with this key, -1 where it has none."""
    codes = [code for code, name in enumerate(flat.keys) if name == key]
    found = np.full(num_rows, -1, np.int64)
    if codes:
        positions = np.flatnonzero(np.isin(flat.key_codes, codes))[::-1]
        found[flat.rows[positions]] = positions
    return found


def put(flat: Flat, key: str, rows: Ints, values: Values, num_rows: int) -> Flat:
    """Sets the key on these rows (ascending, each once): in place of what they have, or at the end."""
    size = len(flat.rows)
    at = first_of(flat, key, num_rows)[rows]
    there = at >= 0
    source = np.arange(size)
    source[at[there]] = size + np.flatnonzero(there)
    flat = replaced(flat, source, values)
    new = np.flatnonzero(~there)
    if not len(new):
        return flat
    order = np.argsort(np.concatenate([flat.rows, rows[new]]), kind="stable")
    keys = flat.keys if key in flat.keys else [*flat.keys, key]
    grown = Flat(
        np.concatenate([flat.rows, rows[new].astype(np.int32)]),
        np.concatenate([flat.key_codes, np.full(len(new), keys.index(key), np.int32)]),
        keys,
        np.concatenate([flat.types, values.types[new]]),
        np.concatenate([flat.nums, values.nums[new]]),
        pa.concat_arrays([flat.texts, values.texts.take(pa.array(new))]),
    )
    return grown.select(order)


def replaced(flat: Flat, source: Ints, values: Values) -> Flat:
    """The attributes with the values at ``source``: those of ``values`` are numbered from ``len(flat.rows)`` on."""
    both = pa.concat_arrays([flat.texts, values.texts])
    return replace(
        flat,
        types=np.concatenate([flat.types, values.types])[source],
        nums=np.concatenate([flat.nums, values.nums])[source],
        texts=both.take(pa.array(source)),
    )


def changed_at(flat: Flat, positions: Ints, change: Callable[[ValueColumns], ValueColumns]) -> Flat:
    """The attributes with the values at these positions changed."""
    if not len(positions):
        return flat
    source = np.arange(len(flat.rows))
    source[positions] = len(flat.rows) + np.arange(len(positions))
    return replaced(flat, source, Values.at(flat, positions).changed(change))


def column(flat: Flat, num_rows: int) -> pa.ListArray:
    """The list column."""
    keys = pa.DictionaryArray.from_arrays(pa.array(flat.key_codes, pa.int32()), pa.array(flat.keys, pa.string()))
    return attributes.build(num_rows, flat.rows, keys, flat.types, flat.nums, flat.texts)
