"""From our exporters into our receiver: the copy equals the original.

Proves it for every captured payload, with TLS and both protocols. Does not prove other vendors' receivers.
"""

import asyncio
from pathlib import Path

import pytest
import structlog
import trustme
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.component.base import ComponentId, Settings
from collector.component.exporter import DecidedSpans, ExportBatch, ReceivedBatch
from collector.component.receiver import Received, ReceiverSettings
from collector.errors import ConfigError, RetryableError
from collector.model.batch import Signal
from collector.model.codec.chosen import decode
from collector.receivers.otlp import Config, OtlpReceiver
from collector.serving.budget import ByteBudget
from collector.telemetry import Telemetry
from collector.testing.equivalence import assert_equivalent
from exporters import otlp_grpc, otlp_http

FIXTURES = Path(__file__).parents[2] / "fixtures" / "otlp"


class Recorder:
    def __init__(self):
        self.bodies = []
        self.errors = []

    async def consume(self, signal, body, _metadata=None):
        if self.errors and (error := self.errors.pop(0)):
            raise error
        self.bodies.append((signal, body))
        return Received(1)


@pytest.fixture
def tls(tmp_path):
    authority = trustme.CA()
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    blocks = {}
    for name, hosts in (("server", ["localhost", "127.0.0.1"]), ("client", ["client.example"])):
        issued = authority.issue_cert(*hosts)
        cert, key = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(cert)
        issued.private_key_pem.write_to_path(key)
        blocks[name] = {"cert_file": str(cert), "key_file": str(key)}
    return {
        "server": blocks["server"] | {"client_ca_file": str(ca)},
        "client": blocks["client"] | {"ca_file": str(ca)},
        "stranger": {"ca_file": str(ca)},
        "pem": {
            "ca_pem": ca.read_text(),
            "cert_pem": Path(blocks["client"]["cert_file"]).read_text(),
            "key_pem": Path(blocks["client"]["key_file"]).read_text(),
        },
    }


class Pair:
    """A receiver and exporters that send to it."""

    def __init__(self, **server):
        self.telemetry = Telemetry()
        self.consumer = Recorder()
        self.budget = ByteBudget(256 << 20, self.telemetry)
        protocols = {p: {"endpoint": "localhost:0"} | server for p in ("grpc", "http")}
        self.receiver = OtlpReceiver(
            Config.model_validate({"protocols": protocols}),
            ReceiverSettings(
                id=ComponentId("otlp"),
                telemetry=self.telemetry,
                log=structlog.stdlib.get_logger("t"),
                data_dir=Path("unused"),
                consumer=self.consumer,
                budget=self.budget,
                signals=frozenset(Signal),
            ),
        )

    async def __aenter__(self):
        await self.receiver.start()
        return self

    async def __aexit__(self, *exc):
        await self.receiver.shutdown()
        assert self.budget.used == 0

    def exporter(self, protocol, *, scheme="http", **config):
        settings = Settings(
            id=ComponentId("out"),
            telemetry=self.telemetry,
            log=structlog.stdlib.get_logger("t"),
            data_dir=Path("unused"),
        )
        module = {"grpc": otlp_grpc, "http": otlp_http}[protocol]
        config = {"endpoint": f"{scheme}://{self.receiver.endpoints[protocol]}"} | config
        return module.factory.create(module.Config(**config), settings)

    async def send(self, protocol, batch, **config):
        exporter = self.exporter(protocol, **config)
        exporter.start()
        try:
            return await asyncio.to_thread(exporter.export, batch)
        finally:
            exporter.shutdown()


def _batch(signal, body):
    batches = decode(signal, [body]).batches
    if signal is Signal.TRACES:
        return ExportBatch("e", 1, 1, tuple(DecidedSpans(b, None, None, None) for b in batches))
    return ExportBatch("e", 1, 1, (), tuple(ReceivedBatch(b, 0) for b in batches))


def _payloads():
    for path in sorted(FIXTURES.rglob("*.binpb")):
        signal = next((s for s in Signal if s.value in path.name), None)
        if signal is not None:
            yield signal, path


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_captured_payloads_are_forwarded_whole(protocol):
    sent = 0
    async with Pair() as pair:
        exporter = pair.exporter(protocol, max_request_bytes=100_000)
        exporter.start()
        for number, (signal, path) in enumerate(_payloads()):
            body = path.read_bytes()
            batch = _batch(signal, body)
            pair.consumer.bodies.clear()
            await asyncio.to_thread(exporter.export, ExportBatch("e", number, number, batch.spans, batch.others))
            assert_equivalent(signal, [body], [forwarded for _, forwarded in pair.consumer.bodies])
            sent += 1
        exporter.shutdown()
    assert sent > 20


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_mutual_tls(protocol, tls):
    batch = _batch(Signal.TRACES, _span())
    async with Pair(tls=tls["server"]) as pair:
        for block in ("client", "pem"):
            await pair.send(protocol, batch, scheme="https", tls=tls[block])
        assert len(pair.consumer.bodies) == 2
        with pytest.raises(RetryableError):
            await pair.send(protocol, batch, scheme="https", tls=tls["stranger"])
        with pytest.raises(RetryableError):
            await pair.send(protocol, batch, scheme="https", timeout="2s")


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_a_server_name_can_be_overridden(protocol, tls):
    async with Pair(tls=tls["server"]) as pair:
        batch = _batch(Signal.TRACES, _span())
        await pair.send(protocol, batch, scheme="https", tls=tls["client"] | {"server_name_override": "localhost"})
        with pytest.raises(RetryableError):
            await pair.send(protocol, batch, scheme="https", tls=tls["client"] | {"server_name_override": "evil.com"})


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_tls_files_that_cannot_be_used_are_named_at_start_up(protocol, tls, tmp_path):
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    for block, text in (
        ({"ca_file": str(tmp_path / "missing.pem")}, "missing.pem"),
        ({"ca_file": str(garbage)}, "garbage.pem"),
        (tls["client"] | {"key_file": str(garbage)}, "key"),
    ):
        async with Pair() as pair:
            with pytest.raises(ConfigError, match=text):
                pair.exporter(protocol, scheme="https", tls=block).start()


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_our_own_refusals_are_understood(protocol):
    batch = _batch(Signal.TRACES, _span())
    async with Pair() as pair:
        pair.consumer.errors = [RetryableError("full", retry_after=3)]
        with pytest.raises(RetryableError) as caught:
            await pair.send(protocol, batch)
        assert caught.value.retry_after == 3
        await pair.send(protocol, batch)
    assert len(pair.consumer.bodies) == 1


def _span():
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name="s", trace_id=b"t" * 16, span_id=b"s" * 8)
    return request.SerializeToString()
