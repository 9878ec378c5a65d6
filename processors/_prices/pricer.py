"""Which price row a span's request has: once per distinct combination of names, tier and epoch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from processors._prices.call_names import MAX_NAME, Call
from processors._prices.rates import Plan, PriceRow
from spanloom import SpanBatch

Ints = npt.NDArray[np.int64]
Find = Callable[[Call], Plan | None]

_MAX_PLANS = 16_384
_DAY = 86_400 * 10**9
_MARKS = 1 << 18  # up to this many possible keys, a table of marks is quicker than sorting
_NAMES = ("provider", "response_model", "request_model", "model", "service_tier")


class Table(Protocol):
    """A source of prices."""

    def find(self, call: Call, others: Find) -> Plan | None:
        """The prices of a call, or None. ``others`` asks the tables behind this one."""


@dataclass(frozen=True)
class Assignment:
    """The price row of each row of a selection."""

    price_rows: Sequence[PriceRow]
    of_row: Ints
    """Position in ``price_rows``; -1: no price."""
    calls: Sequence[Call]
    call_of_row: Ints


class Pricer:
    """Asks the tables in order and remembers the answers, also that there is none."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._find = _chain(tables)
        self._plans: OrderedDict[Call, Plan | None] = OrderedDict()

    def assign(self, spans: SpanBatch, rows: Ints, context_tokens: Ints) -> Assignment:
        """The price rows of the given rows, whose context holds so many tokens."""
        calls, call_of_row = _distinct_calls(spans, rows)
        chosen = _Chosen(np.full(len(rows), -1, np.int64))
        start = spans.column("start_unix_nano").to_numpy()[rows]
        end = spans.column("end_unix_nano").to_numpy()[rows]
        # A span without a start is priced by its end, one without times at the latest prices.
        times = np.where(start > 0, start, np.where(end > 0, end, np.iinfo(np.int64).max))
        for code, members in enumerate(_members(call_of_row, len(calls))):
            plan = self.plan(calls[code])
            if plan is not None:
                _choose(plan, members, times, context_tokens, chosen)
        return Assignment(chosen.price_rows, chosen.of_row, calls, call_of_row)

    def plan(self, call: Call) -> Plan | None:
        """The prices of a call, or None when no table has any."""
        try:
            self._plans.move_to_end(call)
            return self._plans[call]
        except KeyError:
            plan = self._plans[call] = self._find(call)
        if len(self._plans) > _MAX_PLANS:
            self._plans.popitem(last=False)
        return plan


@dataclass
class _Chosen:
    of_row: Ints
    price_rows: list[PriceRow] = field(default_factory=list)

    def set(self, rows: Ints, price_row: PriceRow) -> None:
        self.of_row[rows] = len(self.price_rows)
        self.price_rows.append(price_row)


def _choose(plan: Plan, members: Ints, times: Ints, context_tokens: Ints, chosen: _Chosen) -> None:
    """Sets the price row of the rows of one call, by epoch and context tier."""
    for epoch, rows in _by_epoch(plan, members, times):
        sheet = plan.sheet(epoch, int(times[rows[0]]))
        if sheet is None:
            continue
        if not sheet.starts:
            chosen.set(rows, sheet.rows[0])
            continue
        levels = np.searchsorted(np.array(sheet.starts), context_tokens[rows], side="left")
        for level in np.unique(levels):
            chosen.set(rows[levels == level], sheet.rows[level])


def _by_epoch(plan: Plan, members: Ints, times: Ints) -> list[tuple[int, Ints]]:
    """The rows of each price epoch among the members."""
    if not plan.dates and not plan.times:
        return [(0, members)]
    moments = times[members]
    epochs = np.searchsorted(np.array(plan.dates, np.int64), moments, side="right") * (len(plan.times) + 1)
    epochs += np.searchsorted(np.array(plan.times, np.int64), moments % _DAY, side="right")
    return [(int(epoch), members[epochs == epoch]) for epoch in np.unique(epochs)]


def _distinct_calls(spans: SpanBatch, rows: Ints) -> tuple[list[Call], Ints]:
    """The distinct calls of the rows, and each row's position among them."""
    first, key = np.zeros(1, np.int64), np.zeros(len(rows), np.int64)
    coded = [_codes(spans.column(name), rows) for name in _NAMES]
    for codes, words in coded:
        if len(words) > 1:
            first, key = distinct(key * len(words) + codes, len(first) * len(words))
    named = zip(*([words[code] for code in codes[first].tolist()] for codes, words in coded), strict=True)
    return [_call(*names) for names in named], key


def _codes(column: pa.DictionaryArray, rows: Ints) -> tuple[Ints, list[str | None]]:
    """(codes of the rows, the values they stand for, the last of which is null)."""
    words = [*column.dictionary.to_pylist(), None]
    codes = column.indices.fill_null(len(words) - 1).to_numpy()
    return codes[rows].astype(np.int64), words


def _call(provider: str | None, response: str | None, request: str | None, model: str | None, tier: str | None) -> Call:
    names = dict.fromkeys(name for name in (response, request, model) if name)
    return Call(_bounded(provider), tuple(n[: MAX_NAME + 1] for n in names), _bounded(tier))


def _bounded(text: str | None) -> str | None:
    # The memory of plans holds these: a name longer than any real one is as good as its beginning.
    return text and text[:MAX_NAME]


def distinct(keys: Ints, size: int) -> tuple[Ints, Ints]:
    """(a position of each distinct key, per key the number of its value); keys are in [0, size)."""
    if size > _MARKS:
        _, first, number = np.unique(keys, return_index=True, return_inverse=True)
        return first, number
    position = np.full(size, -1, np.int64)
    position[keys] = np.arange(len(keys))
    present = np.flatnonzero(position >= 0)
    number = np.zeros(size, np.int64)
    number[present] = np.arange(len(present))
    return position[present], number[keys]


def _members(numbers: Ints, count: int) -> list[Ints]:
    """The positions at which each number stands."""
    order = np.argsort(numbers.astype(np.int32), kind="stable")
    return np.split(order, np.cumsum(np.bincount(numbers, minlength=count))[:-1])


def _chain(tables: Sequence[Table]) -> Find:
    """Asks the first table; each may ask those behind it."""

    def nobody(call: Call) -> Plan | None:  # noqa: ARG001 - a ``Find`` like the others
        return None

    find: Find = nobody
    for table in reversed(tables):
        find = partial(table.find, others=find)
    return find
