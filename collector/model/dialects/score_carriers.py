"""Where results of evaluations stand: the ``scores`` of a dialect's file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import model_validator

from collector.model.dialects.fields import ScoreField
from collector.model.dialects.row_base import Strict, Texts


class ScoreCarrier(Strict):
    """Where results of evaluations stand: exactly one of ``events``, ``indexed``, ``objects`` and ``named``."""

    events: Texts = ()
    """Names of span events and of log records; each is a result."""
    indexed: str | None = None
    """A prefix with ``*`` for the index; the attributes below one index are a result."""
    objects: Texts = ()
    """Prefixes; each attribute below one that holds a JSON object is a result."""
    named: str | None = None
    """A prefix; each attribute below it is the value of the result that the rest of its key names."""
    about: Literal["span", "linked", "trace", "session"] = "span"
    """What is judged: the span that carries it, the one it links to (itself, if there is not exactly one), the
    trace of that one, or its session."""
    fields: Mapping[ScoreField, Texts] = {}
    """Where each field stands: attributes of the event, ends of indexed keys, or dotted paths in the object; the
    first that holds a value wins. What no field names is kept in the result's metadata."""
    sources: Mapping[str, Literal["API", "EVAL", "ANNOTATION", "RULE"]] = {}
    """Spellings of the source."""
    source: Literal["API", "EVAL", "ANNOTATION", "RULE"] = "EVAL"
    """The source of results that do not say."""
    booleans: Mapping[str, bool] = {}
    """Labels (case-folded) that are a yes or a no where there is no number."""

    @model_validator(mode="after")
    def _one_place(self) -> ScoreCarrier:
        if sum(bool(given) for given in (self.events, self.indexed, self.objects, self.named)) != 1:
            raise ValueError("results stand in exactly one of events, indexed, objects, named")
        if self.named is None and not {"name", "value"} <= self.fields.keys():
            raise ValueError("'fields' names at least name and value")
        return self

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Of the attributes that carry results; none: events do."""
        return self.objects or tuple(prefix for prefix in (self.indexed, self.named) if prefix)

    @property
    def keys(self) -> tuple[str, ...]:
        """The attribute keys it reads; ``*`` at the end makes a prefix, elsewhere it is an index."""
        ends = tuple(key for keys in self.fields.values() for key in keys)
        if self.events:
            return ends
        return tuple(self.indexed + end for end in ends) if self.indexed else tuple(p + "*" for p in self.prefixes)
