"""What ``run`` stores, what ``dry-run`` prints and explains, and what ``sampling simulate`` sums up are one thing.

Proves that one configuration and one input give the same answer in all three. Does not prove it where time decides:
rate limits depend on when spans come.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collector.model.batch import SpanBatch
from collector.model.codec.chosen import encode
from collector.model.stored.as_json import json_objects
from collector.testing.builders import START_UNIX_NANO, spans
from tests.e2e.running import Spanloom, assert_same_rows

CONFIG = """
receivers:
  otlp: {{protocols: {{http: {{endpoint: "localhost:0"}}}}}}
processors:
  pii: {{}}
  cost: {{}}
  tail_sampling/all: {{policies: [{{name: all, type: always_sample}}]}}
  tail_sampling:
    policies:
      - {{name: quiet, type: drop, drop: {{drop_sub_policy: [{{type: span_count, span_count: {{max_spans: 1}}}}]}}}}
      - {{name: failed, type: status_code, status_code: {{status_codes: [ERROR]}}}}
      - {{name: dear, type: cost, cost: {{min_usd: 0.02}}}}
      - name: busy
        type: sql
        sql:
          trace: ["count(*) filter (where type = 'tool') > 2"]
          span: ["attributes['n']::int > 97"]
      - {{name: chats, type: session, session: {{sampling_percentage: 20}}}}
      - {{name: share, type: probabilistic, probabilistic: {{sampling_percentage: 10}}}}
exporters: {{{exporters}}}
service:
  admin: {{endpoint: "localhost:0"}}
  pipelines: {{{pipelines}}}
"""
SOME = "traces: {receivers: [otlp], processors: [pii, cost, tail_sampling], exporters: [parquet/some]}"
ALL = "traces/all: {receivers: [otlp], processors: [pii, cost, tail_sampling/all], exporters: [parquet/all]}"
NUM_TRACES = 200


def random_trace(random: np.random.Generator, number: int) -> Iterator[dict[str, Any]]:
    trace_id = random.bytes(16)
    for position in range(int(random.integers(1, 7))):
        kind = random.choice(["chat", "execute_tool", "execute_tool"]) if position else "invoke_agent"
        attributes: dict[str, Any] = {"gen_ai.operation.name": str(kind), "n": int(random.integers(0, 100))}
        if kind == "chat":
            attributes |= {
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.usage.input_tokens": int(random.integers(100, 5000)),
                "gen_ai.usage.output_tokens": int(random.integers(1, 500)),
            }
        if position == 0:
            attributes["gen_ai.conversation.id"] = f"chat {number % 40}"
        yield {
            "trace_id": trace_id,
            "span_id": 1000 * number + position + 1,
            "parent_span_id": 1000 * number + 1 if position else None,
            "start_unix_nano": START_UNIX_NANO + number * 10**9 + position,
            "status_code": 2 if random.random() < 0.03 else 0,
            "attributes": attributes,
        }


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what was sent (``sent-N.binpb``), the lakes ``all`` and ``some``, and ``config.yaml``."""
    folder = tmp_path_factory.mktemp("agrees")
    random = np.random.default_rng(1)
    rows = [row for number in range(NUM_TRACES) for row in random_trace(random, number)]
    for part in range(3):
        (folder / f"sent-{part}.binpb").write_bytes(encode(SpanBatch(spans(rows[part::3]).record_batch)))
    exporters = ", ".join(f"parquet/{name}: {{path: '{folder / name}'}}" for name in ("all", "some"))
    (folder / "both.yaml").write_text(CONFIG.format(exporters=exporters, pipelines=f"{ALL}, {SOME}"))
    only = "parquet/some: {path: unused}"
    (folder / "config.yaml").write_text(CONFIG.format(exporters=only, pipelines=SOME))
    with Spanloom(folder / "data", config=[folder / "both.yaml"], sets=()) as service:
        for part in range(3):
            service.post("/v1/traces", (folder / f"sent-{part}.binpb").read_bytes())
        assert service.terminate() == 0
    return folder


def spanloom(*arguments: str | Path) -> str:
    command = [sys.executable, "-c", "from collector.cli.app import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def captured(folder: Path) -> list[Path]:
    return sorted(folder.glob("sent-*.binpb"))


def lake(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.rglob("observations/*/*.parquet"))
    return list(json_objects(pa.concat_tables(pq.ParquetFile(file).read() for file in files)))


def test_dry_run_prints_the_rows_that_run_stores(stored: Path) -> None:
    printed = spanloom("dry-run", "-c", stored / "config.yaml", *captured(stored))
    rows = [json.loads(line) for line in printed.splitlines()]

    assert_same_rows(rows, lake(stored / "some"))
    assert {row["sampled_by"] for row in rows} == {"failed", "dear", "busy", "chats", "share"}
    assert len(lake(stored / "all")) > len(rows) + 100


def test_dry_run_explains_every_trace_and_says_what_is_kept(stored: Path) -> None:
    printed = spanloom("dry-run", "--explain", "-c", stored / "config.yaml", *captured(stored))
    explained = [json.loads(line) for line in printed.splitlines()]
    rows = {row["trace_id"]: row for row in lake(stored / "some")}

    assert len({row["trace_id"] for row in explained}) == NUM_TRACES
    assert {row["trace_id"] for row in explained if row["keep"]} == rows.keys()
    for row in explained:
        said = row["policies"]
        assert list(said) == ["quiet", "failed", "dear", "busy", "chats", "share"]
        if row["keep"]:
            assert said[row["sampled_by"]] == "sampled"
            assert (row["sampled_by"], row["adjusted_count"]) == (
                rows[row["trace_id"]]["sampled_by"], rows[row["trace_id"]]["adjusted_count"],
            )  # fmt: skip
        elif row["spans"] == 1:
            assert said == {"quiet": "dropped", **dict.fromkeys(list(said)[1:], "not_asked")}
        else:
            assert set(said.values()) == {"not_sampled"}


@pytest.mark.parametrize("source", ["all", "sent"])
def test_simulation_sums_up_what_run_stores(stored: Path, source: str) -> None:
    paths = [stored / "all"] if source == "all" else captured(stored)
    inputs = [argument for path in paths for argument in ("--input", path)]
    printed = spanloom("sampling", "simulate", "-c", stored / "config.yaml", *inputs, "--output", "json")
    found = {(row["policy"], row["verdict"]): row for row in json.loads(printed)}

    rows = lake(stored / "some")
    for policy in ("*", "failed", "dear", "busy", "chats", "share"):
        mine = [row for row in rows if policy in ("*", row["sampled_by"])]
        kept = found[policy, "kept"]
        assert kept["traces"] == len({row["trace_id"] for row in mine})
        assert kept["spans"] == len(mine)
        assert kept["tokens"] == sum(row["total_tokens"] or 0 for row in mine)
        assert Decimal(kept["usd"]) == sum(Decimal(row["total_cost"] or 0) for row in mine)
    everything = lake(stored / "all")
    assert found["*", "kept"]["spans"] + found["*", "dropped"]["spans"] == len(everything)
    assert found["quiet", "says_drop"]["traces"] == found["quiet", "says_drop"]["spans"] > 0
    assert found["failed", "says_keep"]["traces"] >= found["failed", "kept"]["traces"] > 0


def test_an_input_that_holds_nothing_is_named(stored: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from collector.cli.app import main; main()"]
    command += ["sampling", "simulate", "-c", str(stored / "config.yaml"), "--input", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert result.stderr.endswith(f"{tmp_path}: holds no Parquet files of observations\n")
