"""What the DuckDB store says and does when something is wrong.

Proves the error, its kind and that the store goes on where it can. Does not prove recovery from a damaged database:
DuckDB's own tools are for that.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pyarrow as pa
import pytest
from pydantic import ValidationError

from collector.errors import ConfigError, PermanentError
from collector.model import schema
from exporters.duckdb import Config, DuckDBExporter
from tests.exporters._duckdb.duckdb_kit import rows
from tests.exporters.stores import export_batch, many, settings


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
