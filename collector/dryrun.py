"""A dry run: captured requests through the real pipelines, in memory, to observations or scores."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import structlog

from collector import absent_modules
from collector.component import DecidedSpans, Settings
from collector.engine import graph as graphs
from collector.engine.assembly import Assembly
from collector.engine.decisions import Decision
from collector.engine.ingest import run_routes
from collector.engine.journal import Entry, MemoryRecords
from collector.engine.modelling import Modelling
from collector.engine.passing import Passing
from collector.engine.reader import DecisionReader
from collector.errors import InvalidDataError
from collector.model import scoring
from collector.model.batch import Signal
from collector.model.codec import decode
from collector.model.facts_recorder import Recorder
from collector.service_config import CollectorConfig
from collector.telemetry import Telemetry

_UNBOUNDED = 1 << 62


def dry_run(
    config: CollectorConfig,
    inputs: Sequence[tuple[Signal, bytes]],
    *,
    names: Sequence[str] = (),
    data_dir: Path | None = None,
    table: Literal["observations", "scores"] = "observations",
    clock: Callable[[], int] = time.time_ns,
    recorder: Recorder | None = None,
) -> Iterator[pa.Table]:
    """Tables of ``schema.OBSERVATIONS``, what each traces pipeline of ``config`` would store, or of ``schema.SCORES``.

    ``inputs`` are serialised OTLP requests; ``names`` is what errors call them. All of them are taken
    in before anything is decided, so traces are whole however the input is cut. Nothing is written or
    sent. ``data_dir``: where a masker's key is, if there is one already. ``recorder``: is told what
    decided every value. Raises ``InvalidDataError`` for
    a malformed input.
    """
    with tempfile.TemporaryDirectory(prefix="spanloom-dry-run-") as scratch:
        folder = data_dir if data_dir is not None and data_dir.exists() else Path(scratch)
        dry = _DryRun(config, folder, clock, recorder)
        dry.take(inputs, names)
        yield from dry.observations() if table == "observations" else dry.scores()


def decided_spans(
    config: CollectorConfig, inputs: Sequence[tuple[Signal, bytes]], *, data_dir: Path, clock: Callable[[], int]
) -> Iterator[DecidedSpans]:
    """The spans of a dry run as exporters are given them."""
    dry = _DryRun(config, data_dir, clock, None)
    dry.take(inputs)
    yield from dry.decided()


class _DryRun:
    def __init__(
        self, config: CollectorConfig, data_dir: Path, clock: Callable[[], int], recorder: Recorder | None
    ) -> None:
        absent_modules.settle()
        telemetry = Telemetry()
        modelling = Modelling(telemetry, recorder)
        base = Settings(config.pipelines[0].id, telemetry, structlog.get_logger("dry-run"), data_dir)
        self._graph = graphs.build(config, graphs.SettingsFactory(base), modelling)
        self._clock = clock
        self._records = MemoryRecords()
        self._assemblies = {
            name: Assembly(
                name,
                sampler,
                self._records,
                telemetry,
                max_pending_spans=_UNBOUNDED,
                max_decided_traces=_UNBOUNDED,
                max_decided_spans=_UNBOUNDED,
                recorder=recorder,
            )
            for name, sampler in self._graph.samplers.items()
        }
        self._passing = {name: Passing() for name in self._graph.passing}
        after = {name: chain.after for name, chain in self._graph.after_sampling.items()}
        self._reader = DecisionReader(self._records, modelling.observations, after)

    def take(self, inputs: Sequence[tuple[Signal, bytes]], names: Sequence[str] = ()) -> None:
        names = names or [f"input {i + 1}" for i in range(len(inputs))]
        for name, (signal, body) in zip(names, inputs, strict=True):
            decoded = decode(signal, [body])
            for error in decoded.failed.values():
                raise InvalidDataError(f"{name}: {error}")
            for (_, route_signal), routes in self._graph.routes.items():
                if route_signal is signal:
                    self._take(run_routes(routes, decoded.batches))

    def decided(self) -> Iterator[DecidedSpans]:
        for pipeline, decision in self._decisions():
            yield from self._reader.read(pipeline, decision)[0]

    def observations(self) -> Iterator[pa.Table]:
        yield from (some.observations for some in self.decided())

    def scores(self) -> Iterator[pa.Table]:
        """One table, as a store has it: a result that came in two forms is one row."""
        found: list[pa.Table] = []
        for pipeline, decision in self._decisions():
            spans, others = self._reader.read(pipeline, decision)
            found += [part.scores for part in spans] + [part.scores for part in others]
        if found:
            yield scoring.newest(pa.concat_tables(found))

    def _take(self, entries: Sequence[Entry]) -> None:
        for written in self._records.append(entries, self._clock()):
            entry = self._records.read(written.seq)
            for pipeline in entry.pipelines:
                (self._assemblies.get(pipeline) or self._passing[pipeline]).add(written, entry.batch)

    def _decisions(self) -> Iterator[tuple[str, Decision]]:
        for name, assembly in self._assemblies.items():
            # When all waits have ended, and not as at a shutdown, which may drop what still waits.
            for decisions in assembly.decide_due(assembly.last_deadline() or self._clock()):
                yield from ((name, decision) for decision in decisions)
        for name, passing in self._passing.items():
            for decision in passing.decide():
                yield name, decision
