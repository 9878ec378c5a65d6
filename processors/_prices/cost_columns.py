"""From a bill to the cost columns of a batch; rows that were not priced keep what they had."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from processors._prices.bill import Bill, Money, Usage
from processors._prices.pricer import Assignment, distinct
from spanloom import SpanBatch, numpy_of

Ints = npt.NDArray[np.int64]

REQUEST = "request"
"""Key of the per-request fee in the cost map."""

_MAX_NAMES = 8  # buckets named in a price_ref; keys of usage maps are anybody's


def cost_columns(spans: SpanBatch, rows: Ints, usage: Usage, bill: Bill, assignment: Assignment) -> dict[str, pa.Array]:
    """The columns of the batch with the given rows priced."""
    refs, ref_of_row = _price_refs(usage, bill, assignment)
    source = np.where(bill.total.known, 0, 1)
    return {
        "cost": _with_maps(spans.column("cost"), rows, _cost_maps(spans.num_rows, rows, usage, bill)),
        "input_cost": _with_money(spans.column("input_cost"), rows, bill.input),
        "output_cost": _with_money(spans.column("output_cost"), rows, bill.output),
        "total_cost": _with_money(spans.column("total_cost"), rows, bill.total),
        "cost_source": _with_words(spans.column("cost_source"), rows, source, ("computed", "unpriced")),
        "price_ref": _with_words(spans.column("price_ref"), rows, ref_of_row, refs),
    }


def _cost_maps(num_rows: int, rows: Ints, usage: Usage, bill: Bill) -> pa.MapArray:
    """The cost map of every row of the batch; null where nothing was priced."""
    entries, charged = np.flatnonzero(bill.priced), np.flatnonzero(bill.request.known)
    of_row = np.concatenate([usage.rows[entries], charged])
    codes = np.concatenate([usage.codes[entries], np.full(len(charged), len(usage.buckets))])
    amounts = np.concatenate([bill.amounts[entries], bill.request.amount[charged]])
    if len(charged):
        order = np.argsort(of_row, kind="stable")
        of_row, codes, amounts = of_row[order], codes[order], amounts[order]
    counts = np.zeros(num_rows + 1, np.int32)
    counts[rows + 1] = np.bincount(of_row, minlength=len(rows))
    missing = np.ones(num_rows, bool)
    missing[rows] = ~bill.total.known
    keys = pa.array([*usage.buckets, REQUEST], pa.string()).take(pa.array(codes))
    offsets = pa.array(np.cumsum(counts, dtype=np.int32))
    return pa.MapArray.from_arrays(offsets, keys, pa.array(amounts, pa.int64()), mask=pa.array(missing))


def _with_maps(old: pa.MapArray, rows: Ints, new: pa.MapArray) -> pa.MapArray:
    if old.null_count == len(old):
        return new
    positions = np.arange(len(old))
    positions[rows] += len(old)
    return pa.concat_arrays([old, new]).take(pa.array(positions))


def _with_money(old: pa.Array, rows: Ints, money: Money) -> pa.Array:
    values, known = np.zeros(len(old), np.int64), np.zeros(len(old), bool)
    if old.null_count < len(old):
        values[:] = old.fill_null(0).to_numpy()
        known[:] = numpy_of(old.is_valid())
    values[rows], known[rows] = money.amount, money.known
    return pa.array(values, pa.int64(), mask=~known)


def _with_words(old: pa.DictionaryArray, rows: Ints, codes: Ints, words: Sequence[str]) -> pa.DictionaryArray:
    """The column with ``words[code]`` in the given rows; a code of -1 is null."""
    known = old.dictionary.to_pylist()
    places = {word: place for place, word in reversed(list(enumerate(known)))}
    place = np.array([places.setdefault(word, len(places)) for word in words] + [-1], np.int32)
    merged = numpy_of(old.indices.fill_null(-1)).copy()
    merged[rows] = place[codes]
    dictionary = known + [word for word in places if places[word] >= len(known)]
    return pa.DictionaryArray.from_arrays(pa.array(merged, mask=merged < 0), pa.array(dictionary, pa.string()))


def _price_refs(usage: Usage, bill: Bill, assignment: Assignment) -> tuple[list[str], Ints]:
    """(distinct texts, per row the position of its text; -1 for a row without prices)."""
    # Rows whose named buckets have the same sum of hashes name the same buckets.
    hashes = np.array([_hash(bucket) for bucket in usage.buckets], np.uint64)
    entries = np.flatnonzero(bill.named)
    sums = np.zeros(usage.num_rows, np.uint64)
    np.add.at(sums, usage.rows[entries], hashes[usage.codes[entries]])
    _, group = np.unique(sums, return_inverse=True)
    size = int(group.max(initial=0)) + 1
    key = ((assignment.of_row + 1) * size + group) * 2 + bill.faulty
    first, of_row = distinct(key, (len(assignment.price_rows) + 1) * size * 2)
    texts = [_price_ref(row, usage, bill, assignment) for row in first.tolist()]
    place = np.cumsum([text is not None for text in texts]) - 1
    place[[text is None for text in texts]] = -1
    return [text for text in texts if text is not None], place[of_row]


def _price_ref(row: int, usage: Usage, bill: Bill, assignment: Assignment) -> str | None:
    if assignment.of_row[row] < 0:
        return None
    price_row = assignment.price_rows[assignment.of_row[row]]
    entries = range(usage.bounds[row], usage.bounds[row + 1])
    named = sorted({usage.buckets[usage.codes[e]] for e in entries if bill.named[e]})
    unpriced = [bucket for bucket in named if price_row.find(bucket)[0] is None]
    fallback = [bucket for bucket in named if price_row.find(bucket)[1]]
    words = [price_row.ref]
    words += [f"{what}:{_joined(some)}" for what, some in (("fallback", fallback), ("unpriced", unpriced)) if some]
    return " ".join(words + ["out-of-range"] * bool(bill.faulty[row]))


def _joined(buckets: Sequence[str]) -> str:
    shown = ["".join(bucket.split())[:40] for bucket in buckets[:_MAX_NAMES]]
    return ",".join(shown + ["..."] * (len(buckets) > _MAX_NAMES))


def _hash(bucket: str) -> int:
    return int.from_bytes(blake2b(bucket.encode(), digest_size=8).digest(), "big")
