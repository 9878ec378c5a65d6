"""What is written in place of a value."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

_DIGEST = 16
"""Hex digits of a digest that are kept: 64 bits."""


class Mode(StrEnum):
    """How the values of an entity are treated."""

    REDACT = "redact"
    """A marker, ``[EMAIL]``."""
    MASK = "mask"
    """As many asterisks as there were characters."""
    PARTIAL = "partial"
    """What is enough to recognise it: the last four characters, the domain of an address."""
    HASH = "hash"
    """A marker with a keyed digest: equal values stay equal."""
    DROP = "drop"
    """The whole attribute goes."""
    OFF = "off"
    """Not looked for."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A kind of value to find, and what to do with it."""

    name: str
    """As in the configuration and the metric."""
    marker: str
    mode: Mode
    replacement: str | None = None
    """A user's own text instead of ``[MARKER]``."""

    @property
    def redacted(self) -> str:
        return f"[{self.marker}]" if self.replacement is None else self.replacement


Writer = Callable[[Entity, bytes], bytes]
"""(entity, the value with escapes resolved) → the text that stands in its place."""


def writer(key: bytes) -> Writer:
    """Writes replacements; ``key`` is for the mode ``hash``."""

    def write(entity: Entity, value: bytes) -> bytes:
        match entity.mode:
            case Mode.MASK:
                return b"*" * max(1, len(value.decode("utf-8", "replace")))
            case Mode.PARTIAL:
                return _partial(entity, value)
            case Mode.HASH:
                return f"[{entity.marker}:{digest(key, entity.name.encode() + b':' + canonical(value))}]".encode()
            case _:
                return entity.redacted.encode()

    return write


def canonical(value: bytes) -> bytes:
    """The value without what people write differently: case, spaces, hyphens in numbers."""
    value = value.strip().lower()
    joined = value.translate(None, b" -.")
    return joined if joined.isdigit() else value


def digest(key: bytes, value: bytes) -> str:
    """64 bits of HMAC-SHA256 in hex.

    Never digits only: that could look like a card number to whoever masks the text again.
    """
    full = hmac.new(key, value, hashlib.sha256).hexdigest()
    return next((part for i in range(0, 64, _DIGEST) if not (part := full[i : i + _DIGEST]).isdigit()), "a" + full[:15])


def _partial(entity: Entity, value: bytes) -> bytes:
    if entity.name == "email":
        return _partial_email(value)
    tail = value[-4:]
    if len(value) < 8 or not tail.isalnum():
        return b"*" * max(4, min(len(value), 8))
    return b"*" * (len(value) - 4) + tail


def _partial_email(value: bytes) -> bytes:
    local, _, domain = value.decode("utf-8", "replace").rpartition("@")
    if not local or not local[0].isalnum():
        return f"***@{domain}".encode() if local else b"***"
    return f"{local[0]}***@{domain}".encode()
