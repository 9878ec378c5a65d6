"""The collector's own metrics, in the Collector's vocabulary: those of the engine are declared here.

A component declares its own beside itself (``Telemetry.counter``, ``gauge``, ``histogram``).
``accepted = delivered + refused + counted drops`` can be checked from outside: see ``Telemetry``.
Labels hold component ids, words from closed lists and a bounded number of model names, never
content, ids of traces or people, or secrets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SIGNAL_WORD = {"traces": "spans", "logs": "log_records", "metrics": "metric_points"}
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


Metric = TypeVar("Metric", Counter, Gauge, Histogram)


class PerSignal:
    """One counter per signal, as the Collector names them: ``…_spans``, ``…_log_records``, ``…_metric_points``."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...], registry: CollectorRegistry) -> None:
        self._counters = {
            signal: Counter(f"{name}_{word}", text.format(word.replace("_", " ")), labels, registry=registry)
            for signal, word in _SIGNAL_WORD.items()
        }

    def add(self, signal: str, n: int, **labels: str) -> None:
        """Counts ``n`` items; also creates the series at 0, so that it is scraped before it moves."""
        self._counters[signal].labels(**labels).inc(n)


class BoundedNames:
    """Label values from names that others choose: the first ``limit`` different ones, then ``other``."""

    def __init__(self, limit: int = 200) -> None:
        self._limit = limit
        self._names: set[str] = set()

    def of(self, name: str) -> str:
        """The label value for a name."""
        if name not in self._names:
            if len(self._names) >= self._limit:
                return "other"
            self._names.add(name)
        return name


class Telemetry:
    """All series of one running collector, in a registry of its own.

    The attributes are the engine's. A component declares its own with ``counter``, ``gauge`` and ``histogram``, in
    its constructor: names begin with ``spanloom_`` and the component's type, a label ``processor`` (``exporter``,
    ``extension``, ...) tells instances apart, and label values are words from a closed list or bounded in number.

    Per pipeline: ``receiver_accepted`` = what exporters sent + ``processor_dropped`` (by reason:
    sampled out, resent, filtered) + what is still pending or queued + ``exporter_dropped``.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._declared: dict[str, tuple[object, Counter | Gauge | Histogram]] = {}
        self.info = Gauge(
            "spanloom_build_info",
            "Constant 1, with version and codec in use.",
            ("version", "codec"),
            registry=self.registry,
        )
        self._receivers(self.registry)
        self._journal(self.registry)
        self._processors(self.registry)
        self._assembly(self.registry)
        self._content(self.registry)
        self._exporters(self.registry)

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        """A counter of a component's own; ``text`` says what it counts. It is shown as ``<name>_total``.

        Declared again in the same words it is the same counter, so that instances of a component share it. Raises
        ``ValueError`` when the name means something else already.
        """
        return self._own(Counter, name, text, labels)

    def gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        """As ``counter``, of what goes up and down."""
        return self._own(Gauge, name, text, labels)

    def histogram(
        self, name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = _SECONDS
    ) -> Histogram:
        """As ``counter``, of how values are spread; ``buckets``: upper bounds, by default fit for seconds."""
        return self._own(Histogram, name, text, labels, buckets=tuple(buckets))

    def _own(self, kind: type[Metric], name: str, text: str, labels: Sequence[str], **more: Any) -> Metric:
        said = (kind, text, tuple(labels), more)
        if name not in self._declared:
            self._declared[name] = (said, kind(name, text, tuple(labels), registry=self.registry, **more))
        known, metric = self._declared[name]
        if known != said:
            raise ValueError(f"the metric {name!r} is declared twice, and not in the same words")
        assert isinstance(metric, kind)
        return metric

    def _receivers(self, r: CollectorRegistry) -> None:
        receiver = ("receiver", "transport")
        self.accepted = PerSignal("otelcol_receiver_accepted", "Number of {} accepted and made durable.", receiver, r)
        self.refused = PerSignal("otelcol_receiver_refused", "Number of {} refused.", (*receiver, "reason"), r)
        self.requests = Counter(
            "otelcol_receiver_requests",
            "Requests by outcome (success, partial, refused, failure).",
            (*receiver, "signal", "outcome"),
            registry=r,
        )
        self.request_bytes = Counter(
            "otelcol_receiver_request_bytes", "Bytes of request bodies, inflated.", receiver, registry=r
        )
        self.request_seconds = Histogram(
            "otelcol_receiver_request_duration_seconds",
            "From the request's headers to its acknowledgement.",
            receiver,
            buckets=_SECONDS,
            registry=r,
        )
        self.budget_used = Gauge("spanloom_receiver_budget_used_bytes", "Bytes of requests held in memory.", registry=r)
        self.budget_limit = Gauge(
            "spanloom_receiver_budget_limit_bytes", "Bound of the request bytes in memory.", registry=r
        )

    def _journal(self, r: CollectorRegistry) -> None:
        self.journal_bytes = Gauge("spanloom_journal_bytes", "Bytes in journal segments.", registry=r)
        self.journal_missing_records = Counter(
            "spanloom_journal_missing_records",
            "Records that decisions name and that are gone with a segment somebody took away.",
            registry=r,
        )
        self.journal_sync_seconds = Histogram(
            "spanloom_journal_sync_seconds", "One fdatasync of the journal.", buckets=_SECONDS, registry=r
        )
        self.group_requests = Histogram(
            "spanloom_ingest_group_requests",
            "Requests coalesced into one group.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
            registry=r,
        )

    def _processors(self, r: CollectorRegistry) -> None:
        processor = ("processor", "pipeline", "otel_signal")
        self.processor_incoming = Counter(
            "otelcol_processor_incoming_items", "Items given to a processor.", processor, registry=r
        )
        self.processor_outgoing = Counter(
            "otelcol_processor_outgoing_items", "Items a processor passed on.", processor, registry=r
        )
        self.processor_seconds = Histogram(
            "otelcol_processor_internal_duration_seconds",
            "Time in a processor, per batch.",
            processor,
            buckets=_SECONDS,
            registry=r,
        )
        self.processor_dropped = Counter(
            "spanloom_processor_dropped_items",
            "Items dropped on purpose, by reason (not_sampled, resent, filtered, no_route).",
            (*processor, "reason"),
            registry=r,
        )

    def _assembly(self, r: CollectorRegistry) -> None:
        self.pending_traces = Gauge(
            "otelcol_processor_tail_sampling_sampling_traces_on_memory",
            "Traces waiting for their decision.",
            ("pipeline",),
            registry=r,
        )
        self.pending_spans = Gauge(
            "spanloom_assembly_pending_spans", "Spans waiting for a decision.", ("pipeline",), registry=r
        )
        self.decided_traces = Counter(
            "otelcol_processor_tail_sampling_global_count_traces_sampled",
            "Traces decided.",
            ("pipeline", "sampled"),
            registry=r,
        )
        self.policy_traces = Counter(
            "otelcol_processor_tail_sampling_count_traces_sampled",
            "Traces kept, by policy.",
            ("pipeline", "policy"),
            registry=r,
        )
        self.policy_decisions = Counter(
            "spanloom_tail_sampling_policy_decisions",
            "What each policy said about traces it was asked about.",
            ("pipeline", "policy", "decision"),
            registry=r,
        )
        self.policy_errors = Counter(
            "otelcol_processor_tail_sampling_sampling_policy_evaluation_error",
            "Policies that failed on a trace, which is kept then.",
            ("pipeline", "policy"),
            registry=r,
        )
        self.triggers = Counter(
            "spanloom_assembly_triggers", "What made traces due.", ("pipeline", "trigger"), registry=r
        )
        self.late_spans = Counter(
            "spanloom_assembly_late_spans", "Spans that came after their trace's decision.", ("pipeline",), registry=r
        )

    def _content(self, r: CollectorRegistry) -> None:
        self.failed_expressions = Counter(
            "spanloom_processor_failed_expressions",
            "Items an SQL expression failed on: passed on unchanged, by a connector to its default pipelines.",
            ("processor",),
            registry=r,
        )
        self.model_faults = Counter(
            "spanloom_model_faults", "Values that were malformed and kept aside, by field.", ("field",), registry=r
        )
        self.unknown_keys = Counter(
            "spanloom_model_unknown_keys",
            "Attributes named gen_ai.* or llm.* that no dialect table knows, by key (numbers as N; at most 200 keys).",
            ("key",),
            registry=r,
        )
        self.unmapped_spans = Counter(
            "spanloom_model_unmapped_spans",
            "Spans with gen_ai.* or llm.* attributes of no particular dialect whose type no rule tells, by scope.",
            ("scope",),
            registry=r,
        )

    def _exporters(self, r: CollectorRegistry) -> None:
        exporter = ("exporter",)
        self.sent = PerSignal("otelcol_exporter_sent", "Number of {} delivered.", exporter, r)
        self.send_failed = PerSignal(
            "otelcol_exporter_send_failed", "Number of {} in failed attempts.", (*exporter, "error_permanent"), r
        )
        self.exporter_dropped = PerSignal(
            "spanloom_exporter_dropped", "Number of {} given up on, by reason.", (*exporter, "reason"), r
        )
        self.queue_size = Gauge(
            "otelcol_exporter_queue_size", "Bytes decided and not yet delivered.", exporter, registry=r
        )
        self.queue_capacity = Gauge(
            "otelcol_exporter_queue_capacity", "Bytes the journal may hold.", exporter, registry=r
        )
        self.export_seconds = Histogram(
            "spanloom_exporter_duration_seconds", "One export call.", exporter, buckets=_SECONDS, registry=r
        )
