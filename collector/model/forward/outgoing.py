"""Attributes on their way out: whole columns where facts go, single values where content goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.model import attributes, schema
from collector.model.arrow_arrays import numpy_of

Rows = npt.NDArray[np.integer[Any]]


class Outgoing:
    """Collects the attributes of a batch, in any order of rows; those of one row keep their order."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._rows: list[Rows] = []
        self._keys: list[npt.NDArray[np.int32]] = []
        self._types: list[npt.NDArray[np.uint8]] = []
        self._nums: list[npt.NDArray[np.int64]] = []
        self._texts: list[pa.StringArray] = []
        self._single: list[tuple[int, int, int, int, str]] = []

    @property
    def keys(self) -> frozenset[str]:
        """The keys written so far."""
        return frozenset(self._codes)

    @property
    def count(self) -> int:
        """How many attributes were written so far."""
        return sum(map(len, self._rows)) + len(self._single)

    def texts(self, key: str, column: pa.StringArray, where: npt.NDArray[np.bool_] | None = None) -> None:
        """Text attributes of the rows that have one (and are marked in ``where``)."""
        some = numpy_of(column.is_valid())
        rows = np.flatnonzero(some if where is None else some & where)
        if len(rows):
            self._add(rows, key, schema.STRING, np.zeros(len(rows), np.int64), column.take(pa.array(rows)))

    def numbers(self, key: str, rows: Rows, values: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> None:
        """Whole numbers or doubles, one per row given."""
        if len(rows):
            kind = schema.INT if values.dtype == np.int64 else schema.DOUBLE
            self._add(rows, key, kind, values.view(np.int64), pa.array([""] * len(rows), pa.string()))

    def put(self, row: int, key: str, value: Any) -> None:
        """One attribute; None is none."""
        if value is not None:
            self._single.append((row, self._code(key), *attributes.encode_value(value)))

    @contextmanager
    def whole(self) -> Iterator[None]:
        """All single attributes of the block, or none where it raises.

        Content that the target's writer cannot read goes along as it is stored (``readback``); the span, and all that
        wait behind it, go out.
        """
        written = len(self._single)
        try:
            yield
        except Exception:
            del self._single[written:]

    def with_kept(self, kept: attributes.Flat, num_rows: int) -> pa.ListArray:
        """The attributes column: first what was kept of a row, then what was written."""
        self._flush()
        names = [*self._codes, *kept.keys]
        rows = np.concatenate([kept.rows, *self._rows])
        order = np.argsort(rows, kind="stable")
        codes = np.concatenate([kept.key_codes + len(self._codes), *self._keys]).astype(np.int32)[order]
        texts = pa.concat_arrays([kept.texts, *self._texts])
        return attributes.build(
            num_rows,
            rows[order],
            pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names, pa.string())),
            np.concatenate([kept.types, *self._types])[order],
            np.concatenate([kept.nums, *self._nums])[order],
            texts.take(pa.array(order)),
        )

    def _code(self, key: str) -> int:
        return self._codes.setdefault(key, len(self._codes))

    def _add(self, rows: Rows, key: str, kind: int, nums: npt.NDArray[np.int64], texts: pa.StringArray) -> None:
        self._flush()
        self._rows.append(rows)
        self._keys.append(np.full(len(rows), self._code(key), np.int32))
        self._types.append(np.full(len(rows), kind, np.uint8))
        self._nums.append(nums)
        self._texts.append(texts)

    def _flush(self) -> None:
        if not self._single:
            return
        rows, codes, types, nums, texts = zip(*self._single, strict=True)
        self._single = []
        self._rows.append(np.array(rows, np.int64))
        self._keys.append(np.array(codes, np.int32))
        self._types.append(np.array(types, np.uint8))
        self._nums.append(np.array(nums, np.int64))
        self._texts.append(pa.array(texts, pa.string()))
