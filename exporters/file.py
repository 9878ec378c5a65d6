"""Writes spans, logs and metrics to a file as OTLP, masked: the format of the Collector's file exporter.

A line of JSON per request, which its `otlpjsonfile` receiver reads; or, with `proto` or a compression, per request four
bytes of length and the bytes. `spanloom dry-run`, `explain` and `replay` read both. Files are readable by their owner
only. After a crash the last requests may stand in the file twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

import zstandard
from pydantic import Field, field_validator, model_validator

from exporters._otlp.delivery import OtlpExporter, Reply, encoder
from exporters._otlp.message_file import MessageFile, Rotation
from spanloom import (
    Batch,
    ComponentConfig,
    Duration,
    ExportBatch,
    ExporterFactory,
    ExportPreferences,
    Settings,
    Signal,
)

_LONGEST_REQUEST = 1_000_000
"""Bytes before compression; the Collector's ``otlpjsonfile`` takes lines of 1 MiB unless told otherwise."""


class RotationConfig(ComponentConfig):
    max_megabytes: int = Field(default=100, ge=1)
    """A file that would become larger (MiB) is put aside, under its name with the time in it."""

    max_days: int = Field(default=0, ge=0)
    """Files put aside are deleted after so many days; 0: never."""

    max_backups: int = Field(default=100, ge=0)
    """So many files put aside are kept; 0: all."""

    localtime: bool = False
    """The time in their names is local, and not UTC."""


class Config(ComponentConfig):
    path: Path
    """The file. Its folder must be there."""

    format: Literal["json", "proto"] = "json"
    """OTLP/JSON or protobuf."""

    compression: Literal["zstd", "none"] = "none"
    """``zstd``: each request is compressed by itself."""

    append: bool = False
    """True: what a file holds at the start stays. False: it is emptied. With ``rotation`` it always stays."""

    rotation: RotationConfig | None = None
    """Begin a new file when one is full; null: never."""

    flush_interval: Duration = timedelta(seconds=1)
    """Data is written, and brought to the disk, at least so often."""

    @field_validator("compression", mode="before")
    @classmethod
    def _empty_is_none(cls, compression: Any) -> Any:
        return compression or "none"

    @field_validator("path")
    @classmethod
    def _is_named(cls, path: Path) -> Path:
        if not path.name:
            raise ValueError("must name a file")
        return path

    @model_validator(mode="after")
    def _appends_plain_files_only(self) -> Self:
        if self.append and self.compression != "none":
            raise ValueError("append and compression cannot be together: use rotation to keep what a file holds")
        if self.flush_interval <= timedelta(0):
            raise ValueError("flush_interval must be longer than 0s")
        return self


class FileTransport:
    """Implements ``_otlp.Transport``."""

    joinable = False

    def __init__(self, config: Config) -> None:
        rotation = config.rotation
        self._encode = encoder(config.format)
        self._compressor = zstandard.ZstdCompressor() if config.compression == "zstd" else None
        self._file = MessageFile(
            config.path,
            framed=config.format == "proto" or config.compression != "none",
            append=config.append,
            rotation=None
            if rotation is None
            else Rotation.of(
                max_megabytes=rotation.max_megabytes,
                max_days=rotation.max_days,
                max_backups=rotation.max_backups,
                local_time=rotation.localtime,
            ),
        )

    def open(self) -> None:
        self._file.open()

    def encode(self, batch: Batch) -> bytes:
        return self._encode(batch)

    def send(self, signal: Signal, body: bytes) -> Reply:  # noqa: ARG002 - a request says itself what it holds
        self._file.write(self._compressor.compress(body) if self._compressor else body)
        return Reply()

    def sync(self) -> None:
        """See ``MessageFile.sync``."""
        self._file.sync()

    def close(self) -> None:
        self._file.close()


class FileExporter(OtlpExporter):
    """Implements ``component.Exporter``."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._to_file = FileTransport(config)
        super().__init__(self._to_file, settings, max_request_bytes=_LONGEST_REQUEST)

    def export(self, batch: ExportBatch) -> Mapping[Signal, int] | None:
        """As ``OtlpExporter.export``; what it returns from is on the disk."""
        dropped = super().export(batch)
        self._to_file.sync()
        return dropped


def _preferences(config: Config) -> ExportPreferences:
    return ExportPreferences(seconds=config.flush_interval.total_seconds())


factory = ExporterFactory(Config, FileExporter, preferences=_preferences)
