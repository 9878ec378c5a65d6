"""What the tables do not know: LLM-looking attribute keys, and the scopes of LLM-looking spans nobody mapped.

Both tell that an instrumentation has moved on or is new. One look at the distinct keys of a batch; what
is counted are names, never values.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from collector.model.dialects.compiled_tables import PLAIN
from collector.model.facts import known_keys
from collector.model.facts.lookup import Lookup
from collector.model.facts.values import Bools

_LLM = ("gen_ai.", "llm.")
_GENERIC = frozenset({PLAIN, "otel_genai"})
"""Dialects that say nothing about who wrote the span."""
_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])|\d{4,}")
"""An index between dots, or what is rather part of an id."""
_NAME = re.compile(r"[A-Za-z0-9_.:/@*-]{1,100}\Z")
OTHER = "other"


@dataclass(slots=True)
class Unmapped:
    """Counts over batches, by name."""

    keys: Counter[str] = field(default_factory=Counter)
    """Attributes whose key begins with ``gen_ai.`` or ``llm.`` and is in no table; index numbers are ``N``."""
    scopes: Counter[str] = field(default_factory=Counter)
    """Spans with such keys (known or not) of which no rule tells the type and no dialect is known but
    plain OpenTelemetry, by instrumentation scope."""

    def look(self, lookup: Lookup, typed: Bools) -> None:
        """Takes in one batch; ``typed``: rows whose type a rule told."""
        looking = [code for code, name in enumerate(lookup.keys.names) if name.startswith(_LLM)]
        if not looking:
            return
        unknown = [code for code in looking if not known_keys.is_known(lookup.keys.names[code])]
        if unknown:
            counts = np.bincount(lookup.flat.key_codes, minlength=len(lookup.keys.names))
            for code in unknown:
                self.keys[readable(lookup.keys.names[code])] += int(counts[code])
        self._look_at_scopes(lookup, ~typed, looking)

    def _look_at_scopes(self, lookup: Lookup, untyped: Bools, looking: list[int]) -> None:
        generic = np.array([context.dialect in _GENERIC for context in lookup.distinct_contexts], np.bool_)
        rows = untyped & generic[lookup.contexts]
        if not np.count_nonzero(rows):
            return
        is_looking = np.zeros(len(lookup.keys.names), np.bool_)
        is_looking[looking] = True
        with_keys = np.zeros(lookup.num_rows, np.bool_)
        with_keys[lookup.flat.rows[is_looking[lookup.flat.key_codes]]] = True
        counts = np.bincount(lookup.scope_codes[rows & with_keys], minlength=len(lookup.scopes))
        for code in counts.nonzero()[0].tolist():
            self.scopes[readable(lookup.scopes[code][0]) or "unknown"] += int(counts[code])


@functools.lru_cache(maxsize=16_384)
def readable(name: str) -> str:
    """A name fit for a label: numbers as ``N``; ``other`` for one that is long or odd."""
    plain = _NUMBER.sub("N", name)
    return plain if not plain or _NAME.match(plain) else OTHER
