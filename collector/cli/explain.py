"""``spanloom explain``: for each field of each observation the value, its source and the rule that chose it."""

from __future__ import annotations

import dataclasses
import json
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
from collector.cli.output import errors_explained, fail, note, print_line


class Form(StrEnum):
    """How explanations are printed."""

    TABLE = "table"
    JSON = "json"


def explain(
    inputs: Captures,
    config: ConfigFiles = None,
    overrides: Overrides = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    signal: CapturedSignal = None,
    trace: Annotated[str, typer.Option(metavar="ID", help="Only this trace; the first digits are enough.")] = "",
    span: Annotated[str, typer.Option(metavar="ID", help="Only this span; the first digits are enough.")] = "",
    pipeline: Annotated[
        str, typer.Option(metavar="ID", help="Which traces pipeline, if there are several; the first one.")
    ] = "",
    output: Annotated[Form, typer.Option(help="A table, or one JSON object per observation and line.")] = Form.TABLE,
) -> None:
    """Explain what becomes of captured OTLP: which key gave each field, by which rule, and what lost.

    The configured pipeline runs as in dry-run, so values are masked as it masks them. Nothing is stored or sent.
    """
    from collector.offline.explain.explanation import explain as explanations  # noqa: PLC0415 - the engine is only needed here
    from collector.offline.explain.lines import lines  # noqa: PLC0415

    with errors_explained():
        checked = offline(config, overrides, data_dir)
        names, requests = read_captures(inputs, signal)
        explained = explanations(checked, requests, pipeline=pipeline, names=names, data_dir=data_dir.absolute())
    if explained.left_out and not pipeline:
        note(f"of the traces pipelines {explained.pipeline} is explained; --pipeline chooses another")
    found = [
        e for e in explained.observations if e.trace_id.startswith(trace.lower()) and e.span_id.startswith(span.lower())
    ]
    for number, each in enumerate(found):
        if output is Form.JSON:
            print_line(json.dumps(dataclasses.asdict(each), ensure_ascii=False, default=str))
        else:
            print_line("\n".join(["", *lines(each)] if number else lines(each)))
    if explained.not_kept:
        note(f"{explained.not_kept} spans gave no observation: filtered, sampled out, or announcing a span to come")
    if not found:
        fail("no such span among what the pipeline keeps" if trace or span else "the pipeline keeps no spans of this")
