"""Policies about a trace as a whole: ``always_sample``, ``latency``, ``status_code``, ``span_count``."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from collector.component import ComponentConfig
from processors._sampling.traces import SAMPLED, Decisions, Traces, where

_MILLISECOND = 1_000_000
_STATUS_CODES = {"UNSET": 0, "OK": 1, "ERROR": 2}


class AlwaysSamplePolicy(ComponentConfig):
    name: str = ""
    """Recorded with the traces it keeps; a policy inside another one needs none."""

    type: Literal["always_sample"]
    """Keeps every trace."""

    def evaluate(self, traces: Traces) -> Decisions:
        return np.full(len(traces), SAMPLED, np.int8)


class LatencyOptions(ComponentConfig):
    threshold_ms: int = 0
    """Keeps traces that took longer than this many milliseconds, from the earliest start to the latest end."""

    upper_threshold_ms: int = Field(default=0, ge=0)
    """If given, only traces that took at most this many milliseconds."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if 0 < self.upper_threshold_ms <= self.threshold_ms:
            raise ValueError(f"upper_threshold_ms must be above threshold_ms, which is {self.threshold_ms}")
        return self


class LatencyPolicy(ComponentConfig):
    name: str = ""
    """Recorded with the traces it keeps; a policy inside another one needs none."""

    type: Literal["latency"]
    """Keeps traces by how long they took."""

    latency: LatencyOptions = LatencyOptions()
    """The bounds."""

    def evaluate(self, traces: Traces) -> Decisions:
        # Whole milliseconds, cut off towards zero, are what the Collector compares.
        nanoseconds = traces.ints("end_unix_nano") - traces.ints("start_unix_nano")
        took = np.sign(nanoseconds) * (np.abs(nanoseconds) // _MILLISECOND)
        upper = self.latency.upper_threshold_ms
        return where((took > self.latency.threshold_ms) & ((took <= upper) if upper else True))


class StatusCodeOptions(ComponentConfig):
    status_codes: tuple[Literal["OK", "ERROR", "UNSET"], ...] = Field(min_length=1)
    """Keeps traces in which some span has one of these status codes."""


class StatusCodePolicy(ComponentConfig):
    name: str = ""
    """Recorded with the traces it keeps; a policy inside another one needs none."""

    type: Literal["status_code"]
    """Keeps traces by the status of their spans."""

    status_code: StatusCodeOptions
    """The codes."""

    def evaluate(self, traces: Traces) -> Decisions:
        wanted = sum({1 << _STATUS_CODES[code] for code in self.status_code.status_codes})
        return where((traces.ints("status_codes") & wanted) != 0)


class SpanCountOptions(ComponentConfig):
    min_spans: int = Field(default=0, ge=0)
    """Keeps traces with at least this many spans."""

    max_spans: int = Field(default=0, ge=0)
    """If given, only traces with at most this many spans."""


class SpanCountPolicy(ComponentConfig):
    name: str = ""
    """Recorded with the traces it keeps; a policy inside another one needs none."""

    type: Literal["span_count"]
    """Keeps traces by their number of spans."""

    span_count: SpanCountOptions = SpanCountOptions()
    """The bounds."""

    def evaluate(self, traces: Traces) -> Decisions:
        spans, most = traces.ints("span_count"), self.span_count.max_spans
        return where((spans >= self.span_count.min_spans) & ((spans <= most) if most else True))
