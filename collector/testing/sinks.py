"""An exporter that remembers what it was given, with switches for everything that goes wrong."""

from __future__ import annotations

import threading

import pyarrow as pa

from collector.component.base import ComponentConfig
from collector.component.exporter import ExportBatch, ExporterFactory
from collector.errors import PermanentError, RetryableError
from collector.model import schema


class MemoryExporter:
    """Keeps every batch in memory. The switches may be turned from any thread, at any time."""

    def __init__(self) -> None:
        self.batches: list[ExportBatch] = []
        """What was taken, in order."""
        self.attempts = 0
        """Calls of ``export``, refused ones too."""
        self.started = False
        self.shut_down = False
        self._available = True
        self._permanent = False
        self._running = True
        self._changed = threading.Condition()

    def set_available(self, available: bool) -> None:
        """While unavailable every export raises ``RetryableError``."""
        with self._changed:
            self._available = available

    def set_rejecting(self, rejecting: bool) -> None:
        """While rejecting every export raises ``PermanentError``."""
        with self._changed:
            self._permanent = rejecting

    def hold(self) -> None:
        """Exports do not return until ``release``: a backend that is slow without end."""
        with self._changed:
            self._running = False

    def release(self) -> None:
        with self._changed:
            self._running = True
            self._changed.notify_all()

    @property
    def num_rows(self) -> int:
        """Spans, log records and metric points taken."""
        with self._changed:
            return sum(batch.num_rows for batch in self.batches)

    def wait_for_rows(self, n: int, *, timeout_s: float = 10.0) -> bool:
        """Waits until ``n`` rows or more were taken; false after the timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: sum(b.num_rows for b in self.batches) >= n, timeout_s)

    def wait_for_attempts(self, n: int, *, timeout_s: float = 10.0) -> bool:
        """Waits until ``export`` was called ``n`` times or more; false after the timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: self.attempts >= n, timeout_s)

    def observations(self) -> pa.Table:
        """All spans taken, as ``schema.OBSERVATIONS``."""
        tables = [spans.observations for batch in self.batches for spans in batch.spans]
        return pa.concat_tables(tables) if tables else schema.OBSERVATIONS.empty_table()

    def start(self) -> None:
        self.started = True

    def export(self, batch: ExportBatch) -> None:
        with self._changed:
            self.attempts += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._running)
            if not self._available:
                raise RetryableError("the sink is switched off")
            if self._permanent:
                raise PermanentError("the sink rejects everything")
            self.batches.append(batch)
            self._changed.notify_all()

    def shutdown(self) -> None:
        self.shut_down = True
        self.release()

    def factory(self) -> ExporterFactory:
        """A factory that always gives this exporter, for a configuration with a component of no options."""
        return ExporterFactory(ComponentConfig, lambda _config, _settings: self)
