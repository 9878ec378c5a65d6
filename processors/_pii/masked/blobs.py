"""Base64 in texts, by the policy of the configuration: kept as it is, searched, or dropped."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from processors._pii.scan import resolve

_SHORTEST = 24
"""Characters of the shortest text that is looked into: 18 bytes of what it encodes."""
_SHORTEST_DROPPED = 128
"""Characters of the shortest that is dropped: digests and ids are shorter."""
MARKER = b"[BASE64]"
_MAX_DEPTH = 3

_BLOB = re.compile(rb"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{%d,}(?:[ \r\n]{1,2}[A-Za-z0-9+/_-]{16,})*={0,2}" % _SHORTEST)
_SPACE = b" \r\n"


class Base64(StrEnum):
    """What is done about base64 in texts."""

    KEEP = "keep"
    """It is text like any other."""
    SEARCH = "search"
    """What is text inside is masked and encoded again."""
    DROP = "drop"
    """128 characters of it and more become ``[BASE64]``; what is shorter is searched."""


def prefilter(policy: Base64) -> tuple[str, ...]:
    """RE2 over raw texts that may hold some, with the slashes as JSON may escape them."""
    return () if policy is Base64.KEEP else (rf"[A-Za-z0-9+/_\\-]{{{_SHORTEST}}}",)


class Blobs:
    """Applies the policy to texts."""

    def __init__(self, policy: Base64, mask: Callable[[bytes, Counter[str]], bytes | None]) -> None:
        self._policy = policy
        self._mask = mask

    def masked(self, raw: bytes, tally: Counter[str], depth: int = 0) -> bytes | None:
        """The text with what its base64 holds masked; None: it must be dropped as a whole."""
        if self._policy is Base64.KEEP:
            return raw
        text = resolve(raw)
        pieces: list[bytes] = []
        done = 0
        for match in _BLOB.finditer(text.scan):
            blob = match.group()
            replaced = self._replaced(blob, tally, depth)
            if replaced is None:
                return None
            if replaced != blob:
                start, end = text.span(*match.span())
                pieces += (raw[done:start], replaced)
                done = end
        return b"".join([*pieces, raw[done:]]) if pieces else raw

    def _replaced(self, blob: bytes, tally: Counter[str], depth: int) -> bytes | None:
        inside = _decoded(blob)
        is_large = self._policy is Base64.DROP and len(blob) >= _SHORTEST_DROPPED
        if is_large or (inside is not None and depth >= _MAX_DEPTH):  # nobody looks deeper: not kept either
            tally["base64"] += 1
            return MARKER
        if inside is None:
            return blob
        masked = self._mask(inside, tally)
        masked = self.masked(masked, tally, depth + 1) if masked is not None else None
        return blob if masked == inside else None if masked is None else _encoded(masked, blob)


def _decoded(blob: bytes) -> bytes | None:
    """The text inside; None: there is none."""
    plain = blob.translate(bytes.maketrans(b"-_", b"+/"), _SPACE).rstrip(b"=")
    try:
        inside = base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
        inside.decode()
    except (binascii.Error, ValueError):
        return None
    return inside


def _encoded(inside: bytes, like: bytes) -> bytes:
    """In the alphabet of the original, and padded if that was."""
    is_url_safe = b"-" in like or b"_" in like
    encoded = base64.urlsafe_b64encode(inside) if is_url_safe else base64.b64encode(inside)
    return encoded if like.endswith(b"=") or len(like.translate(None, _SPACE)) % 4 == 0 else encoded.rstrip(b"=")
