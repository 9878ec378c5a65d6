"""A processor on columns, one on single spans, an exporter and an extension that reads: what a plug-in may bring."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from spanloom import (
    ComponentConfig,
    ComponentHealth,
    ExportBatch,
    ExporterFactory,
    ExtensionFactory,
    HealthState,
    ProcessorFactory,
    RetryableError,
    Settings,
    Signal,
    Span,
    SpanBatch,
    rowwise,
)


class RegionConfig(ComponentConfig):
    region: str = "eu"
    """Stands before the name of every span."""


class Region:
    def __init__(self, config: RegionConfig) -> None:
        self._prefix = pa.scalar(f"{config.region}: ", pa.string())

    def process(self, batch: SpanBatch) -> SpanBatch:
        names = pc.binary_join_element_wise(self._prefix, batch.column("span_name"), "")
        return batch.with_columns({"span_name": names})


class RedirectConfig(ComponentConfig):
    models: dict[str, str]
    """Name of a deployment → the model behind it."""


def _redirecting(config: RedirectConfig):
    def process(span: Span) -> Span | None:
        if span.attributes.get("acme.internal"):
            return None
        model = span.attributes.get("gen_ai.request.model")
        if isinstance(model, str) and model in config.models:
            span.attributes["gen_ai.request.model"] = config.models[model]
        return span

    return rowwise(process)


class LinesConfig(ComponentConfig):
    path: Path
    """A line of JSON per span is appended to it."""


class Lines:
    def __init__(self, config: LinesConfig) -> None:
        self._path = config.path

    def start(self) -> None: ...

    def export(self, batch: ExportBatch) -> None:
        columns = ["name", "span_name", "model", "total_cost"]
        rows = [row for spans in batch.spans for row in spans.observations.select(columns).to_pylist()]
        try:
            with self._path.open("a") as file:
                file.writelines(json.dumps(row, default=str) + "\n" for row in rows)
        except OSError as error:
            raise RetryableError(f"cannot write {self._path}: {error.strerror}") from error

    def shutdown(self) -> None: ...


class WatchConfig(ComponentConfig):
    path: Path
    """A line of JSON per range of decisions is appended to it."""
    closed: Path
    """While this file exists nothing is read."""


class Watch:
    def __init__(self, config: WatchConfig, settings: Settings) -> None:
        self._config = config
        self._closed = False
        self._ranges = settings.telemetry.counter("spanloom_acme_watch_ranges", "Ranges read.", ("extension",))
        self._id = str(settings.id)

    async def start(self) -> None: ...

    async def shutdown(self) -> None: ...

    def health(self) -> ComponentHealth:
        return ComponentHealth(HealthState.RECOVERABLE, "closed") if self._closed else ComponentHealth()

    def read_decided(self, batch: ExportBatch) -> None:
        self._closed = self._config.closed.exists()
        if self._closed:
            raise RetryableError("closed", retry_after=0.05)
        names = [name for spans in batch.spans for name in spans.observations["span_name"].to_pylist()]
        with self._config.path.open("a") as file:
            file.write(json.dumps({"first": batch.first, "last": batch.last, "names": names}) + "\n")
        self._ranges.labels(self._id).inc()


def _make_region(config: RegionConfig, settings: Settings) -> Region:
    return Region(config)


def _make_redirect(config: RedirectConfig, settings: Settings):
    return _redirecting(config)


def _make_lines(config: LinesConfig, settings: Settings) -> Lines:
    return Lines(config)


region = ProcessorFactory(RegionConfig, _make_region)
redirect = ProcessorFactory(RedirectConfig, _make_redirect)
lines = ExporterFactory(LinesConfig, _make_lines)
watch = ExtensionFactory(WatchConfig, Watch, reads_decided=frozenset({Signal.TRACES}))
