"""Label values of metrics about models: a bounded number of them, and only what looks like a name."""

from __future__ import annotations

import re

_MAX_PAIRS = 256
_NAME = re.compile(r"[\w.:/@\[\] +-]{1,100}\Z", re.ASCII)
OTHER = "other"
"""Stands for every name that has no label of its own."""


class ModelLabels:
    """Gives the (provider, model) labels of a call; after 256 different pairs, ``other``."""

    def __init__(self) -> None:
        self._pairs: set[tuple[str, str]] = set()

    def of(self, provider: str | None, model: str | None) -> tuple[str, str]:
        pair = _clean(provider), _clean(model)
        if pair not in self._pairs:
            if len(self._pairs) >= _MAX_PAIRS:
                return OTHER, OTHER
            self._pairs.add(pair)
        return pair


def _clean(name: str | None) -> str:
    if not name:
        return "unknown"
    return name if _NAME.match(name) else OTHER
