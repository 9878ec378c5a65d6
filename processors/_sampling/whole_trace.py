"""Policies about a trace as a whole: its duration, status, size, tokens and cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from processors._sampling.policy import Options, Policy
from spanloom import SAMPLED, Bools, Ints, PolicyVerdicts, Traces, sampled_where

_MILLISECOND = 1_000_000
_PICO = 10**12
_STATUS_CODES = {"UNSET": 0, "OK": 1, "ERROR": 2}
_MOST_DOLLARS = Decimal(10) ** 6


class _Always(Options):
    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:  # noqa: ARG002 - the same for all
        return np.full(len(traces), SAMPLED, np.int8)


class AlwaysSamplePolicy(Policy):
    type: Literal["always_sample"]
    """Keeps every trace."""

    @property
    def options(self) -> Options:
        return _Always()


class LatencyOptions(Options):
    threshold_ms: int = 0
    """Keeps traces that took longer than this many milliseconds, from the earliest start to the latest end."""

    upper_threshold_ms: int = Field(default=0, ge=0)
    """If given, only traces that took at most this many milliseconds."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if 0 < self.upper_threshold_ms <= self.threshold_ms:
            raise ValueError(f"upper_threshold_ms must be above threshold_ms, which is {self.threshold_ms}")
        return self

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:  # noqa: ARG002 - all are looked at together
        # Whole milliseconds, cut off towards zero, are what the Collector compares.
        nanoseconds = traces.ints("end_unix_nano") - traces.ints("start_unix_nano")
        took = np.sign(nanoseconds) * (np.abs(nanoseconds) // _MILLISECOND)
        return sampled_where((took > self.threshold_ms) & _at_most(took, self.upper_threshold_ms or None))


class LatencyPolicy(Policy):
    type: Literal["latency"]
    """Keeps traces by how long they took."""

    latency: LatencyOptions = LatencyOptions()
    """The bounds."""


class StatusCodeOptions(Options):
    status_codes: tuple[Literal["OK", "ERROR", "UNSET"], ...] = Field(min_length=1)
    """Keeps traces in which some span has one of these status codes."""

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:  # noqa: ARG002 - all are looked at together
        wanted = sum({1 << _STATUS_CODES[code] for code in self.status_codes})
        return sampled_where((traces.ints("status_codes") & wanted) != 0)


class StatusCodePolicy(Policy):
    type: Literal["status_code"]
    """Keeps traces by the status of their spans."""

    status_code: StatusCodeOptions
    """The codes."""


class SpanCountOptions(Options):
    min_spans: int = Field(default=0, ge=0)
    """Keeps traces with at least this many spans."""

    max_spans: int = Field(default=0, ge=0)
    """If given, only traces with at most this many spans."""

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:  # noqa: ARG002 - all are looked at together
        spans = traces.ints("span_count")
        return sampled_where((spans >= self.min_spans) & _at_most(spans, self.max_spans or None))


class SpanCountPolicy(Policy):
    type: Literal["span_count"]
    """Keeps traces by their number of spans."""

    span_count: SpanCountOptions = SpanCountOptions()
    """The bounds."""


class TokensOptions(Options):
    min_tokens: int = Field(default=0, ge=0)
    """Keeps traces whose model calls used at least this many tokens, input and output together."""

    max_tokens: int | None = Field(default=None, ge=0)
    """If given, only traces that used at most this many."""

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.max_tokens is not None and self.max_tokens < self.min_tokens:
            raise ValueError("max_tokens is below min_tokens: no trace would be kept")
        return self

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:  # noqa: ARG002 - all are looked at together
        tokens = traces.ints("total_tokens")
        return sampled_where(
            traces.known("total_tokens") & (tokens >= self.min_tokens) & _at_most(tokens, self.max_tokens)
        )


class TokensPolicy(Policy):
    type: Literal["tokens"]
    """Keeps traces by the tokens they used; one without a counted model call is not kept."""

    tokens: TokensOptions
    """The bounds."""


class CostOptions(Options):
    min_usd: Decimal = Field(default=Decimal(0), ge=0, le=_MOST_DOLLARS)
    """Keeps traces that cost at least this many US dollars."""

    max_usd: Decimal | None = Field(default=None, ge=0, le=_MOST_DOLLARS)
    """If given, only traces that cost at most this many."""

    unpriced: bool = False
    """Keeps traces, too, whose cost nobody knows, though they used tokens."""

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.max_usd is not None and self.max_usd < self.min_usd:
            raise ValueError("max_usd is below min_usd: no trace would be kept")
        return self

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:  # noqa: ARG002 - all are looked at together
        cost, known = traces.ints("total_cost"), traces.known("total_cost")
        most = None if self.max_usd is None else int(self.max_usd * _PICO)
        inside = known & (cost >= -int(-self.min_usd * _PICO // 1)) & _at_most(cost, most)
        return sampled_where(inside | (~known & traces.known("total_tokens") if self.unpriced else False))


class CostPolicy(Policy):
    type: Literal["cost"]
    """Keeps traces by what their model calls cost; one of unknown cost is not kept."""

    cost: CostOptions
    """The bounds."""


def _at_most(values: Ints, most: int | None) -> Bools:
    return np.ones(len(values), bool) if most is None else values <= most
