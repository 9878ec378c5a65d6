"""Remembers where values were found, for the report: which entity, in which carrier, under which key."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa

from processors._pii.keys import KeyRule
from processors._pii.masked.value_masker import Value, ValueMasker

FAILED_ENTITY = "(failed)"
"""Texts that could not be searched, and would be replaced as a whole."""


class PlacesMasker(ValueMasker):
    """Masks as usual and notes where. It never keeps a value."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._places: Counter[tuple[str, str, str]] = Counter()

    def value(self, rule: KeyRule, value: Value) -> Value | None:
        """As in ``ValueMasker``."""
        before, failed = self.tally.masked.copy(), self.tally.failed
        masked = super().value(rule, value)
        self._note(rule, before, failed)
        return masked

    def text(self, raw: bytes, rule: KeyRule | None = None) -> bytes:
        """As in ``ValueMasker``."""
        before, failed = self.tally.masked.copy(), self.tally.failed
        masked = super().text(raw, rule)
        self._note(rule, before, failed)
        return masked

    def _note(self, rule: KeyRule | None, before: Counter[str], failed: int) -> None:
        key = rule.key if rule is not None else ""
        for entity, count in (self.tally.masked - before).items():
            self._places[entity, self.carrier, key] += count
        if self.tally.failed > failed:
            self._places[FAILED_ENTITY, self.carrier, key] += self.tally.failed - failed

    def table(self) -> pa.Table:
        """``entity``, ``carrier``, ``key``, ``count``. A key may hold a value itself, so keys are masked, too."""
        rows = [
            {"entity": entity, "carrier": carrier, "key": self._safe(key), "count": count}
            for (entity, carrier, key), count in self._places.items()
        ]
        fields = [("entity", pa.string()), ("carrier", pa.string()), ("key", pa.string()), ("count", pa.int64())]
        return pa.Table.from_pylist(rows, pa.schema(fields))

    def _safe(self, key: str) -> str:
        masked = self.engine.mask(key.encode(), Counter())
        return "" if masked is None else masked.decode("utf-8", "replace")
