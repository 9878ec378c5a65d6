"""What the maskers of a configuration would find in captured requests, and where; never what it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog

from collector.component.base import Settings
from collector.component.processor import Finder, ProcessorFactory, Pseudonymizer, Stage
from collector.config.plan import CollectorConfig
from collector.errors import ConfigError, InvalidDataError
from collector.model.batch import Signal
from collector.model.codec.chosen import decode
from collector.offline.dry_run import scratch_folder
from collector.telemetry import Telemetry

COLUMNS = ("processor", "signal", "entity", "carrier", "key", "count")


def masking_report(
    config: CollectorConfig, inputs: Sequence[tuple[Signal, bytes]], *, names: Sequence[str], data_dir: Path
) -> list[tuple[str, str, str, str, str, int]]:
    """Rows of ``COLUMNS``, what is found most often first.

    ``inputs`` are serialised OTLP requests and ``names`` what errors call them. Raises ``InvalidDataError`` for a
    malformed one, and ``ConfigError`` when no pipeline of the signals in it has a masker.
    """
    counts: Counter[tuple[str, str, str, str, str]] = Counter()
    with scratch_folder(data_dir) as folder:
        finders = dict(_finders(config, {signal for signal, _ in inputs}, folder))
        if not finders:
            raise ConfigError("no pipeline for this data has a processor that masks (such as pii)")
        for name, (signal, body) in zip(names, inputs, strict=True):
            decoded = decode(signal, [body])
            for error in decoded.failed.values():
                raise InvalidDataError(f"{name}: {error}")
            for (processor, of), finder in finders.items():
                for batch in decoded.batches if of is signal else ():
                    for row in finder.findings(batch).to_pylist():
                        counts[processor, signal.value, row["entity"], row["carrier"], row["key"]] += row["count"]
    return [(*where, count) for where, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def pseudonyms(config: CollectorConfig, key: str, values: Sequence[str], *, data_dir: Path) -> list[str]:
    """What the first traces pipeline with a masker stores for these values of an attribute.

    Raises ``ConfigError`` when there is none, or no key of pseudonyms yet.
    """
    for _, masker in _maskers(config, {Signal.TRACES}, data_dir):
        if isinstance(masker, Pseudonymizer):
            return [masker.pseudonym(key, value) for value in values]
    raise ConfigError("no traces pipeline has a processor that puts pseudonyms (such as pii): ids are stored as sent")


def _finders(
    config: CollectorConfig, signals: set[Signal], folder: Path
) -> Iterator[tuple[tuple[str, Signal], Finder]]:
    for name, masker in _maskers(config, signals, folder):
        if isinstance(masker, Finder):
            yield name, masker


def _maskers(config: CollectorConfig, signals: set[Signal], folder: Path) -> Iterator[tuple[tuple[str, Signal], Any]]:
    for pipeline in config.pipelines:
        for id_ in pipeline.processors if pipeline.signal in signals else ():
            factory = config.processors[id_].factory
            if isinstance(factory, ProcessorFactory) and factory.stage is Stage.MASK:
                # Metrics of their own: what is looked at here is no traffic.
                settings = Settings(id_, Telemetry(), structlog.get_logger(str(id_)), folder)
                yield (str(id_), pipeline.signal), factory.create(config.processors[id_].config, settings)
