"""Extensions inside a whole service: their order, their health, and a reader with a position of its own.

Proves that a reader goes on where it was after a stop, and after a start that failed. A killed service is in
``tests/plugin/test_extension.py``. Does not prove what a built-in extension does: ``tests/extensions`` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from collector.component.base import ComponentConfig, Kind
from collector.component.exporter import ExportBatch, ExportPreferences, Retry
from collector.component.extension import ComponentHealth, ExtensionFactory, HealthState
from collector.component.registry import Registry, installed
from collector.config.load import load
from collector.errors import ConfigError, PermanentError, RetryableError
from collector.model.batch import Signal
from collector.model.codec.chosen import encode
from collector.service.service import Service
from collector.testing import builders
from collector.testing.sinks import MemoryExporter
from tests.e2e.running import wait_until

CONFIG = """
receivers: {otlp: {protocols: {http: {endpoint: "localhost:0"}}}}
processors: {pii: }
exporters: {memory: }
extensions: {@: }
service:
  admin: {endpoint: "localhost:0"}
  shutdown_timeout: 2s
  extensions: [@]
  pipelines:
    traces: {receivers: [otlp], processors: [pii], exporters: [memory]}
    logs: {receivers: [otlp], processors: [pii], exporters: [memory]}
"""


@dataclass
class Probe:
    """An extension that writes down what is done to it."""

    name: str
    calls: list[str]
    fails: str = ""
    says: ComponentHealth = field(default_factory=ComponentHealth)

    async def start(self) -> None:
        self._note("start")

    async def shutdown(self) -> None:
        self._note("shutdown")

    def ready(self) -> None:
        self._note("ready")

    def not_ready(self) -> None:
        self._note("not_ready")

    def health(self) -> ComponentHealth:
        if self.fails == "health":
            raise RuntimeError("secret")
        return self.says

    def _note(self, call: str) -> None:
        self.calls.append(f"{self.name} {call}")
        if self.fails == call:
            raise ConfigError(f"{self.name} cannot {call}")


@dataclass
class Reader(Probe):
    """Reads what is decided."""

    taken: list[ExportBatch] = field(default_factory=list)
    raises: list[Exception] = field(default_factory=list)

    def read_decided(self, batch: ExportBatch) -> None:
        if self.raises:
            raise self.raises.pop(0)
        self.taken.append(batch)

    def names(self) -> list[str]:
        return [n for b in self.taken for s in b.spans for n in s.observations["span_name"].to_pylist()]


@dataclass
class Remembering(Reader):
    """Keeps its position with its own data."""

    mark: tuple[str, int] | None = None

    def checkpoint(self) -> tuple[str, int] | None:
        return self.mark


class Noting(MemoryExporter):
    """Says when it starts and ends, among the extensions."""

    def __init__(self, calls: list[str]) -> None:
        super().__init__()
        self._calls = calls

    def start(self) -> None:
        super().start()
        self._calls.append("exporter start")

    def shutdown(self) -> None:
        super().shutdown()
        self._calls.append("exporter shutdown")


AT_ONCE = ExportPreferences(seconds=0, retry=Retry(initial_interval=Retry().initial_interval / 1000))


def factory_of(extension: Probe, reads: Iterable[Signal]) -> ExtensionFactory:
    return ExtensionFactory(
        ComponentConfig,
        lambda _config, _settings: extension,
        reads_decided=frozenset(reads) if isinstance(extension, Reader) else frozenset(),
        preferences=lambda _config: AT_ONCE,
    )


def registry(extensions: dict[str, ExtensionFactory], exporter: MemoryExporter) -> Registry:
    """The installed components, with these extensions and exporters in the place of others."""
    own = {Kind.EXTENSION.group: extensions, Kind.EXPORTER.group: {"memory": exporter.factory()}}

    def entry_points(group: str) -> list[Any]:
        found = [SimpleNamespace(name=n, value=n, dist=None, load=lambda f=f: f) for n, f in own.get(group, {}).items()]
        return found or list(installed(group))

    return Registry(entry_points)


def service_with(folder: Path, extensions: dict[str, ExtensionFactory], exporter: MemoryExporter) -> Service:
    text = CONFIG.replace("@: ", ", ".join(f"{name}: " for name in extensions), 1).replace("@", ", ".join(extensions))
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    config = load([file], environ={}, data_dir=folder, registry=registry(extensions, exporter))
    return Service(config, data_dir=folder / "data")


def service_of(
    folder: Path, *extensions: Probe, exporter: MemoryExporter | None = None, reads: Iterable[Signal] = (Signal.TRACES,)
) -> Service:
    made = {extension.name: factory_of(extension, reads) for extension in extensions}
    return service_with(folder, made, exporter or MemoryExporter())


async def until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, condition)


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[str]:
    """The service, started; the address of its admin server."""
    endpoints = await service.start()
    try:
        yield endpoints["admin"]["http"]
    finally:
        await service.stop()


async def send(service: Service, *names: str) -> None:
    rows = [{"trace_id": hash(name) & 0xFFFF or 1, "span_id": 1, "span_name": name} for name in names]
    await service._ingest.consumer("otlp").consume(Signal.TRACES, encode(builders.spans(rows)))


async def ready_at(address: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(f"http://{address}/readyz")


async def test_they_start_first_in_their_order_and_stop_last(tmp_path: Path) -> None:
    calls: list[str] = []
    service = service_of(tmp_path, Probe("a", calls), Probe("b", calls), exporter=Noting(calls))
    async with running(service):
        assert calls == ["a start", "b start", "exporter start", "a ready", "b ready"]
        calls.clear()
    assert calls == ["a not_ready", "b not_ready", "exporter shutdown", "b shutdown", "a shutdown"]
    await service.stop()
    assert calls[-1] == "a shutdown"
    assert len(calls) == 5


@pytest.mark.parametrize(("failing", "expected"), [("start", ["b shutdown", "a shutdown"]), ("ready", None)])
async def test_one_that_cannot_start_undoes_the_others(
    tmp_path: Path, failing: str, expected: list[str] | None
) -> None:
    calls: list[str] = []
    service = service_of(tmp_path, Probe("a", calls), Probe("b", calls, fails=failing), Probe("c", calls))
    with pytest.raises(ConfigError, match=f"b cannot {failing}"):
        await service.start()
    assert calls[-2:] == ["b shutdown", "a shutdown"]
    assert ("c start" in calls) == (failing == "ready")
    async with running(service_of(tmp_path, Probe("a", []))):
        pass  # the journal is free again


async def test_an_extension_that_fails_at_the_end_keeps_nobody_from_ending(tmp_path: Path) -> None:
    calls: list[str] = []
    service = service_of(tmp_path, Probe("a", calls), Probe("b", calls, fails="shutdown"), exporter=Noting(calls))
    async with running(service):
        await send(service, "one")
    assert calls[-3:] == ["exporter shutdown", "b shutdown", "a shutdown"]
    other = service_of(tmp_path, Probe("a", calls, fails="not_ready"), exporter=Noting(calls))
    async with running(other):
        pass
    assert calls[-2:] == ["exporter shutdown", "a shutdown"]


async def test_the_health_of_extensions_is_part_of_readiness(tmp_path: Path) -> None:
    probe, other = Probe("a", []), Probe("b", [])
    async with running(service_of(tmp_path, probe, other)) as admin:
        assert (await ready_at(admin)).json() == {"status": "ok"}
        probe.says = ComponentHealth(HealthState.RECOVERABLE, "the mail server does not answer")
        answer = await ready_at(admin)
        assert answer.status_code == 200
        assert answer.json() == {"status": "ok", "reason": "extension a: the mail server does not answer"}
        other.says = ComponentHealth(HealthState.FATAL, "the key was revoked")
        answer = await ready_at(admin)
        assert answer.status_code == 503
        assert answer.json() == {"status": "unavailable", "reason": "extension b: the key was revoked"}
        other.says = ComponentHealth()
        probe.fails = "health"
        answer = await ready_at(admin)
        assert (answer.status_code, answer.json()["reason"]) == (
            200,
            "extension a: its health is unknown: RuntimeError",
        )


async def test_a_reader_is_given_what_is_decided_and_goes_on_where_it_was(tmp_path: Path) -> None:
    first, second, third = (Reader("a", []) for _ in range(3))
    service = service_of(tmp_path, first)
    async with running(service):
        await send(service, "one", "two")
        await until(lambda: first.names() == ["one", "two"])
        await send(service, "three")
    # What is in flight at a stop is delivered before the reader is shut down.
    assert first.names() == ["one", "two", "three"]
    assert first.calls[-2:] == ["a not_ready", "a shutdown"]
    second.raises = [RetryableError("not now")] * 1000
    service = service_of(tmp_path, second)
    async with running(service):
        await send(service, "four")
    assert second.taken == []
    service = service_of(tmp_path, third)
    async with running(service):
        await until(lambda: third.names() == ["four"])
    ranges = [(b.first, b.last) for reader in (first, third) for b in reader.taken]
    assert ranges == sorted(set(ranges))


async def test_a_reader_has_its_own_pace_and_its_own_faults(tmp_path: Path) -> None:
    reader, sink = Reader("a", []), MemoryExporter()
    reader.raises = [RetryableError("not now"), RuntimeError("secret"), PermanentError("never")]
    service = service_of(tmp_path, reader, exporter=sink)
    async with running(service):
        await send(service, "one")
        await until(lambda: sink.num_rows == 1 and not reader.raises)
        await send(service, "two")
        await until(lambda: reader.names() == ["two"])
    value = service.telemetry.registry.get_sample_value
    labels = {"exporter": "extension:a", "reason": "permanent"}
    assert value("spanloom_exporter_dropped_spans_total", labels) == 1
    assert value("otelcol_exporter_sent_spans_total", {"exporter": "extension:a"}) == 1
    assert value("otelcol_exporter_sent_spans_total", {"exporter": "memory"}) == 2


async def test_a_reader_that_keeps_its_position_is_given_nothing_twice(tmp_path: Path) -> None:
    first, second = Remembering("a", []), Remembering("a", [])
    service = service_of(tmp_path, first)
    async with running(service):
        await send(service, "one")
        await until(lambda: first.names() == ["one"])
        ledger = service._storage.ledger
        (batch,) = first.taken
        await until(lambda: ledger.cursors().get("extension:a") == batch.last)
        # As if the service had been killed after the reader stored its position and before the ledger did.
        ledger.set_cursor("extension:a", batch.first - 1)
        second.mark = (batch.epoch, batch.last)
    service = service_of(tmp_path, second)
    async with running(service):
        await send(service, "two")
        await until(lambda: second.names() == ["two"])


async def test_a_reader_gets_the_signals_it_asked_for(tmp_path: Path) -> None:
    logs, sink = Reader("a", []), MemoryExporter()
    service = service_of(tmp_path, logs, exporter=sink, reads=[Signal.LOGS])
    async with running(service):
        await send(service, "one")
        body = encode(builders.logs([{"body": "hello"}]))
        await service._ingest.consumer("otlp").consume(Signal.LOGS, body)
        await until(lambda: sink.num_rows == 2 and len(logs.taken) == 1)
    (batch,) = logs.taken
    assert (batch.spans, batch.num_rows) == ((), 1)


async def test_a_reader_that_is_no_longer_configured_is_let_go(tmp_path: Path) -> None:
    service = service_of(tmp_path, Reader("a", []))
    async with running(service):
        assert "extension:a" in service._storage.ledger.cursors()
    service = service_of(tmp_path, Probe("b", []))
    async with running(service):
        assert list(service._storage.ledger.cursors()) == ["memory"]


def test_one_that_promises_to_read_and_cannot_is_refused(tmp_path: Path) -> None:
    promise = ExtensionFactory(ComponentConfig, lambda *_: Probe("a", []), reads_decided=frozenset({Signal.TRACES}))
    with pytest.raises(ConfigError, match=r"extensions\.a: its factory says that it reads decided data"):
        service_with(tmp_path, {"a": promise}, MemoryExporter())
