"""``spanloom pii report``: what would be masked in captured OTLP, and where; never what it is."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.cli.options import (
    DEFAULT_DATA_DIR,
    CapturedSignal,
    Captures,
    ConfigFiles,
    DataDir,
    Overrides,
    offline,
    read_captures,
)
from collector.cli.output import Output, errors_explained, note, print_table

pii = typer.Typer(help="Look at personal data.", no_args_is_help=True)


@pii.callback()
def _group() -> None:
    """Keeps `report` a command of its own while it is the only one."""


@pii.command("report")
def report(
    inputs: Captures,
    config: ConfigFiles = None,
    overrides: Overrides = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    signal: CapturedSignal = None,
    output: Annotated[Output, typer.Option(help="How to print the table.")] = Output.TABLE,
) -> None:
    """List what would be found where in captured OTLP: which entity, in which carrier, under which key, how often.

    Values are never printed, and keys are masked. Entities that are off by default are searched for with, say,
    --set processors.pii.entities.phone=redact.
    """
    from collector.offline.masking_report import COLUMNS, masking_report  # noqa: PLC0415 - the engine is only needed here

    with errors_explained():
        checked = offline(config, overrides, data_dir)
        names, requests = read_captures(inputs, signal)
        rows = masking_report(checked, requests, names=names, data_dir=data_dir.absolute())
    print_table(COLUMNS, rows, output)
    note(f"{sum(row[-1] for row in rows)} values found")
