"""Writes what reaches it to the log or to standard output: for trying a configuration out.

``basic`` gives one line with counts per batch, ``normal`` one line per item, ``detailed`` all
columns that hold something. What arrives here is masked like everything behind the pipeline's
masker; content is shown by ``detailed`` only.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal, TextIO

import pyarrow as pa
from pydantic import Field

from exporters._shared import stored
from spanloom import ComponentConfig, ExportBatch, ExporterFactory, Settings

_SUMMARY = {
    stored.OBSERVATIONS: (
        "trace_id span_id type name level model input_tokens output_tokens total_cost duration_ns user_id session_id"
    ),
    stored.LOGS: "trace_id span_id event_name severity_text service_name",
    stored.METRICS: "name kind unit value_int value_double count sum service_name",
}
_WORDS = {stored.OBSERVATIONS: "spans", stored.LOGS: "log records", stored.METRICS: "metric points"}


class Config(ComponentConfig):
    verbosity: Literal["basic", "normal", "detailed"] = "basic"
    """Counts per batch; a line per item; all columns of each item, content included."""

    sampling_initial: int = Field(default=2, ge=0)
    """So many messages per second are written ..."""

    sampling_thereafter: int = Field(default=1, ge=0)
    """... and of those after them every n-th; 0: none."""

    use_internal_logger: bool = True
    """True: through the service's log, at level info; false: to standard output."""


class DebugExporter:
    """See the module; ``clock`` returns seconds, ``output`` stands for standard output."""

    def __init__(
        self,
        config: Config,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        output: TextIO | None = None,
    ) -> None:
        self._config = config
        self._id = str(settings.id)
        self._log = settings.log
        self._clock = clock
        self._output = output
        self._second = -1
        self._seen = 0

    def start(self) -> None:
        """Nothing to open."""

    def export(self, batch: ExportBatch) -> None:
        """Writes the batch; never fails for what it holds."""
        basic = self._config.verbosity == "basic"
        for event, fields in _counts(batch) if basic else _items(batch, detailed=self._config.verbosity == "detailed"):
            if self._is_due():
                self._write(event, fields)

    def shutdown(self) -> None:
        """Nothing to close."""

    def _is_due(self) -> bool:
        """The sampling of zap, as the Collector has it: the first n of each second, then every m-th."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._seen = second, 0
        self._seen += 1
        beyond = self._seen - self._config.sampling_initial
        every = self._config.sampling_thereafter
        return beyond <= 0 or (every > 0 and beyond % every == 0)

    def _write(self, event: str, fields: dict[str, Any]) -> None:
        if self._config.use_internal_logger:
            # Nested, because names such as "level" are the log line's own.
            self._log.info(event, exporter=self._id, item=fields)
            return
        values = " ".join(
            f"{name}={json.dumps(value, ensure_ascii=False, default=str)}" for name, value in fields.items()
        )
        print(event, values, file=self._output or sys.stdout, flush=True)


def _counts(batch: ExportBatch) -> Iterator[tuple[str, dict[str, Any]]]:
    rows = {"spans": sum(group.spans.num_rows for group in batch.spans)}
    for received in batch.others:
        word = {"logs": "log records", "metrics": "metric points"}[received.batch.signal]
        rows[word] = rows.get(word, 0) + received.batch.num_rows
    for word, count in rows.items():
        if count:
            yield word, {"count": count, "first": batch.first, "last": batch.last}


def _items(batch: ExportBatch, *, detailed: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    for table, _ in stored.observations(batch):
        yield from _rows(stored.OBSERVATIONS, table, detailed=detailed)
    for name, table in stored.others(batch):
        yield from _rows(name, table, detailed=detailed)


def _rows(name: str, table: pa.Table, *, detailed: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    columns = table.column_names if detailed else _SUMMARY[name].split()
    word = _WORDS[name].removesuffix("s")
    for row in table.select(columns).to_pylist():
        yield word, {key: value for key, value in row.items() if value not in (None, [], "")}


factory = ExporterFactory(Config, DebugExporter)
