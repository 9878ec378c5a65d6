"""The texts of a batch as numbers: what a field holds is passed around as *codes*.

A code from 0 on is a position in the batch's attribute texts, ``MISSING`` is none, and lower codes number texts
made here (conversions, constants).
"""

from __future__ import annotations

import functools
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.model import schema
from collector.model.arrow_arrays import numpy_of
from collector.model.attributes import Flat, decode_value
from collector.model.facts.values import MISSING, Bools, Distinct, Ints, filled, int_array, named, text_array
from collector.model.json_values import scalar_text

UNENCODED = -(2**62)
"""Marks attributes whose text has no made code."""

MAX_BLANK = 3
"""A longer text is taken not to be white space throughout."""


_IS_NUMBER = np.isin(np.arange(256), (schema.INT, schema.DOUBLE, schema.BOOL))


class TextCodes:
    """The attribute texts of one batch, and those made from them."""

    def __init__(self, flat: Flat, num_rows: int) -> None:
        self.flat = flat
        self.num_rows = num_rows
        self.nothing = np.full(num_rows, MISSING, np.int64)
        """The codes of a field that no row has: results are tested for being this very array."""
        self.nothing.flags.writeable = False
        self._made: list[str] = []
        self._made_codes: dict[str, int] = {}
        self._codes_of_positions = np.full(len(flat.rows), UNENCODED, np.int64)

    def encode(self, positions: Ints) -> None:
        """Gives every distinct text at these attributes, which are likely to recur (models, enums, ...), a made code.

        One encoding for all of them; what is unique per span (ids, names, JSON) keeps its position.
        """
        positions = positions[self.flat.types[positions] == schema.STRING]
        encoded = self.flat.texts.take(int_array(positions)).dictionary_encode()
        codes = [self.make(text) if text.strip() else MISSING for text in encoded.dictionary.to_pylist()]
        if codes:
            indices = numpy_of(encoded.indices)
            self._codes_of_positions[positions] = np.array(codes, np.int64)[indices]

    @functools.cached_property
    def _blank(self) -> Bools:
        """Per attribute, whether its text is empty or white space."""
        lengths = numpy_of(pc.binary_length(self.flat.texts))
        blank = lengths == 0
        short = np.flatnonzero((lengths > 0) & (lengths <= MAX_BLANK))
        if len(short):
            trimmed = pc.utf8_trim_whitespace(self.flat.texts.take(int_array(short)))
            blank[short] = numpy_of(pc.binary_length(trimmed)) == 0
        return cast("Bools", blank)

    def plain_codes(self, positions: Ints) -> Ints:
        """Codes of attributes as text: strings, numbers and booleans; ``MISSING`` for blank ones."""
        codes = self._codes_of_positions[positions]
        rest = codes == UNENCODED
        if np.count_nonzero(rest):
            codes[rest] = self._unencoded(positions[rest])
        return codes

    def _unencoded(self, positions: Ints) -> Ints:
        types = self.flat.types[positions]
        codes = np.where((types == schema.STRING) & ~self._blank[positions], positions, MISSING)
        numbers = _IS_NUMBER[types]
        if np.count_nonzero(numbers):
            pairs = zip(types[numbers].tolist(), self.flat.nums[positions[numbers]].tolist(), strict=True)
            codes[numbers] = [self._make_number(kind, number) for kind, number in pairs]
        return codes

    def _make_number(self, kind: int, number: int) -> int:
        text = _number_text(kind, number)
        return self.make(text) if text else MISSING

    def distinct(self, codes: Ints) -> Distinct:
        """The distinct texts behind codes."""
        if len(codes) and codes.max() >= 0:
            encoded = self.texts(codes).dictionary_encode()
            indices = filled(encoded.indices)
            return Distinct(encoded.dictionary.to_pylist(), indices)
        used, indices = self._made_indices(codes)
        return Distinct([self._made[number] for number in used], indices)

    def _made_indices(self, codes: Ints) -> tuple[list[int], npt.NDArray[np.int32]]:
        """The numbers of the made texts that codes use, and per code the place among these (-1)."""
        seen = np.zeros(len(self._made) + 1, np.bool_)
        seen[-codes - 2] = True  # MISSING marks the last place, which is cut off
        used = seen[:-1].nonzero()[0]
        place = np.full(len(seen), -1, np.int32)
        place[used] = np.arange(len(used), dtype=np.int32)
        return used.tolist(), place[-codes - 2]

    def texts(self, codes: Ints) -> pa.StringArray:
        """The texts behind codes; null for ``MISSING``."""
        if codes is self.nothing:
            return pa.nulls(self.num_rows, pa.string())
        stored, made = codes >= 0, codes < MISSING
        if not np.count_nonzero(stored):
            return self._made_texts(codes) if np.count_nonzero(made) else pa.nulls(len(codes), pa.string())
        texts = self.flat.texts.take(int_array(codes, ~stored))
        return pc.coalesce(texts, self._made_texts(codes)) if np.count_nonzero(made) else texts

    def _made_texts(self, codes: Ints) -> pa.StringArray:
        used, indices = self._made_indices(np.minimum(codes, MISSING))
        return text_array([self._made[number] for number in used]).take(int_array(indices, indices < 0))

    def make(self, text: str) -> int:
        """The code of a text made here."""
        code = self._made_codes.get(text)
        if code is None:
            code = -2 - len(self._made)
            self._made.append(text)
            self._made_codes[text] = code
        return code

    def name_column(self, codes: Ints) -> pa.DictionaryArray:
        """A dictionary column of texts with few distinct values."""
        if codes is self.nothing:
            return pa.nulls(self.num_rows, schema.NAME)
        found = self.distinct(codes)
        return named(found.values, found.indices)


@functools.lru_cache(maxsize=8_192)
def _number_text(kind: int, number: int) -> str | None:
    return scalar_text(decode_value(kind, number, ""))
