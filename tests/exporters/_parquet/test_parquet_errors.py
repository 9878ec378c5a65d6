"""The manifest of the Parquet lake, and what goes wrong.

Proves that the manifest follows the folder, and that failures leave nothing half written. Does not prove behaviour on
network drives.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from collector.component.exporter import Checkpointed, ExportPreferences
from collector.errors import ConfigError, PermanentError
from collector.model import schema
from exporters.parquet import Config, ParquetExporter, factory
from tests.exporters._parquet.parquet_kit import manifest, parts, read
from tests.exporters.stores import START, export_batch, many, settings, table

# manifest


def test_the_manifest_says_what_the_files_hold(started, lake):
    exporter = started()
    exporter.export(export_batch(1, 3, many(100)))
    exporter.export(export_batch(4, 4, many(50, first=100)))
    folder = lake / "observations" / "date=2026-09-21"
    document = manifest(folder)
    assert document["rows"] == 150
    first, second = document["files"]
    path = parts(lake)[0]
    assert first == {
        "file": path.name, "rows": 100, "bytes": path.stat().st_size, "min_unix_nano": START,
        "max_unix_nano": START + 99 * 1_000_000, "first": 1, "last": 3, "schema_version": 1,
    }  # fmt: skip
    assert (second["first"], second["last"], second["rows"]) == (4, 4, 50)


@pytest.mark.parametrize("damage", ["gone", "garbage", "foreign", "short", "stale"])
def test_a_manifest_that_disagrees_with_the_folder_is_rebuilt(started, lake, damage):
    exporter = started()
    exporter.export(export_batch(1, 1, many(10)))
    exporter.export(export_batch(2, 2, many(10, first=10)))
    folder = lake / "observations" / "date=2026-09-21"
    path, before = folder / "_manifest.json", manifest(folder)
    match damage:
        case "gone":
            path.unlink()
        case "garbage":
            path.write_bytes(b"\xff{")
        case "foreign":
            path.write_text('["x"]')
        case "short":
            path.write_text(json.dumps(before | {"files": before["files"][:1]}))
        case "stale":
            gone = before["files"][0] | {"file": "part-gone.parquet"}
            path.write_text(json.dumps(before | {"files": [gone, *before["files"]]}))
    exporter.export(export_batch(2, 2, many(10, first=10)))
    assert manifest(folder) == before


def test_a_file_of_another_kind_is_listed_too(started, lake):
    exporter = started()
    exporter.export(export_batch(1, 1, many(10)))
    folder = lake / "observations" / "date=2026-09-21"
    pq.write_table(many(7, first=10), folder / "compacted.parquet")
    exporter.export(export_batch(2, 2, many(10, first=20)))
    entry = manifest(folder)["files"][0]
    assert (entry["file"], entry["rows"], entry["first"], entry["schema_version"]) == (
        "compacted.parquet",
        7,
        None,
        None,
    )
    assert manifest(folder)["rows"] == 27


# errors


FULL = """
import resource, sys
from pathlib import Path
from collector.errors import RetryableError
from exporters.parquet import Config, ParquetExporter
from tests.exporters.stores import export_batch, many, settings

home = Path(sys.argv[1])
exporter = ParquetExporter(Config(compression="none"), settings(home, "parquet"))
exporter.start()
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
batch = export_batch(1, 1, many(3000, text=5000))
try:
    exporter.export(batch)
except RetryableError as error:
    print("retry", error, [str(path) for path in home.rglob("*") if path.is_file()])
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
exporter.export(batch)
"""


def test_a_full_disk_is_retried_and_leaves_nothing_half_written(tmp_path, lake):
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "retry cannot write Parquet files now: File too large []"
    assert read(lake).num_rows == 3_000


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    exporter = ParquetExporter(Config(path=tmp_path / "file" / "lake"), settings(tmp_path, "parquet/x"))
    with pytest.raises(ConfigError, match=r"exporters\.parquet/x: cannot write to .*/file/lake: .*exists \(.*/file\)"):
        exporter.start()
    exporter.shutdown()


def test_data_of_a_wrong_type_is_permanent_and_quotes_nothing(started, lake):
    exporter = started()
    index = schema.OBSERVATIONS.get_field_index("input_tokens")
    wrong = many(3).set_column(index, "input_tokens", pa.array(["s3cret"] * 3))
    with pytest.raises(PermanentError) as caught:
        exporter.export(export_batch(1, 1, wrong))
    assert "s3cret" not in str(caught.value)
    exporter.export(export_batch(2, 2, table([{}])))
    assert read(lake).num_rows == 1


def test_batch_hints_come_from_the_configuration(started):
    exporter = started(flush_interval="3s", target_rows=9)
    assert factory.preferences(exporter._config) == ExportPreferences(rows=9, seconds=3.0)
    assert not isinstance(exporter, Checkpointed)
    assert factory.stores


@pytest.mark.parametrize("codec", ["zstd", "snappy", "gzip", "brotli", "lz4", "none"])
def test_every_codec_writes(started, lake, codec):
    level = {"compression_level": 1} if codec in ("zstd", "gzip", "brotli") else {}
    started(compression=codec, **level).export(export_batch(1, 1, many(10)))
    assert read(lake).num_rows == 10


@pytest.mark.parametrize(
    "wrong",
    [
        {"compression": "zip"},
        {"compression_level": 23},
        {"compression": "snappy", "compression_level": 1},
        {"max_file_rows": 0},
        {"folder": "x"},
    ],
)
def test_configuration_is_checked(wrong):
    with pytest.raises(ValidationError):
        Config(**wrong)


def test_files_are_readable_by_others_as_the_umask_says(started, lake):
    mask = os.umask(0o027)
    try:
        started().export(export_batch(1, 1, many(1)))
    finally:
        os.umask(mask)
    assert parts(lake)[0].stat().st_mode & 0o777 == 0o640
