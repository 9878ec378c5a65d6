"""The exporter that remembers: what it was given, and its switches.

Proves each switch for itself. Does not prove how the engine reacts: ``engine/export/test_runner`` does.
"""

from __future__ import annotations

import threading

import pytest

from collector.component.base import ComponentConfig
from collector.component.exporter import ExportBatch, ReceivedBatch
from collector.errors import PermanentError, RetryableError
from collector.testing.builders import logs
from collector.testing.sinks import MemoryExporter


def batch(n: int, first: int = 1) -> ExportBatch:
    return ExportBatch("epoch", first, first, others=(ReceivedBatch(logs([{}] * n), 0),))


def test_what_was_exported_is_remembered() -> None:
    sink = MemoryExporter()
    sink.start()
    sink.export(batch(2))
    sink.export(batch(3, first=2))
    sink.shutdown()

    assert sink.num_rows == 5
    assert [b.first for b in sink.batches] == [1, 2]
    assert (sink.started, sink.shut_down) == (True, True)
    assert sink.observations().num_rows == 0


def test_the_switches_refuse_and_nothing_refused_is_remembered() -> None:
    sink = MemoryExporter()
    sink.set_available(False)
    with pytest.raises(RetryableError):
        sink.export(batch(1))
    sink.set_available(True)
    sink.set_rejecting(True)
    with pytest.raises(PermanentError):
        sink.export(batch(1))
    sink.set_rejecting(False)
    sink.export(batch(1))

    assert (sink.attempts, sink.num_rows) == (3, 1)


def test_a_held_export_waits_until_it_is_released() -> None:
    sink = MemoryExporter()
    sink.hold()
    thread = threading.Thread(target=sink.export, args=(batch(4),))
    thread.start()

    assert sink.wait_for_attempts(1)
    assert sink.num_rows == 0
    sink.release()
    assert sink.wait_for_rows(4)
    thread.join()


def test_the_factory_gives_the_sink_itself() -> None:
    sink = MemoryExporter()

    assert sink.factory().create(ComponentConfig(), None) is sink  # type: ignore[arg-type]
