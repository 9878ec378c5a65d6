"""Attributes of resources and scopes, changed by the same kernels as those of spans: once per distinct header."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from collector.model import attributes
from collector.model.any_value import set_columns, to_columns
from collector.model.arrow_arrays import numpy_of
from collector.model.attributes import Flat
from collector.model.batch import Batch

Change = Callable[[Flat, int], Flat]
"""Takes attributes of so many rows; gives them changed, or the same object."""

_PARSE: dict[str, Callable[[bytes], Any]] = {"resource": attributes.parse_resource, "scope": attributes.parse_scope}


def with_headers(batch: Batch, name: str, change: Change) -> Batch:
    """The batch with the attributes of its ``resource`` or ``scope`` column changed."""
    column = batch.column(name)
    before = column.dictionary.to_pylist()
    after = _changed(before, name, change)
    if after == before:
        return batch
    # Those that became equal are one.
    codes = {header: code for code, header in enumerate(dict.fromkeys(after))}
    moved = np.array([codes[header] for header in after], np.int32)[numpy_of(column.indices)]
    headers = pa.array(list(codes), column.type.value_type)
    return batch.with_columns({name: pa.DictionaryArray.from_arrays(pa.array(moved, pa.int32()), headers)})


def _changed(headers: list[bytes], name: str, change: Change) -> list[bytes]:
    messages = [_PARSE[name](header) for header in headers]
    owners = [getattr(message, name) for message in messages]
    before = _flat(owners)
    flat = change(before, len(owners))
    if flat is before:
        return headers
    for owner in owners:
        del owner.attributes[:]
    columns = (flat.rows.tolist(), flat.key_codes.tolist(), flat.types.tolist(), flat.nums.tolist())
    for row, code, kind, num, text in zip(*columns, flat.texts.to_pylist(), strict=True):
        set_columns(owners[row].attributes.add(key=flat.keys[code]).value, kind, num, text)
    return [message.SerializeToString(deterministic=True) for message in messages]


def _flat(owners: Sequence[Any]) -> Flat:
    entries = [(row, entry.key, *to_columns(entry.value)) for row, o in enumerate(owners) for entry in o.attributes]
    keys = pa.array([entry[1] for entry in entries], pa.string()).dictionary_encode()
    return Flat(
        np.array([entry[0] for entry in entries], np.int32),
        numpy_of(keys.indices),
        keys.dictionary.to_pylist(),
        np.array([entry[2] for entry in entries], np.uint8),
        np.array([entry[3] for entry in entries], np.int64),
        pa.array([entry[4] for entry in entries], pa.string()),
    )
