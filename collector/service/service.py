"""A running collector: everything built, started in order, stopped in order.

Start goes from exporters to receivers, stop from receivers to exporters, so that each stage can
drain into the next. Extensions start before and stop after all of them.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pyarrow as pa
import structlog

from collector import memory
from collector.api.app import admin_access, create_app
from collector.component.base import Settings
from collector.component.exporter import Queryable, Repriceable
from collector.component.extension import HealthState
from collector.component.receiver import Receiver, ReceiverFactory, ReceiverSettings
from collector.config import memory_bound
from collector.config.plan import CollectorConfig
from collector.config.service_config import JournalConfig
from collector.engine import graph as graphs
from collector.engine.assembly.assembly import Assembly
from collector.engine.assembly.passing import Passing
from collector.engine.core import Core
from collector.engine.export.reader import DecisionReader, JournalReader
from collector.engine.export.runner import ExportRunner
from collector.engine.extensions import PREFIX, Extensions, reasons
from collector.engine.ingest.ingest import Ingest
from collector.engine.journal.storage import Storage
from collector.engine.modelling import Modelling
from collector.engine.repricing import ModelChange, Repricing, pricing_processors
from collector.errors import CollectorError, ConfigError, where
from collector.model import pyarrow_imports, schema
from collector.model.batch import SpanBatch
from collector.model.codec import chosen
from collector.options.durations import nanoseconds
from collector.serving.budget import ByteBudget
from collector.serving.http_server import HttpServer, serve
from collector.telemetry import Telemetry
from collector.version import VERSION

Announce = Callable[[Mapping[str, Mapping[str, str]]], None]

_LARGEST_BODY = 64 * 1024 * 1024
_READY_AT = 0.95
"""Share of the journal's cap above which the service says that it is not ready."""


class Service:
    """One collector in this process. ``start`` and ``stop`` run on one event loop."""

    def __init__(self, config: CollectorConfig, *, data_dir: Path, clock: Callable[[], int] = time.time_ns) -> None:
        """Builds everything. Raises ``ConfigError`` when the journal is in use or a component refuses."""
        self._config = config
        self._data_dir = data_dir
        self._log = structlog.get_logger("service")
        self.telemetry = Telemetry()
        self.telemetry.info.labels(VERSION, chosen.NAME).set(1)
        self.failure: BaseException | None = None
        self._stop_asked = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = False
        self._admin: HttpServer | None = None
        self._receivers: dict[str, Receiver] = {}
        service = config.service
        self._bound = memory_bound.bound(service.memory.limit_mib, config.memory_limiters)
        self._journal_cap = service.journal.max_size_mib * 1024 * 1024
        self._shares = memory.shares(self._bound.limit, largest_body=_LARGEST_BODY)
        self._storage = self._open_storage(service.journal)
        try:
            self._build(clock)
        except BaseException:
            self._storage.close()
            raise

    def _open_storage(self, config: JournalConfig) -> Storage:
        if all(_has_durable_source(receiver.factory) for receiver in self._config.receivers.values()):
            self._journal_cap = self._shares.sources
            return Storage.in_memory(source_bytes=self._shares.sources)
        folder = config.directory or self._data_dir / "journal"
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            return Storage.on_disk(
                folder,
                max_bytes=self._journal_cap,
                source_bytes=self._shares.sources,
                fsync=config.fsync,
                observe_sync=self.telemetry.journal_sync_seconds.observe,
            )
        except OSError as error:
            place = error.filename or folder
            raise ConfigError(f"cannot use the journal folder {folder}: {place}: {error.strerror}") from None

    def _build(self, clock: Callable[[], int]) -> None:
        readers = [e for e in self._config.extensions.values() if e.factory.signals]
        exporters = len(self._config.exporters) + len(readers) or 1
        base = Settings(
            self._config.pipelines[0].id,
            self.telemetry,
            self._log,
            self._data_dir,
            self._shares.exporters // exporters,
        )
        self._model = Modelling(self.telemetry)
        settings = graphs.SettingsFactory(base)
        self._graph = graph = graphs.build(self._config, settings)
        self._extensions = Extensions(self._config, settings)
        after = {name: chain.after for name, chain in graph.after_sampling.items()}
        logs, ledger = self._storage.logs, self._storage.ledger
        decided = DecisionReader(logs, self._model.observations, after, self._model)
        reader = JournalReader(logs, ledger, decided, self.telemetry)
        destinations = {str(id_): exporter for id_, exporter in graph.exporters.items()}
        destinations |= self._extensions.destinations()
        for name in destinations:
            self.telemetry.queue_capacity.labels(name).set(self._journal_cap)
        self._runners = [self._runner(name, destination, reader) for name, destination in destinations.items()]
        self._core = Core(
            logs,
            ledger,
            {name: self._assembly(name) for name in graph.samplers},
            {name: Passing() for name in graph.passing},
            self._runners,
            self.telemetry,
            siblings=graph.siblings(),
            fatal=self._fatal,
            clock=clock,
        )
        self._ingest = Ingest(
            graph.routes,
            self._storage,
            self.telemetry,
            wake=self._core.wake,
            fatal=self._fatal,
            clock=clock,
            conditions=graph.request_conditions(),
        )

    def _runner(self, name: str, destination: graphs.Destination, reader: JournalReader) -> ExportRunner:
        return ExportRunner(
            name,
            destination.exporter,
            frozenset(destination.pipelines),
            reader,
            self._storage.ledger,
            self.telemetry,
            stores=destination.stores,
            preferences=destination.preferences,
            fatal=self._fatal,
        )

    def _assembly(self, pipeline: str) -> Assembly:
        shared_by = len(self._graph.samplers)
        return Assembly(
            pipeline,
            self._graph.samplers[pipeline],
            self._storage.logs,
            self.telemetry,
            max_pending_spans=self._shares.pending_spans // shared_by,
            max_pending_bytes=self._journal_cap // 2 // shared_by,
            max_decided_traces=self._shares.decided_traces // shared_by,
            max_decided_spans=self._shares.decided_spans // shared_by,
            warn=structlog.get_logger("assembly").warning,
        )

    async def start(self) -> Mapping[str, Mapping[str, str]]:
        """Starts everything; returns who listens where. A half-failed start undoes itself."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._extensions.start()
            for destination in self._graph.exporters.values():
                destination.exporter.start()
            self._forget_removed_readers()
            last = self._storage.ledger.last()
            for runner in self._runners:
                runner.recover(last)
            self._core.recover()
            for runner in self._runners:
                runner.start()
            self._core.start()
            self._ingest.start()
            await asyncio.to_thread(_warm_up, self._model)
            admin = self._config.service.admin
            self._admin = await serve(self._admin_app(), admin.endpoint, access=admin_access(admin.allowed_hosts))
            await self._start_receivers()
            self._extensions.ready()
        except BaseException:
            await self.stop()
            raise
        self._started = True
        self._log.info("memory is bounded", limit_mib=self._bound.limit >> 20, said_by=self._bound.said_by)
        endpoints = {name: dict(r.endpoints) for name, r in self._receivers.items()}
        return endpoints | {"admin": {"http": self._admin.endpoints[0]}}

    def _forget_removed_readers(self) -> None:
        for name in self._storage.ledger.cursors():
            if name in {r.name for r in self._runners}:
                continue
            if name.startswith(PREFIX):
                said = "extension is no longer configured: what it had not read is let go"
                self._log.warning(said, extension=name.removeprefix(PREFIX))
            else:
                said = "exporter is no longer configured: what it had not delivered is let go"
                self._log.warning(said, exporter=name)
            self._storage.ledger.drop_cursor(name)

    async def _start_receivers(self) -> None:
        pressure = memory.Pressure(self._bound.soft_limit)
        budget = ByteBudget(self._shares.requests, self.telemetry, is_memory_short=pressure)
        for id_, component in self._config.receivers.items():
            signals = frozenset(s for name, s in self._graph.routes if name == str(id_))
            if not signals or not isinstance(component.factory, ReceiverFactory):
                continue
            settings = ReceiverSettings(
                id_,
                self.telemetry,
                structlog.get_logger(str(id_)),
                self._data_dir,
                consumer=self._ingest.consumer(str(id_)),
                budget=budget,
                signals=signals,
            )
            receiver = component.factory.create(component.config, settings)
            self._receivers[str(id_)] = receiver
            await receiver.start()

    def _admin_app(self) -> object:
        stores = [d.exporter for d in self._graph.exporters.values() if isinstance(d.exporter, Queryable)]

        def query(sql: str, limit: int) -> object:
            return stores[0].query(sql, limit=limit)

        return create_app(
            telemetry=self.telemetry,
            health=self,
            query=query if stores else None,
            reprice=self.reprice,
            version=VERSION,
        )

    def reprice(self, since_unix_nano: int, dry_run: bool) -> dict[str, list[ModelChange]]:
        """Prices what the stores hold again; per store the report. Each store does it between two deliveries."""
        reports = {}
        runners = {runner.name: runner for runner in self._runners}
        for id_, destination in self._graph.exporters.items():
            store = destination.exporter
            if isinstance(store, Repriceable):
                pricing = Repricing(pricing_processors(self._config, self._data_dir))
                task = partial(store.reprice, pricing, since_unix_nano=since_unix_nano, dry_run=dry_run)
                runners[str(id_)].call(task)
                reports[str(id_)] = pricing.report()
        return reports

    def started(self) -> tuple[bool, str]:
        """Everything listens."""
        return self._started, "" if self._started else "starting"

    def live(self) -> tuple[bool, str]:
        """The work threads run."""
        if self.failure is not None:
            return False, f"failed: {type(self.failure).__name__}"
        dead = [r.name for r in self._runners if not r.alive]
        if self._started and not self._core.alive:
            dead.append("core")
        return (not dead or not self._started), ", ".join(dead)

    def ready(self) -> tuple[bool, str]:
        """New data is taken. What an extension complains of is said, too."""
        if not self._started or self._stop_asked.is_set():
            return False, "not running"
        if self._storage.log.nbytes / self._journal_cap >= _READY_AT:
            return False, "the journal is full: exporters have to catch up"
        health = self._extensions.health()
        if fatal := reasons(health, (HealthState.FATAL,)):
            return False, fatal
        return True, reasons(health, (HealthState.RECOVERABLE,))

    def ask_to_stop(self) -> None:
        """Ends ``wait``. May be called from a signal handler on the loop."""
        self._stop_asked.set()

    async def wait(self) -> None:
        """Returns when somebody asked to stop, or when the service failed."""
        await self._stop_asked.wait()

    def _fatal(self, error: BaseException) -> None:
        """A work thread cannot go on. What is acknowledged is on disk; the next start goes on from there."""
        if self.failure is None:
            self.failure = error
            # The text of an unforeseen error may quote the data, so only its kind and place are told.
            text = str(error) if isinstance(error, CollectorError) else type(error).__name__
            self._log.critical(
                "the service cannot go on", error=text, at=where(error), thread=threading.current_thread().name
            )
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop_asked.set)

    async def stop(self) -> None:
        """Receivers first, then all in flight, then exporters. Safe to call twice."""
        deadline = time.monotonic() + nanoseconds(self._config.service.shutdown_timeout) / 1e9
        self._stop_asked.set()
        self._extensions.not_ready()
        await asyncio.gather(*(r.shutdown() for r in self._receivers.values()))
        if self.failure is None:
            await asyncio.to_thread(self._ingest.stop)
            await asyncio.to_thread(self._core.stop)
        delivered = await asyncio.gather(*(asyncio.to_thread(r.drain, deadline) for r in self._runners))
        if not all(delivered):
            left = [r.name for r, ok in zip(self._runners, delivered, strict=True) if not ok]
            self._log.warning("not everything was delivered: the journal keeps it for the next start", exporters=left)
        if self._admin is not None:
            await self._admin.shutdown()
        await self._extensions.shutdown()
        if all(not r.alive for r in self._runners):
            if self._started and self.failure is None:
                self._core.free()
            self._storage.close()
        self._started = False


def _has_durable_source(factory: object) -> bool:
    return isinstance(factory, ReceiverFactory) and factory.has_durable_source


def _warm_up(model: Modelling) -> None:
    """Loads the tables behind facts and content, so that the first request does not wait for them."""
    nothing = SpanBatch(pa.RecordBatch.from_pylist([], schema=schema.WIRE))
    model.observations(model.resolve(nothing), pa.RecordBatch.from_pylist([], schema=schema.DECIDED), None)


def run(config: CollectorConfig, *, data_dir: Path, announce: Announce = lambda _: None) -> int:
    """Runs until SIGTERM or SIGINT; the exit code: 0, or 1 when the service failed.

    Raises ``ConfigError`` when it cannot start.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_run(config, data_dir, announce))


async def _run(config: CollectorConfig, data_dir: Path, announce: Announce) -> int:
    pyarrow_imports.settle()
    service = Service(config, data_dir=data_dir)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.ask_to_stop)
    announce(await service.start())
    await service.wait()
    log = structlog.get_logger("service")
    log.info("stopping: delivering what is in flight", timeout_seconds=config.service.shutdown_timeout.total_seconds())
    await service.stop()
    log.info("stopped")
    return 0 if service.failure is None else 1


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not there on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop
