"""Types, values and sums in the DuckDB store; retention, and tables of older schemas.

Proves each column's type and value, the views, and what retention drops. Does not prove the values before they come
here: ``model/stored`` does.
"""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pyarrow as pa

from collector.model import schema
from collector.model.stored.logs_and_metrics import stored_logs, stored_metrics
from exporters._duckdb import tables
from tests.exporters._duckdb.duckdb_kit import rows
from tests.exporters.stores import DAY, NANO, START, awkward, awkward_logs, awkward_metrics, export_batch, many, table

# truth of types and views


def test_every_column_reads_back_with_its_type_and_value(opened):
    exporter = opened()
    exporter.export(export_batch(1, 1, awkward(), others=[awkward_logs(), awkward_metrics()]))
    for view, expected in (
        ("observations", awkward()),
        ("logs", stored_logs(awkward_logs().batch, START)),
        ("metrics", stored_metrics(awkward_metrics().batch, START)),
    ):
        stored = exporter.query(f"SELECT * FROM {view}", limit=100)
        assert stored.column_names == expected.column_names
        assert [loose(field.type) for field in stored.schema] == [loose(field.type) for field in expected.schema]
        assert repr(stored.cast(expected.schema).to_pylist()) == repr(expected.to_pylist())  # repr: NaN equals itself


def loose(kind: pa.DataType) -> str:
    """A type without what DuckDB does not keep: names inside lists and maps, and "not null"."""
    if pa.types.is_map(kind):
        return f"map<{kind.key_type}, {kind.item_type}>"
    text = f"list<{kind.value_type}>" if pa.types.is_list(kind) else str(kind)
    return text.replace(" not null", "")


def test_times_compare_right_in_any_time_zone(opened, tmp_path):
    exporter = opened()
    exporter.export(export_batch(1, 1, table([{}])))
    exporter.shutdown()
    with duckdb.connect(str(tmp_path / "spanloom.duckdb"), read_only=True) as other:
        other.execute("SET TimeZone = 'Asia/Tokyo'")
        sql = "SELECT count(*) FROM observations WHERE start_time = TIMESTAMPTZ '2026-09-21 14:13:20Z'"
        assert other.execute(sql).fetchall() == [(1,)]


def test_a_trace_is_the_sum_of_its_observations(opened):
    exporter = opened()
    trace = {"trace_id": "a" * 32, "session_id": "s1", "user_id": "u1", "tags": ["x"], "trace_name": "answer"}
    root = {**trace, "span_id": "1" * 16, "name": "root", "input": None, "output": "done",
            "start_unix_nano": START + 10, "end_unix_nano": START + 1_000, "environment": "prod"}  # fmt: skip
    call = {**trace, "span_id": "2" * 16, "parent_span_id": "1" * 16, "type": "generation", "model": "gpt-5",
            "usage_scope": "counted", "input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "input": "question",
            "total_cost": Decimal("0.25"), "start_unix_nano": START, "end_unix_nano": START + 5_000,
            "tags": ["y", "x"]}  # fmt: skip
    wrapper = {**trace, "span_id": "3" * 16, "parent_span_id": "1" * 16, "usage_scope": "rollup", "level": "ERROR",
               "type": "tool", "start_unix_nano": START + 2, "end_unix_nano": START + 3}  # fmt: skip
    other = {"trace_id": "b" * 32, "name": "lone", "session_id": "s1", "total_cost": Decimal("0.5"), "model": "haiku"}
    nobody = {"trace_id": "c" * 32}
    exporter.export(export_batch(1, 1, table([call, wrapper, other]), table([root, nobody])))
    (found,) = exporter.query(f"SELECT * FROM traces WHERE trace_id = '{'a' * 32}'", limit=1).to_pylist()
    expected = {
        "name": "answer", "root_span_id": "1" * 16, "input": None, "output": "done", "observation_count": 3,
        "generation_count": 1, "tool_count": 1, "error_count": 1, "level": "ERROR", "tags": ["x", "y"],
        "models": ["gpt-5"], "types": ["generation", "span", "tool"], "input_tokens": 10, "output_tokens": 5,
        "total_tokens": 15, "total_cost": Decimal("0.25"), "input_cost": None, "user_id": "u1", "session_id": "s1",
        "environment": "prod", "duration_ns": 5_000, "counted_count": 1,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    (session,) = exporter.query("SELECT * FROM sessions", limit=9).to_pylist()
    expected = {
        "session_id": "s1", "trace_count": 2, "observation_count": 4, "total_cost": Decimal("0.75"), "user_ids": ["u1"],
        "models": ["gpt-5", "haiku"], "total_tokens": 15, "tags": ["x", "y"], "error_count": 1,
    }  # fmt: skip
    assert {name: session[name] for name in expected} == expected
    totals = [(Decimal("0.75"),)]
    assert rows(exporter, "SELECT sum(total_cost) FROM traces") == totals
    assert rows(exporter, "SELECT sum(total_cost) FROM observations") == totals


def test_sums_beyond_64_bits_become_null_and_spoil_no_other_trace(opened):
    exporter = opened()
    huge = {"trace_id": "a" * 32, "input_tokens": 2**63 - 1, "start_unix_nano": -(2**63), "end_unix_nano": 2**63 - 1}
    exporter.export(export_batch(1, 1, table([huge, huge, {"trace_id": "b" * 32, "input_tokens": 3}])))
    sql = "SELECT input_tokens, duration_ns FROM traces ORDER BY trace_id"
    assert rows(exporter, sql) == [(None, None), (3, 500)]


def test_a_hundred_thousand_rows_in_one_range(opened):
    exporter = opened()
    batch = export_batch(1, 500, *(many(8_192, first=first, text=200) for first in range(0, 102_400, 8_192)))
    exporter.export(batch)
    count = 13 * 8_192
    counted = range(0, count, 4)
    assert rows(exporter, "SELECT count(*), count(DISTINCT span_id), sum(input_tokens) FROM observations") == [
        (count, count, sum(counted))
    ]
    assert rows(exporter, "SELECT sum(total_cost) FROM traces") == [(Decimal(sum(counted)) / 10**9,)]


# retention and schema evolution


def dated(exporter, template="_obs_v1_"):
    names = exporter._connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
    return [name for (name,) in names if name.startswith(template)]


def test_tables_are_monthly_without_a_short_retention(opened):
    exporter = opened(retention="90d")
    exporter.export(export_batch(1, 1, many(3), many(2, first=3, ingested=START + 20 * DAY)))
    assert dated(exporter) == ["_obs_v1_202609", "_obs_v1_202610"]
    assert rows(exporter, "SELECT count(*) FROM observations") == [(5,)]


def test_retention_counts_from_receipt_and_drops_whole_days(opened):
    exporter = opened(retention="7d", now=START)
    exporter.export(export_batch(1, 1, many(3), many(2, first=3, ingested=START + DAY)))
    assert dated(exporter) == ["_obs_v1_20260921", "_obs_v1_20260922"]
    exporter.shutdown()
    later = opened(retention="7d", now=START + 8 * DAY)
    assert dated(later) == ["_obs_v1_20260922"]
    assert rows(later, "SELECT count(*) FROM observations") == [(2,)]
    assert rows(later, "SELECT count(*) FROM traces") == [(1,)]


def test_retention_runs_while_exporting(opened):
    now = [START]
    exporter = opened(retention="1d")
    exporter._clock = lambda: now[0] / NANO
    exporter.export(export_batch(1, 1, many(3)))
    now[0] += 3 * DAY
    exporter.export(export_batch(2, 2, many(3, first=3, ingested=now[0])))
    assert dated(exporter) == ["_obs_v1_20260924"]


def test_rows_past_retention_on_arrival_are_taken_and_dropped_later(opened):
    exporter = opened(retention="1d", now=START)
    exporter.export(export_batch(1, 1, many(3, ingested=START - 400 * DAY)))
    exporter.shutdown()
    assert rows(opened(retention="1d"), "SELECT count(*) FROM observations") == [(0,)]


def test_a_change_from_months_to_days_keeps_both(opened):
    exporter = opened()
    exporter.export(export_batch(1, 1, many(3)))
    exporter.shutdown()
    daily = opened(retention="7d")
    daily.export(export_batch(2, 2, many(3, first=3)))
    assert dated(daily) == ["_obs_v1_202609", "_obs_v1_20260921"]
    assert rows(daily, "SELECT count(*) FROM observations") == [(6,)]


def test_tables_of_an_older_schema_show_nulls_and_still_grow(opened, monkeypatch):
    newer = {"tool_name", "cost", "otlp", "model_family"}
    older = pa.schema([field for field in schema.OBSERVATIONS if field.name not in newer])
    dataset = tables.DATASETS["observations"]
    with monkeypatch.context() as patch:
        old = tables.Dataset("observations", dataset.template, older, "trace_id")
        patch.setitem(tables.DATASETS, "observations", old)
        exporter = opened()
        exporter.export(export_batch(1, 1, many(4).select(older.names)))
        exporter.shutdown()
    exporter = opened()
    empty = "SELECT count(*), count(tool_name), count(cost), min(model_family) FROM observations"
    assert rows(exporter, empty) == [(4, 0, 0, None)]
    row = {"tool_name": "search", "cost": [("input", Decimal("0.5"))], "model_family": "gpt-4o-mini"}
    exporter.export(export_batch(2, 2, table([row])))
    assert rows(exporter, empty) == [(5, 1, 1, "gpt-4o-mini")]
    assert exporter.query("FROM observations LIMIT 0", limit=1).column_names == schema.OBSERVATIONS.names
