"""``spanloom dry-run``: captured OTLP through a configuration, observations or scores as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

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
from collector.model.batch import Signal
from collector.model.stored.as_json import json_objects

_ITEMS = {Signal.TRACES: "spans", Signal.LOGS: "log records", Signal.METRICS: "metric points"}


class Table(StrEnum):
    """What a dry run can print."""

    OBSERVATIONS = "observations"
    SCORES = "scores"


def dry_run(
    inputs: Captures,
    config: ConfigFiles = None,
    overrides: Overrides = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    signal: CapturedSignal = None,
    table: Annotated[Table, typer.Option(help="Which rows to print.")] = Table.OBSERVATIONS,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print what each sampling policy decided about each trace instead.")
    ] = False,
) -> None:
    """Run captured OTLP through a configuration.

    Nothing is stored or sent. Every line printed is one row of the table observations, or with --table scores one
    evaluation result, as JSON. With --explain it is one trace: the verdict, and what every policy said about it.
    """
    from collector.offline import dry_run  # noqa: PLC0415 - the engine is only needed here
    from collector.offline.sampling_report import trace_rows  # noqa: PLC0415

    with errors_explained():
        checked = offline(config, overrides, data_dir)
        names, requests = read_captures(inputs, signal)
        decided: list[dict[str, Any]] = []
        found = dry_run.dry_run(
            checked,
            requests,
            names=names,
            data_dir=data_dir.absolute(),
            table=table.value,
            observe=(lambda *verdicts: decided.extend(trace_rows(*verdicts))) if explain else None,
        )
        printed = 0
        for rows in found:
            for row in () if explain else json_objects(rows):
                print_line(json.dumps(row, ensure_ascii=False))
                printed += 1
        for row in decided:
            print_line(json.dumps(row, ensure_ascii=False))
    if not printed and not decided:
        _say_why_nothing(inputs, requests, table, explain=explain)


def _say_why_nothing(
    inputs: Sequence[Path], requests: Sequence[tuple[Signal, bytes]], table: Table, *, explain: bool
) -> None:
    """Ends with exit code 1 where the files hold nothing; says what became of it where they do."""
    from collector.model.codec.chosen import decode  # noqa: PLC0415 - as above

    held = dict.fromkeys(Signal, 0)
    for signal, body in requests:
        held[signal] += sum(batch.num_rows for batch in decode(signal, [body]).batches)
    if not any(held.values()):
        fail(f"nothing to run: {', '.join(map(str, inputs))}: no spans, log records or metric points in it")
    said = ", ".join(f"{count} {_ITEMS[signal]}" for signal, count in held.items() if count)
    if explain:
        note(f"no trace to decide about among {said}")
    elif table is Table.SCORES:
        note(f"no evaluation result among {said}")
    else:
        why = "only spans become observations" if not held[Signal.TRACES] else "filtered or sampled out; see --explain"
        note(f"no observations came of {said}: {why}")
