"""Masks every text in a batch, wherever its type says one can be.

The walk follows Arrow types, not column names: a column added to the schemas later is masked
without a line here. A column in which nothing was found is returned as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from processors._pii.keys import ORIGIN, KeyRule
from processors._pii.masked.header_masker import HeaderMasker
from processors._pii.masked.value_masker import Value, ValueMasker
from spanloom import Batch, attributes, numpy_of, schema

_AnyBatch = TypeVar("_AnyBatch", bound=Batch)

_NO_KEY = KeyRule("", "content", is_secret=False)


class ColumnMasker:
    """Masks the columns of one batch."""

    def __init__(self, values: ValueMasker, headers: HeaderMasker) -> None:
        self._values = values
        self._headers = headers

    def batch(self, batch: _AnyBatch) -> _AnyBatch:
        """The batch with every text masked."""
        changed: dict[str, pa.Array] = {}
        table = batch.record_batch
        for name in table.schema.names:
            column = table.column(name)
            self._values.carrier = name
            masked = self._column(name, column)
            if masked is not column:
                changed[name] = masked
        if batch.has("body_text"):
            self._values.carrier = "body"
            changed.update(self._bodies(batch))
        return batch.with_columns(changed) if changed else batch

    def _column(self, name: str, column: pa.Array) -> pa.Array:
        if name == "body_text":  # belongs to body_type: see _bodies
            return column
        if name == "resource":
            return self._dictionary(column, self._headers.resource)
        if name == "scope":
            return self._dictionary(column, self._headers.scope)
        if name == "status_message" and not self._values.options.keep_content:
            return _emptied(column)
        return self._array(column, self._values.keys.of(name))

    def _array(self, array: pa.Array, rule: KeyRule) -> pa.Array:
        kind = array.type
        if kind == schema.ATTRIBUTES:
            return self._attributes(array)
        if pa.types.is_string(kind):
            return self._texts(array, rule)
        if pa.types.is_dictionary(kind):
            return self._named(array, rule) if pa.types.is_string(kind.value_type) else array
        if pa.types.is_struct(kind):
            return self._struct(array)
        # Maps have identifiers of our own for keys, and numbers.
        return self._list(array, rule) if pa.types.is_list(kind) else array

    def _struct(self, array: pa.StructArray) -> pa.StructArray:
        children = [array.field(i) for i in range(array.type.num_fields)]
        masked = [self._array(c, self._values.keys.of(f.name)) for c, f in zip(children, array.type, strict=True)]
        if all(m is c for m, c in zip(masked, children, strict=True)):
            return array
        mask = array.is_null() if array.null_count else None
        return pa.StructArray.from_arrays(masked, fields=list(array.type), mask=mask)

    def _list(self, array: pa.ListArray, rule: KeyRule) -> pa.ListArray:
        offsets = numpy_of(array.offsets)
        if not len(offsets):
            return array
        items = array.values.slice(offsets[0], offsets[-1] - offsets[0])
        masked = self._array(items, rule)
        if masked is items:
            return array
        moved = pa.array(offsets - offsets[0], pa.int32())
        mask = array.is_null() if array.null_count else None
        return pa.ListArray.from_arrays(moved, masked, type=array.type, mask=mask)

    def _texts(self, texts: pa.StringArray, rule: KeyRule) -> pa.StringArray:
        replaced: dict[int, bytes] = {}
        for position in self._candidates(texts):
            raw = texts[position].as_py().encode()
            masked = self._values.text(raw, rule)
            if masked != raw:
                replaced[position] = masked
        return _with_texts(texts, {p: m.decode("utf-8", "replace") for p, m in replaced.items()})

    def _candidates(self, texts: pa.StringArray) -> list[int]:
        try:
            if self._values.reads_everything:
                return np.flatnonzero(pc.greater(pc.binary_length(texts), 0).fill_null(False)).tolist()
            positions = self._values.engine.candidates(texts)
        except pa.ArrowException:  # the cheap pass failed: look at every text
            positions = np.flatnonzero(numpy_of(texts.is_valid()))
        found: list[int] = positions.tolist()
        return found

    def _named(self, column: pa.DictionaryArray, rule: KeyRule) -> pa.DictionaryArray:
        masked = self._texts(column.dictionary, rule)
        if masked is column.dictionary:
            return column
        # Two names may have become one: encode again, so that each stands once.
        names = pc.dictionary_encode(masked)
        codes = pc.take(names.indices, column.indices)
        return pa.DictionaryArray.from_arrays(codes, names.dictionary)

    def _dictionary(self, column: pa.DictionaryArray, change: Callable[[bytes], bytes]) -> pa.DictionaryArray:
        entries = column.dictionary.to_pylist()
        masked = [change(entry) for entry in entries]
        if all(m is e for m, e in zip(masked, entries, strict=True)):
            return column
        return pa.DictionaryArray.from_arrays(column.indices, pa.array(masked, column.type.value_type))

    def _attributes(self, column: pa.ListArray) -> pa.ListArray:
        flat = attributes.flatten(column)
        rules = [self._values.keys.of(key) for key in flat.keys]
        replaced: dict[int, Value] = {}
        removed: list[int] = []
        for position in self._due(flat.texts, flat.types, rules, flat.key_codes):
            value = (int(flat.types[position]), int(flat.nums[position]), flat.texts[position].as_py())
            masked = self._values.value(rules[flat.key_codes[position]], value)
            if masked is None:
                removed.append(position)
            elif masked is not value:
                replaced[position] = masked
        keys = _keys(column)
        carrier = self._values.carrier
        self._values.carrier = f"keys of {carrier}"
        named = self._named(keys, ORIGIN)
        self._values.carrier = carrier
        if not replaced and not removed and named is keys:
            return column
        types, nums, texts = _with_values(flat.types, flat.nums, flat.texts, replaced)
        if not removed:
            return attributes.build(len(column), flat.rows, named, types, nums, texts)
        kept = np.ones(len(types), bool)
        kept[removed] = False
        chosen = pa.array(np.flatnonzero(kept))
        return attributes.build(
            len(column), flat.rows[kept], named.take(chosen), types[kept], nums[kept], texts.take(chosen)
        )

    def _due(
        self,
        texts: pa.StringArray,
        types: npt.NDArray[np.uint8],
        rules: list[KeyRule],
        codes: npt.NDArray[np.int32],
    ) -> list[int]:
        """Positions of the values to look at: by their text, their key or their type."""
        if not len(types):
            return []
        is_due = np.array([[self._values.is_due(rule, kind) for kind in range(8)] for rule in rules], bool)
        due = is_due[codes, np.minimum(types, 7)]
        due[self._candidates(texts)] = True
        nested = np.flatnonzero((types == schema.ARRAY) | (types == schema.KVLIST))
        if len(nested):
            holds_bytes = pc.match_substring(texts.take(pa.array(nested)), '"bytesValue"')
            due[nested[numpy_of(holds_bytes)]] = True
        return np.flatnonzero(due).tolist()

    def _bodies(self, batch: Batch) -> Mapping[str, pa.Array]:
        types = batch.column("body_type").to_numpy()
        nums, texts = batch.column("body_num").to_numpy(), batch.column("body_text")
        replaced: dict[int, Value] = {}
        codes = np.zeros(len(types), np.int32)
        for position in self._due(texts, types, [_NO_KEY], codes):
            value = (int(types[position]), int(nums[position]), texts[position].as_py())
            masked = self._values.value(_NO_KEY, value)
            if masked is not value:
                replaced[position] = masked or (schema.EMPTY, 0, "")
        if not replaced:
            return {}
        types, nums, texts = _with_values(types, nums, texts, replaced)
        return {"body_type": pa.array(types), "body_num": pa.array(nums), "body_text": texts}


def _keys(column: pa.ListArray) -> pa.DictionaryArray:
    """The key of each attribute, in the order of ``attributes.flatten``."""
    offsets = column.offsets
    first = offsets[0].as_py()
    return column.values.slice(first, offsets[-1].as_py() - first).field("key")


def _with_values(
    types: npt.NDArray[np.uint8],
    nums: npt.NDArray[np.int64],
    texts: pa.StringArray,
    replaced: Mapping[int, Value],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], pa.StringArray]:
    if not replaced:
        return types, nums, texts
    types, nums = types.copy(), nums.copy()
    for position, (kind, num, _) in replaced.items():
        types[position], nums[position] = kind, num
    return types, nums, _with_texts(texts, {p: text for p, (_, _, text) in replaced.items()})


def _with_texts(texts: pa.StringArray, replaced: Mapping[int, str]) -> pa.StringArray:
    if not replaced:
        return texts
    positions = sorted(replaced)
    mask = np.zeros(len(texts), bool)
    mask[positions] = True
    return pc.replace_with_mask(texts, pa.array(mask), pa.array([replaced[p] for p in positions], pa.string()))


def _emptied(texts: pa.StringArray) -> pa.StringArray:
    return texts if pc.max(pc.binary_length(texts)).as_py() in {0, None} else pa.array([""] * len(texts), pa.string())
