"""Random values of 56 bits and the thresholds below which they are rejected (OpenTelemetry, "TraceState: Probability
Sampling"), and the hash that the Collector's sampler made them of before there were any.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

RANGE = 1 << 56
ALWAYS, NEVER = 0, RANGE
DIGITS = 14
MISSING = RANGE - 1
"""Stands for a random value where there is none: kept by every threshold but ``NEVER``."""
SMALLEST = 1 / RANGE

_FNV_OFFSET, _FNV_PRIME, _UINT32 = 0x811C9DC5, 0x01000193, 2**32 - 1
_BUCKETS = 1 << 14


def of_probability(probability: float, precision: int) -> int:
    """The threshold, with so many hexadecimal digits after leading f's or zeros; ``NEVER`` below 2⁻⁵⁶.

    Rounded as the SDKs and the Collector do.
    """
    if probability < SMALLEST:
        return NEVER
    if probability >= 1:
        return ALWAYS
    leading = max(-math.frexp(share)[1] // 4 for share in (probability, 1 - probability))
    threshold = RANGE - _rounded(probability * RANGE)
    shift = 4 * (DIGITS - min(DIGITS, precision + leading))
    return (threshold + (1 << shift >> 1)) >> shift << shift


def of_buckets(percentage: float) -> int:
    """The threshold of the 14 bits of a hash; ``NEVER`` where not one of them is kept."""
    kept = int(np.float32(percentage) * np.float32(_BUCKETS / 100))
    return (_BUCKETS - kept) << 42 if kept else NEVER


def probability(threshold: int) -> float:
    return (RANGE - threshold) / RANGE


def digits(threshold: int) -> str:
    """As ``th`` has it: without trailing zeros."""
    return f"{threshold:014x}".rstrip("0") or "0"


def last_56_bits(ids: Words) -> Words:
    """Random values of trace ids; ``ids``: rows of two words, big-endian ones read as they lie in memory."""
    low: Words = ids[:, 1].byteswap() & np.uint64(RANGE - 1)
    return low


def hashed(ids: npt.NDArray[np.uint8], seed: int) -> Words:
    """Random values made of a hash of each row of bytes."""
    state = _seeded(seed)
    hashes = np.full(len(ids), state, np.uint64)
    for column in ids.T:
        hashes = (hashes ^ column) * np.uint64(_FNV_PRIME) & np.uint64(_UINT32)
    return _random_of(hashes)


def hashed_bytes(content: bytes, seed: int) -> int:
    """The same of bytes of any length."""
    state = _seeded(seed)
    for byte in content:
        state = (state ^ byte) * _FNV_PRIME & _UINT32
    return int(_random_of(np.array([state], np.uint64))[0])


def _seeded(seed: int) -> int:
    state = _FNV_OFFSET
    for byte in seed.to_bytes(4, "little"):
        state = (state ^ byte) * _FNV_PRIME & _UINT32
    return state


def _random_of(hashes: Words) -> Words:
    """14 bits decide, by their complement: a low bucket was kept, a high random value is."""
    bucket = hashes & np.uint64(_BUCKETS - 1)
    unused = hashes >> np.uint64(18)
    mixed: Words = unused ^ (unused << np.uint64(10))
    found: Words = ((np.uint64(_BUCKETS - 1) - bucket) << np.uint64(42)) | (mixed << np.uint64(14)) | bucket
    return found


def _rounded(number: float) -> int:
    """Half away from zero."""
    whole = int(number)
    return whole + (number - whole >= 0.5)
