"""Finds a provider's model by name: what genai-prices' clauses say, without trying them one by one.

Most clauses say that a name equals or starts with a text; those are looked up. A name nobody knows
then costs microseconds instead of milliseconds, whoever sends it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo


class ModelIndex:
    """The models of one provider; the first whose clauses match a name is the answer."""

    def __init__(self, models: Sequence[ModelInfo]) -> None:
        self._models = models
        self._equals: dict[str, int] = {}
        self._prefixes: dict[str, int] = {}
        self._others: list[tuple[int, Any]] = []
        for position, model in enumerate(models):
            for clause in _alternatives(model.match):
                if hasattr(clause, "equals"):
                    self._equals.setdefault(clause.equals.lower(), position)
                elif hasattr(clause, "starts_with"):
                    self._prefixes.setdefault(clause.starts_with.lower(), position)
                else:
                    self._others.append((position, clause))
        self._lengths = sorted({len(prefix) for prefix in self._prefixes})

    def find(self, name: str) -> ModelInfo | None:
        """``name`` is lower case."""
        none = len(self._models)
        best = self._equals.get(name, none)
        for length in self._lengths:
            if length > len(name):
                break
            best = min(best, self._prefixes.get(name[:length], none))
        for position, clause in self._others:
            if position >= best:
                break
            if clause.is_match(name):
                best = position
                break
        return self._models[best] if best < none else None


def _alternatives(clause: Any) -> Iterator[Any]:
    if hasattr(clause, "or_"):
        for inner in clause.or_:
            yield from _alternatives(inner)
    else:
        yield clause
