"""The file exporter: what it writes is read back as it was, in every format, and stays whole when writing fails.

Proves formats, rotation, appending and failures with real files, and that a dry run reads back what went in. Does not
prove that the Collector's own receiver reads the lines: the format is held against its description.
"""

from __future__ import annotations

import json
import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard
from pydantic import ValidationError

from collector.config.load import load
from collector.model.batch import Signal
from collector.model.codec.chosen import decode, encode
from collector.model.stored.as_json import json_objects
from collector.offline.captures import read_capture
from collector.offline.dry_run import dry_run
from collector.testing.builders import START_UNIX_NANO
from collector.testing.exports import export_batch
from exporters._otlp.message_file import MessageFile, Rotation
from exporters.file import Config, factory
from spanloom import ConfigError, ExportBatch, RetryableError
from tests.exporters.stores import awkward_logs, awkward_metrics, settings

ROWS = [
    {"span_name": "chat", "attributes": {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}},
    {"span_name": "tool", "attributes": {"text": "line\nbreak, \u2028 and ü"}},
]
FORMATS = [
    {"format": format_, "compression": compression} for format_ in ("json", "proto") for compression in ("none", "zstd")
]


def written(path: Path, *batches: ExportBatch, **options: object) -> list[tuple[Signal, bytes]]:
    exporter = factory.create(Config(path=path, **options), settings(path.parent, "file"))
    exporter.start()
    for batch in batches:
        exporter.export(batch)
    exporter.shutdown()
    return list(read_capture(path))


def stored(requests: list[tuple[Signal, bytes]], folder: Path) -> list[dict[str, object]]:
    config = load([], environ={}, data_dir=folder)
    tables = dry_run(config, requests, clock=lambda: START_UNIX_NANO)
    return [row for table in tables for row in json_objects(table)]


@pytest.mark.parametrize("options", FORMATS, ids=lambda options: "-".join(options.values()))
def test_a_dry_run_reads_back_what_was_exported(options: dict[str, str], tmp_path: Path) -> None:
    batch = export_batch(ROWS)
    sent = [(Signal.TRACES, encode(part.spans)) for part in batch.spans]
    found = written(tmp_path / "traces.jsonl", batch, **options)
    assert stored(found, tmp_path) == stored(sent, tmp_path)
    assert len(stored(found, tmp_path)) == 2


@pytest.mark.parametrize("options", FORMATS, ids=lambda options: "-".join(options.values()))
def test_logs_and_metrics_come_back_as_they_were(options: dict[str, str], tmp_path: Path) -> None:
    for received in (awkward_logs(), awkward_metrics()):
        signal, path = received.batch.signal, tmp_path / f"{received.batch.signal.value}.jsonl"
        written(path, ExportBatch("epoch", 1, 1, (), (received,)), **options)
        found = list(read_capture(path, signal))
        again = [batch for body in found for batch in decode(signal, [body[1]]).batches]
        names = received.batch.record_batch.schema.names
        columns = [repr([value for batch in again for value in batch.column(name).to_pylist()]) for name in names]
        assert columns == [repr(received.batch.column(name).to_pylist()) for name in names]


def test_plain_json_is_a_line_per_request_as_the_collector_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "traces.json"
    written(path, export_batch(ROWS), export_batch(ROWS[:1], first=2))
    lines = path.read_bytes().removesuffix(b"\n").split(b"\n")
    assert [list(json.loads(line)) for line in lines] == [["resourceSpans"], ["resourceSpans"]]
    span = json.loads(lines[1])["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert (span["name"], len(span["traceId"]), span["startTimeUnixNano"]) == ("chat", 32, str(START_UNIX_NANO))


def test_other_formats_have_the_length_in_four_bytes_before_each_request(tmp_path: Path) -> None:
    path = tmp_path / "traces.binpb"
    written(path, export_batch(ROWS), format="proto", compression="zstd")
    data = path.read_bytes()
    (size,) = struct.unpack(">I", data[:4])
    assert len(data) == 4 + size
    message = zstandard.ZstdDecompressor().decompress(data[4:], max_output_size=1 << 20)
    assert decode(Signal.TRACES, [message]).batches[0].num_rows == 2


def test_requests_stay_below_the_longest_line_the_collector_takes(tmp_path: Path) -> None:
    rows = [{"span_name": "s", "span_id": n + 1, "attributes": {"text": "x" * 50_000}} for n in range(60)]
    written(tmp_path / "traces.jsonl", export_batch(rows))
    lines = (tmp_path / "traces.jsonl").read_bytes().splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 1 << 20
    assert len(stored(list(read_capture(tmp_path / "traces.jsonl")), tmp_path)) == 60


def test_a_file_is_emptied_at_the_start_unless_it_is_to_be_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    for options, requests in (({}, 1), ({}, 1), ({"append": True}, 2), ({"rotation": {}}, 3)):
        assert len(written(path, export_batch(ROWS), **options)) == requests
    assert path.stat().st_mode & 0o777 == 0o600


def test_half_a_line_that_a_kill_left_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    written(path, export_batch(ROWS))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:100])
    exporter = factory.create(Config(path=path, append=True), settings(tmp_path, "file"))
    exporter.start()
    exporter.export(export_batch(ROWS))
    exporter.shutdown()
    assert path.read_bytes() == whole + whole[:100] + b"\n" + whole


def test_a_full_file_is_put_aside_and_old_ones_go(tmp_path: Path) -> None:
    clock = [datetime(2026, 11, 20, 8, 0, tzinfo=UTC)]
    rotation = Rotation(max_bytes=10, max_age=timedelta(days=1), max_backups=2, local_time=False)
    (tmp_path / "traces-notes.jsonl").write_text("mine")
    file = MessageFile(tmp_path / "traces.jsonl", framed=False, append=False, rotation=rotation, now=lambda: clock[0])
    file.open()
    for number in range(5):
        file.write(b"message%d" % number)
        clock[0] += timedelta(seconds=1)
    file.close()
    assert sorted(
        (path.name, path.read_bytes()) for path in tmp_path.iterdir() if path.name != "traces-notes.jsonl"
    ) == [
        ("traces-2026-11-20T08-00-03.000.jsonl", b"message2\n"),
        ("traces-2026-11-20T08-00-04.000.jsonl", b"message3\n"),
        ("traces.jsonl", b"message4\n"),
    ]
    assert (tmp_path / "traces-notes.jsonl").read_text() == "mine"


def test_what_cannot_be_written_is_tried_again_and_leaves_no_half_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "traces.jsonl"
    exporter = factory.create(Config(path=path), settings(tmp_path, "file"))
    exporter.start()
    exporter.export(export_batch(ROWS))
    whole = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", _Filling(os.write))
        with pytest.raises(RetryableError, match=r"traces\.jsonl: No space left"):
            exporter.export(export_batch(ROWS, first=2))
    assert path.read_bytes() == whole
    exporter.export(export_batch(ROWS, first=2))
    exporter.shutdown()
    assert path.read_bytes() == whole * 2


class _Filling:
    """A disk with room for ten more bytes."""

    def __init__(self, write):
        self._write, self._left = write, 10

    def __call__(self, handle: int, data: bytes) -> int:
        if not self._left:
            raise OSError(28, "No space left on device")
        count = self._write(handle, bytes(data[: self._left]))
        self._left -= count
        return count


def test_a_folder_that_is_not_there_is_named_at_the_start(tmp_path: Path) -> None:
    exporter = factory.create(Config(path=tmp_path / "none" / "x.jsonl"), settings(tmp_path, "file"))
    with pytest.raises(ConfigError, match=r"none/x\.jsonl: No such file"):
        exporter.start()


@pytest.mark.parametrize(
    "options", [{"append": True, "compression": "zstd"}, {"flush_interval": "0s"}, {"format": "csv"}, {"path": ""}]
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        Config(**{"path": tmp_path / "x", **options})
