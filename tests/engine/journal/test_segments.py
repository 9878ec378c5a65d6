"""Segments: what was synced is found again, whatever a crash left behind it.

Proves what is found again after cuts at every length, holes and flipped bits. Does not prove that every damage is
seen: a checksum of 32 bits cannot.
"""

from __future__ import annotations

import os

import pyarrow as pa
import pytest

from collector.engine.journal import segments
from collector.engine.journal.segments import SegmentMap, SegmentWriter, scan, segment_path
from collector.errors import JournalError, RetryableError


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 64 * 1024)


def write(folder, groups, number=1):
    """Writes groups of payloads; returns the records."""
    writer = SegmentWriter(folder, number)
    records = []
    seq = 1
    for group, payloads in enumerate(groups, 1):
        for payload in payloads:
            records.append(writer.append(seq, group, 1000 + seq, pa.py_buffer(payload)))
            seq += 1
    writer.sync()
    os.close(writer._fd)  # as a kill does: no truncation, no seal
    return records


def test_records_are_found_again_with_their_bytes(tmp_path, small_segments):
    payloads = [b"", b"x", b"y" * 63, b"z" * 64, b"long" * 1000]
    records = write(tmp_path, [payloads])
    found, end = scan(tmp_path, 1)
    assert found == records
    assert end == records[-1].end
    mapped = SegmentMap(tmp_path, 1)
    assert [mapped.payload(r).to_pybytes() for r in found] == payloads
    assert all(r.offset % segments.ALIGNMENT == 0 for r in found)


def test_a_torn_last_group_is_cut_off_at_every_length(tmp_path, small_segments):
    records = write(tmp_path, [[b"a" * 100], [b"b" * 100, b"c" * 100]])
    whole = segment_path(tmp_path, 1).read_bytes()
    for cut in range(records[0].end, records[-1].end, 7):
        segment_path(tmp_path, 1).write_bytes(whole[:cut])
        found, end = scan(tmp_path, 1)
        complete = [r for r in records if r.offset + r.length <= cut]
        assert found == complete
        assert end == complete[-1].end


def test_a_hole_inside_the_newest_group_is_a_torn_write_not_damage(tmp_path, small_segments):
    records = write(tmp_path, [[b"a" * 100], [b"b" * 100, b"c" * 100]])
    _overwrite(tmp_path, records[1].offset, b"\0" * 100)
    found, _ = scan(tmp_path, 1)
    assert found == records[:1]


def test_a_flipped_bit_before_a_later_group_is_damage_and_is_said(tmp_path, small_segments):
    records = write(tmp_path, [[b"a" * 100], [b"b" * 100], [b"c" * 100]])
    _overwrite(tmp_path, records[1].offset, b"X")
    with pytest.raises(JournalError, match="damaged at byte"):
        scan(tmp_path, 1)
    assert segment_path(tmp_path, 1).exists()


def test_a_group_larger_than_a_segment_gets_one_of_its_size(tmp_path, small_segments):
    writer = SegmentWriter(tmp_path, 1, min_bytes=200_000)
    writer.append(1, 1, 0, pa.py_buffer(b"q" * 150_000))
    writer.sync()
    writer.close()
    found, _ = scan(tmp_path, 1)
    assert found[0].length == 150_000


def test_closing_gives_back_preallocated_space(tmp_path, small_segments):
    writer = SegmentWriter(tmp_path, 1)
    record = writer.append(1, 1, 0, pa.py_buffer(b"x"))
    writer.close()
    assert segment_path(tmp_path, 1).stat().st_size == record.end


def _overwrite(folder, offset, data):
    with segment_path(folder, 1).open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_the_end_of_an_older_segment_is_never_taken_for_a_torn_write(tmp_path, small_segments):
    records = write(tmp_path, [[b"a" * 100], [b"b" * 100]])
    assert scan(tmp_path, 1, newest=False)[0] == records
    _overwrite(tmp_path, records[1].offset, b"X")
    with pytest.raises(JournalError, match="damaged"):
        scan(tmp_path, 1, newest=False)


def test_a_torn_first_group_of_a_segment_is_a_torn_write(tmp_path, small_segments):
    records = write(tmp_path, [[b"a" * 100, b"b" * 100]])
    _overwrite(tmp_path, records[0].offset, b"X")
    assert scan(tmp_path, 1) == ([], 0)


def test_no_descriptor_for_a_new_segment_is_refused_for_now(tmp_path, small_segments, monkeypatch):
    def fails(*_args, **_options):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(segments.os, "open", fails)
    with pytest.raises(RetryableError, match="Too many open files"):
        SegmentWriter(tmp_path, 1)
