"""Small components behind a fake source of entry points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import AliasChoices, Field, SecretStr, field_validator

from collector.component.base import ComponentConfig, Kind
from collector.component.exporter import ExporterFactory
from collector.component.extension import ExtensionFactory
from collector.component.factories import AnyFactory
from collector.component.processor import ProcessorFactory, Stage
from collector.component.receiver import ReceiverFactory
from collector.component.registry import Registry
from collector.component.sampler import SamplerFactory
from collector.config.load import load
from collector.config.plan import CollectorConfig
from collector.model.batch import Signal
from collector.options.durations import Duration


class TlsConfig(ComponentConfig):
    cert_file: Path | None = None
    """Certificate."""
    insecure: bool = False
    """No TLS."""


class GrpcConfig(ComponentConfig):
    endpoint: str = "localhost:4317"
    """Address."""
    max_recv_msg_size_mib: int = Field(default=0, ge=0)
    """Limit."""
    tls: TlsConfig | None = None
    """TLS."""


class ProtocolsConfig(ComponentConfig):
    grpc: GrpcConfig | None = None
    """OTLP/gRPC; absent: off."""
    http: GrpcConfig | None = None
    """OTLP/HTTP; absent: off."""


class OtlpConfig(ComponentConfig):
    protocols: ProtocolsConfig = ProtocolsConfig()
    """What to listen on."""


class PiiConfig(ComponentConfig):
    entities: tuple[str, ...] = ("email", "iban")
    """What to mask."""


class LatencyPolicy(ComponentConfig):
    type: Literal["latency"]
    """Kind."""
    name: str
    """Name."""
    threshold_ms: int = Field(ge=0)
    """Bound."""


class AlwaysPolicy(ComponentConfig):
    type: Literal["always_sample"]
    """Kind."""
    name: str
    """Name."""


class SamplingConfig(ComponentConfig):
    decision_wait: Duration = timedelta(seconds=30)
    """Wait."""
    decision_wait_after_root_received: Duration = timedelta(0)
    """Wait."""
    expected_new_traces_per_sec: int = 0
    """No effect: nothing is allocated ahead."""
    policies: tuple[Annotated[LatencyPolicy | AlwaysPolicy, Field(discriminator="type")], ...] = Field(min_length=1)
    """Policies."""


class QueueConfig(ComponentConfig):
    enabled: bool = True
    """Whether."""
    queue_size: int = Field(default=1000, ge=1)
    """Bound."""


class ForwardConfig(ComponentConfig):
    endpoint: str
    """Where to."""
    headers: Mapping[str, SecretStr] = Field(default_factory=dict)
    """Sent along."""
    sending_queue: QueueConfig = QueueConfig()
    """The queue."""
    compression: Literal["gzip", "none"] = "gzip"
    """Of bodies."""
    key: SecretStr | None = None
    """A secret whose name does not say so."""
    wait: Duration = Field(default=timedelta(seconds=5), validation_alias=AliasChoices("timeout", "wait"))
    """Per attempt."""
    ratio: float | Literal["auto"] = "auto"
    """A union."""

    @field_validator("endpoint")
    @classmethod
    def _has_no_space(cls, endpoint: str) -> str:
        if " " in endpoint:
            raise ValueError(f"{endpoint!r} is not an address")
        return endpoint


class StoreConfig(ComponentConfig):
    path: Path | None = None
    """File."""
    retention: Duration | None = None
    """How long."""


class ProbeConfig(ComponentConfig):
    endpoint: str = "localhost:13133"
    """Where it answers."""
    key: SecretStr | None = None
    """A secret whose name does not say so."""


def _never(*_: Any) -> Any:
    raise AssertionError("checking a configuration creates nothing")


ALL = frozenset(Signal)
FACTORIES: dict[Kind, dict[str, AnyFactory]] = {
    Kind.RECEIVER: {
        "otlp": ReceiverFactory(OtlpConfig, _never),
        "spans_only": ReceiverFactory(OtlpConfig, _never, signals=frozenset({Signal.TRACES})),
    },
    Kind.PROCESSOR: {
        "pii": ProcessorFactory(PiiConfig, _never, stage=Stage.MASK, signals=ALL),
        "cost": ProcessorFactory(ComponentConfig, _never),
        "redaction": ProcessorFactory(ComponentConfig, _never, masks=True, signals=ALL),
        "tail_sampling": SamplerFactory(SamplingConfig, _never),
    },
    Kind.EXTENSION: {"health_check": ExtensionFactory(ProbeConfig, _never)},
    Kind.EXPORTER: {
        "duckdb": ExporterFactory(StoreConfig, _never, stores=True),
        "parquet": ExporterFactory(StoreConfig, _never, stores=True),
        "otlp_http": ExporterFactory(ForwardConfig, _never),
        "otlp_grpc": ExporterFactory(ForwardConfig, _never),
        "debug": ExporterFactory(ComponentConfig, _never),
    },
}


@dataclass(frozen=True)
class FakeEntryPoint:
    """What the registry uses of ``importlib.metadata.EntryPoint``."""

    name: str
    factory: Any
    value: str = "somewhere:factory"
    dist: None = None

    def load(self) -> Any:
        if isinstance(self.factory, Exception):
            raise self.factory
        return self.factory


def entry_points_of(factories: Mapping[Kind, Mapping[str, Any]]) -> Callable[[str], Iterable[FakeEntryPoint]]:
    groups = {kind.group: [FakeEntryPoint(n, f) for n, f in named.items()] for kind, named in factories.items()}
    return lambda group: groups.get(group, [])


@pytest.fixture
def entry_points() -> Callable[..., Any]:
    return entry_points_of


@pytest.fixture
def registry() -> Registry:
    return Registry(entry_points_of(FACTORIES))


@pytest.fixture
def load_text(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CollectorConfig]:
    """Checks YAML text as the file ``c.yaml``, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def load_(text: str, *more: str, overrides: Iterable[str] = (), environ: Mapping[str, str] = {}) -> CollectorConfig:
        names = []
        for position, part in enumerate((text, *more)):
            names.append("c.yaml" if not position else f"c{position + 1}.yaml")
            Path(names[-1]).write_text(part, encoding="utf-8")
        return load(names, overrides=list(overrides), environ=environ, data_dir=tmp_path, registry=registry)

    return load_
