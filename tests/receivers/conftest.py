"""A running OTLP receiver on free ports, with a consumer that has switches."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
import trustme

from collector.component.base import ComponentId
from collector.component.receiver import Metadata, Received, ReceiverSettings, no_metadata
from collector.model.batch import Signal
from collector.receivers.otlp import Config, OtlpReceiver
from collector.serving.budget import ByteBudget
from collector.telemetry import Telemetry


class FakeConsumer:
    """Records what it is given; answers as its switches say."""

    def __init__(self) -> None:
        self.bodies: list[tuple[Signal, bytes]] = []
        self.asks = ""
        self.told: list[list[str]] = []
        """Per body the values of the header ``asks`` names."""
        self.error: Exception | None = None
        self.answer = Received(1)
        self.waiting = 0
        self.open = asyncio.Event()
        self.open.set()

    async def consume(self, signal: Signal, body: bytes, metadata: Metadata = no_metadata) -> Received:
        self.waiting += 1
        try:
            await self.open.wait()
        finally:
            self.waiting -= 1
        if self.error is not None:
            raise self.error
        self.bodies.append((signal, body))
        self.told.append(list(metadata(self.asks)))
        return self.answer


class Running:
    """A started receiver and everything around it."""

    def __init__(self, receiver: OtlpReceiver, consumer: FakeConsumer, budget: ByteBudget, telemetry: Telemetry):
        self.receiver = receiver
        self.consumer = consumer
        self.budget = budget
        self.telemetry = telemetry

    @property
    def grpc(self) -> str:
        return self.receiver.endpoints["grpc"]

    @property
    def http(self) -> str:
        return self.receiver.endpoints["http"]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.telemetry.registry.get_sample_value(name, {"receiver": "otlp", **labels})

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A raw connection to the HTTP endpoint."""
        host, port = self.http.rsplit(":", 1)
        return await asyncio.open_connection(host, int(port))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - what is awaited is in another process's or library's hands
                await asyncio.sleep(0.002)


@asynccontextmanager
async def _running(
    *,
    grpc: dict[str, Any] | None = None,
    http: dict[str, Any] | None = None,
    budget: int = 256 << 20,
    signals: frozenset[Signal] = frozenset(Signal),
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Running]:
    protocols = {
        "grpc": {"endpoint": "127.0.0.1:0"} | (grpc or {}),
        "http": {"endpoint": "127.0.0.1:0"} | (http or {}),
    }
    telemetry, consumer = Telemetry(), FakeConsumer()
    shared = ByteBudget(budget, telemetry, clock=clock)
    log = structlog.stdlib.get_logger("test")
    settings = ReceiverSettings(
        id=ComponentId("otlp"),
        telemetry=telemetry,
        log=log,
        data_dir=Path("unused"),
        consumer=consumer,
        budget=shared,
        signals=signals,
    )
    receiver = OtlpReceiver(Config.model_validate({"protocols": protocols}), settings)
    await receiver.start()
    try:
        yield Running(receiver, consumer, shared, telemetry)
    finally:
        consumer.open.set()
        await receiver.shutdown()
        assert shared.used == 0


@pytest.fixture
def running():
    """``async with running(...)``: the receiver; at its end every byte must be back in the budget."""
    return _running


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


class Certificates:
    def __init__(self, authority: trustme.CA, folder: Path) -> None:
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        self.server = self._issue(authority, folder, "server", "localhost", "127.0.0.1", "::1")
        self.client = self._issue(authority, folder, "client", "client.example")

    @staticmethod
    def _issue(authority: trustme.CA, folder: Path, name: str, *hosts: str) -> dict[str, str]:
        issued = authority.issue_cert(*hosts)
        cert, key = folder / f"{name}.pem", folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(cert)
        issued.private_key_pem.write_to_path(key)
        return {"cert_file": str(cert), "key_file": str(key)}

    @property
    def authority_pem(self) -> bytes:
        return self.ca.read_bytes()

    @property
    def client_pair(self) -> tuple[bytes, bytes]:
        """Key and certificate."""
        return Path(self.client["key_file"]).read_bytes(), Path(self.client["cert_file"]).read_bytes()

    def client_context(self, *, with_certificate: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca))
        if with_certificate:
            context.load_cert_chain(self.client["cert_file"], self.client["key_file"])
        return context


@pytest.fixture
def certificates(authority: trustme.CA, tmp_path: Path) -> Certificates:
    return Certificates(authority, tmp_path)
