"""Prices stored calls again, from the usage that is stored with them.

Only counted rows whose cost was computed, or that had no price, are looked at: a cost that an emitter provided is
never overwritten. A row changes when its money or ``cost_source`` does; the name of a newer price list alone, in
``price_ref``, is no reason to rewrite history.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from collector.component.base import Settings
from collector.component.exporter import Repriced
from collector.component.processor import Processor, ProcessorFactory
from collector.config.plan import CollectorConfig, Component
from collector.errors import ConfigError
from collector.model import schema
from collector.model.arrow_arrays import numpy_of
from collector.model.batch import SpanBatch
from collector.model.stored import columns as stored_columns
from collector.telemetry import Telemetry

_MONEY = ("input_cost", "output_cost", "total_cost")
_NAMES = ("provider", "request_model", "response_model", "model")
_PICO = Decimal("1e-12")
_ZERO = pa.scalar(0, pa.int64())


@dataclass(slots=True)
class ModelChange:
    """What became of one model's rows. Money is USD."""

    provider: str | None
    model: str | None
    calls: int = 0
    changed: int = 0
    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)
    unpriced: int = 0
    """Calls without a price afterwards."""

    @property
    def difference(self) -> Decimal:
        return self.after - self.before

    def as_row(self) -> list[Any]:
        """The values of ``COLUMNS``; money as text with all its digits."""
        money = (format(amount.quantize(_PICO), "f") for amount in (self.before, self.after, self.difference))
        return [self.provider, self.model, self.calls, self.changed, self.unpriced, *money]


COLUMNS = ("provider", "model", "calls", "changed", "unpriced", "cost_before", "cost_after", "difference")
"""The columns of a report."""


def pricing_processors(config: CollectorConfig, data_dir: Path) -> list[Processor]:
    """Instances of their own of the processors that price calls, as the pipelines name them."""
    named = dict.fromkeys(id_ for pipeline in config.pipelines for id_ in pipeline.processors)
    found: list[Processor] = []
    for id_ in named:
        component = config.processors[id_]
        if isinstance(component.factory, ProcessorFactory) and component.factory.prices:
            # Metrics of their own: what is priced again is no traffic.
            settings = Settings(id_, Telemetry(), structlog.get_logger(str(id_)), data_dir)
            found.append(_created(component, settings))
    if not found:
        raise ConfigError("no pipeline of this configuration has a processor that prices calls (such as cost)")
    return found


def _created(component: Component, settings: Settings) -> Processor:
    """Raises ``ConfigError`` when a file it reads has become wrong since the configuration was checked."""
    assert isinstance(component.factory, ProcessorFactory)
    try:
        return cast("Processor", component.factory.create(component.config, settings))
    except ValueError as error:
        raise ConfigError(f"processors.{component.id}: {error}") from error


class Repricing:
    """A ``component.Reprice`` over some processors; keeps the report of what it was given."""

    def __init__(self, processors: Sequence[Processor]) -> None:
        self._processors = processors
        self._changes: dict[tuple[str | None, str | None], ModelChange] = {}

    def report(self) -> list[ModelChange]:
        """Per provider and model, the largest difference first."""
        return sorted(self._changes.values(), key=lambda c: (-abs(c.difference), c.provider or "", c.model or ""))

    def __call__(self, rows: pa.Table) -> Repriced:
        table = rows.combine_chunks()
        open_rows = _open_rows(table)
        stored = table.take(pa.array(open_rows)).combine_chunks()
        priced = _as_spans(stored)
        for processor in self._processors:
            priced = processor.process(priced)
        columns = _stored(priced)
        changed = _differs(stored, columns)
        self._note(stored, columns, changed)
        return Repriced(open_rows[changed], columns.filter(pa.array(changed)))

    def _note(self, stored: pa.Table, columns: pa.Table, changed: npt.NDArray[np.bool_]) -> None:
        named = pa.table(
            {
                "provider": stored["provider"],
                "model": stored["model"],
                "changed": pa.array(changed.astype(np.int64)),
                "unpriced": columns["total_cost"].is_null().cast(pa.int64()),
                "before": stored["total_cost"].cast(schema.MONEY),
                "after": columns["total_cost"],
            }
        )
        sums = named.group_by(["provider", "model"]).aggregate(
            [([], "count_all"), ("changed", "sum"), ("unpriced", "sum"), ("before", "sum"), ("after", "sum")]
        )
        for row in sums.to_pylist():
            key = (row["provider"], row["model"])
            change = self._changes.setdefault(key, ModelChange(*key))
            change.calls += row["count_all"]
            change.changed += row["changed_sum"]
            change.unpriced += row["unpriced_sum"]
            change.before += row["before_sum"] or 0
            change.after += row["after_sum"] or 0


def _open_rows(table: pa.Table) -> npt.NDArray[np.int64]:
    counted = pc.equal(table["usage_scope"], "counted").fill_null(False)
    provided = pc.equal(table["cost_source"], "provided").fill_null(False)
    return np.flatnonzero(pc.and_not(counted, provided).to_numpy())


def _as_spans(stored: pa.Table) -> SpanBatch:
    """The rows as calls that nobody has priced yet: the columns a pricing processor looks at."""
    n = stored.num_rows
    columns: dict[str, pa.Array] = {
        name: _one(stored[name]).fill_null(_ZERO) for name in ("start_unix_nano", "end_unix_nano")
    }
    columns |= {name: _one(stored[name]).dictionary_encode() for name in _NAMES}
    columns["service_tier"] = pa.array(_service_tiers(stored["model_parameters"]), pa.string()).dictionary_encode()
    columns["role"] = pa.array(np.full(n, schema.ROLE_CALL, np.uint8))
    columns["usage"] = _one(stored["usage"])
    columns |= {name: pa.nulls(n, schema.FACTS.field(name).type) for name in schema.PRICED}
    fields = [schema.SPANS.field(name) for name in columns]
    arrays = [column.cast(field.type) for column, field in zip(columns.values(), fields, strict=True)]
    return SpanBatch(pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields)))


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()


def _service_tiers(parameters: pa.ChunkedArray) -> Iterator[str | None]:
    """The ``service_tier`` among each row's parameters."""
    known: dict[str | None, str | None] = {None: None}
    for text in parameters.to_pylist():
        if text not in known:
            known[text] = _service_tier(text)
        yield known[text]


def _service_tier(text: str) -> str | None:
    try:
        tier = json.loads(text)["service_tier"]
    except (ValueError, KeyError, TypeError):
        return None
    return tier if isinstance(tier, str) else None


def _stored(priced: SpanBatch) -> pa.Table:
    """``schema.PRICED`` as ``observations`` has them."""
    columns = {name: stored_columns.decimals(priced.column(name)) for name in _MONEY}
    columns["cost"] = stored_columns.decimal_map(priced.column("cost"))
    columns |= {name: priced.column(name).cast(pa.string()) for name in ("cost_source", "price_ref")}
    return pa.table({name: columns[name] for name in schema.PRICED})


def _differs(stored: pa.Table, columns: pa.Table) -> npt.NDArray[np.bool_]:
    changed = np.zeros(stored.num_rows, np.bool_)
    for name in (*_MONEY, "cost_source"):
        old, new = _one(stored[name]).cast(columns.schema.field(name).type), _one(columns[name])
        same = numpy_of(pc.equal(old, new).fill_null(False))
        both_null = numpy_of(pc.and_(old.is_null(), new.is_null()))
        changed |= ~(same | both_null)
    return changed
