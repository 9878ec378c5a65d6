"""``spanloom reprice`` beside a running service and without one.

Proves the command against both stores, while a service writes to them and when none does. Does not prove the prices
themselves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.model.codec.chosen import encode
from collector.testing import builders
from tests.e2e.running import FAST, PORTS, Spanloom, stored_rows, wait_until


def _call(model: str) -> bytes:
    attributes = {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": model, "gen_ai.provider.name": "acme",
        "gen_ai.usage.input_tokens": 1_000_000,
    }  # fmt: skip
    body = encode(builders.spans([{"span_name": "chat", "attributes": attributes}]))
    assert ExportTraceServiceRequest.FromString(body)
    return body


def _reprice(data_dir: Path, prices: Path, *more: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-c", "from collector.cli.app import main; main()", "reprice", "--since", "2020-01-01"]
    command += ["--data-dir", str(data_dir), "--set", f"processors.cost.prices_file={prices}", "--output", "json"]
    done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=100, env=os.environ, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else [{"error": done.stderr}]


def _set_price(prices: Path, dollars: object, time: int) -> None:
    prices.write_text(json.dumps([{"model": "acme-1", "per_million": {"input": dollars}}]))
    os.utime(prices, (time, time))


def _total(data_dir: Path) -> list[Decimal]:
    return [row["total_cost"] for row in stored_rows(data_dir)]


def test_a_running_service_prices_both_stores_again_and_later_calls_too(tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    _set_price(prices, 1, 1)
    data_dir = tmp_path / "data"
    sets = (*PORTS, *FAST, f"processors.cost.prices_file={prices}", "exporters.parquet.flush_interval=0s")
    with Spanloom(data_dir, sets=sets) as service:
        service.post("/v1/traces", _call("acme-1"))
        wait_until(lambda: service.query("select count(*) from observations") == [[1]])
        wait_until(lambda: any((data_dir / "parquet" / "observations").glob("*/*.parquet")))
        _set_price(prices, 3, 2)
        would = _reprice(data_dir, prices, "--dry-run")
        assert service.query("select total_cost from observations") == [["1.000000000000"]]
        did = _reprice(data_dir, prices)
        assert would == did
        assert {(row["store"], row["changed"], row["difference"]) for row in did} == {
            ("duckdb", 1, "2.000000000000"), ("parquet", 1, "2.000000000000"),
        }  # fmt: skip
        assert service.query("select total_cost from observations") == [["3.000000000000"]]
        _set_price(prices, "free", 3)
        (wrong,) = _reprice(data_dir, prices)
        assert "prices.json is wrong: entry 1: per_million.input" in wrong["error"]
        _set_price(prices, 4, 4)
        assert service.terminate() == 0
    assert _total(data_dir) == [3]

    _set_price(prices, 5, 5)
    offline = _reprice(data_dir, prices)
    assert {row["cost_after"] for row in offline} == {"5.000000000000"}
    assert _total(data_dir) == [5]
