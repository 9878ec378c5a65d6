"""The command ``spanloom``. Only this module and its ``cli_*`` siblings print or choose exit codes.

Exit codes: 0 done (with or without warnings), 1 an error that was explained, 2 wrong usage.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from collector.cli import (
    capture,
    configurations,
    dry_run,
    explain,
    pii,
    plugins,
    prices,
    query,
    sampling,
    session,
    trace,
)
from collector.cli.announce import announcer, warn_at_start
from collector.cli.options import DEFAULT_DATA_DIR, ConfigFiles, DataDir, Overrides, load_config
from collector.cli.output import errors_explained, print_line
from collector.model.codec import choice
from collector.version import VERSION

choice.choose(os.environ.get(choice.VARIABLE))  # what decodes is imported later, by the commands that need it

app = typer.Typer(
    name="spanloom",
    help="OpenTelemetry collector for LLM applications: one trace model, masked, priced, sampled, stored.",
    no_args_is_help=True,
    add_completion=False,
    # Boxes and colours are for people.
    rich_markup_mode="rich" if sys.stdout.isatty() else None,
    # Tracebacks with local variables could show content and secrets.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print_line(f"spanloom {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """OpenTelemetry collector for LLM applications."""


@app.command("run")
def run(
    config: ConfigFiles = None,
    overrides: Overrides = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Run the collector.

    Without a file: receive OTLP on localhost and store in the data folder.

    A port that is taken is moved with --set, as in --set service.admin.endpoint=localhost:5330.
    """
    # gRPC's own lines go to stderr past our log, one per connection attempt.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

    with errors_explained():
        from collector.service import logs, running, service  # noqa: PLC0415 - the service imports everything

        checked = load_config(config, overrides, data_dir)
        logs.configure(configurations.log_level(checked))
        folder = data_dir.absolute()
        warn_at_start(checked)
        try:
            code = service.run(checked, data_dir=folder, announce=announcer(checked, folder))
        finally:
            running.remove(folder)
        raise typer.Exit(code)


app.command("validate")(configurations.validate)
app.command("components")(configurations.components)
app.command("schema")(configurations.schema)
app.command("print-config")(configurations.print_config)
app.command("dry-run")(dry_run.dry_run)
app.command("capture")(capture.capture)
app.command("replay")(capture.replay)
app.command("explain")(explain.explain)
app.command("query")(query.query)
app.command("trace")(trace.trace)
app.command("session")(session.session)
app.command("reprice")(prices.reprice)
app.add_typer(prices.prices, name="prices")
app.add_typer(pii.pii, name="pii")
app.add_typer(plugins.plugins, name="plugins")
app.add_typer(sampling.sampling, name="sampling")


def main() -> None:
    """Entry point of the command."""
    app()
