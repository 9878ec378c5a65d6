"""Commands about configurations: validate, components, schema, print-config."""

from __future__ import annotations

import os
from enum import StrEnum
from io import StringIO
from typing import Annotated

import typer
from ruamel.yaml import YAML

from collector.cli.options import DEFAULT_DATA_DIR, ConfigFiles, DataDir, Overrides, load_config
from collector.cli.output import Output, errors_explained, fail, note, print_json, print_line, print_table
from collector.component.registry import Registry
from collector.config import load as configuration
from collector.config.json_schema import json_schema
from collector.errors import ConfigError

log_level = configuration.log_level


class ReportFormat(StrEnum):
    """Formats of ``validate``."""

    TEXT = "text"
    JSON = "json"


class Document(StrEnum):
    """Formats of ``print-config``."""

    YAML = "yaml"
    JSON = "json"


def validate(
    config: ConfigFiles = None,
    overrides: Overrides = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    output: Annotated[ReportFormat, typer.Option(help="How to report.")] = ReportFormat.TEXT,
) -> None:
    """Check a configuration.

    All errors at once, each with file, line and key.
    """
    try:
        checked = load_config(config, overrides, data_dir)
    except ConfigError as error:
        if output is ReportFormat.TEXT:
            fail(*error.problems)
        print_json({"valid": False, "errors": list(error.problems), "warnings": []})
        raise typer.Exit(1) from None
    if output is ReportFormat.JSON:
        print_json({"valid": True, "errors": [], "warnings": list(checked.warnings)})
        return
    for warning in checked.warnings:
        note(warning, kind="warning")
    print_line(f"{', '.join(config or ['the default configuration'])}: valid")


def components(
    output: Annotated[Output, typer.Option(help="How to print the table.")] = Output.TABLE,
) -> None:
    """List the components that are installed, plug-ins included."""
    infos = Registry().infos()
    names = ["kind", "type", "signals", "stability", "distribution", "also_called", "error"]
    rows: list[list[object]] = [
        [i.kind.value, i.type, ", ".join(i.signals), i.stability, i.distribution, ", ".join(i.aliases), i.error]
        for i in infos
    ]
    if output is Output.TABLE and not any(info.error for info in infos):
        names, rows = names[:-1], [row[:-1] for row in rows]
    print_table(names, rows, output)


def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    with errors_explained():
        print_json(json_schema())


def print_config(
    config: ConfigFiles = None,
    overrides: Overrides = None,
    output: Annotated[Document, typer.Option(help="YAML or JSON.")] = Document.YAML,
) -> None:
    """Print the merged configuration, without secrets.

    References (${env:X}) stay references, but what they refer to must be there.
    """
    with errors_explained():
        document = configuration.document(list(config or ()), overrides=list(overrides or ()), environ=os.environ)
    if output is Document.JSON:
        print_json(document)
        return
    text = StringIO()
    yaml = YAML()
    yaml.width = 110
    yaml.default_flow_style = None  # short lists on one line
    yaml.dump(document, text)
    print_line(text.getvalue().rstrip("\n"))
