"""``spanloom explain``: for each field of each observation the value, its source and the rule that chose it."""

from __future__ import annotations

import dataclasses
import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from collector.cli.asking import Stored, quoted
from collector.cli.options import (
    DEFAULT_DATA_DIR,
    CapturedSignal,
    ConfigFiles,
    DataDir,
    Endpoint,
    OptionalCaptures,
    Overrides,
    offline,
    read_captures,
)
from collector.cli.output import errors_explained, fail, note, print_line
from collector.cli.trace import whole_id
from collector.errors import ConfigError
from collector.model.batch import Signal

_MOST_ROWS = 20_000


class Form(StrEnum):
    """How explanations are printed."""

    TABLE = "table"
    JSON = "json"


def explain(
    inputs: OptionalCaptures = None,
    config: ConfigFiles = None,
    overrides: Overrides = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    signal: CapturedSignal = None,
    trace: Annotated[
        str,
        typer.Option(metavar="ID", help="Only this trace; the first digits are enough. Without INPUT: a stored one."),
    ] = "",
    span: Annotated[str, typer.Option(metavar="ID", help="Only this span; the first digits are enough.")] = "",
    pipeline: Annotated[
        str, typer.Option(metavar="ID", help="Which traces pipeline, if there are several; the first one.")
    ] = "",
    endpoint: Endpoint = None,
    output: Annotated[Form, typer.Option(help="A table, or one JSON object per observation and line.")] = Form.TABLE,
) -> None:
    """Explain what becomes of captured OTLP, or of a stored trace: which key gave each field, by which rule, what lost.

    The configured pipeline runs as in dry-run, so values are masked as it masks them. Nothing is stored or sent. With
    --trace and no file, the trace is read from the store; what was masked before it was stored stays masked.
    """
    from collector.offline.explain.explanation import explain as explanations  # noqa: PLC0415 - the engine is only needed here
    from collector.offline.explain.lines import lines  # noqa: PLC0415

    with errors_explained():
        checked = offline(config, overrides, data_dir)
        stored = Stored(config, overrides, data_dir, endpoint)
        names, requests = read_captures(inputs, signal) if inputs else _stored(stored, trace)
        explained = explanations(checked, requests, pipeline=pipeline, names=names, data_dir=data_dir.absolute())
    if not inputs:
        note("explained from stored rows: content that came in log records, not on the spans, is not among them")
    if explained.left_out and not pipeline:
        note(f"of the traces pipelines {explained.pipeline} is explained; --pipeline chooses another")
    found = [
        e for e in explained.observations if e.trace_id.startswith(trace.lower()) and e.span_id.startswith(span.lower())
    ]
    for number, each in enumerate(found):
        as_json = output is Form.JSON
        print_line(_json(each) if as_json else "\n".join(["", *lines(each)] if number else lines(each)))
    if explained.not_kept:
        note(f"{explained.not_kept} spans gave no observation: filtered, sampled out, or announcing a span to come")
    if not found:
        fail("no such span among what the pipeline keeps" if trace or span else "the pipeline keeps no spans of this")


def _json(explanation: Any) -> str:
    return json.dumps(dataclasses.asdict(explanation), ensure_ascii=False, default=str)


def _stored(stored: Stored, trace: str) -> tuple[list[str], list[tuple[Signal, bytes]]]:
    """The spans of a stored trace as a request, and what errors call it. Raises ``ConfigError``, ``PermanentError``."""
    if not trace:
        raise ConfigError("say what to explain: files of OTLP, or --trace ID for a stored trace")
    import pyarrow as pa  # noqa: PLC0415 - only needed for stored rows

    from collector.model.codec.chosen import encode  # noqa: PLC0415
    from collector.model.stored import replay  # noqa: PLC0415

    trace_id = whole_id(stored, trace)
    sql = f"SELECT {', '.join(replay.NEEDED)} FROM observations WHERE trace_id = {quoted(trace_id)}"  # noqa: S608 - quoted
    rows = stored.select(sql, _MOST_ROWS).objects
    for row in rows:  # large integers come as text
        row |= {name: int(row[name]) for name in ("start_unix_nano", "end_unix_nano")}
    body = encode(replay.to_spans(pa.Table.from_pylist(rows)))
    return [f"trace {trace_id}"], [(Signal.TRACES, body)]
