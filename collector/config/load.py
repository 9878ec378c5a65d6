"""A whole configuration: sources → one tree → checked types. All errors come at once."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path

from collector.component.base import ComponentId, Kind
from collector.component.factories import AnyFactory
from collector.component.registry import Registry
from collector.config import confmap, dialect_files, extension_checks, memory_bound, yaml_tree
from collector.config.engine_processors import ENGINE_PROCESSORS, MemoryLimiterConfig
from collector.config.pipelines import Declared, pipelines
from collector.config.plan import CollectorConfig, Component
from collector.config.secrets import redacted
from collector.config.service_config import ServiceConfig
from collector.config.validation import Findings, collector_options, secret_paths, validate
from collector.config.yaml_tree import Problem
from collector.errors import ConfigError, suggest
from collector.serving.access import is_loopback_host

DEFAULT_YAML = """\
receivers: {otlp: {protocols: {grpc: {endpoint: "localhost:4317"}, http: {endpoint: "localhost:4318"}}}}
processors: {pii: {}, cost: {}, tail_sampling: {decision_wait: 30s, decision_wait_after_root_received: 2s, policies: [{name: all, type: always_sample}]}}
exporters: {duckdb: {retention: 7d}, parquet: {}}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [pii, cost, tail_sampling], exporters: [duckdb, parquet]}
    logs: {receivers: [otlp], processors: [pii], exporters: [duckdb, parquet]}
    metrics: {receivers: [otlp], processors: [pii], exporters: [duckdb, parquet]}
"""  # noqa: E501 - one line per component
"""What runs when no file is named."""

_SECTIONS = ("receivers", "processors", "exporters", "connectors", "extensions", "service")
LOG_LEVELS = ("debug", "info", "warn", "error")


def load(
    sources: Sequence[Path | str],
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str],
    data_dir: Path,  # noqa: ARG001 - part of the agreed call; paths are resolved by the service
    registry: Registry | None = None,
) -> CollectorConfig:
    """The checked configuration of ``sources`` (none: the embedded default) with ``overrides`` applied.

    The dialect tables of this process are from now on those of this configuration (``service.dialects``). Raises
    ``ConfigError`` with every problem found, each with file, line and key path, never with a secret.
    """
    document = merged(sources, overrides=overrides, environ=environ)
    findings = Findings(document.root, document.problems, document.warnings)
    if not document.is_complete:
        raise ConfigError(*_sorted(findings.problems))
    config = _Checker(findings, registry or Registry()).check()
    if findings.problems or config is None:
        raise ConfigError(*_sorted(findings.problems))
    return config


def merged(sources: Sequence[Path | str], *, overrides: Sequence[str], environ: Mapping[str, str]) -> confmap.Document:
    """The merged tree of ``sources`` (none: the embedded default), not checked."""
    if sources:
        return confmap.load(sources, overrides=overrides, environ=environ)
    base = confmap.literal(DEFAULT_YAML, "(default)")
    return confmap.layered(base, overrides=overrides, environ=environ)


def document(
    sources: Sequence[Path | str],
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str],
    registry: Registry | None = None,
) -> object:
    """The merged configuration to show to people: not checked, secrets hidden, references kept.

    Raises ``ConfigError`` when the sources cannot be read or merged.
    """
    found = merged(sources, overrides=overrides, environ=environ)
    if found.problems:
        raise ConfigError(*_sorted(found.problems))
    checker = _Checker(Findings(found.root), registry or Registry())
    checker.check()  # for the types, which say what is secret
    return redacted(found.root, frozenset(checker.secret))


def _sorted(problems: Sequence[Problem]) -> list[str]:
    """In the order of the files, each thing once."""
    sources = {problem.place.source: None for problem in problems}
    order = {source: at for at, source in enumerate(sources)}
    ranked = sorted(problems, key=lambda problem: (order[problem.place.source], problem.place.line))
    return list(dict.fromkeys(str(problem) for problem in ranked))


class _Checker:
    """Walks the sections of one tree; everything it finds wrong goes to the findings."""

    def __init__(self, findings: Findings, registry: Registry) -> None:
        self._findings = findings
        self._registry = registry
        self._declared = Declared()
        self._components: dict[Kind, dict[ComponentId, Component]] = {kind: {} for kind in Kind}
        self.secret: set[yaml_tree.Path] = set()
        """Paths whose type says that they are secret."""

    def check(self) -> CollectorConfig | None:
        root = self._findings.root
        if not isinstance(root, yaml_tree.Mapping):
            return None
        for key in root.entries:
            if key not in _SECTIONS:
                near = suggest(key, _SECTIONS)
                self._findings.error((key,), f"unknown section{near or '; known: ' + ', '.join(_SECTIONS)}")
        for kind in Kind:
            self._section(kind)
        service = self._service()
        listed = extension_checks.listed(self._declared, self._findings)
        self._declared.components = self._components
        found = pipelines(root, self._declared, self._findings)
        limiters = self._limiters(service)
        self._check_exposed()
        self._check_admin()
        if service is None or self._findings.problems:
            return None
        started = self._components[Kind.EXTENSION]
        return CollectorConfig(
            receivers=self._components[Kind.RECEIVER],
            processors=self._components[Kind.PROCESSOR],
            exporters=self._components[Kind.EXPORTER],
            connectors=self._components[Kind.CONNECTOR],
            service=service,
            pipelines=found,
            memory_limiters=limiters,
            extensions={id_: started[id_] for id_ in listed if id_ in started},
            warnings=tuple(_sorted(self._findings.warnings)),
            document=redacted(root, frozenset(self.secret)),  # type: ignore[arg-type]
        )

    def _section(self, kind: Kind) -> None:
        path = (f"{kind}s",)
        section = yaml_tree.find(self._findings.root, path)
        if yaml_tree.is_null(section):
            return
        if not isinstance(section, yaml_tree.Mapping):
            self._findings.error(path, f"must be a map of {kind}s, each under its id")
            return
        for key in section.entries:
            try:
                id_ = ComponentId.parse(key)
            except ConfigError as error:
                self._findings.error((*path, key), str(error))
                continue
            if id_ in self._declared.ids(kind):
                self._findings.error((*path, key), f"{kind} {str(id_)!r} is declared twice")
                continue
            self._component(kind, id_, (*path, key))

    def _component(self, kind: Kind, id_: ComponentId, path: yaml_tree.Path) -> None:
        node = yaml_tree.find(self._findings.root, path)
        if kind is Kind.PROCESSOR and id_.type in ENGINE_PROCESSORS and id_.type not in self._registry.names(kind):
            mapped = collector_options()["processors"].get(id_.type)
            # One warning for a component without effect says more than one per option.
            findings = Findings(self._findings.root, self._findings.problems) if mapped else self._findings
            self._declared.engine[id_] = validate(ENGINE_PROCESSORS[id_.type], node, path, findings)
            if mapped:
                self._findings.warn(path, mapped)
            return
        if kind is Kind.EXTENSION and id_.type not in self._registry.names(kind):
            extension_checks.advise(id_.type, path, self._registry, self._findings)
            self._declared.factories[kind][id_] = None
            return
        factory = self._factory(kind, id_, path)
        self._declared.factories[kind][id_] = factory
        if factory is None:
            return
        self.secret |= set(secret_paths(factory.config, node, path))
        config = validate(factory.config, node, path, self._findings)
        if config is not None:
            self._components[kind][id_] = Component(id_, config, factory)

    def _factory(self, kind: Kind, id_: ComponentId, path: yaml_tree.Path) -> AnyFactory | None:
        try:
            return self._registry.get(kind, id_.type)
        except ConfigError as error:
            hint = collector_options()["components"].get(kind.value, {}).get(id_.type)
            self._findings.error(path, f"{error}: {hint}" if hint else str(error))
            return None

    def _service(self) -> ServiceConfig | None:
        path = ("service",)
        node = yaml_tree.find(self._findings.root, path)
        if yaml_tree.is_null(node):
            self._findings.error(path, "the section 'service' is required: it holds the pipelines")
            return None
        service = validate(ServiceConfig, node, path, self._findings)
        if service is not None and service.workers:
            why = "more than one process is not supported yet: ingest runs inside the core process"
            self._findings.warn((*path, "workers"), why)
        self._telemetry(yaml_tree.find(node, ("telemetry",)))
        if service is not None:
            dialect_files.use(service.dialects, self._findings, self._registry.entry_points)
        return service

    def _limiters(self, service: ServiceConfig | None) -> dict[ComponentId, MemoryLimiterConfig]:
        """Those in use; says whose limit does not hold."""
        used = {id_ for kind, id_ in self._declared.used if kind is Kind.PROCESSOR}
        found = {
            id_: options
            for id_, options in self._declared.engine.items()
            if isinstance(options, MemoryLimiterConfig) and id_ in used
        }
        limit_mib = service.memory.limit_mib if service else None
        holds = memory_bound.bound(limit_mib, found)
        for id_, options in found.items():
            mine, at = memory_bound.of_limiter(id_, options), ("processors", str(id_))
            shown = f"{mine.limit >> 20} MiB"
            if mine.limit < memory_bound.SMALLEST:
                least = memory_bound.SMALLEST >> 20
                self._findings.error(at, f"the limit, {shown}, is less than the service needs: at least {least} MiB")
            elif mine != holds:
                smaller = f"{holds.said_by}, {holds.limit >> 20} MiB, is smaller and holds"
                self._findings.warn(at, f"the limit, {shown}, has no effect here: {smaller}")
        if limit_mib and found and holds.said_by != "service.memory.limit_mib":
            why = f"has no effect: {holds.said_by}, {holds.limit >> 20} MiB, is smaller and holds"
            self._findings.warn(("service", "memory", "limit_mib"), why)
        return found

    def _telemetry(self, node: yaml_tree.Node | None) -> None:
        if not isinstance(node, yaml_tree.Mapping):
            return
        for path, scalar in yaml_tree.scalars(node, ("service", "telemetry")):
            if path[2:] != ("logs", "level"):
                why = "accepted, but without effect: metrics are at /metrics of service.admin.endpoint, logs on stderr"
                self._findings.warn(path, why)
            elif str(scalar.value).lower() not in LOG_LEVELS:
                self._findings.error(
                    path, f"must be one of {', '.join(LOG_LEVELS)}{suggest(str(scalar.value), LOG_LEVELS)}"
                )

    def _check_admin(self) -> None:
        """The admin API is open to whoever reaches its address: beyond this machine only when somebody says so."""
        admin = yaml_tree.find(self._findings.root, ("service", "admin"))
        endpoint = yaml_tree.find(self._findings.root, ("service", "admin", "endpoint"))
        if not isinstance(endpoint, yaml_tree.Scalar) or is_loopback_host(_host_of(str(endpoint.value))):
            return
        if yaml_tree.is_null(yaml_tree.child(admin, "auth")):
            why = "others than this machine reach it, and it hands out all stored content without asking who they are"
            how = "use localhost, or write 'service.admin.auth: {mode: none}' when the network keeps strangers out"
            self._findings.error(("service", "admin", "endpoint"), f"{why}: {how}")

    def _check_exposed(self) -> None:
        """Warns about servers that anybody who reaches this machine can talk to."""
        served = {("extensions", str(id_)) for id_ in self._components[Kind.EXTENSION]}
        for path, scalar in yaml_tree.scalars(self._findings.root):
            server = path[0] == "receivers" or path[:2] == ("service", "admin") or path[:2] in served
            if path[-1] != "endpoint" or not server or not _is_wildcard(str(scalar.value)):
                continue
            around = yaml_tree.find(self._findings.root, path[:-1])
            if yaml_tree.is_null(yaml_tree.child(around, "tls")):
                why = "listens on every network interface without TLS"
                self._findings.warn(path, f"{why}: use localhost, or make sure that only trusted clients reach it")


def _is_wildcard(endpoint: str) -> bool:
    host = _host_of(endpoint)
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return endpoint.startswith(":")


def _host_of(endpoint: str) -> str:
    return endpoint.rpartition(":")[0].strip("[]")


def log_level(config: CollectorConfig) -> str:
    """``service.telemetry.logs.level`` in lower case; ``info`` unless said."""
    logs = config.service.telemetry.get("logs")
    level = logs.get("level") if isinstance(logs, Mapping) else None
    return str(level or "info").lower()
