"""Spans decided as exporters are given them, and read again after they were forwarded."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from collector.component.exporter import DecidedSpans
from collector.config.load import load
from collector.config.plan import CollectorConfig
from collector.model import attributes
from collector.model.batch import Signal
from collector.model.codec.chosen import encode
from collector.model.forward.translate import translate
from collector.offline.dry_run import decided_spans
from collector.testing.builders import spans

NOW = 1_795_000_000 * 10**9
_CONFIG = """
receivers: {otlp: {protocols: {http: {}}}}
processors: {pii: {}, tail_sampling: {policies: [{name: all, type: always_sample}]}}
exporters: {debug: {}}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [PROCESSORS], exporters: [debug]}
    logs: {receivers: [otlp], exporters: [debug]}
"""


@cache
def pipeline(processors: str) -> CollectorConfig:
    """A pipeline of these processors, comma-separated; without ``tail_sampling`` there is no assembly."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_text(_CONFIG.replace("PROCESSORS", processors))
        return load([path], overrides=[], environ={}, data_dir=Path(folder))


def decide(requests: Sequence[tuple[Signal, bytes]], processors: str = "tail_sampling") -> list[DecidedSpans]:
    """The spans of these requests, decided."""
    with tempfile.TemporaryDirectory() as folder:  # a masker keeps its key there
        return list(decided_spans(pipeline(processors), requests, data_dir=Path(folder), clock=lambda: NOW))


def decided(rows: Sequence[Mapping[str, Any]]) -> DecidedSpans:
    """Hand-made spans (``builders.spans``) of whole traces, decided."""
    (found,) = decide([(Signal.TRACES, encode(spans(rows)))])
    return found


def forwarded(rows: Sequence[Mapping[str, Any]], target: str) -> list[dict[str, Any]]:
    """The attributes hand-made spans go out with."""
    found = decided(rows)
    return attributes.to_dicts(translate(found.spans, found.observations, target).column("attributes"))
