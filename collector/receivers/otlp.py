"""Receives OTLP over gRPC and HTTP, all three signals.

A success reply means what ``Consumer.consume`` promises: everything accepted is durable. How
errors are answered is in ``collector.receivers._shared.status``.

Slow clients: bytes are reserved as they come, bodies have a minimum rate and a time, and when requests fill the memory
they may take, those that arrive slower than 64 KiB a second are refused first, the largest before the others. Every
such refusal may be sent again (503, UNAVAILABLE). What one connection's calls or requests hold while they arrive is at
most half of that memory.

Who may send: web pages only from ``cors.allowed_origins``, on every path (403); on a loopback address only under its
names or ``allowed_hosts`` (421), elsewhere under any. ``langfuse.keys`` close what is below ``/api/public``: plain OTLP
carries no keys and stays open to whoever reaches the address, over gRPC as over HTTP. A TLS ``client_ca_file`` closes
a protocol as a whole, to all without a certificate; else the network has to. ``auth`` as in the Collector is not there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from collector.component.receiver import ReceiverFactory, ReceiverSettings
from collector.receivers._langfuse.api import LangfuseApi
from collector.receivers._langfuse.auth import Gate
from collector.receivers._otlp.grpc import GrpcServer
from collector.receivers._otlp.http import LangfuseOf, create_app
from collector.receivers._otlp.receiver_config import Config, HttpConfig
from collector.receivers._shared.intake import Intake
from collector.serving.http_server import HttpServer, serve

__all__ = ["Config", "OtlpReceiver", "factory"]


class OtlpReceiver:
    """Implements ``component.Receiver``."""

    def __init__(self, config: Config, settings: ReceiverSettings) -> None:
        self._config = config.protocols
        self._settings = settings
        self._grpc: GrpcServer | None = None
        self._http: HttpServer | None = None
        self._executor: ThreadPoolExecutor | None = None

    @property
    def endpoints(self) -> Mapping[str, str]:
        """Protocol → first address; for ``localhost`` the IPv4 one."""
        return {protocol: addresses[0] for protocol, addresses in self.all_endpoints.items()}

    @property
    def all_endpoints(self) -> Mapping[str, list[str]]:
        """Protocol → every address it listens on."""
        servers = {"grpc": self._grpc, "http": self._http}
        return {protocol: server.endpoints for protocol, server in servers.items() if server is not None}

    async def start(self) -> None:
        try:
            if self._config.grpc is not None:
                server = GrpcServer(self._config.grpc, self._settings)
                await server.start()
                self._grpc = server
            if self._config.http is not None:
                self._http = await self._serve_http(self._config.http)
        except BaseException:
            await self.shutdown()
            raise

    async def shutdown(self) -> None:
        servers = [server for server in (self._grpc, self._http) if server is not None]
        await asyncio.gather(*(server.shutdown() for server in servers))
        if self._executor is not None:
            self._executor.shutdown(wait=False)

    async def _serve_http(self, config: HttpConfig) -> HttpServer:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"{self._settings.id}-json")
        intake = Intake(self._settings, "http")
        app = create_app(
            config.paths,
            intake=intake,
            signals=self._settings.signals,
            budget=self._settings.budget,
            limit=config.limit_bytes,
            pace=config.pace,
            executor=self._executor,
            cors=config.cors,
            langfuse=self._langfuse(config, intake, self._executor) if config.langfuse.enabled else None,
        )
        tls = config.tls.context() if config.tls else None
        return await serve(app, config.endpoint, tls=tls, limits=config.limits, access=config.access)

    def _langfuse(self, config: HttpConfig, intake: Intake, executor: ThreadPoolExecutor) -> LangfuseOf:
        gate = Gate(config.langfuse, config.endpoint)
        if gate.is_closed:
            self._settings.log.warning(
                "Langfuse clients are turned away: protocols.http.langfuse.keys has no keys, and the address is not a "
                "loopback one",
                endpoint=config.endpoint,
            )
        return lambda spans: LangfuseApi(
            gate,
            self._settings,
            intake,
            spans=spans,
            limit=config.limit_bytes,
            pace=config.pace,
            executor=executor,
        )


def _over_tls(config: Config) -> frozenset[str]:
    servers = {"grpc": config.protocols.grpc, "http": config.protocols.http}
    return frozenset(protocol for protocol, server in servers.items() if server is not None and server.tls is not None)


factory = ReceiverFactory(Config, OtlpReceiver, over_tls=_over_tls)
