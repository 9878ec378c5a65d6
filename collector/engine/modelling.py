"""The trace model as the engine uses it: every call also counts faults in the metrics ``spanloom_model_*``."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from collector.model.batch import LogBatch, SpanBatch
from collector.model.facts import resolve
from collector.model.facts.recorder import Recorder
from collector.model.facts.unmapped import Unmapped
from collector.model.scores import find
from collector.model.stored import observations
from collector.telemetry import BoundedNames, Telemetry


class Modelling:
    """Resolves facts and builds stored rows; counts values that could not be read and keys that are not known."""

    def __init__(self, telemetry: Telemetry, recorder: Recorder | None = None) -> None:
        self._telemetry = telemetry
        self._recorder = recorder
        self._keys, self._scopes = BoundedNames(), BoundedNames()

    def resolve(self, batch: SpanBatch) -> SpanBatch:
        """As ``facts.resolve.resolve``."""
        faults: Counter[str] = Counter()
        unmapped = Unmapped()
        out = resolve.resolve(batch, faults, self._recorder, unmapped)
        self._count(faults)
        for key, n in unmapped.keys.items():
            self._telemetry.unknown_keys.labels(self._keys.of(key)).inc(n)
        for scope, n in unmapped.scopes.items():
            self._telemetry.unmapped_spans.labels(self._scopes.of(scope)).inc(n)
        return out

    def observations(self, spans: SpanBatch, decided: pa.RecordBatch, logs: LogBatch | None) -> pa.Table:
        """See ``collector.model.stored.observations``."""
        faults: Counter[str] = Counter()
        out = observations.observations(spans, decided, logs, faults=faults, recorder=self._recorder)
        self._count(faults)
        return out

    def span_scores(self, spans: SpanBatch, decided: pa.RecordBatch, logs: LogBatch | None) -> pa.Table:
        """As ``scores.find.span_scores``."""
        faults: Counter[str] = Counter()
        out = find.span_scores(spans, decided, logs, faults)
        self._count(faults)
        return out

    def log_scores(self, logs: LogBatch, ingested_unix_nano: int) -> pa.Table:
        """As ``scores.find.log_scores``."""
        faults: Counter[str] = Counter()
        out = find.log_scores(logs, ingested_unix_nano, faults)
        self._count(faults)
        return out

    def _count(self, faults: Counter[str]) -> None:
        for field, n in faults.items():
            self._telemetry.model_faults.labels(field).inc(n)
