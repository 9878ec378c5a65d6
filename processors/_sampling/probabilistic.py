"""``probabilistic`` and ``session``: a share of all traces or sessions, chosen by a hash of the id.

For traces the same hash, salt and threshold as the Collector's, so that both keep the same traces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from processors._sampling.policy import Options, Policy
from spanloom import Bools, PolicyVerdicts, Traces, sampled_where, session_key

_DEFAULT_SALT = "default-hash-seed"
_MAX = 2**64 - 1


class _Share(Options):
    sampling_percentage: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Per cent to keep; 100 and more keeps all."""

    hash_salt: str = ""
    """Collectors behind each other need different salts, or the second keeps what the first kept."""

    @property
    def is_chance(self) -> bool:
        return True

    @property
    def salt(self) -> str:
        return self.hash_salt or _DEFAULT_SALT

    @property
    def threshold(self) -> int:
        """The largest hash that is kept."""
        return threshold_of(self.sampling_percentage / 100)


class ProbabilisticOptions(_Share):
    """Of all traces."""

    @property
    def thresholds(self) -> Mapping[str, int]:
        return {self.salt: self.threshold}

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:  # noqa: ARG002 - costs the same for all
        return sampled_where(traces.hashes(self.salt) <= self.threshold)


class SessionOptions(_Share):
    """Of all sessions."""

    @property
    def thresholds(self) -> Mapping[str, int]:
        return {session_key(self.salt): self.threshold}

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:  # noqa: ARG002 - costs the same for all
        return sampled_where(traces.session_hashes(self.salt) <= self.threshold)


class ProbabilisticPolicy(Policy):
    type: Literal["probabilistic"]
    """Keeps a share of all traces, chosen by trace id."""

    probabilistic: ProbabilisticOptions = ProbabilisticOptions()
    """The share."""


class SessionPolicy(Policy):
    type: Literal["session"]
    """Keeps a share of all sessions, each with all its traces; a trace without a session is one by itself."""

    session: SessionOptions = SessionOptions()
    """The share."""


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
