"""Every folder here is a case: a configuration, what comes in, and the rows that come out of ``dry-run``.

``scores.jsonl``, where a case has one, are those of ``--table scores``.
``SPANLOOM_UPDATE_GOLDEN=1`` writes these files anew; read the difference before it is committed.

Proves the rows of whole configurations, in any order of the input. Does not prove stores, threads or time: a dry run
has none of them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from collector.config.load import load
from collector.model.stored.as_json import json_objects
from collector.offline.captures import read_capture
from collector.offline.dry_run import dry_run

HERE = Path(__file__).parent
WITH_SCORES = sorted(path.parent.name for path in HERE.glob("*/scores.jsonl"))
CASES = sorted(path.parent.name for path in HERE.glob("*/config.yaml"))
UPDATE = os.environ.get("SPANLOOM_UPDATE_GOLDEN") == "1"
NOW = 1_790_000_100 * 10**9
"""2026-09-21T14:15:00Z, a minute and a half after the spans."""


@pytest.mark.parametrize("case", CASES)
def test_rows_are_those_of_the_case(case: str, tmp_path: Path) -> None:
    rows = list(observations(HERE / case, tmp_path))
    file = HERE / case / "out.jsonl"
    if UPDATE:
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    expected = [json.loads(line) for line in file.read_text().splitlines()]
    assert rows == expected


@pytest.mark.parametrize("case", WITH_SCORES)
@pytest.mark.parametrize("backwards", [False, True])
def test_scores_are_those_of_the_case_in_any_order_of_the_input(case: str, backwards: bool, tmp_path: Path) -> None:
    rows = list(scores(HERE / case, tmp_path, backwards=backwards))
    file = HERE / case / "scores.jsonl"
    if UPDATE:
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    assert rows == [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("case", CASES)
def test_the_order_of_the_input_files_changes_nothing(case: str, tmp_path: Path) -> None:
    assert list(observations(HERE / case, tmp_path, backwards=True)) == list(observations(HERE / case, tmp_path))


def observations(folder: Path, data_dir: Path, *, backwards: bool = False) -> Iterator[dict[str, Any]]:
    """The rows in the order of their ids, without what is null: what a case is about is easier seen so."""
    rows = _dry_run(folder, data_dir, "observations", backwards=backwards)
    for row in sorted(rows, key=lambda row: (row["trace_id"], row["span_id"])):
        if row["price_ref"] is not None:
            # The table's version is not what a case is about.
            row["price_ref"] = re.sub(r"^genai-prices \S+/", "genai-prices */", row["price_ref"])
        yield {column: value for column, value in row.items() if value is not None}


def scores(folder: Path, data_dir: Path, *, backwards: bool = False) -> Iterator[dict[str, Any]]:
    """The same of ``scores``, by name."""
    for row in sorted(_dry_run(folder, data_dir, "scores", backwards=backwards), key=lambda row: row["name"]):
        yield {column: value for column, value in row.items() if value is not None}


def _dry_run(
    folder: Path, data_dir: Path, table: Literal["observations", "scores"], *, backwards: bool
) -> list[dict[str, Any]]:
    config = load([folder / "config.yaml"], overrides=[], environ={}, data_dir=data_dir)
    files = sorted(folder.glob("in*.json"), reverse=backwards)
    requests = [request for file in files for request in read_capture(file)]
    return [row for rows in dry_run(config, requests, table=table, clock=lambda: NOW) for row in json_objects(rows)]
