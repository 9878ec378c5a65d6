"""Stored calls priced again: what changes, what never does, in both stores.

Proves it on real files, page by page and through a crash. Does not prove the prices, nor the command
(``e2e/test_reprice``).
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb as db
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from collector.component.exporter import Exporter, Repriceable
from collector.engine.repricing import Repricing
from exporters import duckdb, parquet
from exporters._duckdb import reprice
from exporters.parquet import factory as parquet_factory
from processors.cost import Config as CostConfig, PriceEntry, factory as cost_factory
from tests.exporters.stores import START, export_batch, settings, table

DOLLAR = Decimal(1)
CALL: dict[str, Any] = {
    "type": "generation", "usage_scope": "counted", "provider": "acme", "model": "m", "request_model": "m",
    "usage": [("input", 10), ("output", 1)],
}  # fmt: skip
COMPUTED = {"cost_source": "computed", "total_cost": DOLLAR, "input_cost": DOLLAR, "price_ref": "old"}
ROWS = [
    CALL | COMPUTED,
    CALL | {"cost_source": "unpriced"},
    CALL | {"cost_source": "provided", "total_cost": 9 * DOLLAR},
    CALL | {"usage_scope": "rollup", "usage": None},
    CALL
    | COMPUTED
    | {"model_parameters": '{"service_tier": "batch"}', "input_cost": DOLLAR / 2, "output_cost": DOLLAR / 2},
    CALL | COMPUTED | {"model": "other", "request_model": "other"},
    {"type": "span"},
]


def pricing(folder: Path) -> Repricing:
    entries = (
        PriceEntry(model="m", service_tier="batch", per_million={"input": 50_000, "output": 500_000}),
        PriceEntry(model="m", per_million={"input": 100_000, "output": 1_000_000}),
    )
    return Repricing([cost_factory.create(CostConfig(overrides=entries), settings(folder, "cost"))])


@pytest.fixture(params=["duckdb", "parquet"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A started exporter that holds ``ROWS``."""
    factory = {"duckdb": duckdb.factory, "parquet": parquet_factory}[request.param]
    exporter: Exporter = factory.create(factory.config(), settings(tmp_path, request.param))
    exporter.start()
    exporter.export(export_batch(1, 1, table(ROWS)))
    yield exporter
    exporter.shutdown()


def stored(store: Exporter, folder: Path) -> list[dict[str, Any]]:
    """The rows in the order of ``ROWS``."""
    if isinstance(store, parquet.ParquetExporter):
        rows = pq.read_table(folder / "parquet" / "observations", partitioning=None)
    else:
        rows = store.query("select * from observations", limit=100)  # type: ignore[attr-defined]
    return rows.sort_by("start_unix_nano").to_pylist()


def test_computed_and_unpriced_calls_get_todays_prices_and_all_else_stays(store: Any, tmp_path: Path) -> None:
    before = stored(store, tmp_path)
    by = pricing(tmp_path)
    assert isinstance(store, Repriceable)
    store.reprice(by, since_unix_nano=0, dry_run=False)
    after = stored(store, tmp_path)

    assert [row["total_cost"] for row in after] == [2, 2, 9, None, 1, None, None]
    assert [row["cost_source"] for row in after] == [
        "computed", "computed", "provided", None, "computed", "unpriced", None,
    ]  # fmt: skip
    assert dict(after[1]["cost"]) == {"input": 1, "output": 1}
    assert after[4]["price_ref"] == "old", "the same money is no reason to write"
    changed = {"total_cost", "input_cost", "output_cost", "cost", "cost_source", "price_ref"}
    for old, new in zip(before, after, strict=True):
        assert {k: v for k, v in new.items() if k not in changed} == {k: v for k, v in old.items() if k not in changed}


def test_the_report_names_models_with_their_difference(store: Any, tmp_path: Path) -> None:
    by = pricing(tmp_path)
    store.reprice(by, since_unix_nano=0, dry_run=True)

    assert [change.as_row() for change in by.report()] == [
        ["acme", "m", 3, 2, 0, "2.000000000000", "5.000000000000", "3.000000000000"],
        ["acme", "other", 1, 1, 1, "1.000000000000", "0.000000000000", "-1.000000000000"],
    ]


def test_a_dry_run_and_calls_before_the_time_change_nothing(store: Any, tmp_path: Path) -> None:
    before = stored(store, tmp_path)
    store.reprice(pricing(tmp_path), since_unix_nano=0, dry_run=True)
    store.reprice(pricing(tmp_path), since_unix_nano=START + 10**15, dry_run=False)
    assert stored(store, tmp_path) == before

    store.reprice(pricing(tmp_path), since_unix_nano=START + 1_000_000, dry_run=False)
    assert [row["total_cost"] for row in stored(store, tmp_path)][:2] == [1, 2]


def test_pricing_again_twice_changes_nothing_more(store: Any, tmp_path: Path) -> None:
    store.reprice(pricing(tmp_path), since_unix_nano=0, dry_run=False)
    once = stored(store, tmp_path)
    again = pricing(tmp_path)
    store.reprice(again, since_unix_nano=0, dry_run=False)

    assert stored(store, tmp_path) == once
    assert sum(change.changed for change in again.report()) == 0


def test_a_repriced_range_sent_again_after_a_crash_stays_one_range(store: Any, tmp_path: Path) -> None:
    store.reprice(pricing(tmp_path), since_unix_nano=0, dry_run=False)
    store.export(export_batch(1, 1, table(ROWS)))
    assert len(stored(store, tmp_path)) == len(ROWS)


def test_large_tables_are_priced_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reprice, "_PAGE_ROWS", 3)
    exporter = duckdb.factory.create(duckdb.Config(), settings(tmp_path, "duckdb"))
    exporter.start()
    exporter.export(export_batch(1, 1, table([CALL | COMPUTED] * 20)))
    by = pricing(tmp_path)
    exporter.reprice(by, since_unix_nano=0, dry_run=False)
    exporter.shutdown()

    (change,) = by.report()
    assert (change.calls, change.changed) == (20, 20)
    with db.connect(str(tmp_path / "spanloom.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*), sum(total_cost) from observations").fetchall() == [(20, 40)]


def test_a_parquet_file_keeps_its_name_order_and_schema(tmp_path: Path) -> None:
    exporter = parquet_factory.create(parquet.Config(), settings(tmp_path, "parquet"))
    exporter.start()
    exporter.export(export_batch(1, 1, table(ROWS)))
    (before,) = (tmp_path / "parquet" / "observations").glob("*/*.parquet")
    schema = pq.read_schema(before)
    exporter.reprice(pricing(tmp_path), since_unix_nano=0, dry_run=False)

    (after,) = (tmp_path / "parquet" / "observations").glob("*/*.parquet")
    assert after == before
    assert pq.read_schema(after).equals(schema, check_metadata=True)
    ids = pq.read_table(after, columns=["trace_id"], partitioning=None)["trace_id"]
    assert pc.sort_indices(ids).to_pylist() == list(range(len(ROWS)))
