"""Attribute lists, redacted: kernels over all of a batch, Python once per distinct key and text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from processors._redaction import summary
from processors._redaction.rules import Fate, Rules
from spanloom import Flat, attribute_text, flat_edits, numpy_of, schema

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


class AttributeRedactor:
    """Redacts the attributes of rows of any kind."""

    def __init__(self, rules: Rules, *, all_types: bool, summary: summary.Summary) -> None:
        """``all_types``: numbers, lists and maps are looked at as text, else as the empty one."""
        self._rules = rules
        self._all_types = all_types
        self._summary = summary

    def change(self, flat: Flat, n: int) -> Flat:
        """The attributes of ``n`` rows; the same object when nothing is done."""
        if not len(flat.rows):
            return flat
        of_key = np.array([self._rules.of_key(key) for key in flat.keys], np.int8)[flat.key_codes]
        fates = of_key.copy()
        open_ = np.flatnonzero((of_key == Fate.LEFT) | (of_key == Fate.MASKED))
        looked_at = self._texts(flat, open_)
        fates[open_], positions, new = self._judged(looked_at, of_key[open_] == Fate.MASKED)
        if not fates.any():
            return flat
        done = {fate: np.flatnonzero(fates == fate) for fate in Fate}
        said = {fate: (flat.rows[at].astype(np.int64), self._keys(flat, at)) for fate, at in done.items()}
        flat = _with_texts(flat, open_[positions], new)
        if len(done[Fate.REDACTED]):
            flat = flat.select(fates != Fate.REDACTED)
        return summary.written(flat, n, "", said, self._summary)

    def _texts(self, flat: Flat, positions: Ints) -> pa.StringArray:
        """What values are judged by."""
        texts = flat.texts.take(pa.array(positions))
        others = np.flatnonzero(flat.types[positions] != schema.STRING)
        if not len(others):
            return texts
        made = texts.to_pylist()
        values = flat_edits.Values.at(flat, positions[others])
        columns = zip(values.types.tolist(), values.nums.tolist(), values.texts.to_pylist(), strict=True)
        for at, value in zip(others.tolist(), columns, strict=True):
            made[at] = attribute_text(value) if self._all_types else ""
        return pa.array(made, pa.string())

    def _judged(self, texts: pa.StringArray, whole: Bools) -> tuple[npt.NDArray[np.int8], Ints, pa.StringArray]:
        """(fate of each value, positions of those that change, their new texts); ``whole``: of blocked keys."""
        encoded = texts.dictionary_encode()
        codes = numpy_of(encoded.indices)
        distinct = encoded.dictionary
        concerned = self._rules.concern(distinct)
        fates = np.zeros((2, len(distinct)), np.int8)
        new = np.full((2, len(distinct)), "", object)
        for of, asked in ((0, concerned), (1, np.isin(np.arange(len(distinct)), codes[whole]))):
            for code in np.flatnonzero(asked).tolist():
                fates[of, code], new[of, code] = self._verdict(distinct[code].as_py(), whole=bool(of))
        of_each = whole.astype(np.int64)
        found = fates[of_each, codes]
        positions = np.flatnonzero(found == Fate.MASKED)
        return found, positions, pa.array(new[of_each[positions], codes[positions]].tolist(), pa.string())

    def _verdict(self, text: str, *, whole: bool) -> tuple[Fate, str]:
        if self._rules.allows(text):
            return Fate.ALLOWED, text
        if whole:
            return Fate.MASKED, self._rules.whole(text)
        masked = self._rules.masked(text)
        return (Fate.LEFT if masked == text else Fate.MASKED), masked

    def _keys(self, flat: Flat, positions: Ints) -> pa.StringArray:
        return pa.array(flat.keys, pa.string()).take(pa.array(flat.key_codes[positions]))


def _with_texts(flat: Flat, positions: Ints, texts: pa.StringArray) -> Flat:
    """The attributes with these texts at these positions."""
    if not len(positions):
        return flat
    source = np.arange(len(flat.rows))
    source[positions] = len(flat.rows) + np.arange(len(positions))
    kinds = np.full(len(texts), schema.STRING, np.uint8)
    return flat_edits.replaced(flat, source, flat_edits.Values(kinds, np.zeros(len(texts), np.int64), texts))
