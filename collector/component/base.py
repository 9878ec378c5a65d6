"""What every component has: a name, a frozen Config, and the Settings the engine passes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from collector.errors import ConfigError

if TYPE_CHECKING:
    import structlog

    from collector.telemetry import Telemetry


_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,62}\Z")


class ComponentConfig(BaseModel):
    """Base of every ``Config``: immutable, unknown keys refused, field docstrings are the docs."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, order=True, slots=True)
class ComponentId:
    """``type`` or ``type/name``, as written in the configuration."""

    type: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> ComponentId:
        """Raises ``ConfigError`` when the text is no component id."""
        kind, slash, name = text.partition("/")
        kind, name = kind.strip(), name.strip()
        if not _NAME.match(kind) or (slash and not name):
            raise ConfigError(f"{text!r} is not a component id: expected 'type' or 'type/name'")
        return cls(kind, name)

    def __str__(self) -> str:
        return f"{self.type}/{self.name}" if self.name else self.type


class Kind(StrEnum):
    """The kinds of component; ``spanloom.<kind>s`` is the entry-point group."""

    RECEIVER = "receiver"
    PROCESSOR = "processor"
    EXPORTER = "exporter"
    CONNECTOR = "connector"
    EXTENSION = "extension"

    @property
    def group(self) -> str:
        return f"spanloom.{self.value}s"


class Stability(StrEnum):
    """How much a component may still change."""

    STABLE = "stable"
    BETA = "beta"
    ALPHA = "alpha"


@dataclass(frozen=True)
class Settings:
    """What the engine passes to every component."""

    id: ComponentId
    telemetry: Telemetry
    log: structlog.stdlib.BoundLogger
    data_dir: Path
    """The service's data folder; may not exist yet."""

    memory_bytes: int = 256 * 1024 * 1024
    """Anonymous memory this component may use for buffers of its own."""
