"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from collector.cli.output import note
from collector.config.load import load
from collector.config.plan import CollectorConfig
from collector.model.batch import Signal

ConfigFiles = Annotated[
    list[str] | None,
    typer.Option("--config", "-c", metavar="FILE", help="Configuration; may be given several times, later ones win."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="One value, as in exporters.debug.verbosity=detailed; may be given several times.",
    ),
]
DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        envvar="SPANLOOM_DATA_DIR",
        metavar="DIR",
        file_okay=False,
        help="Folder of the journal, the DuckDB file and the Parquet files.",
    ),
]
Captures = Annotated[
    list[Path],
    typer.Argument(
        metavar="INPUT", exists=True, dir_okay=False, help="Files of OTLP: .binpb, .json, .jsonl; also with .gz."
    ),
]
OptionalCaptures = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[INPUT]...", exists=True, dir_okay=False, help="Files of OTLP: .binpb, .json, .jsonl; also with .gz."
    ),
]
CapturedSignal = Annotated[Signal | None, typer.Option(help="What the files hold, where they do not say.")]
Endpoint = Annotated[
    str | None, typer.Option("--endpoint", metavar="HOST:PORT", help="Admin address of a running service.")
]
DEFAULT_DATA_DIR = Path("spanloom-data")


def load_config(files: Sequence[str] | None, overrides: Sequence[str] | None, data_dir: Path) -> CollectorConfig:
    """The checked configuration a command was given. Raises ``ConfigError``."""
    return load(list(files or ()), overrides=list(overrides or ()), environ=os.environ, data_dir=data_dir.absolute())


def offline(files: Sequence[str] | None, overrides: Sequence[str] | None, data_dir: Path) -> CollectorConfig:
    """The same for a command that runs pipelines without a service: warnings are told, the log is quiet."""
    from collector.service import logs  # noqa: PLC0415 - only for those who run something

    checked = load_config(files, overrides, data_dir)
    logs.configure("warn")
    for warning in checked.warnings:
        note(warning, kind="warning")
    return checked


def read_captures(paths: Sequence[Path], signal: Signal | None) -> tuple[list[str], list[tuple[Signal, bytes]]]:
    """What errors call each captured request, and the requests. Raises ``InvalidDataError``."""
    from collector.offline.captures import read_capture  # noqa: PLC0415 - decoding is only needed where there are captures

    names: list[str] = []
    requests: list[tuple[Signal, bytes]] = []
    for path in paths:
        found = list(read_capture(path, signal))
        names += (
            [f"{path}: request {n}" for n in range(1, len(found) + 1)] if len(found) > 1 else [str(path)] * len(found)
        )
        requests += found
    return names, requests
