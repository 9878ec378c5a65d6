"""The Collector's health check: what it answers on real sockets, before, while and after the pipelines take data.

Proves the answers. Does not prove that the service tells it when they do: ``tests/service/test_extensions.py`` does.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
import trustme
from pydantic import ValidationError

from collector.component.base import ComponentId, Settings
from collector.component.extension import ComponentHealth, Extension, PipelineWatcher
from collector.errors import ConfigError
from collector.telemetry import Telemetry
from extensions.health_check import Config, HealthCheck, factory

STARTED = 1_700_000_000.5


class Clock:
    now = STARTED

    def __call__(self) -> float:
        return self.now


def made(clock: Callable[[], float] = Clock(), **options: Any) -> HealthCheck:  # noqa: B008 - nobody turns it
    settings = Settings(ComponentId("health_check"), Telemetry(), structlog.stdlib.get_logger(), Path("unused"))
    return HealthCheck(Config(**{"endpoint": "127.0.0.1:0", **options}), settings, clock=clock)


@asynccontextmanager
async def running(probe: HealthCheck) -> AsyncIterator[httpx.AsyncClient]:
    await probe.start()
    async with httpx.AsyncClient(base_url=f"http://{probe.endpoints[0]}", trust_env=False) as client:
        try:
            yield client
        finally:
            await probe.shutdown()


async def test_it_is_available_between_ready_and_not_ready() -> None:
    clock = Clock()
    probe = made(clock)
    async with running(probe) as client:
        before = await client.get("/")
        probe.ready()
        clock.now += 3723.25
        while_ready = await client.get("/")
        probe.not_ready()
        after = await client.get("/")
    unavailable = {"status": "Server not available", "upSince": "0001-01-01T00:00:00Z", "uptime": ""}
    assert (before.status_code, before.json()) == (503, unavailable)
    assert (after.status_code, after.json()) == (503, unavailable)
    assert while_ready.status_code == 200
    assert while_ready.headers["content-type"] == "application/json"
    assert while_ready.json() == {
        "status": "Server available",
        "upSince": "2023-11-14T22:13:20.500000Z",
        "uptime": "1h2m3.25s",
    }


async def test_texts_of_ones_own() -> None:
    probe = made(response_body={"healthy": "UP", "unhealthy": "DOWN"})
    async with running(probe) as client:
        down = await client.get("/")
        probe.ready()
        up = await client.get("/")
    assert (down.status_code, down.text) == (503, "DOWN")
    assert (up.status_code, up.text, up.headers["content-type"]) == (200, "UP", "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("/", "/", 503),
        ("/", "/any/where?x=1", 503),
        ("/health", "/health", 503),
        ("/health", "/health/", 404),
        ("/health", "/", 404),
        ("/health/", "/health/deep", 503),
    ],
)
async def test_which_paths_it_answers(path: str, asked: str, status: int) -> None:
    async with running(made(path=path)) as client:
        assert (await client.get(asked)).status_code == status


@pytest.mark.parametrize("method", ["HEAD", "POST"])
async def test_any_method_will_do(method: str) -> None:
    probe = made()
    async with running(probe) as client:
        probe.ready()
        answer = await client.request(method, "/", content=b"x" if method == "POST" else None)
    assert answer.status_code == 200
    assert bool(answer.content) == (method == "POST")


async def test_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate, context = authority.issue_cert("127.0.0.1"), ssl.create_default_context()
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(str(cert))
    certificate.private_key_pem.write_to_path(str(key))
    authority.configure_trust(context)
    probe = made(tls={"cert_file": str(cert), "key_file": str(key)})
    async with running(probe), httpx.AsyncClient(verify=context, trust_env=False) as client:
        assert (await client.get(f"https://{probe.endpoints[0]}/")).status_code == 503


async def test_an_address_in_use_is_named() -> None:
    first = made()
    async with running(first):
        with pytest.raises(ConfigError, match="cannot listen on"):
            await made(endpoint=first.endpoints[0]).start()


async def test_shutdown_may_come_twice_and_without_a_start() -> None:
    probe = made()
    await probe.shutdown()
    await probe.start()
    await asyncio.gather(probe.shutdown(), probe.shutdown())
    await probe.shutdown()


def test_it_is_an_extension_that_reads_nothing() -> None:
    probe: Extension = made()
    assert isinstance(probe, PipelineWatcher)
    assert probe.health() == ComponentHealth()
    assert not factory.reads_decided
    assert Config().endpoint == "localhost:13133"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"path": "health"}, "path must start with /"),
        ({"check_collector_pipeline": {"exporter_failure_threshold": 0}}, "greater than or equal to 1"),
        ({"check_collector_pipeline": {"interval": "5 minutes"}}, "is not a duration"),
        ({"tls": {"cert_file": "x"}}, "key"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Config(**options)
