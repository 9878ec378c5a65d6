"""The arithmetic of a batch: usage buckets × rates, in integer pico-dollars, over columns.

Works per entry of the usage maps. Which rate an entry has is a look-up in small matrices
(price row × bucket); what does not fit 64-bit arithmetic is done exactly, one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from processors._prices.rates import MAX_COST, PriceRow, Rate, bucket_of, side_of
from spanloom import numpy_of

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_SAFE = 2.0**62  # a product estimated below this is exact in int64, whatever the estimate's rounding
_NOTHING = Rate(0)
_SIDES = {"input": 0, "output": 1}


@dataclass(frozen=True)
class Usage:
    """The usage maps of the rows to price, flat: one entry per bucket, in row order."""

    num_rows: int
    rows: Ints
    codes: npt.NDArray[np.int32]
    """Per entry, the position of its bucket in ``buckets``."""
    buckets: tuple[str, ...]
    units: Ints

    @classmethod
    def of(cls, usage: pa.MapArray, rows: Ints) -> Usage:
        """The entries of the given rows (ascending positions) of a usage column."""
        offsets = numpy_of(usage.offsets).astype(np.int64)
        lengths = np.diff(offsets)[rows]
        of_row = np.repeat(np.arange(len(rows)), lengths)
        ends = np.cumsum(lengths)
        entries = np.arange(len(of_row)) + np.repeat(offsets[:-1][rows] - (ends - lengths), lengths)
        keys, items = _pick(usage.keys, entries).dictionary_encode(), _pick(usage.items, entries)
        codes, units = keys.indices.to_numpy(), items.fill_null(0).to_numpy()
        if items.null_count:
            said = numpy_of(items.is_valid())
            of_row, codes, units = of_row[said], codes[said], units[said]
        return cls(len(rows), of_row, codes, tuple(keys.dictionary.to_pylist()), units)

    @cached_property
    def bounds(self) -> Ints:
        """Where each row's entries begin; the last one is where all end."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.rows, minlength=self.num_rows))])

    @cached_property
    def _runs(self) -> tuple[Ints, Ints]:
        """(rows that have entries, where their entries begin)."""
        rows = np.flatnonzero(np.diff(self.bounds))
        return rows, self.bounds[rows]

    def any(self, entries: Bools) -> Bools:
        """Per row, whether one of its entries is picked."""
        rows, starts = self._runs
        found = np.zeros(self.num_rows, bool)
        if len(rows):
            found[rows] = np.logical_or.reduceat(entries, starts)
        return found

    def sums(self, amounts: Ints) -> tuple[Ints, Bools]:
        """(sum of the entries per row, rows whose sum is above int64 and therefore wrong)."""
        rows, starts = self._runs
        sums = np.zeros(self.num_rows, np.int64)
        if len(rows):
            sums[rows] = np.add.reduceat(amounts, starts)
        if float(amounts.max(initial=0)) * float(np.diff(self.bounds).max(initial=0)) < _SAFE:
            return sums, np.zeros(self.num_rows, bool)
        return sums, np.bincount(self.rows, amounts, self.num_rows) > _SAFE

    def context_tokens(self) -> Ints:
        """Per row, the tokens that count towards the threshold of a context tier."""
        counts = np.array([bucket_of(b).context for b in self.buckets], bool)
        sums, above = self.sums(self.units * counts[self.codes])
        return np.where(above, np.iinfo(np.int64).max, sums)


@dataclass(frozen=True)
class Money:
    """An amount per row, in pico-dollars."""

    amount: Ints
    known: Bools


@dataclass(frozen=True)
class Bill:
    """What each row costs."""

    amounts: Ints
    """Per entry of the usage; 0 where it has no price."""
    priced: Bools
    """Entries that have a price."""
    named: Bools
    """Entries ``price_ref`` has to name: some units without a price, or at a parent's price."""
    input: Money
    output: Money
    request: Money
    """Fees per request."""
    total: Money
    faulty: Bools
    """Rows whose usage is negative or whose cost is above what can be stored: nothing is known."""


def make_bill(usage: Usage, price_rows: Sequence[PriceRow], of_row: Ints) -> Bill:
    """Prices each row at ``price_rows[of_row]``; -1 stands for a row without prices."""
    names, column_of = _columns(usage.buckets, price_rows)
    table = _Table.of(price_rows, names)
    at = of_row[usage.rows] * len(names) + column_of[usage.codes]
    amounts, too_large = _amounts(usage.units, table, at)
    priced = table.priced[at]
    named = (~priced | table.fallback[at]) & (usage.units != 0) & (at >= 0)
    faulty = usage.any(too_large | (usage.units < 0))

    sides = np.array([_SIDES.get(side_of(b), -1) for b in usage.buckets], np.int8)[usage.codes]
    request = Money(table.request[of_row], table.has_request[of_row])
    sums, above = usage.sums(amounts)
    total = Money(sums + request.amount, usage.any(priced) | request.known)
    faulty |= above | (sums > MAX_COST) | (total.amount > MAX_COST)

    def sound(money: Money) -> Money:
        return Money(money.amount, money.known & ~faulty)

    return Bill(
        amounts=amounts,
        priced=priced & ~faulty[usage.rows],
        named=named,
        input=sound(_side(usage, amounts, priced & (sides == _SIDES["input"]))),
        output=sound(_side(usage, amounts, priced & (sides == _SIDES["output"]))),
        request=sound(request),
        total=sound(total),
        faulty=faulty,
    )


def _side(usage: Usage, amounts: Ints, entries: Bools) -> Money:
    return Money(usage.sums(amounts * entries)[0], usage.any(entries))


def _columns(buckets: Sequence[str], price_rows: Sequence[PriceRow]) -> tuple[list[str], Ints]:
    """(names to look up, per bucket the position of its name).

    Buckets are named by whoever sends usage: all those without any price share one column, so that
    the table stays small.
    """
    own = {name for row in price_rows for name in row.rates}
    places: dict[str, int] = {}
    names = [bucket_of(bucket).name or (bucket if bucket in own else "") for bucket in buckets]
    of = np.array([places.setdefault(name, len(places)) for name in names], np.int64)
    return list(places), of


@dataclass(frozen=True)
class _Table:
    """Rates by price row × bucket, as flat arrays. A last row without prices answers to row -1."""

    whole: Ints
    part: Ints
    base: Ints
    priced: Bools
    fallback: Bools
    request: Ints
    has_request: Bools

    @classmethod
    def of(cls, price_rows: Sequence[PriceRow], buckets: Sequence[str]) -> _Table:
        found = [[row.find(bucket) for bucket in buckets] for row in price_rows]
        found.append([(None, False)] * len(buckets))
        rates = [rate or _NOTHING for line in found for rate, _ in line]
        requests = [row.request for row in price_rows] + [None]
        return cls(
            np.array([r.whole for r in rates], np.int64),
            np.array([r.part for r in rates], np.int64),
            np.array([r.base for r in rates], np.int64),
            np.array([rate is not None for line in found for rate, _ in line], bool),
            np.array([fallback for line in found for _, fallback in line], bool),
            np.array([fee or 0 for fee in requests], np.int64),
            np.array([fee is not None for fee in requests], bool),
        )


def _amounts(units: Ints, table: _Table, at: Ints) -> tuple[Ints, Bools]:
    """(pico-dollars per entry, rounded half to even; entries above what can be stored)."""
    whole, part = table.whole[at], table.part[at]
    large, small = np.zeros(len(units), bool), units
    steepest = float(max(table.whole.max(initial=0), table.part.max(initial=0)))
    if max(float(units.max(initial=0)), -float(units.min(initial=0))) * steepest > _SAFE:
        large = np.abs(units.astype(np.float64)) * np.maximum(whole, part) > _SAFE
        small = np.where(large, 0, units)
    amounts = small * whole
    if table.part.any():
        amounts = _add_parts(amounts, small * part, table.base[at])
    too_large = amounts > MAX_COST
    for entry in np.flatnonzero(large).tolist():
        exact = Rate(int(whole[entry]), int(part[entry]), int(table.base[at[entry]])).cost(int(units[entry]))
        too_large[entry] = abs(exact) > MAX_COST
        amounts[entry] = 0 if too_large[entry] else exact
    return amounts, too_large


def _add_parts(amounts: Ints, parts: Ints, base: Ints) -> Ints:
    """``amounts + parts / base``, rounded half to even."""
    quotient, rest = np.divmod(parts, base)
    floor: Ints = amounts + quotient
    up = (2 * rest > base) | ((2 * rest == base) & (floor % 2 == 1))
    return np.where(up, floor + 1, floor)


def _pick(values: pa.Array, positions: Ints) -> pa.Array:
    """``take``, without copying when the positions are one run."""
    if len(positions) and positions[-1] - positions[0] + 1 == len(positions):
        return values.slice(positions[0], len(positions))
    return values.take(pa.array(positions))
