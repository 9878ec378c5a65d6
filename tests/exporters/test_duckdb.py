from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from pydantic import ValidationError

from collector.component.exporter import Checkpointed, ExportPreferences, Queryable
from collector.errors import ConfigError, JournalError, PermanentError
from collector.model import schema
from collector.model.stored.logs_and_metrics import stored_logs, stored_metrics
from exporters._duckdb import tables
from exporters.duckdb import Config, DuckDBExporter, factory
from tests.exporters.stores import (
    DAY,
    NANO,
    START,
    awkward,
    awkward_logs,
    awkward_metrics,
    export_batch,
    many,
    settings,
    table,
)


@pytest.fixture
def opened(tmp_path):
    """Opens exporters on ``tmp_path`` and closes them afterwards."""
    exporters = []

    def open_exporter(component_id="duckdb", now=START, **config):
        exporter = DuckDBExporter(Config(**config), settings(tmp_path, component_id), clock=lambda: now / NANO)
        exporters.append(exporter)
        exporter.start()
        return exporter

    yield open_exporter
    for exporter in exporters:
        exporter.shutdown()


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """An exporter that holds 40 rows, for tests that only read."""
    exporter = DuckDBExporter(Config(), settings(tmp_path_factory.mktemp("reading"), "duckdb"))
    exporter.start()
    exporter.export(export_batch(1, 1, many(40)))
    yield exporter
    exporter.shutdown()


def rows(exporter, sql, limit=100_000):
    return [tuple(row.values()) for row in exporter.query(sql, limit=limit).to_pylist()]


# exactly once


def test_a_range_exported_again_is_stored_once(opened):
    exporter = opened()
    batch = export_batch(1, 3, many(100), many(20, first=100))
    exporter.export(batch)
    exporter.export(batch)
    assert rows(exporter, "SELECT count(*), count(DISTINCT span_id) FROM observations") == [(120, 120)]
    assert exporter.checkpoint() == ("epoch-1", 3)


def test_the_checkpoint_outlives_a_restart(opened):
    exporter = opened()
    assert exporter.checkpoint() is None
    exporter.export(export_batch(1, 7, many(10)))
    exporter.shutdown()
    again = opened()
    assert again.checkpoint() == ("epoch-1", 7)
    again.export(export_batch(1, 7, many(10)))
    again.export(export_batch(8, 8, many(5, first=10)))
    assert rows(again, "SELECT count(*) FROM observations") == [(15,)]


def test_an_empty_range_moves_the_checkpoint(opened):
    exporter = opened()
    exporter.export(export_batch(1, 9))
    exporter.export(export_batch(10, 12, many(0)))
    assert exporter.checkpoint() == ("epoch-1", 12)


def test_another_epoch_counts_from_the_start_and_the_old_one_stays_known(opened):
    exporter = opened()
    exporter.export(export_batch(1, 50, many(10)))
    exporter.export(export_batch(1, 2, many(10, first=10), epoch="epoch-2"))
    assert exporter.checkpoint() == ("epoch-2", 2)
    exporter.export(export_batch(1, 50, many(10)))
    exporter.export(export_batch(51, 51, many(10, first=20)))
    assert exporter.checkpoint() == ("epoch-1", 51)
    assert rows(exporter, "SELECT count(*) FROM observations") == [(30,)]


def test_a_range_stored_in_part_stops_the_exporter(opened):
    exporter = opened()
    exporter.export(export_batch(1, 5, many(10)))
    with pytest.raises(JournalError, match=r"3\.\.8 overlap"):
        exporter.export(export_batch(3, 8, many(10)))


def test_it_offers_checkpoint_and_query_and_batch_hints(opened):
    exporter = opened(flush_interval="250ms", target_rows=77)
    assert isinstance(exporter, Checkpointed)
    assert isinstance(exporter, Queryable)
    assert factory.preferences(exporter._config) == ExportPreferences(rows=77, seconds=0.25)
    assert factory.stores


KILLED = """
import sys
from pathlib import Path
from exporters._duckdb import connection
from exporters.duckdb import Config, DuckDBExporter
from tests.exporters.stores import export_batch, many, settings

connection.CHECKPOINT_THRESHOLD = sys.argv[2]
exporter = DuckDBExporter(Config(), settings(Path(sys.argv[1]), "duckdb"))
exporter.start()
position = exporter.checkpoint()
first = position[1] + 1 if position else 1
while True:
    print(first, flush=True)
    exporter.export(export_batch(first, first, many(700, first=first * 700, text=2000)))
    first += 1
"""


@pytest.mark.parametrize("threshold", ["256MB", "1MB"], ids=["in a transaction", "or in a checkpoint"])
def test_kill_9_loses_and_doubles_nothing(tmp_path, opened, threshold):
    for run in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path), threshold], stdout=subprocess.PIPE, text=True
        ) as child:
            for _ in range(3 + run):
                child.stdout.readline()
            child.send_signal(signal.SIGKILL)
    exporter = opened()
    _, last = exporter.checkpoint()
    assert last >= 6 * 2
    expected = [(last * 700, last * 700, 700, last * 700 + 699)]
    numbers = "('0x' || span_id)::BIGINT"
    sql = f"SELECT count(*), count(DISTINCT span_id), min({numbers}), max({numbers}) FROM observations"
    assert rows(exporter, sql) == expected


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
    older = pa.schema([field for field in schema.OBSERVATIONS if field.name not in {"tool_name", "cost", "otlp"}])
    dataset = tables.DATASETS["observations"]
    with monkeypatch.context() as patch:
        old = tables.Dataset("observations", dataset.template, older, "trace_id")
        patch.setitem(tables.DATASETS, "observations", old)
        exporter = opened()
        exporter.export(export_batch(1, 1, many(4).select(older.names)))
        exporter.shutdown()
    exporter = opened()
    empty = "SELECT count(*), count(tool_name), count(cost) FROM observations"
    assert rows(exporter, empty) == [(4, 0, 0)]
    exporter.export(export_batch(2, 2, table([{"tool_name": "search", "cost": [("input", Decimal("0.5"))]}])))
    assert rows(exporter, empty) == [(5, 1, 1)]
    assert exporter.query("FROM observations LIMIT 0", limit=1).column_names == schema.OBSERVATIONS.names


# errors


def test_a_file_open_elsewhere_is_a_clear_error(tmp_path):
    path = tmp_path / "spanloom.duckdb"
    script = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        with pytest.raises(ConfigError, match=rf"duckdb/hot.*open in another process \(PID {child.pid}\)"):
            DuckDBExporter(Config(), settings(tmp_path, "duckdb/hot")).start()
        child.stdin.close()


def test_two_exporters_on_one_file_are_refused(opened):
    opened("duckdb")
    with pytest.raises(ConfigError, match="another exporter of this service"):
        opened("duckdb/second")


def test_files_that_are_no_database_are_a_clear_error(tmp_path):
    path = tmp_path / "spanloom.duckdb"
    path.write_bytes(b"hello" * 5_000)
    with pytest.raises(ConfigError, match="not a DuckDB database"):
        DuckDBExporter(Config(), settings(tmp_path, "duckdb")).start()


def test_a_damaged_file_is_a_clear_error(tmp_path, opened):
    exporter = opened()
    exporter.export(export_batch(1, 1, many(10)))
    exporter.shutdown()
    path = tmp_path / "spanloom.duckdb"
    data = bytearray(path.read_bytes())
    for block in (4096, 8192):
        data[block + 8 : block + 200] = os.urandom(192)
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="damaged"):
        DuckDBExporter(Config(), settings(tmp_path, "duckdb")).start()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    exporter = DuckDBExporter(Config(path=tmp_path / "file" / "x.duckdb"), settings(tmp_path, "duckdb"))
    with pytest.raises(ConfigError, match="cannot open"):
        exporter.start()
    exporter.shutdown()


@pytest.mark.parametrize("before", [(), (many(2),)], ids=["alone", "behind good rows"])
def test_data_of_a_wrong_type_is_permanent_and_leaves_the_store_usable(opened, before):
    exporter = opened()
    index = schema.OBSERVATIONS.get_field_index("input_tokens")
    wrong = many(3).set_column(index, "input_tokens", pa.array(["s3cret"] * 3))
    with pytest.raises(PermanentError) as caught:
        exporter.export(export_batch(1, 1, *before, wrong))
    assert "s3cret" not in str(caught.value)
    assert exporter.checkpoint() is None
    exporter.export(export_batch(2, 2, many(4)))
    assert rows(exporter, "SELECT count(*) FROM observations") == [(4,)]


FULL = """
import resource, sys
from pathlib import Path
from collector.errors import RetryableError
from exporters.duckdb import Config, DuckDBExporter
from tests.exporters.stores import export_batch, many, settings

exporter = DuckDBExporter(Config(), settings(Path(sys.argv[1]), "duckdb"))
exporter.start()
exporter.export(export_batch(1, 1, many(50)))
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
batch = export_batch(2, 2, many(3000, first=50, text=5000))
for _ in range(3):
    try:
        exporter.export(batch)
    except RetryableError as error:
        print("retry", error)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
exporter.export(batch)
print(exporter.query("SELECT count(*), count(DISTINCT span_id) FROM observations", limit=1).to_pylist()[0].values())
exporter.shutdown()
"""


def test_a_full_disk_is_retried_until_there_is_room(tmp_path):
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("retry") == 3
    assert "dict_values([3050, 3050])" in done.stdout


def test_little_memory_is_enough_to_store_much(opened):
    exporter = opened(memory_limit="64MiB", threads=1)
    for first in range(12):
        exporter.export(export_batch(first + 1, first + 1, many(4_000, first=first * 4_000, text=4_000)))
    exporter.shutdown()
    assert rows(opened(memory_limit="64MiB"), "SELECT count(*) FROM observations") == [(48_000,)]


def test_a_query_beyond_the_memory_limit_spills_beside_the_file(opened, tmp_path):
    exporter = opened(memory_limit="64MiB", threads=1)
    sql = "SELECT count(*) FROM (SELECT md5(range::VARCHAR) AS h FROM range(2000000) ORDER BY h LIMIT 1900000)"
    assert rows(exporter, sql) == [(1_900_000,)]


def test_lifecycle_can_be_repeated_and_cut_short(tmp_path):
    exporter = DuckDBExporter(Config(), settings(tmp_path, "duckdb"))
    exporter.shutdown()
    exporter.start()
    exporter.shutdown()
    exporter.shutdown()
    with pytest.raises(PermanentError, match="not open"):
        exporter.query("SELECT 1", limit=1)


@pytest.mark.parametrize("wrong", [{"retention": "0s"}, {"memory_limit": "lots"}, {"threads": 0}, {"file": "x"}])
def test_configuration_is_checked(wrong):
    with pytest.raises(ValidationError):
        Config(**wrong)


# queries


REFUSED = [
    "COPY observations TO '/tmp/x.csv'",
    "ATTACH ':memory:' AS m",
    "ATTACH '/tmp/x.db'",
    "PRAGMA database_list",
    "SET threads = 1",
    "SET VARIABLE x = 1",
    "INSTALL httpfs",
    "LOAD httpfs",
    "EXPORT DATABASE '/tmp/x'",
    "CREATE TABLE x (a INT)",
    "CREATE TEMP TABLE x AS SELECT 1",
    "INSERT INTO scores SELECT * FROM scores",
    "DELETE FROM _obs_v1",
    "DROP VIEW observations",
    "CHECKPOINT",
    "CALL duckdb_settings()",
    "EXPLAIN ANALYZE SELECT 1",
    "SELECT 1; SELECT 2",
    "",
    "-- nothing",
    "WITH x AS (INSERT INTO scores SELECT * FROM scores RETURNING *) SELECT * FROM x",
    "WITH x AS (DELETE FROM scores RETURNING *) SELECT * FROM x",
    "SELECT * FROM (WITH x AS (UPDATE scores SET name = '' RETURNING *) SELECT * FROM x)",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('_checkpoint')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_tables",
    "SELECT * FROM pragma_table_info('observations')",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM _checkpoint",
    "SELECT * FROM _rows",
    "SELECT * FROM enable_logging()",
    "SELECT (SELECT max(dseq) FROM main._checkpoint)",
    "WITH _checkpoint AS (SELECT 1) SELECT * FROM _checkpoint",
    "SELECT current_setting('temp_directory')",
    "SELECT getenv('HOME')",
    "SELECT CASE WHEN true THEN current_setting('threads') END",
    "SELECT [x FOR x IN [current_setting('threads')]]",
    "SHOW DATABASES",
    "SHOW ALL TABLES",
    "SELECT * FROM local_variable",
    "SELECT nonsense FROM observations",
    "SELEC",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_the_sandbox_refuses(reading, sql):
    local_variable = pa.table({"a": [1]})
    with pytest.raises(PermanentError):
        reading.query(sql, limit=10)
    assert local_variable.num_rows == 1


ALLOWED = [
    ("SELECT count(*) FROM observations", [(40,)]),
    ("WITH t AS (SELECT DISTINCT trace_id FROM main.observations) SELECT count(*) FROM t", [(5,)]),
    ("FROM traces SELECT count(*);", [(5,)]),
    ("SELECT count(*) FROM traces t JOIN spanloom.main.observations o USING (trace_id)", [(40,)]),
    ("SELECT count(*) FROM observations UNION ALL SELECT count(*) FROM scores", [(40,), (0,)]),
    ("VALUES (1), (2)", [(1,), (2,)]),
    ("SELECT list_transform([1, 2], lambda x: x + 1)", [([2, 3],)]),
    ("SELECT * FROM range(2)", [(0,), (1,)]),
    ("SELECT DISTINCT e.key FROM (SELECT unnest(map_entries(usage)) AS e FROM observations)", [("input",)]),
    ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT max(i) FROM n", [(3,)]),
    ("SHOW TABLES", [(n,) for n in ("logs", "metrics", "observations", "scores", "sessions", "traces")]),
]


@pytest.mark.parametrize(("sql", "expected"), ALLOWED)
def test_the_sandbox_lets_reading_through(reading, sql, expected):
    assert rows(reading, sql) == expected


def test_describe_and_summarize_work(reading):
    described = reading.query("DESCRIBE observations", limit=1_000).column("column_name").to_pylist()
    assert described == schema.OBSERVATIONS.names
    assert reading.query("SUMMARIZE scores", limit=1_000).num_rows == len(schema.SCORES)


def test_a_result_ends_at_the_limit(opened):
    exporter = opened()
    exporter.export(export_batch(1, 1, many(5_000)))
    found = exporter.query("SELECT span_id FROM observations ORDER BY span_id", limit=3_000)
    assert found.column("span_id").to_pylist() == [f"{n:016x}" for n in range(3_000)]
    assert exporter.query("FROM observations", limit=0).num_rows == 0
    assert rows(exporter, "SELECT count(*) FROM observations") == [(5_000,)]


def test_a_slow_query_is_stopped_and_the_store_goes_on(opened):
    exporter = opened(query_timeout="200ms")
    with pytest.raises(PermanentError, match=r"longer than 0\.2 s"):
        exporter.query("SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 7", limit=1)
    with pytest.raises(PermanentError, match=r"longer than 0\.2 s"):
        exporter.query(
            "SELECT a.range FROM range(10000000) a, range(10000000) b WHERE hash(a.range + b.range) = 7", limit=1
        )
    exporter.export(export_batch(1, 1, many(10)))
    assert rows(exporter, "SELECT count(*) FROM observations") == [(10,)]


def test_a_result_that_is_too_big_is_refused(opened):
    exporter = opened()
    with pytest.raises(PermanentError, match="256 MiB"):
        exporter.query("SELECT repeat('x', 200000) AS t FROM range(100000)", limit=1_000_000)


def test_a_query_is_never_half_a_transaction_while_the_writer_works(opened):
    exporter = opened()
    stop = threading.Event()
    seen: list[tuple[int, ...]] = []

    def read():
        while not stop.is_set():
            seen.extend(
                rows(exporter, "SELECT count(*), count(DISTINCT trace_id), sum(input_tokens) FROM observations")
            )

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(40):
            exporter.export(export_batch(number + 1, number + 1, many(80, first=number * 80)))
        while len(seen) < 6:
            exporter.query("SELECT 1", limit=1)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    for count, traces, tokens in seen:
        assert count % 80 == 0
        assert traces == count // 8
        assert (tokens or 0) == sum(range(0, count, 4))


def test_shutdown_ends_a_running_query(opened):
    exporter = opened()
    failures: list[PermanentError] = []
    started = threading.Event()

    def read():
        started.set()
        try:
            exporter.query(
                "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 7", limit=1
            )
        except PermanentError as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    started.wait()
    while not exporter._running and reader.is_alive():
        pass
    exporter.shutdown()
    reader.join(timeout=9)
    assert not reader.is_alive()
    assert "the store is closing" in str(failures[0])


def test_an_index_finds_a_trace(opened):
    exporter = opened()
    exporter.export(export_batch(1, 1, many(100)))
    indexed = exporter._connection.execute("SELECT table_name, expressions FROM duckdb_indexes()").fetchall()
    assert indexed == [("_obs_v1_202609", "[trace_id]")]
