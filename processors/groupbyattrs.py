"""Moves attributes of spans, log records and metric points to the resource they come from, as the Collector's processor
of that name does.

For what arrives as one resource and speaks of many: a host, a tenant, a service named in every record becomes what the
record's resource says, over what that said before. Resources that then say the same, in whatever order, are one; so
without ``keys`` this only brings together what was sent in pieces.

What the trace model reads follows: a ``service.name`` that was moved names the service. Resources that differ in their
schema URL stay apart, and scopes and metrics are left as they came; the Collector joins those by name, and what their
second one says is lost there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spanloom import (
    Batch,
    ComponentConfig,
    ProcessorFactory,
    Settings,
    Signal,
    ValueColumns,
    attributes as attribute_lists,
    flat_edits,
    numpy_of,
    set_columns,
)

Ints = npt.NDArray[np.int64]
Moved = dict[str, ValueColumns]
"""Key → value."""


class Config(ComponentConfig):
    keys: tuple[str, ...] = ()
    """Attributes that belong to the resource; none: equal resources are brought together, nothing else."""


class GroupByAttrs:
    """Attributes become the resource's, once per distinct resource and values."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._keys = tuple(dict.fromkeys(key for key in config.keys if key))
        if len(self._keys) < len(config.keys):
            settings.log.warning("keys that are empty or listed twice are passed over", keys=list(config.keys))

    def process(self, batch: Batch) -> Batch:
        """Takes batches of any signal."""
        if not batch.num_rows:
            return batch
        column = batch.column("resource")
        flat = attribute_lists.flatten(batch.column("attributes"))
        places = [flat_edits.first_of(flat, key, batch.num_rows) for key in self._keys]
        group = numpy_of(column.indices).astype(np.int64)
        for at in places:
            group = _split(group, flat_edits.Values.at(flat, at[at >= 0]), at >= 0)
        _, first, which = np.unique(group, return_index=True, return_inverse=True)
        headers = column.take(pa.array(first)).to_pylist()
        moved = _moved(self._keys, flat, [at[first] for at in places], len(first))
        made = [_header(header, values) for header, values in zip(headers, moved, strict=True)]
        if made != headers:
            batch = batch.with_columns({"resource": _interned(made, which, column.type)})
        gone = np.concatenate([at[at >= 0] for at in places]) if places else np.zeros(0, np.int64)
        if not len(gone):
            return batch
        left = flat.select(np.delete(np.arange(len(flat.rows)), gone))
        return batch.with_columns({"attributes": flat_edits.column(left, batch.num_rows)})


def _split(group: Ints, values: flat_edits.Values, there: npt.NDArray[np.bool_]) -> Ints:
    """Numbers for the groups that a further attribute makes of these; ``values``: those of the rows that have it."""
    if not there.any():
        return group
    texts = numpy_of(values.texts.dictionary_encode().indices).astype(np.int64)
    code = np.zeros(len(group), np.int64)
    code[there] = _joined(_joined(texts, values.types), values.nums) + 1
    return _joined(group, code)


def _joined(one: npt.NDArray[np.integer], other: npt.NDArray[np.integer]) -> Ints:
    """The same number where both are the same; less than there are rows."""
    distinct, number = np.unique(other, return_inverse=True)
    found: Ints = np.unique(one.astype(np.int64) * len(distinct) + number, return_inverse=True)[1]
    return found


def _moved(keys: Sequence[str], flat: attribute_lists.Flat, places: Sequence[Ints], groups: int) -> list[Moved]:
    """Per group what its resource is to say; ``places``: per key the position of each group's value, -1: none."""
    moved: list[Moved] = [{} for _ in range(groups)]
    for key, at in zip(keys, places, strict=True):
        there = np.flatnonzero(at >= 0)
        values = flat_edits.Values.at(flat, at[there])
        columns = (there.tolist(), values.types.tolist(), values.nums.tolist(), values.texts.to_pylist())
        for group, kind, num, text in zip(*columns, strict=True):
            moved[group][key] = (kind, num, text)
    return moved


def _header(header: bytes, moved: Moved) -> bytes:
    """The resource with these attributes, in the order of their keys, so that equal ones are equal bytes."""
    message = attribute_lists.parse_resource(header)
    attributes = message.resource.attributes
    for key, value in moved.items():
        entry = next((known for known in attributes if known.key == key), None) or attributes.add(key=key)
        entry.value.Clear()
        set_columns(entry.value, *value)
    attributes.sort(key=lambda entry: entry.key)
    return message.SerializeToString(deterministic=True)


def _interned(headers: list[bytes], which: Ints, kind: pa.DictionaryType) -> pa.DictionaryArray:
    """Resources that became equal are one."""
    codes = {header: code for code, header in enumerate(dict.fromkeys(headers))}
    rows = np.array([codes[header] for header in headers], np.int32)[which]
    return pa.DictionaryArray.from_arrays(pa.array(rows), pa.array(list(codes), kind.value_type))


factory = ProcessorFactory(Config, GroupByAttrs, signals=frozenset(Signal))
