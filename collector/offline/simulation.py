"""A configuration's samplers over stored traces or captured requests: what would be kept.

Stored traces come one after the other, each whole and at the time it was acknowledged, so that limiters
see the time that really passed. Captured requests come all at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.config.plan import CollectorConfig
from collector.engine.assembly.assembly import Observe
from collector.model import schema
from collector.model.batch import Signal
from collector.model.stored import replay
from collector.offline.at_rest import read_at_rest
from collector.offline.captures import read_capture
from collector.offline.dry_run import DryRun, scratch_folder

_SECOND_US = 1_000_000
_ARRIVAL = "ingested_at"


def simulate(
    config: CollectorConfig, inputs: Sequence[Path], observe: Observe, *, data_dir: Path | None = None
) -> None:
    """Shows ``observe`` every verdict. ``inputs``: folders that an exporter can read back, files of OTLP.

    Raises ``InvalidDataError`` for what is neither.
    """
    with scratch_folder(data_dir) as folder:
        run = DryRun(config, folder, observe=observe)
        captured = [path for path in inputs if not path.is_dir()]
        named = [(str(path), request) for path in captured for request in read_capture(path)]
        run.take([request for _, request in named], [name for name, _ in named])
        run.decide()
        for path in inputs:
            if path.is_dir():
                _stored(run, path)


def _stored(run: DryRun, store: Path) -> None:
    for table in read_at_rest(store, [*replay.NEEDED, _ARRIVAL]):
        for at, rows in _by_arrival(table):
            run.begin()
            spans = replay.to_spans(rows)
            for start in range(0, spans.num_rows, schema.MAX_BATCH_ROWS):
                run.take_batches(Signal.TRACES, [spans.slice(start, schema.MAX_BATCH_ROWS)], at)
            run.decide()


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
