"""Where the content of an observation stands: the ``content`` rows of a dialect's file.

Of the rows of a kind the first that yields something wins; those of ``metadata`` are merged, of one key the first
row wins. Which row is asked first is told as it is for facts (``neighbours``).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from collector.model.dialects.fields import ContentKind, ObservationType, Shape
from collector.model.dialects.row_base import Placed, Strict, Texts, as_list


class ContentSource(Strict):
    """Where content stands: exactly one of ``key``, ``indexed``, ``prefix`` and ``events``."""

    key: str | None = None
    """An attribute; ``*`` stands for any characters."""
    event: str | None = None
    """With ``key``: an attribute of the span event or joined log record of this name."""
    indexed: str | None = None
    """Flattened attributes ``PREFIX.N...``."""
    prefix: str | None = None
    """All attributes that begin so, by the rest of their key."""
    events: Texts = ()
    """Span events or joined log records of these names."""

    @model_validator(mode="after")
    def _one_source(self) -> ContentSource:
        if sum(bool(given) for given in (self.key, self.indexed, self.prefix, self.events)) != 1:
            raise ValueError("content stands in exactly one of key, indexed, prefix, events")
        if self.event and not self.key:
            raise ValueError("'event' goes with 'key'")
        return self

    @property
    def label(self) -> str:
        """What it reads, in one word."""
        kinds = {"indexed": self.indexed, "prefix": self.prefix, "events": "+".join(self.events)}
        named = next((f"{kind}:{name}" for kind, name in kinds.items() if name), "")
        return f"{self.event}#{self.key}" if self.event else self.key or named


class ContentWhen(Strict):
    """Conditions of a content row; all that are given must hold."""

    type: Annotated[tuple[ObservationType, ...], BeforeValidator(as_list)] = ()
    """Of the observation; one of these."""
    has: str | None = None
    """An attribute that must be on the span."""


class ContentRow(Placed):
    """One way to fill one column of content."""

    content: ContentKind
    source: ContentSource = Field(alias="from")
    shape: Shape
    """How the value is read: a function of ``messages.shapes``."""
    system: str | None = None
    """An attribute that holds system instructions, put in front of the messages."""
    when: ContentWhen = ContentWhen()
    drop: Texts = ()
    """Members left out of an object: they have columns of their own."""

    @property
    def label(self) -> str:
        return self.id or self.source.label
