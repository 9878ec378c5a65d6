"""A text as it reads, and the way back to the bytes that say so.

Each reading resolves one more layer of forms (see ``escapes.py``), until nothing changes: percent-encoding inside
character references inside JSON takes three. Every layer is a reading of its own, because ``=4111`` may be the end of
a name and the begin of a card, or a quoted letter. For the same reason quoted-printable is resolved on the one hand
and not resolved on the other.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import accumulate

from processors._pii.views.escapes import FORM, FORM_OR_QUOTED, MAY_BE_QUOTED, Meanings, characters

LAYERS = 5
"""Layers of different forms that are resolved. A text with more of them cannot be searched."""

_MOST_FORMS = 1_000_000
"""Forms in all layers of one text that are resolved: some seconds of work."""

# Variation selectors, and the frame of a key cap: as they are, and as JSON escapes them.
_ATTACHED = ("\ufe0e", "\ufe0f", "\u20e3", r"\ufe0e", r"\ufe0f", r"\u20e3")

_meanings = Meanings()


@dataclass(slots=True)
class Reading:
    """A text with one more layer of forms resolved."""

    read: bytes
    """UTF-8, or what the original has instead."""
    below: Reading | None
    """What was resolved; None: the original text."""
    _stands: list[str]
    """By turns what stands between forms, and a form."""
    _means: list[str]
    _stands_ends: list[int] = field(default_factory=list)
    _means_ends: list[int] = field(default_factory=list)

    @property
    def forms(self) -> int:
        """How many were resolved."""
        return len(self._stands) // 2

    def has_quoted(self) -> bool:
        """Whether quoted-printable was among them."""
        return any(form[0] == "=" for form in self._stands[1::2])

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The bytes of the original that read as a stretch of ``read``, which is not empty."""
        if not self._means_ends:
            self._means_ends = list(accumulate(map(_size, self._means)))
            self._stands_ends = list(accumulate(map(_size, self._stands)))
        first = bisect_right(self._means_ends, start)
        last = bisect_left(self._means_ends, end, lo=first)
        last = self._with_marks(last, end)
        begin = self._stands_ends[first - 1] if first else 0
        until = self._stands_ends[last]
        if self._means[first] == self._stands[first]:
            begin += start - (self._means_ends[first - 1] if first else 0)
        if self._means[last] == self._stands[last]:
            until -= self._means_ends[last] - end
        return self.below.span(begin, until) if self.below is not None else (begin, until)

    def _with_marks(self, last: int, end: int) -> int:
        """The piece that ends a stretch, moved over the marks that belong to the digit before them."""
        while True:
            step = 2 if last % 2 else 1
            if self._stands[last + 1] if step == 2 else self._means_ends[last] != end:
                return last
            if last + step >= len(self._stands) or not self._stands[last + step].lower().endswith(_ATTACHED):
                return last
            last += step


def readings(raw: bytes) -> list[Reading]:
    """What the text reads as, layer by layer; nothing for a text that reads as it stands.

    Raises ``OverflowError`` for a text with too many layers, or too many forms.
    """
    text = raw.decode("utf-8", "surrogateescape")
    found: list[Reading] = []
    plain = _resolved(characters(text), None)
    if plain is not None:
        found.append(plain[0])
    text, below = (text, None) if plain is None else (plain[1], plain[0])
    layers = _layers(text, below, FORM_OR_QUOTED)
    if any(r.has_quoted() for r in layers):
        layers += _layers(text, below, FORM)
    return found + layers


def _layers(text: str, below: Reading | None, form: re.Pattern[str]) -> list[Reading]:
    found: list[Reading] = []
    budget = _MOST_FORMS
    while True:
        used = form if form is FORM or MAY_BE_QUOTED.search(text) is not None else FORM
        resolved = _resolved(used.split(text), below)
        if resolved is None:
            return found
        below, text = resolved
        found.append(below)
        budget -= below.forms
        if len(found) > LAYERS or budget < 0:
            raise OverflowError("a text in too many layers of escapes")


def _resolved(stands: list[str], below: Reading | None) -> tuple[Reading, str] | None:
    """The text with its forms resolved; None: it has none."""
    if len(stands) == 1:
        return None
    forms = stands[1::2]
    meanings = [_meanings[each] for each in forms]
    if meanings == forms:
        return None
    means = stands.copy()
    means[1::2] = meanings
    text = "".join(means)
    return Reading(text.encode("utf-8", "surrogateescape"), below, stands, means), text


def _size(piece: str) -> int:
    return len(piece) if piece.isascii() else len(piece.encode("utf-8", "surrogateescape"))
