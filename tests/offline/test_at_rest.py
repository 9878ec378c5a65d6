"""Stores without a service are read by the exporter that wrote them: which one is asked, and what it refuses.

Proves the choice and the refusals. Does not prove what SQL a store takes while a service runs: tests/exporters does.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collector.config.load import merged
from collector.errors import ConfigError, InvalidDataError, PermanentError
from collector.offline.at_rest import query_at_rest, read_at_rest


def asked(folder: Path, sql: str, **exporters: object) -> pa.Table:
    file = folder / "c.yaml"
    file.write_text(json.dumps({"exporters": exporters}))
    return query_at_rest(merged([file], overrides=(), environ={}), folder, sql, limit=10)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    with duckdb.connect(str(tmp_path / "spanloom.duckdb")) as connection:
        connection.execute("CREATE TABLE observations AS SELECT 1 AS n; CREATE TABLE _checkpoint AS SELECT 2 AS n")
    return tmp_path


def test_the_first_exporter_that_takes_sql_is_asked(database: Path) -> None:
    found = asked(database, "SELECT n FROM observations", otlp_http={"endpoint": "http://a"}, nobody={}, duckdb={})
    assert found.to_pydict() == {"n": [1]}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM _checkpoint",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT getenv('HOME')",
        "SELECT 1; SELECT 2",
    ],
)
def test_the_fences_are_those_of_a_running_service(sql: str, database: Path) -> None:
    with pytest.raises(PermanentError):
        asked(database, sql, duckdb={})


def test_what_was_never_stored_and_who_takes_no_sql(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"spanloom\.duckdb"):
        asked(tmp_path, "SELECT 1", duckdb={})
    with pytest.raises(PermanentError, match="this configuration has no duckdb exporter to query"):
        asked(tmp_path, "SELECT 1", parquet={})
    with pytest.raises(ConfigError, match=r"exporters\.duckdb\.pth: unknown key"):
        asked(tmp_path, "SELECT 1", duckdb={"pth": "x"})


def test_observations_come_a_day_at_a_time_and_other_folders_are_refused(tmp_path: Path) -> None:
    for day in ("date=2025-01-01", "date=2025-01-02"):
        (tmp_path / "observations" / day).mkdir(parents=True)
        pq.write_table(pa.table({"trace_id": [day]}), tmp_path / "observations" / day / "a.parquet")
    found = [table.to_pydict() for table in read_at_rest(tmp_path, ["trace_id"])]
    assert found == [{"trace_id": ["date=2025-01-01"]}, {"trace_id": ["date=2025-01-02"]}]

    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidDataError, match="empty: holds no Parquet files of observations"):
        list(read_at_rest(tmp_path / "empty", ["trace_id"]))
