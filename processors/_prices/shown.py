"""The prices of one model as a table for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa

from processors._prices.call_names import Call, names
from processors._prices.pricer import Pricer
from processors._prices.rates import PICO, Plan, PriceRow, buckets

_MILLION = 10**6
_AUTHORS = ("openai", "google", "cohere", "mistral", "voyageai")
"""Who makes models of its own is asked before who sells those of others."""

_COLUMNS = ("context", "bucket", "usd_per_million", "price_ref")


def price_table(pricer: Pricer, call: Call, unix_nano: int) -> pa.Table | None:
    """One row per bucket with a price that is not its parent's, and per context tier; money as exact text."""
    plan = pricer.plan(call) or _sellers_plan(pricer, call)
    sheet = plan.make(unix_nano) if plan else None
    if sheet is None:
        return None
    rows = [line for start, row in zip((0, *sheet.starts), sheet.rows, strict=True) for line in _lines(start, row)]
    schema = pa.schema([(name, pa.string()) for name in _COLUMNS])
    return pa.Table.from_pylist([dict(zip(_COLUMNS, row, strict=True)) for row in rows], schema)


def _sellers_plan(pricer: Pricer, call: Call) -> Plan | None:
    """The prices of the first seller that lists a model which tells nobody its author, such as an embedding's.

    For people only: a call that names no provider is not priced by a guess.
    """
    if call.provider is not None:
        return None
    sellers = dict.fromkeys([*_AUTHORS, *names().providers.values(), *sorted(names().closed)])
    return next((plan for name in sellers if (plan := pricer.plan(replace(call, provider=name)))), None)


def _lines(start: int, row: PriceRow) -> Iterator[tuple[str, str, str, str]]:
    context = f"> {start} input tokens" if start else "any"
    for name in dict.fromkeys([*buckets(), *row.rates]):
        rate, is_parents = row.find(name)
        parent = buckets()[name].parent if name in buckets() else None
        if rate is not None and not is_parents and (parent is None or row.find(parent)[0] != rate):
            yield context, name, _dollars(rate.cost(_MILLION)), row.ref
    if row.request is not None:
        yield context, "request", _dollars(row.request * _MILLION), row.ref


def _dollars(pico: int) -> str:
    return format((Decimal(pico) / PICO).normalize(), "f")
