"""A dry run: captured requests through the real pipelines, in memory, to observations or scores."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pyarrow as pa
import structlog

from collector.component.base import Settings
from collector.component.exporter import DecidedSpans
from collector.component.sampler import Sampler
from collector.config.plan import CollectorConfig
from collector.engine import graph as graphs
from collector.engine.assembly.assembly import Assembly, Observe
from collector.engine.assembly.passing import Passing
from collector.engine.export.reader import DecisionReader
from collector.engine.ingest.ingest import run_routes
from collector.engine.journal.decisions import DecisionRecord
from collector.engine.journal.memory_log import MemoryLog
from collector.engine.journal.records import Entry
from collector.engine.modelling import Modelling
from collector.errors import InvalidDataError
from collector.model import pyarrow_imports
from collector.model.batch import Batch, Signal, SpanBatch
from collector.model.codec.chosen import decode
from collector.model.facts.recorder import Recorder
from collector.model.scores import find
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
    observe: Observe | None = None,
) -> Iterator[pa.Table]:
    """Tables of ``schema.OBSERVATIONS``, what each traces pipeline of ``config`` would store, or of ``schema.SCORES``.

    ``inputs`` are serialised OTLP requests; ``names`` is what errors call them. All of them are taken
    in before anything is decided, so traces are whole however the input is cut. Nothing is written or
    sent. ``data_dir``: where a masker's key is, if there is one already. ``recorder``: is told what
    decided every value; ``observe``: what was decided about every trace, before its rows come. Raises
    ``InvalidDataError`` for a malformed input.
    """
    with scratch_folder(data_dir) as folder:
        dry = DryRun(config, folder, clock=clock, recorder=recorder, observe=observe)
        dry.take(inputs, names)
        yield from dry.observations() if table == "observations" else dry.scores()


def decided_spans(
    config: CollectorConfig, inputs: Sequence[tuple[Signal, bytes]], *, data_dir: Path, clock: Callable[[], int]
) -> Iterator[DecidedSpans]:
    """The spans of a dry run as exporters are given them."""
    dry = DryRun(config, data_dir, clock=clock)
    dry.take(inputs)
    yield from dry.decided()


@contextmanager
def scratch_folder(data_dir: Path | None) -> Iterator[Path]:
    """Where components of a dry run find what they keep: in ``data_dir`` if there is one, else nowhere that lasts."""
    with tempfile.TemporaryDirectory(prefix="spanloom-dry-run-") as scratch:
        yield data_dir if data_dir is not None and data_dir.exists() else Path(scratch)


class _Resolved(Modelling):
    """The model with a word after the facts."""

    def __init__(
        self, telemetry: Telemetry, recorder: Recorder | None, then: Callable[[SpanBatch], SpanBatch] | None
    ) -> None:
        super().__init__(telemetry, recorder)
        self._then = then

    def resolve(self, batch: SpanBatch) -> SpanBatch:
        """As ``Modelling.resolve``, then the word."""
        found = super().resolve(batch)
        return found if self._then is None else self._then(found)


class DryRun:
    """The pipelines of a configuration, with records in memory and without receivers and exporters."""

    def __init__(
        self,
        config: CollectorConfig,
        data_dir: Path,
        *,
        clock: Callable[[], int] = time.time_ns,
        recorder: Recorder | None = None,
        observe: Observe | None = None,
        resolved: Callable[[SpanBatch], SpanBatch] | None = None,
    ) -> None:
        """``resolved``: changes the facts of spans once they are resolved, before any processor sees them."""
        pyarrow_imports.settle()
        self._telemetry = Telemetry()
        self._modelling = _Resolved(self._telemetry, recorder, resolved)
        base = Settings(config.pipelines[0].id, self._telemetry, structlog.get_logger("dry-run"), data_dir)
        self._graph = graphs.build(config, graphs.SettingsFactory(base), self._modelling)
        self._clock = clock
        self._recorder = recorder
        self._observe = observe
        self.begin()

    def begin(self) -> None:
        """Forgets what was taken and decided. Samplers go on from what they did: a limiter knows what it gave."""
        self._records = MemoryLog()
        self._assemblies = {name: self._assembly(name, sampler) for name, sampler in self._graph.samplers.items()}
        self._passing = {name: Passing() for name in self._graph.passing}
        after = {name: chain.after for name, chain in self._graph.after_sampling.items()}
        self._reader = DecisionReader(self._records, self._modelling.observations, after, self._modelling)

    def _assembly(self, name: str, sampler: Sampler) -> Assembly:
        return Assembly(
            name,
            sampler,
            self._records,
            self._telemetry,
            max_pending_spans=_UNBOUNDED,
            max_decided_traces=_UNBOUNDED,
            max_decided_spans=_UNBOUNDED,
            recorder=self._recorder,
            observe=self._observe,
        )

    def take(self, inputs: Sequence[tuple[Signal, bytes]], names: Sequence[str] = ()) -> None:
        """Takes serialised requests in. Raises ``InvalidDataError`` that names the malformed one."""
        names = names or [f"input {i + 1}" for i in range(len(inputs))]
        for name, (signal, body) in zip(names, inputs, strict=True):
            decoded = decode(signal, [body])
            for error in decoded.failed.values():
                raise InvalidDataError(f"{name}: {error}")
            self.take_batches(signal, decoded.batches, self._clock())

    def take_batches(self, signal: Signal, batches: Sequence[Batch], time_unix_nano: int) -> None:
        """Takes decoded batches in, as if they had come at that time."""
        for (_, route_signal), routes in self._graph.routes.items():
            if route_signal is signal:
                self._take(run_routes(routes, batches), time_unix_nano)

    def decide(self) -> None:
        """Decides everything, for those who only want to know what was decided."""
        for _ in self._decisions():
            pass

    def decided(self) -> Iterator[DecidedSpans]:
        """Decides everything; the kept spans."""
        for pipeline, decision in self._decisions():
            yield from self._reader.read(pipeline, decision)[0]

    def observations(self) -> Iterator[pa.Table]:
        """Decides everything; what would be stored."""
        yield from (some.observations for some in self.decided())

    def scores(self) -> Iterator[pa.Table]:
        """One table, as a store has it: a result that came in two forms is one row."""
        found: list[pa.Table] = []
        for pipeline, decision in self._decisions():
            spans, others = self._reader.read(pipeline, decision)
            found += [part.scores for part in spans] + [part.scores for part in others]
        if found:
            yield find.newest_scores(pa.concat_tables(found))

    def _take(self, entries: Sequence[Entry], time_unix_nano: int) -> None:
        for written in self._records.append(entries, time_unix_nano):
            entry = self._records.read(written.seq)
            for pipeline in entry.pipelines:
                (self._assemblies.get(pipeline) or self._passing[pipeline]).add(written, entry.batch)

    def _decisions(self) -> Iterator[tuple[str, DecisionRecord]]:
        for name, assembly in self._assemblies.items():
            # When all waits have ended, and not as at a shutdown, which may drop what still waits.
            for decisions in assembly.decide_due(assembly.last_deadline() or self._clock()):
                yield from ((name, decision) for decision in decisions)
        for name, passing in self._passing.items():
            for decision in passing.decide():
                yield name, decision
