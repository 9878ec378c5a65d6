"""Prices model calls: usage buckets × list prices, exact to the pico-dollar.

Cost that came with the span is kept. Otherwise the user's own prices come first, then the list
prices of genai-prices; a call nobody has a price for is ``unpriced`` and its cost is null, never 0.

``price_ref`` says what was used, in words separated by blanks::

    genai-prices 0.2.3/openai:gpt-4o-mini       table, version, provider:model as the table names them
    genai-prices 0.2.3/azure>openai:gpt-4o      sold by the first, at the list price of the second
    ... tier:flex                               service tier the prices are for
    ... no-tier:flex                            asked for, but without prices of its own: standard ones
    ... context:>200000                         prices for requests above so many input tokens
    ... fine-tune-as-base                       a fine-tune priced as the model it came from
    ... fallback:input_cache_read               buckets priced as their parent (input, output)
    ... unpriced:input_audio                    buckets without a price, which total_cost lacks
    ... out-of-range                            negative usage, or a cost too large to store: no cost
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from processors._prices.bill import Bill, Usage, make_bill
from processors._prices.columns import cost_columns
from processors._prices.genai import GenaiPrices
from processors._prices.labels import ModelLabels
from processors._prices.pricer import Assignment, Pricer
from processors._prices.user import PriceEntry, UserPrices, read_prices
from spanloom import ComponentConfig, ProcessorFactory, Settings, SpanBatch, schema

Ints = npt.NDArray[np.int64]


class Config(ComponentConfig):
    prices_file: Path | None = None
    """YAML or JSON file with prices of your own, a list of entries like those under ``overrides``."""

    overrides: tuple[PriceEntry, ...] = ()
    """Prices of your own. They come before those of ``prices_file``, and both before the built-in ones."""

    @model_validator(mode="after")
    def _prices_file_is_good(self) -> Self:
        if self.prices_file is not None:
            read_prices(self.prices_file)
        return self


class Cost:
    """Fills the cost columns of rows with usage that came without a cost."""

    def __init__(self, config: Config, settings: Settings) -> None:
        tables = [UserPrices(config.overrides, "overrides")] if config.overrides else []
        if config.prices_file is not None:
            tables.append(UserPrices(*read_prices(config.prices_file)))
        self._pricer = Pricer([*tables, GenaiPrices()])
        self._telemetry = settings.telemetry
        self._labels = ModelLabels()

    def process(self, batch: SpanBatch) -> SpanBatch:
        """Takes batches with facts; other columns than those of cost are passed on."""
        rows = _rows_to_price(batch)
        if not len(rows):
            return batch
        usage = Usage.of(batch.column("usage"), rows)
        assignment = self._pricer.assign(batch, rows, usage.context_tokens())
        bill = make_bill(usage, assignment.price_rows, assignment.of_row)
        self._count(batch.column("role").to_numpy()[rows], usage, bill, assignment)
        return batch.with_columns(cost_columns(batch, rows, usage, bill, assignment))

    def _count(self, role: npt.NDArray[np.uint8], usage: Usage, bill: Bill, assignment: Assignment) -> None:
        """Counts calls by outcome; a wrapper usually repeats the usage of calls counted themselves."""
        counted = role != schema.ROLE_WRAPPER
        telemetry = self._telemetry
        sources = np.array([row.source for row in assignment.price_rows] + [""], object)[assignment.of_row]
        for source in set(sources[counted & bill.total.known]):
            telemetry.priced.labels(source).inc(int(np.count_nonzero(counted & bill.total.known & (sources == source))))
        if bill.faulty.any():
            telemetry.model_faults.labels("cost").inc(int(np.count_nonzero(bill.faulty)))
        missing = usage.any(bill.named & ~bill.priced) | ~bill.total.known
        calls = np.bincount(assignment.call_of_row[missing & counted & ~bill.faulty], minlength=len(assignment.calls))
        for call in np.flatnonzero(calls).tolist():
            named = assignment.calls[call]
            labels = self._labels.of(named.provider, next(iter(named.models), None))
            telemetry.unpriced.labels(*labels).inc(int(calls[call]))


def _rows_to_price(batch: SpanBatch) -> Ints:
    """Rows with usage of their own whose cost nobody has said or computed yet."""
    source = batch.column("cost_source")
    settled = np.array([word in {"provided", "computed"} for word in source.dictionary.to_pylist()] + [False], bool)
    is_open = ~settled[source.indices.fill_null(len(settled) - 1).to_numpy(zero_copy_only=False)]
    used = batch.column("usage").is_valid().to_numpy(zero_copy_only=False)
    return np.flatnonzero(used & is_open & (batch.column("role").to_numpy() != schema.ROLE_NEVER))


factory = ProcessorFactory(Config, Cost)
