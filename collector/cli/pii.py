"""``spanloom pii``: what would be masked in captured OTLP and where, and what is stored for somebody's id."""

from __future__ import annotations

from enum import StrEnum
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
from collector.cli.output import Output, errors_explained, note, print_json, print_line, print_table

pii = typer.Typer(help="Look at personal data.", no_args_is_help=True)


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


class Form(StrEnum):
    """How a pseudonym is printed."""

    TEXT = "text"
    JSON = "json"


@pii.command("pseudonym")
def pseudonym(
    values: Annotated[
        list[str], typer.Argument(metavar="VALUE", help="A user's or session's id as applications send it.")
    ],
    session: Annotated[bool, typer.Option("--session", help="It is the id of a session, not of a user.")] = False,
    config: ConfigFiles = None,
    overrides: Overrides = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    output: Annotated[Form, typer.Option(help="A line per value, or JSON.")] = Form.TEXT,
) -> None:
    """Print what is stored for the id of a user or session: the pseudonym where it holds personal data.

    Needs the key in the data folder, or the hash_key of the configuration. Ids without personal data are stored, and
    printed, as they are. For a query: spanloom query "select * from traces where user_id = '$(spanloom pii pseudonym
    jane@example.com)'"
    """
    from collector.offline.masking_report import pseudonyms  # noqa: PLC0415 - the engine is only needed here

    with errors_explained():
        checked = offline(config, overrides, data_dir)
        key = "session.id" if session else "user.id"
        found = pseudonyms(checked, key, values, data_dir=data_dir.absolute())
    if output is Form.JSON:
        print_json([{"value": value, "stored": stored} for value, stored in zip(values, found, strict=True)])
        return
    for stored in found:
        print_line(stored)
