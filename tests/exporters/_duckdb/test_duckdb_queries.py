"""Queries of strangers over the DuckDB store: the sandbox and its limits.

Proves that known ways out of the sandbox are shut, and that limits hold beside a writer. Does not prove that DuckDB
has no other way out.
"""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest

from collector.errors import PermanentError
from collector.model import schema
from exporters.duckdb import Config, DuckDBExporter
from tests.exporters._duckdb.duckdb_kit import rows
from tests.exporters.stores import export_batch, many, settings


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """An exporter that holds 40 rows, for tests that only read."""
    exporter = DuckDBExporter(Config(), settings(tmp_path_factory.mktemp("reading"), "duckdb"))
    exporter.start()
    exporter.export(export_batch(1, 1, many(40)))
    yield exporter
    exporter.shutdown()


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
