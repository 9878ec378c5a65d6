"""What conditions may ask of each span: the key sets it carries as bits, its sender, and what both come to.

Bits are words of 64, an array per word: as many as the tables need, and the usual tables need one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from collector.model.arrow_arrays import numpy_of
from collector.model.attributes import Flat
from collector.model.batch import SpanBatch
from collector.model.dialects.compiled_tables import Keys
from collector.model.dialects.conditions import ROOT_BIT, SERVED_BIT, WORD, in_words
from collector.model.facts.values import Entries, Ints, int_array
from collector.model.schema import KINDS

Words = list[npt.NDArray[np.uint64]]
"""Marker bits per row, an array per word of 64 bits."""

_SERVER = KINDS.index("SERVER")
_NO_BITS = np.uint64(0)
_ROOT, _SERVED = np.uint64(ROOT_BIT), np.uint64(SERVED_BIT)
_ALL_BITS = 2**WORD - 1


def marker_words(batch: SpanBatch, flat: Flat, keys: Keys) -> Words:
    """The bits of every span, by its place in the trace and the keys it carries."""
    roots = numpy_of(batch.column("parent_span_id").is_null())
    served = ~roots & (numpy_of(batch.column("kind")) == _SERVER)
    words: Words = [np.where(roots, _ROOT, np.where(served, _SERVED, _NO_BITS))]
    words += [np.zeros(batch.num_rows, np.uint64) for _ in keys.markers[1:]]
    offsets = numpy_of(batch.column("attributes").offsets)
    some = offsets[:-1] < offsets[1:]
    if np.count_nonzero(some):
        starts = (offsets[:-1] - offsets[0])[some]
        for bits, of_keys in zip(words, keys.markers, strict=True):
            bits[some] |= np.bitwise_or.reduceat(of_keys[flat.key_codes], starts)
    return words


def mark_values(words: Words, entries: Entries, indices: npt.NDArray[np.int32], markers: Sequence[int]) -> None:
    """Adds the bits of conditions on a key's text.

    ``markers``: per distinct text; ``indices``: the place of each entry's text among them, -1: it has none.
    """
    by_word = zip(*(in_words(bits, len(words)) for bits in (*markers, 0)), strict=True)
    for bits, of_texts in zip(words, by_word, strict=True):
        np.bitwise_or.at(bits, entries.rows, np.array(of_texts, np.uint64)[indices])


def distinct_bits(words: Words) -> tuple[list[int], Ints]:
    """The distinct bits as whole numbers, and per row the place of its own."""
    found, rows = distinct_ints(words[0].view(np.int64))
    found = [bits & _ALL_BITS for bits in found]
    for n, word in enumerate(words[1:], 1):
        more, of_row = distinct_ints(word.view(np.int64))
        if len(more) == 1:  # most words are the same on all spans: none of their keys is there
            found = [bits | (more[0] & _ALL_BITS) << (WORD * n) for bits in found]
            continue
        pairs, rows = distinct_ints(rows.astype(np.int64) * len(more) + of_row)
        split = (divmod(pair, len(more)) for pair in pairs)
        found = [found[low] | (more[high] & _ALL_BITS) << (WORD * n) for low, high in split]
    return found, rows


def distinct_ints(values: Ints) -> tuple[list[int], Ints]:
    """The distinct numbers, and per entry the place of its own."""
    encoded = int_array(values).dictionary_encode()
    return encoded.dictionary.to_pylist(), numpy_of(encoded.indices)
