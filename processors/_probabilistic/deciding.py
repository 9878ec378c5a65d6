"""Which items are kept, and what is written where they are: one rule for spans and log records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors._probabilistic.carrier import Carrier
from processors._probabilistic.threshold_digits import ALWAYS, MISSING, NEVER

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
NONE = -1
"""Where there is no random value or threshold."""


@dataclass(frozen=True)
class Decided:
    """One entry per item."""

    kept: Bools
    failed: Bools
    """What the item says of its sampling could not be used, or it says nothing that chance could be taken from."""
    written: Bools
    """Kept items that are to say how they were sampled."""
    threshold: Ints
    """What these say; ``NONE``: what they came with, which is higher. Of the others meaningless."""
    random: Ints
    """Likewise; ``NONE``: nothing."""


@dataclass(frozen=True)
class _Came:
    """One entry per carrier."""

    random: Ints
    threshold: Ints
    usable: Bools
    fresh: Ints
    """The sampler's threshold."""


@dataclass(frozen=True)
class Rule:
    """What is the same for all items of a sampler."""

    threshold_of: Callable[[int | None], int]
    """The threshold of an item, given the one it came with."""
    hashes: bool
    """Random values are hashes: none may have come with the item, and they are written down."""
    fail_closed: bool
    never: bool = False
    """Nothing is kept by chance: random values are not looked at, and what cannot be read is written anew."""

    def decide(self, carriers: Sequence[Carrier | None], codes: Ints, random: Ints, priority: Ints) -> Decided:
        """``carriers``, ``codes``: what each item came with; ``random``: what it gives by itself, or ``NONE``;
        ``priority``: a threshold that holds instead of the sampler's, or ``NONE``.
        """
        came = self._tables(carriers)
        came_random, came_threshold = came.random[codes], came.threshold[codes]
        usable, fresh = came.usable[codes], came.fresh[codes]
        randomness = np.where(self.hashes | ((came_random == NONE) & usable), random, came_random)
        if self.never:
            randomness = np.full(len(codes), MISSING)
        value = np.where(randomness == NONE, MISSING, randomness)
        untrue = usable & (randomness != NONE) & (value < came_threshold)
        failed = ~usable | (randomness == NONE) | untrue
        base = np.where(failed, NEVER if self.fail_closed else ALWAYS, fresh)
        threshold = np.where(priority != NONE, priority, base)
        kept = value >= threshold
        shown = np.where(~untrue & (came_threshold > threshold), NONE, threshold)
        return Decided(kept, failed, kept & (usable | self.never), shown, value if self.hashes else came_random)

    def _tables(self, carriers: Sequence[Carrier | None]) -> _Came:
        known = [carrier if carrier is not None else Carrier() for carrier in carriers]
        random = np.array([NONE if c.random is None else c.random for c in known], np.int64)
        threshold = np.array([NONE if c.threshold is None else c.threshold for c in known], np.int64)
        usable = np.array([carrier is not None for carrier in carriers], np.bool_)
        if self.hashes:
            usable &= (random == NONE) & (threshold == NONE)
        return _Came(random, threshold, usable, np.array([self.threshold_of(c.threshold) for c in known], np.int64))
