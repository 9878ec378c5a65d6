"""What ``spanloom run`` says at start-up: where it listens and how to send it something."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from collector.cli.output import print_line
from collector.component.base import ComponentId
from collector.component.receiver import ReceiverFactory
from collector.config.plan import CollectorConfig
from collector.service import running
from collector.version import VERSION

ADMIN = "admin"
Addresses = Mapping[str, Mapping[str, str]]
"""Receiver id, or ``admin`` → protocol → address."""

_log = structlog.stdlib.get_logger("spanloom")
_ENV_PROTOCOLS = {"http": "http/protobuf", "grpc": "grpc"}


def warn_at_start(config: CollectorConfig) -> None:
    """Logs what the configuration says in vain."""
    for warning in config.warnings:
        _log.warning("configuration", problem=warning)


def announcer(config: CollectorConfig, data_dir: Path) -> Callable[[Addresses], None]:
    """The callback for when everything listens: prints on a terminal, logs elsewhere."""

    def announce(addresses: Addresses) -> None:
        admin = addresses.get(ADMIN, {}).get("http")
        if admin:
            running.write(data_dir, admin)
        block = env_block(config, addresses)
        if sys.stdout.isatty():
            _print(addresses, data_dir, block)
        else:
            flat = {name: dict(protocols) for name, protocols in addresses.items()}
            _log.info("running", version=VERSION, endpoints=flat, data_dir=str(data_dir), env=block)

    return announce


def env_block(config: CollectorConfig, addresses: Addresses) -> dict[str, str]:
    """The variables that point an OpenTelemetry SDK at this collector; empty without an OTLP receiver."""
    for protocol in ("http", "grpc"):
        for receiver, protocols in addresses.items():
            if receiver != ADMIN and protocol in protocols:
                scheme = "https" if _has_tls(config, receiver, protocol) else "http"
                return {
                    "OTEL_EXPORTER_OTLP_ENDPOINT": f"{scheme}://{running.reachable(protocols[protocol])}",
                    "OTEL_EXPORTER_OTLP_PROTOCOL": _ENV_PROTOCOLS[protocol],
                    "OTEL_SERVICE_NAME": "my-app",
                    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only",
                }
    return {}


def _has_tls(config: CollectorConfig, receiver: str, protocol: str) -> bool:
    component = config.receivers.get(ComponentId.parse(receiver))
    if component is None or not isinstance(component.factory, ReceiverFactory):
        return False
    return protocol in component.factory.over_tls(component.config)


def _print(addresses: Addresses, data_dir: Path, block: Mapping[str, str]) -> None:
    print_line(f"Spanloom {VERSION} is running. Stop it with Ctrl-C.\n")
    for name, protocols in addresses.items():
        for protocol, address in protocols.items():
            label = ADMIN if name == ADMIN else f"{name} {protocol}"
            print_line(f"  {label:<14}{address}" if protocol == "grpc" else f"  {label:<14}http://{address}")
    print_line(f"  {'data':<14}{data_dir}\n")
    if block:
        print_line("Point an application at it:\n")
        for key, value in block.items():
            print_line(f"export {key}={value}")
        print_line()
