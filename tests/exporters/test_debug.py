"""The debug exporter: what each verbosity writes, and how much.

Proves lines and counts, and that content is not built where it is not shown. Does not prove that the lines are free
of personal data: masking stands before it.
"""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
import structlog
from pydantic import ValidationError

from collector.component.exporter import ExportPreferences
from exporters.debug import Config, DebugExporter, factory
from tests.exporters.stores import awkward_logs, awkward_metrics, export_batch, settings, table


@pytest.fixture
def written(tmp_path):
    """Exports a batch and returns the lines on standard output."""

    def export(*batches, clock=lambda: 0.0, **config):
        output = io.StringIO()
        exporter = DebugExporter(
            Config(use_internal_logger=False, **config), settings(tmp_path, "debug"), clock=clock, output=output
        )
        exporter.start()
        for batch in batches:
            exporter.export(batch)
        exporter.shutdown()
        return output.getvalue().splitlines()

    return export


CALL = {
    "name": "chat",
    "type": "generation",
    "model": "gpt-5",
    "total_cost": Decimal("0.000000000001"),
    "input": "question",
    "trace_id": "a" * 32,
}


def test_basic_counts_each_batch(written):
    batch = export_batch(3, 8, table([{}, {}]), table([{}]), others=[awkward_logs(), awkward_metrics()])
    points = awkward_metrics().batch.num_rows
    assert written(batch) == [
        'spans count=3 first=3 last=8',
        'log records count=7 first=3 last=8',
        f'metric points count={points} first=3 last=8',
    ]  # fmt: skip


def test_basic_never_builds_content(written):
    batch = export_batch(1, 1, table([CALL]))
    batch.spans[0]._build = None
    assert written(batch) == ["spans count=1 first=1 last=1"]


def test_normal_writes_a_line_per_item_without_content(written):
    (line,) = written(export_batch(1, 1, table([CALL])), verbosity="normal")
    assert line.startswith(f'span trace_id="{"a" * 32}"')
    assert ' model="gpt-5" ' in line
    assert ' total_cost="1E-12"' in line
    assert "question" not in line
    assert "user_id" not in line


def test_detailed_writes_every_column_that_holds_something(written):
    lines = written(export_batch(1, 1, table([CALL]), others=[awkward_logs(), awkward_metrics()]), verbosity="detailed")
    assert ' input="question" ' in lines[0]
    assert "subtype" not in lines[0]
    assert len(lines) == 1 + 7 + awkward_metrics().batch.num_rows
    assert any("ü\\u0000\\n😀" in line for line in lines)


def test_after_the_first_messages_of_a_second_only_every_nth_is_written(written):
    seconds = iter([0.0] * 10 + [1.0] * 3)
    batches = [export_batch(number, number, table([{}])) for number in range(13)]
    lines = written(*batches, clock=lambda: next(seconds), sampling_initial=2, sampling_thereafter=4)
    assert [line.rpartition("=")[2] for line in lines] == ["0", "1", "5", "9", "10", "11"]
    assert len(written(*batches, sampling_initial=1, sampling_thereafter=0)) == 1


def test_it_goes_to_the_log_by_default(tmp_path):
    with structlog.testing.capture_logs() as captured:
        exporter = DebugExporter(Config(verbosity="normal"), settings(tmp_path, "debug/x"))
        exporter.export(export_batch(1, 1, table([{"level": "ERROR"}])))
    (entry,) = captured
    assert (entry["event"], entry["log_level"], entry["exporter"]) == ("span", "info", "debug/x")
    assert entry["item"]["level"] == "ERROR"


def test_an_empty_batch_writes_nothing(written):
    assert written(export_batch(1, 1), export_batch(2, 2, table([])), verbosity="normal") == []


def test_it_is_no_store_and_checks_its_configuration():
    assert not factory.stores
    assert factory.preferences(Config()) == ExportPreferences()
    with pytest.raises(ValidationError):
        Config(verbosity="loud")
