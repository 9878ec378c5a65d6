"""``probabilistic``: a share of all traces, chosen by a hash of the trace id.

The same hash, salt and threshold as the Collector's, so that both keep the same traces.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from collector.component import ComponentConfig
from processors._sampling.traces import Decisions, Traces, where

_DEFAULT_SALT = "default-hash-seed"
_MAX = 2**64 - 1


class ProbabilisticOptions(ComponentConfig):
    sampling_percentage: float = Field(default=0.0, allow_inf_nan=False)
    """Per cent of traces to keep; 100 and more keeps all."""

    hash_salt: str = ""
    """Collectors behind each other need different salts, or the second keeps what the first kept."""


class ProbabilisticPolicy(ComponentConfig):
    name: str = ""
    """Recorded with the traces it keeps; a policy inside another one needs none."""

    type: Literal["probabilistic"]
    """Keeps a share of all traces, chosen by trace id."""

    probabilistic: ProbabilisticOptions = ProbabilisticOptions()
    """The share."""

    @property
    def salt(self) -> str:
        return self.probabilistic.hash_salt or _DEFAULT_SALT

    @property
    def threshold(self) -> int:
        """The largest hash that is kept."""
        return threshold_of(self.probabilistic.sampling_percentage / 100)

    def evaluate(self, traces: Traces) -> Decisions:
        return where(traces.hashes(self.salt) <= self.threshold)


def threshold_of(ratio: float) -> int:
    """``ratio`` × (2⁶⁴ − 1), rounded to 64 significant bits and cut off: Go's big.Float arithmetic."""
    if ratio <= 0:
        return 0
    numerator, denominator = ratio.as_integer_ratio()
    product = _MAX * numerator
    excess = product.bit_length() - 64
    if excess > 0:
        product = _round_half_even(product, excess) << excess
    return min(product // denominator, _MAX)


def _round_half_even(value: int, bits: int) -> int:
    """``value`` without its lowest bits."""
    kept, lost, half = value >> bits, value & ((1 << bits) - 1), 1 << (bits - 1)
    return kept + (lost > half or (lost == half and kept & 1))
