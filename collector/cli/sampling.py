"""``spanloom sampling``: what a configuration's sampling would do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collector.cli.options import DEFAULT_DATA_DIR, ConfigFiles, DataDir, Overrides, offline
from collector.cli.output import Output, errors_explained, print_table

sampling = typer.Typer(help="Try sampling out on what was stored or captured.", no_args_is_help=True)


@sampling.command("simulate")
def simulate(
    inputs: Annotated[
        list[Path],
        typer.Option(
            "--input",
            metavar="PATH",
            exists=True,
            help="The data folder, a folder of Parquet as the exporter writes it, or a file of OTLP; may repeat.",
        ),
    ],
    config: ConfigFiles = None,
    overrides: Overrides = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    output: Annotated[Output, typer.Option(help="How to print the table.")] = Output.TABLE,
) -> None:
    """Sum up what each policy would keep of stored traces.

    One line per policy and answer: what it says to keep or to drop, and what it was the first to keep; then what
    all of them together keep and drop. Nothing is stored or sent.
    """
    from collector.offline.sampling_report import SamplingReport  # noqa: PLC0415 - the engine is only needed here
    from collector.offline.simulation import simulate as run  # noqa: PLC0415

    with errors_explained():
        checked = offline(config, overrides, data_dir)
        report = SamplingReport()
        run(checked, inputs, report.observe, data_dir=data_dir.absolute())
    print_table(SamplingReport.COLUMNS, report.rows(), output)


@sampling.callback()
def _group() -> None:
    """Try sampling out on what was stored or captured."""
