"""Prices model calls: usage buckets × list prices, exact to the pico-dollar.

Cost that came with the span is kept. Otherwise the user's own prices come first, then the list
prices of genai-prices, then those of a file in LiteLLM's format, if there is one; a call nobody has
a price for is ``unpriced`` and its cost is null, never 0.

``price_ref`` says what was used, in words separated by blanks::

    genai-prices 0.2.3/openai:gpt-4o-mini       table, version, provider:model as the table names them
    genai-prices 0.2.3/azure>openai:gpt-4o      sold by the first, at the list price of the second
    ... tier:flex                               service tier the prices are for
    ... no-tier:flex                            asked for, but without prices of its own: standard ones
    ... no-off-peak                             LiteLLM's list: peak price, whatever the hour
    ... context:>200000                         prices for requests above so many input tokens
    ... fine-tune-as-base                       a fine-tune priced as the model it came from
    ... fallback:input_cache_read               buckets priced as their parent (input, output)
    ... unpriced:input_audio                    buckets without a price, which total_cost lacks
    ... out-of-range                            negative usage, or a cost too large to store: no cost
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import field_validator

from processors._prices.bill import Bill, Usage, make_bill
from processors._prices.call_names import Call
from processors._prices.cost_columns import cost_columns
from processors._prices.genai import GenaiPrices
from processors._prices.labels import OTHER, ModelLabels
from processors._prices.litellm import read_litellm
from processors._prices.price_files import PriceFiles, ReloadingPricer
from processors._prices.pricer import Assignment
from processors._prices.rates import bucket_of
from processors._prices.shown import price_table
from processors._prices.user import PriceEntry, read_prices
from spanloom import ComponentConfig, ProcessorFactory, Settings, SpanBatch, numpy_of, schema

Ints = npt.NDArray[np.int64]


class Config(ComponentConfig):
    prices_file: Path | None = None
    """YAML or JSON file with prices of your own: a list of entries like those under ``overrides``, or of models as
    Langfuse's API has them (``modelName``, ``matchPattern``, ``pricingTiers``). Read again when it changes."""

    overrides: tuple[PriceEntry, ...] = ()
    """Prices of your own. They come before those of ``prices_file``, and both before the built-in ones."""

    litellm_prices: Path | None = None
    """File in the format of LiteLLM's ``model_prices_and_context_window.json``, asked for what the built-in prices
    do not know. Read again when it changes."""

    @field_validator("prices_file")
    @classmethod
    def _is_a_price_file(cls, path: Path | None) -> Path | None:
        if path is not None:
            read_prices(path)
        return path

    @field_validator("litellm_prices")
    @classmethod
    def _is_litellms(cls, path: Path | None) -> Path | None:
        if path is not None:
            read_litellm(path)
        return path


class Cost:
    """Fills the cost columns of rows with usage that came without a cost."""

    def __init__(self, config: Config, settings: Settings) -> None:
        files = PriceFiles(config.overrides, own=config.prices_file, litellm=config.litellm_prices)
        self._prices = ReloadingPricer(files, GenaiPrices(), settings)
        self._telemetry = settings.telemetry
        self._labels = ModelLabels()

    def process(self, batch: SpanBatch) -> SpanBatch:
        """Takes batches with facts; other columns than those of cost are passed on."""
        rows = _rows_to_price(batch)
        if not len(rows):
            return batch
        usage = Usage.of(batch.column("usage"), rows)
        assignment = self._prices.current().assign(batch, rows, usage.context_tokens())
        bill = make_bill(usage, assignment.price_rows, assignment.of_row)
        self._count(batch.column("role").to_numpy()[rows], usage, bill, assignment)
        return batch.with_columns(cost_columns(batch, rows, usage, bill, assignment))

    def prices(self, model: str, *, provider: str | None, tier: str | None, unix_nano: int) -> pa.Table | None:
        """See ``component.PriceList``."""
        return price_table(self._prices.current(), Call(provider, (model,), tier), unix_nano)

    def _count(self, role: npt.NDArray[np.uint8], usage: Usage, bill: Bill, assignment: Assignment) -> None:
        """Counts calls by outcome; a wrapper usually repeats the usage of calls counted themselves."""
        counted = (role != schema.ROLE_WRAPPER) & ~bill.faulty
        known = bill.total.known
        priced = np.bincount(assignment.of_row[counted & known], minlength=len(assignment.price_rows))
        for row, calls in zip(assignment.price_rows, priced.tolist(), strict=True):
            self._telemetry.priced.labels(row.source).inc(calls)
        if bill.faulty.any():
            self._telemetry.model_faults.labels("cost").inc(int(np.count_nonzero(bill.faulty)))
        for call, calls in zip(*np.unique(assignment.call_of_row[counted & ~known], return_counts=True), strict=True):
            self._telemetry.unpriced.labels(*self._labels_of(assignment.calls[call])).inc(int(calls))
        entries = np.flatnonzero(bill.named & ~bill.priced & (counted & known)[usage.rows])
        pairs = np.column_stack([assignment.call_of_row[usage.rows[entries]], usage.codes[entries]])
        for (call, code), calls in zip(*np.unique(pairs, axis=0, return_counts=True), strict=True):
            bucket = bucket_of(usage.buckets[code]).name or OTHER
            self._telemetry.unpriced_buckets.labels(*self._labels_of(assignment.calls[call]), bucket).inc(int(calls))

    def _labels_of(self, call: Call) -> tuple[str, str]:
        return self._labels.of(call.provider, next(iter(call.models), None))


def _rows_to_price(batch: SpanBatch) -> Ints:
    """Rows with usage of their own whose cost nobody has said or computed yet."""
    source = batch.column("cost_source")
    settled = np.array([word in {"provided", "computed"} for word in source.dictionary.to_pylist()] + [False], bool)
    is_open = ~settled[numpy_of(source.indices.fill_null(len(settled) - 1))]
    used = numpy_of(batch.column("usage").is_valid())
    return np.flatnonzero(used & is_open & (batch.column("role").to_numpy() != schema.ROLE_NEVER))


factory = ProcessorFactory(Config, Cost, prices=True)
