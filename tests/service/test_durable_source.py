"""A receiver whose source is durable: positions go in, and come back once everything is delivered.

Proves over a whole service with a fake broker that positions come back in ascending order and only when every
exporter of every pipeline has the data, that after a restart reading goes on from there and nothing is lost, and that
such a service keeps no journal. Does not prove anything about a real broker's
protocol, nor that a real broker keeps what it promised.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from collector.component.base import ComponentConfig, Kind
from collector.component.receiver import ReceiverFactory
from collector.component.registry import Registry
from collector.config.load import load
from collector.engine import core
from collector.errors import InvalidDataError, RetryableError
from collector.model.batch import Signal
from collector.model.codec.chosen import encode
from collector.service.service import Service
from collector.testing import builders
from collector.testing.sinks import MemoryExporter

CONFIG = """
receivers: {broker: {}}
exporters: {plain: {}, store: {}}
service:
  shutdown_timeout: 1s
  admin: {endpoint: "127.0.0.1:0"}
  pipelines:
    traces/plain: {receivers: [broker], exporters: [plain]}
    traces/store: {receivers: [broker], exporters: [store]}
"""


@dataclass
class Broker:
    """Partitions of bodies, and up to where readers said that they are done."""

    partitions: dict[str, list[bytes]]
    committed: dict[str, list[int]] = field(default_factory=dict)
    read: list[tuple[str, int]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)

    def is_done(self):
        return all(self.committed[name][-1:] == [len(bodies) - 1] for name, bodies in self.partitions.items())


class Reader:
    """A receiver that reads a broker from the committed positions on."""

    def __init__(self, broker, settings):
        self.endpoints = {}
        self._broker = broker
        self._consumer = settings.consumer
        self._tasks = []

    async def start(self):
        for name, bodies in self._broker.partitions.items():
            told = self._broker.committed.setdefault(name, [])
            source = self._consumer.source(name, told.append)
            self._tasks.append(asyncio.create_task(self._read(source, name, bodies, told[-1] + 1 if told else 0)))

    async def _read(self, source, name, bodies, first):
        for position in range(first, len(bodies)):
            self._broker.read.append((name, position))
            await self._hand_in(source, bodies[position], position)

    async def _hand_in(self, source, body, position):
        while True:
            try:
                return await source.consume(Signal.TRACES, body, position)
            except RetryableError:
                await asyncio.sleep(0.01)
            except InvalidDataError:
                self._broker.refused.append(position)
                return None

    async def shutdown(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def point(name, factory):
    return SimpleNamespace(name=name, value=name, dist=None, load=lambda: factory)


class Collector:
    """One run of a service that reads the broker."""

    def __init__(self, broker, folder):
        self.plain, self.store = MemoryExporter(), MemoryExporter()
        self.store.stores = True
        receiver = ReceiverFactory(
            ComponentConfig, lambda _config, settings: Reader(broker, settings), has_durable_source=True
        )
        points = {
            Kind.RECEIVER.group: [point("broker", receiver)],
            Kind.EXPORTER.group: [point("plain", self.plain.factory()), point("store", self.store.factory())],
        }
        registry = Registry(lambda group: points.get(group, []))
        (folder / "config.yaml").write_text(CONFIG)
        config = load([folder / "config.yaml"], environ={}, data_dir=folder, registry=registry)
        self.service = Service(config, data_dir=folder)

    async def __aenter__(self):
        await self.service.start()
        return self

    async def __aexit__(self, *_):
        await self.service.stop()
        assert self.service.failure is None

    def names(self, exporter):
        parts = [part for batch in exporter.batches for part in batch.spans]
        return sorted(name for part in parts for name in part.spans.column("span_name").to_pylist())


def body(name, trace):
    return encode(builders.spans([{"span_name": name, "trace_id": trace, "span_id": 1}]))


def filled(n=20):
    """Two partitions of so many traces; the fourth body of the second is empty, the fifth no request."""
    partitions = {p: [body(f"{p}-{i}", 100 * at + i + 1) for i in range(n)] for at, p in enumerate("ab")}
    partitions["b"][3:5] = [b"", b"\xff\xff"]
    return Broker(partitions), sorted(f"{p}-{i}" for p in "ab" for i in range(n) if (p, i) not in {("b", 3), ("b", 4)})


async def until(condition):
    while not condition():  # noqa: ASYNC110 - what is waited for happens in other threads
        await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(core, "_IDLE_SECONDS", 0.05)


async def test_positions_come_back_in_order_once_every_exporter_has_the_data(tmp_path):
    broker, names = filled()
    async with Collector(broker, tmp_path) as collector:
        collector.store.set_available(False)
        await until(lambda: collector.plain.num_rows == len(names) and collector.store.attempts > 1)
        await asyncio.sleep(0.3)  # several rounds of telling
        assert broker.committed == {"a": [], "b": []}
        collector.store.set_available(True)
        await until(broker.is_done)
        assert collector.names(collector.plain) == collector.names(collector.store) == names
        assert broker.refused == [4]
    assert all(told == sorted(set(told)) for told in broker.committed.values())
    assert not (tmp_path / "journal").exists()


async def test_after_a_restart_reading_goes_on_from_what_was_delivered_and_nothing_is_lost(tmp_path):
    broker, names = filled()
    held = [broker.partitions["a"].pop() for _ in range(10)]
    async with Collector(broker, tmp_path) as first:
        await until(broker.is_done)
        first.store.set_available(False)
        broker_read = len(broker.read)
    broker.partitions["a"] += held[::-1]
    async with Collector(broker, tmp_path) as second:
        second.store.set_available(False)
        await until(lambda: second.plain.num_rows == 10)
    assert broker.committed["a"][-1] == 9
    broker.read.clear()
    async with Collector(broker, tmp_path) as third:
        await until(broker.is_done)
    assert broker.read == [("a", position) for position in range(10, 20)]
    assert broker_read == 30
    stored = [name for run in (first, second, third) for name in run.names(run.store)]
    assert sorted(stored) == names
    assert sorted({name for run in (first, second, third) for name in run.names(run.plain)}) == names


async def test_what_has_no_room_is_handed_in_again_and_holds_back_what_comes_after_it(tmp_path):
    broker, names = filled()
    async with Collector(broker, tmp_path) as collector:
        storage = collector.service._storage
        collector.store.set_available(False)
        storage._source_bytes = 0
        await asyncio.sleep(0.2)
        taken = collector.plain.num_rows
        assert len(broker.read) < len(names)
        storage._source_bytes = 1 << 30
        collector.store.set_available(True)
        await until(broker.is_done)
        assert taken < len(names)
        assert collector.names(collector.store) == names
