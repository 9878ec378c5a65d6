"""OTLP over gRPC: the Export call of the trace, logs and metrics services.

On the wire Export is a unary call. Here it is registered as a stream of requests, because gRPC
reads the message of a unary call *before* it runs the handler: any number of clients would fill
the memory before the byte budget is asked (measured: 40 calls of 16 MB held 1,152 MB; like this 45).
For the same end compressed messages are inflated here, within the share of their call (gRPC inflates before anybody
is asked: 20 messages of 64 KB took 1,462 MiB), ``bdp_probe`` is off (it opens the window to many times the lookahead)
and ``maximum_concurrent_rpcs`` is not used: it refuses in a way that OTLP clients must not retry.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any, NoReturn

import grpc
import grpc.aio

from collector.component.receiver import ByteBudget, Received, ReceiverSettings
from collector.errors import CollectorError, ConfigError, InvalidDataError
from collector.model.batch import Signal
from collector.receivers._otlp.read_gate import ReadGate
from collector.receivers._otlp.receiver_config import GrpcConfig
from collector.receivers._shared.arriving import Refused
from collector.receivers._shared.intake import Intake
from collector.receivers._shared.status import Refusal, refusal, success_proto
from collector.serving.budget import Share
from collector.serving.http_server import address_of, listen, split_endpoint

_SERVICES = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}

_LOOKAHEAD_BYTES = 1024 * 1024
"""Bytes of an unread call that may be in memory; 64 KiB would hold a stream to 1.3 MB/s at 50 ms."""

_HANDSHAKE_MILLISECONDS = 20_000
_SHUTDOWN_SECONDS = 10
_PORT_ATTEMPTS = 20


class GrpcServer:
    """Serves the signals some pipeline consumes; the others are UNIMPLEMENTED."""

    def __init__(self, config: GrpcConfig, settings: ReceiverSettings) -> None:
        self._config = config
        self._settings = settings
        self._intake = Intake(settings, "grpc")
        self._server: grpc.aio.Server | None = None
        self.endpoints: list[str] = []

    async def start(self) -> None:
        """Raises ``ConfigError`` when the address or the certificate cannot be used."""
        credentials = self._config.tls.grpc_credentials() if self._config.tls else None
        for attempt in range(_PORT_ATTEMPTS):
            addresses = _free_addresses(self._config.endpoint)
            server = self._create_server()
            try:
                for address in addresses:
                    _bind(server, address, credentials)
            except RuntimeError:
                # Somebody took the port since we looked; only a free one is worth another try.
                if split_endpoint(self._config.endpoint)[1] or attempt == _PORT_ATTEMPTS - 1:
                    raise ConfigError(f"cannot listen on {' and '.join(addresses)}: the address is taken") from None
                continue
            await server.start()
            self._server, self.endpoints = server, addresses
            return

    async def shutdown(self) -> None:
        """Accepts nothing new and finishes calls in flight (bounded). May be called twice."""
        if self._server is not None:
            await self._server.stop(_SHUTDOWN_SECONDS)
            self._server = None

    def _create_server(self) -> grpc.aio.Server:
        server = grpc.aio.server(options=_options(self._config))
        config = self._config
        gate = ReadGate(self._settings.budget, config.limit_bytes, config.read_timeout.total_seconds())
        handlers = [_health()]
        for signal in self._settings.signals:
            export = _Export(signal, self._intake, self._settings.budget, gate)
            handlers.append(
                grpc.method_handlers_generic_handler(
                    _SERVICES[signal], {"Export": grpc.stream_unary_rpc_method_handler(export.call)}
                )
            )
        server.add_generic_rpc_handlers(tuple(handlers))
        return server


class _Export:
    """The Export method of one service, over serialised messages."""

    def __init__(self, signal: Signal, intake: Intake, budget: ByteBudget, gate: ReadGate) -> None:
        self._signal = signal
        self._intake = intake
        self._budget = budget
        self._gate = gate

    async def call(self, _requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        started = time.perf_counter()
        share = Share(self._budget)
        answer: Received | Refusal | None = None
        size = 0
        try:
            body = await self._receive(context, share)
            if isinstance(body, Refusal):
                answer = body
            else:
                size = len(body)
                answer = await self._intake.consume_to_the_end(self._signal, body, share, partial(_values, context))
        finally:
            self._intake.count(self._signal, answer, body_bytes=size, started=started)
        if isinstance(answer, Refusal):
            await _abort(context, answer)
        return success_proto(answer)

    async def _receive(self, context: grpc.aio.ServicerContext[Any, Any], share: Share) -> bytes | Refusal:
        """The inflated message, with its size held of the share; else nothing is held."""
        try:
            return await self._gate.read(share, context.peer(), partial(_read, context))
        except Refused as refused:
            share.release()
            return refused.answer
        except CollectorError as error:
            share.release()
            return refusal(error)
        except BaseException:
            share.release()
            raise


def _values(context: grpc.aio.ServicerContext[Any, Any], name: str) -> list[str]:
    """The call's metadata of that name; what is not text (``-bin``) as text where it is."""
    pairs = context.invocation_metadata() or ()
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for key, v in pairs if key == name]


async def _read(context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
    body = await context.read()
    if not isinstance(body, bytes):
        raise InvalidDataError("the call carries no message")
    return body


async def _abort(context: grpc.aio.ServicerContext[Any, Any], answer: Refusal) -> NoReturn:
    await context.abort(answer.grpc_code, answer.message, (("grpc-status-details-bin", answer.proto()),))
    raise AssertionError("abort always raises")


def _health() -> grpc.GenericRpcHandler[Any, Any]:
    """grpc.health.v1 Check, for Kubernetes' gRPC probes: SERVING (1) in field 1."""

    async def check(_request: bytes, _context: Any) -> bytes:
        return b"\x08\x01"

    method = grpc.unary_unary_rpc_method_handler(check)
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method})


def _free_addresses(endpoint: str) -> list[str]:
    """The addresses to bind: gRPC takes no sockets, and does not say clearly why it cannot bind."""
    sockets = listen(endpoint)
    try:
        return [address_of(sock) for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def _bind(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> None:
    """Raises ``RuntimeError`` when the address cannot be bound."""
    if credentials is None:
        server.add_insecure_port(address)
    else:
        server.add_secure_port(address, credentials)


def _options(config: GrpcConfig) -> list[tuple[str, int]]:
    parameters, policy = config.keepalive.server_parameters, config.keepalive.enforcement_policy
    options: dict[str, int | None] = {
        "grpc.max_receive_message_length": config.limit_bytes,
        "grpc.per_message_decompression": 0,
        "grpc.server_handshake_timeout_ms": _HANDSHAKE_MILLISECONDS,
        "grpc.http2.lookahead_bytes": _LOOKAHEAD_BYTES,
        "grpc.http2.bdp_probe": 0,
        "grpc.so_reuseport": 0,
        "grpc.max_concurrent_streams": config.max_concurrent_streams or None,
        "grpc.max_connection_idle_ms": _milliseconds(parameters.max_connection_idle),
        "grpc.max_connection_age_ms": _milliseconds(parameters.max_connection_age),
        "grpc.max_connection_age_grace_ms": _milliseconds(parameters.max_connection_age_grace),
        "grpc.keepalive_time_ms": _milliseconds(parameters.time),
        "grpc.keepalive_timeout_ms": _milliseconds(parameters.timeout),
        "grpc.http2.min_recv_ping_interval_without_data_ms": _milliseconds(policy.min_time),
        "grpc.keepalive_permit_without_calls": int(policy.permit_without_stream),
    }
    return [(name, value) for name, value in options.items() if value is not None]


def _milliseconds(value: timedelta | None) -> int | None:
    return None if value is None else value // timedelta(milliseconds=1)
