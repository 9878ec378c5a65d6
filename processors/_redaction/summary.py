"""The attributes that say what was done: ``redaction.masked.keys`` and so on, per item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from processors._redaction.rules import Fate
from spanloom import Flat, flat_edits, numpy_of, schema

Ints = npt.NDArray[np.int64]
Summary = Literal["", "silent", "info", "debug"]
_NAMES: Mapping[Fate, str] = {
    Fate.REDACTED: "redacted", Fate.MASKED: "masked", Fate.ALLOWED: "allowed", Fate.IGNORED: "ignored",
}  # fmt: skip
"""In the order in which they are written."""

KEYS = tuple(
    f"redaction.{of}{name}.{kind}"
    for of in ("", "body.") for name in _NAMES.values() for kind in ("keys", "count")
    if (name, kind) != ("ignored", "keys")
)  # fmt: skip
"""All that may be written: a second processor lets them pass."""


def written(flat: Flat, n: int, of: str, fates: Mapping[Fate, tuple[Ints, pa.StringArray]], summary: Summary) -> Flat:
    """``fates``: fate → (row, key) of each attribute it came to; ``of``: "" or ``body.``."""
    if summary in ("", "silent"):
        return flat
    for fate, name in _NAMES.items():
        rows, keys = fates[fate]
        if len(rows) and fate is not Fate.IGNORED and summary == "debug":
            flat = _with_keys(flat, n, f"redaction.{of}{name}.keys", rows, keys)
        if len(rows):
            flat = _with_counts(flat, n, f"redaction.{of}{name}.count", rows)
    return flat


def _with_keys(flat: Flat, n: int, key: str, rows: Ints, names: pa.StringArray) -> Flat:
    """The names of each row, sorted, with those of a processor before."""
    at = flat_edits.first_of(flat, key, n)
    there = np.flatnonzero((at >= 0) & np.isin(np.arange(n), rows))
    there = there[flat.types[at[there]] == schema.STRING]
    texts = flat.texts.take(pa.array(at[there])).to_pylist()
    before = [(row, name) for row, text in zip(there.tolist(), texts, strict=True) if text for name in text.split(",")]
    rows = np.concatenate([rows, np.array([row for row, _ in before], np.int64)])
    names = pa.concat_arrays([names, pa.array([name for _, name in before], pa.string())])
    encoded = names.dictionary_encode()
    # By bytes, as Go sorts.
    rank = np.argsort(np.argsort(np.array([name.encode() for name in encoded.dictionary.to_pylist()], object)))
    order = np.lexsort((rank[numpy_of(encoded.indices)], rows))
    distinct, first = np.unique(rows[order], return_index=True)
    offsets = pa.array(np.append(first, len(order)).astype(np.int32))
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, names.take(pa.array(order))), ",")
    kinds = np.full(len(distinct), schema.STRING, np.uint8)
    return flat_edits.put(flat, key, distinct, flat_edits.Values(kinds, np.zeros(len(distinct), np.int64), joined), n)


def _with_counts(flat: Flat, n: int, key: str, rows: Ints) -> Flat:
    distinct, counts = np.unique(rows, return_counts=True)
    at = flat_edits.first_of(flat, key, n)[distinct]
    there = np.flatnonzero(at >= 0)
    whole = there[flat.types[at[there]] == schema.INT]
    counts[whole] += flat.nums[at[whole]]
    kinds = np.full(len(distinct), schema.INT, np.uint8)
    texts = pa.array([""] * len(distinct), pa.string())
    return flat_edits.put(flat, key, distinct, flat_edits.Values(kinds, counts.astype(np.int64), texts), n)
