"""The span events of a batch, as the dialect tables ask for them: exceptions, times of first tokens."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.model import schema
from collector.model.arrow_arrays import numpy_of
from collector.model.attributes import flatten
from collector.model.facts.values import MISSING, Bools, Ints, int_array, text_array

# Typed: Arrow looks for pandas (and fails, slowly) to learn the type of a bare Python value.
_EXCEPTION = pa.scalar("exception", pa.string())


class SpanEvents:
    """All events of a batch's spans, flat."""

    def __init__(self, column: pa.ListArray) -> None:
        offsets = numpy_of(column.offsets)
        self._num_rows = len(column)
        self._events: pa.StructArray = column.values.slice(offsets[0], offsets[-1] - offsets[0])
        self._rows = np.repeat(np.arange(self._num_rows), np.diff(offsets))

    def __len__(self) -> int:
        return len(self._rows)

    @functools.cached_property
    def _exceptions(self) -> Ints:
        """Per row the position of its last ``exception`` event, or ``MISSING``."""
        named = numpy_of(pc.equal(self._events.field("name"), _EXCEPTION)).nonzero()[0]
        out = np.full(self._num_rows, MISSING, np.int64)
        out[self._rows[named]] = named
        return out

    @functools.cached_property
    def has_exception(self) -> Bools:
        """Rows with an ``exception`` event."""
        found: Bools = self._exceptions != MISSING
        return found

    @functools.cached_property
    def any_exception(self) -> bool:
        """Whether any row has an ``exception`` event."""
        return bool(np.count_nonzero(self.has_exception))

    def exception_texts(self, key: str) -> Iterator[tuple[int, str]]:
        """Row and text of an attribute of each row's last ``exception`` event."""
        rows = np.flatnonzero(self.has_exception)
        if not len(rows):
            return
        flat = flatten(self._events.field("attributes").take(int_array(self._exceptions[rows])))
        chosen = flat.select(np.array([k == key for k in flat.keys] or [False], np.bool_)[flat.key_codes])
        found = zip(rows[chosen.rows].tolist(), chosen.types.tolist(), chosen.texts.to_pylist(), strict=True)
        yield from ((row, text) for row, kind, text in found if kind == schema.STRING)

    def first_time(self, names: Sequence[str]) -> Ints:
        """Per row the time of its first event with one of these names, unix ns; 0 if there is none."""
        out = np.zeros(self._num_rows, np.int64)
        if len(self._rows):
            named = pc.is_in(self._events.field("name"), value_set=text_array(names))
            picked = np.flatnonzero(numpy_of(named))[::-1]
            out[self._rows[picked]] = numpy_of(self._events.field("time_unix_nano"))[picked]
        return out
