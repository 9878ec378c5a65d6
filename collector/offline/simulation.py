"""A configuration's samplers over stored traces or captured requests: what would be kept.

Stored traces come one after the other, each whole and at the time it was acknowledged, so that limiters
see the time that really passed. Captured requests come all at once. What a call cost is worked out again where the
configuration has a processor that does so; where it has none, the stored cost counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.component.processor import ProcessorFactory
from collector.config.plan import CollectorConfig
from collector.engine.assembly.assembly import Observe
from collector.model import schema
from collector.model.batch import Signal, SpanBatch
from collector.model.stored import replay
from collector.offline.at_rest import read_at_rest
from collector.offline.captures import read_capture
from collector.offline.dry_run import DryRun, scratch_folder

_SECOND_US = 1_000_000
_ARRIVAL = "ingested_at"
_MONEY = ("input_cost", "output_cost", "total_cost")
_PICO = 10**12


def simulate(
    config: CollectorConfig, inputs: Sequence[Path], observe: Observe, *, data_dir: Path | None = None
) -> None:
    """Shows ``observe`` every verdict. ``inputs``: folders that an exporter can read back, files of OTLP.

    Raises ``InvalidDataError`` for what is neither.
    """
    with scratch_folder(data_dir) as folder:
        prices = _Prices(config)
        run = DryRun(config, folder, observe=observe, resolved=prices.fill)
        captured = [path for path in inputs if not path.is_dir()]
        named = [(str(path), request) for path in captured for request in read_capture(path)]
        run.take([request for _, request in named], [name for name, _ in named])
        run.decide()
        for path in inputs:
            if path.is_dir():
                _stored(run, path, prices)


def _stored(run: DryRun, store: Path, prices: _Prices) -> None:
    for table in read_at_rest(store, [*replay.NEEDED, *_MONEY, "cost_source", _ARRIVAL]):
        for at, rows in _by_arrival(table):
            run.begin()
            prices.of(rows)
            spans = replay.to_spans(rows)
            for start in range(0, spans.num_rows, schema.MAX_BATCH_ROWS):
                run.take_batches(Signal.TRACES, [spans.slice(start, schema.MAX_BATCH_ROWS)], at)
            run.decide()


class _Prices:
    """Stored costs, for a configuration that works out none."""

    def __init__(self, config: CollectorConfig) -> None:
        named = {id_ for pipeline in config.pipelines for id_ in pipeline.processors}
        factories = [config.processors[id_].factory for id_ in named if id_ in config.processors]
        self._has_own = any(isinstance(f, ProcessorFactory) and f.prices for f in factories)
        self._stored: dict[tuple[bytes, bytes], dict[str, Any]] = {}

    def of(self, rows: pa.Table) -> None:
        """Remembers what these rows cost, instead of those before."""
        if self._has_own:
            return
        priced = rows.filter(pc.is_valid(rows.column("cost_source")))
        self._stored = {
            (bytes.fromhex(row["trace_id"]), bytes.fromhex(row["span_id"])): row
            for row in priced.select(["trace_id", "span_id", *_MONEY, "cost_source"]).to_pylist()
        }

    def fill(self, spans: SpanBatch) -> SpanBatch:
        """The spans with the cost that is stored of them, where they do not say one themselves."""
        if not self._stored:
            return spans
        names = ("trace_id", "span_id", "cost_source")
        keys = zip(*(spans.column(name).to_pylist() for name in names), strict=True)
        found = [self._stored.get((trace, span)) if source is None else None for trace, span, source in keys]
        columns: dict[str, pa.Array] = {}
        for name in _MONEY:
            stored = pa.array([None if row is None or row[name] is None else int(row[name] * _PICO) for row in found])
            columns[name] = pc.coalesce(stored.cast(pa.int64()), spans.column(name))
        sources = pa.array([None if row is None else row["cost_source"] for row in found], pa.string())
        said = pc.coalesce(sources, spans.column("cost_source").cast(pa.string()))
        columns["cost_source"] = said.dictionary_encode().cast(schema.NAME)
        return spans.with_columns(columns)


def _by_arrival(rows: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """(second, rows of the traces that came in it), a trace with its first row; seconds ascend."""
    trace = rows.column("trace_id").combine_chunks().dictionary_encode()
    codes = trace.indices.to_numpy()
    ingested = pc.cast(rows.column(_ARRIVAL), pa.int64()).to_numpy()
    first = np.full(len(trace.dictionary), np.iinfo(np.int64).max)
    np.minimum.at(first, codes, ingested)
    second = first[codes] // _SECOND_US
    for each in np.unique(second).tolist():
        yield each * 10**9, rows.filter(pa.array(second == each))
