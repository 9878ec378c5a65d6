"""Policies as configured, due traces, and what a sampler makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from collector.component.base import ComponentId, Settings
from collector.component.sampler import DueTraces, TraceDecisions
from collector.kernels.due_traces import PolicyVerdicts, Traces
from collector.model import schema
from collector.telemetry import Telemetry
from collector.testing.builders import spans
from processors._sampling.policy import Options, Policy
from processors.tail_sampling import Config, TailSampling, factory

MS = 1_000_000
ALWAYS = {"name": "all", "type": "always_sample"}


def sampler(*policies: dict[str, Any], **config: Any) -> TailSampling:
    config = Config(policies=policies, **config)  # type: ignore[assignment]
    made = Settings(ComponentId("tail_sampling"), Telemetry(), None, Path("unused"))  # type: ignore[arg-type]
    return factory.create(config, made)  # type: ignore[return-value]


def due(*traces: dict[str, Any]) -> DueTraces:
    zeros = ("start_unix_nano", "end_unix_nano", "error_count", "size_bytes", "trigger")
    defaults = {**dict.fromkeys(zeros, 0), "span_count": 1, "status_codes": 1, "upstream_probability": 1.0}
    rows = [{"trace_id": (n + 1).to_bytes(16, "big"), **defaults, **trace} for n, trace in enumerate(traces)]
    return DueTraces(pa.RecordBatch.from_pylist(rows, schema.TRACE_FACTS), 0, never)


def never(columns: Any = None) -> Any:
    raise AssertionError("no policy here looks at spans")


def random_traces(n: int, seed: int = 1) -> DueTraces:
    ids = np.random.default_rng(seed).bytes(16 * n)
    return due(*({"trace_id": ids[16 * i : 16 * i + 16]} for i in range(n)))


def kept(verdicts: TraceDecisions) -> list[str | None]:
    assert (verdicts.keep == np.array([name is not None for name in verdicts.sampled_by.to_pylist()])).all()
    return verdicts.sampled_by.to_pylist()  # type: ignore[no-any-return]


def probabilistic(percentage: float, salt: str = "", name: str = "p") -> dict[str, Any]:
    return {
        "name": name,
        "type": "probabilistic",
        "probabilistic": {"sampling_percentage": percentage, "hash_salt": salt},
    }


def status(*codes: str, name: str = "s") -> dict[str, Any]:
    return {"name": name, "type": "status_code", "status_code": {"status_codes": list(codes)}}


def latency(above: int, to: int = 0, name: str = "l") -> dict[str, Any]:
    return {"name": name, "type": "latency", "latency": {"threshold_ms": above, "upper_threshold_ms": to}}


def both(*parts: dict[str, Any], name: str = "and") -> dict[str, Any]:
    return {"name": name, "type": "and", "and": {"and_sub_policy": list(parts)}}


def opposite(part: dict[str, Any], name: str = "not") -> dict[str, Any]:
    return {"name": name, "type": "not", "not": {"not_sub_policy": part}}


def drop(*parts: dict[str, Any], name: str = "drop") -> dict[str, Any]:
    return {"name": name, "type": "drop", "drop": {"drop_sub_policy": list(parts)}}


def with_spans(*rows: dict[str, Any]) -> DueTraces:
    """One trace per row of spans, whose ``trace_id`` numbers the traces from 1."""
    batch = spans(rows)
    owner = np.array([row["trace_id"] - 1 for row in rows], np.int32)
    return DueTraces(due(*({} for _ in range(owner.max() + 1))).traces, 0, lambda columns=None: (batch, owner))


def attribute(kind: str, name: str = "x", **options: Any) -> dict[str, Any]:
    return {"name": name, "type": f"{kind}_attribute", f"{kind}_attribute": {"key": "k", **options}}


class Says(Policy):
    """A policy with a fixed decision per trace."""

    type: str = "says"
    decisions: tuple[int, ...]

    @property
    def options(self) -> Options:
        return Options()

    def evaluate(self, traces: Traces, asked: Any) -> PolicyVerdicts:
        return np.array(self.decisions, np.int8)


def adjusted(*policies: dict[str, Any], traces: DueTraces | None = None) -> set[float]:
    verdicts = sampler(*policies).decide(traces or random_traces(2000))
    return {round(float(count), 9) for count in verdicts.adjusted_count[verdicts.keep]}
