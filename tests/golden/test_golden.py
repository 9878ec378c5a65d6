"""Every folder here is a case: a configuration, what comes in, and the rows that come out of ``dry-run``.

``SPANLOOM_UPDATE_GOLDEN=1`` writes ``out.jsonl`` anew; read the difference before it is committed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.capture import read_capture
from collector.config import load
from collector.dryrun import dry_run
from collector.rows import json_objects

HERE = Path(__file__).parent
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


@pytest.mark.parametrize("case", CASES)
def test_the_order_of_the_input_files_changes_nothing(case: str, tmp_path: Path) -> None:
    assert list(observations(HERE / case, tmp_path, backwards=True)) == list(observations(HERE / case, tmp_path))


def observations(folder: Path, data_dir: Path, *, backwards: bool = False) -> Iterator[dict[str, Any]]:
    """The rows in the order of their ids, without what is null: what a case is about is easier seen so."""
    config = load([folder / "config.yaml"], overrides=[], environ={}, data_dir=data_dir)
    files = sorted(folder.glob("in*.json"), reverse=backwards)
    requests = [request for file in files for request in read_capture(file)]
    rows = [row for table in dry_run(config, requests, clock=lambda: NOW) for row in json_objects(table)]
    for row in sorted(rows, key=lambda row: (row["trace_id"], row["span_id"])):
        if row["price_ref"] is not None:
            # The table's version is not what a case is about.
            row["price_ref"] = re.sub(r"^genai-prices \S+/", "genai-prices */", row["price_ref"])
        yield {column: value for column, value in row.items() if value is not None}
