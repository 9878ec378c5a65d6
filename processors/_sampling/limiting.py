"""Policies that keep as many traces as a rate allows: ``rate_limiting`` and ``bytes_limiting``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from processors._sampling.limiter import Limiter, TokenBucket
from processors._sampling.policy import Options, Policy
from spanloom import Bools, Ints, LimiterKey, PolicyVerdicts, Traces, sampled_where


class _Limiting(Options):
    burst_capacity: int = Field(default=0, ge=0)
    """As much may pass at once, and no trace larger than this ever does; 0: twice the rate."""

    def rate(self) -> int:
        """Per second."""
        raise NotImplementedError

    def costs(self, traces: Traces) -> Ints:
        """What each trace takes of it."""
        raise NotImplementedError

    @property
    def is_chance(self) -> bool:
        return True

    def limiters(self) -> Mapping[LimiterKey, Limiter]:
        rate = self.rate()
        return {(id(self), 0): Limiter(TokenBucket(rate, self.burst_capacity or 2 * rate), self.costs)}

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:
        return sampled_where(traces.admitted((id(self), 0), asked))


class RateLimitingOptions(_Limiting):
    spans_per_second: int = Field(ge=1)
    """Spans to keep per second."""

    def rate(self) -> int:
        return self.spans_per_second

    def costs(self, traces: Traces) -> Ints:
        return traces.ints("span_count")


class BytesLimitingOptions(_Limiting):
    bytes_per_second: int = Field(ge=1)
    """Bytes of spans to keep per second."""

    def rate(self) -> int:
        return self.bytes_per_second

    def costs(self, traces: Traces) -> Ints:
        return traces.ints("size_bytes")


class RateLimitingPolicy(Policy):
    type: Literal["rate_limiting"]
    """Keeps traces until as many spans were kept as a token bucket allows."""

    rate_limiting: RateLimitingOptions
    """The rate."""


class BytesLimitingPolicy(Policy):
    type: Literal["bytes_limiting"]
    """Keeps traces until as many bytes were kept as a token bucket allows."""

    bytes_limiting: BytesLimitingOptions
    """The rate."""
