"""The options of the ``service:`` section of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from collector.component.base import ComponentConfig
from collector.options.durations import Duration


class AdminAuthConfig(ComponentConfig):
    mode: Literal["none"]
    """``none``: who reaches the address may do everything."""


class AdminConfig(ComponentConfig):
    endpoint: str = "localhost:4330"
    """Address of the admin server: health, metrics, API."""

    auth: AdminAuthConfig | None = None
    """Who may use the admin server. Must be written out where the address is not a loopback one: the API hands all
    stored content to whoever reaches it."""

    allowed_hosts: tuple[str, ...] = ()
    """Host names, besides those of loopback, under which the API answers; health and metrics are held to them only
    where the address is a loopback one. ``*`` stands for any text."""


class MemoryConfig(ComponentConfig):
    limit_mib: int | None = Field(default=None, ge=64)
    """Bound of the anonymous memory of the whole service in MiB; null: half of what the cgroup or machine has."""


class JournalConfig(ComponentConfig):
    directory: Path | None = None
    """Folder of the journal; null: ``journal`` in the data folder."""

    max_size_mib: int = Field(default=10_240, ge=256)
    """Above this many MiB new data is refused until exporters have caught up."""

    fsync: bool = True
    """False: acknowledged data survives a crash of the process but not of the machine."""


class PipelineConfig(ComponentConfig):
    receivers: tuple[str, ...] = Field(min_length=1)
    """Ids of receivers or connectors."""

    processors: tuple[str, ...] = ()
    """Ids of processors, in order."""

    exporters: tuple[str, ...] = Field(min_length=1)
    """Ids of exporters or connectors."""


class ServiceConfig(ComponentConfig):
    pipelines: Mapping[str, PipelineConfig] = Field(min_length=1)
    """``traces``, ``logs``, ``metrics``, or ``traces/name``, ..."""

    extensions: tuple[str, ...] = ()
    """Ids of extensions, in the order they start."""

    admin: AdminConfig = AdminConfig()
    """The admin server."""

    dialects: tuple[Path, ...] = ()
    """Files of dialects of one's own, ``NAME.yaml`` each, besides the built-in ones; relative to the working folder."""

    memory: MemoryConfig = MemoryConfig()
    """Bounds of memory."""

    workers: int = Field(default=0, ge=0, le=64)
    """Ingest processes. More than 0 is answered with a warning: ingest runs inside the core process."""

    journal: JournalConfig = JournalConfig()
    """Where acknowledged data is kept until every exporter has it."""

    shutdown_timeout: Duration = timedelta(seconds=30)
    """How long exporters may take to deliver what is left after SIGTERM."""

    telemetry: Mapping[str, Any] = Field(default_factory=dict)
    """Accepted for compatibility: ``logs.level`` is used, the rest warns."""
