r"""The copy of a text that patterns look at, with escapes resolved, and the way back.

Chat content is JSON more often than not, and JSON inside JSON. There ``\n4111…`` hides where the
digits begin, ``foo@x.com`` hides an address, and cutting an escape in two breaks the JSON. So
patterns see a copy in which an escape is the character it stands for, however often it was escaped,
and every match is mapped back to whole escapes of the original. This needs no valid JSON: texts cut
off in the middle and JSON quoted in prose are common.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import re2

# A run of backslashes is taken whole, escape or not: looking at it from each of its places would be quadratic.
_ESCAPE = rb"\\+(?:u[dD][89abAB][0-9a-fA-F]{2}\\+u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[nrtbf\"/])?"
# Characters that only look like ASCII: odd spaces and dashes, wide letters, digits and signs of addresses.
_LOOK_ALIKE = (
    rb"[\x{A0}\x{202F}\x{2010}-\x{2013}\x{FF0B}\x{FF0D}\x{FF0E}\x{FF10}-\x{FF19}"
    rb"\x{FF20}-\x{FF3A}\x{FF3F}\x{FF41}-\x{FF5A}]"
)

# The standard library jumps from backslash to backslash; RE2 is faster where a class must be found.
_escapes = re.compile(_ESCAPE)
_escapes_and_look_alikes = re2.compile(_ESCAPE + b"|" + _LOOK_ALIKE)
_has_look_alike = re2.compile(_LOOK_ALIKE).search

_BLANKS = {**dict.fromkeys(b"nrtbf", b"  "), 0x22: b'""'}
_DASHES = range(0x2010, 0x2014)
_WIDE = range(0xFF01, 0xFF5F)


@dataclass(slots=True)
class Text:
    """A text with the copy to search in. Both are UTF-8; positions are bytes."""

    raw: bytes
    scan: bytes
    scan_ends: list[int] = field(default_factory=list)
    """Where each resolved escape ends in ``scan``; empty: the positions are those of ``raw``."""
    raw_ends: list[int] = field(default_factory=list)
    levels: dict[int, tuple[list[int], list[int], Text]] = field(default_factory=dict)
    """What ``json_text`` found out about this text."""

    def to_raw(self, position: int) -> int:
        """The place in ``raw`` of a character boundary in ``scan``."""
        at = bisect_right(self.scan_ends, position) - 1
        return position if at < 0 else self.raw_ends[at] + position - self.scan_ends[at]

    def to_scan(self, position: int) -> int:
        """The inverse; a place inside an escape is that escape's end."""
        at = bisect_right(self.raw_ends, position) - 1
        moved = position if at < 0 else self.scan_ends[at] + position - self.raw_ends[at]
        return moved if at + 1 >= len(self.scan_ends) else min(moved, self.scan_ends[at + 1])

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of ``raw`` behind a stretch of ``scan``."""
        return self.to_raw(start), self.to_raw(end)


def resolve(raw: bytes) -> Text:
    """The text with its escapes resolved."""
    if not raw.isascii() and _has_look_alike(raw):
        return rewrite(raw, _escapes_and_look_alikes, _meaning)
    if b"\\" not in raw:
        return Text(raw, raw)
    blanked = _blank(raw)
    return rewrite(raw, _escapes, _meaning) if blanked is None else Text(raw, blanked)


def rewrite(raw: bytes, unit: Any, meaning: Callable[[bytes], bytes]) -> Text:
    """The text with each ``unit`` replaced by its ``meaning``, and the positions of both."""
    pieces: list[bytes] = []
    scan_ends: list[int] = []
    raw_ends: list[int] = []
    done = length = 0
    for match in unit.finditer(raw):
        start, end = match.span()
        replaced = meaning(match.group())
        pieces += (raw[done:start], replaced)
        length += start - done + len(replaced)
        scan_ends.append(length)
        raw_ends.append(end)
        done = end
    pieces.append(raw[done:])
    return Text(raw, b"".join(pieces), scan_ends, raw_ends)


def _blank(raw: bytes) -> bytes | None:
    """The cheap way for the usual text, escaped once: same length, so positions stay. None: not that usual."""
    first, *parts = raw.split(b"\\")
    try:
        return first + b"".join([_BLANKS[part[0]] + part[1:] for part in parts])
    except LookupError:
        return None


def _meaning(unit: bytes) -> bytes:
    if unit[0] != 0x5C:  # a look-alike
        return _ascii(unit.decode()).encode()
    escape = unit.lstrip(b"\\")
    if not escape:
        return unit
    if escape[:1] == b"u":
        return _character(unit)
    return escape if escape in {b'"', b"/"} else b" "


def _character(unit: bytes) -> bytes:
    codes = [int(part[:4], 16) for part in unit.split(b"u")[1:]]
    if len(codes) == 2:
        return chr(0x10000 + ((codes[0] & 0x3FF) << 10) + (codes[1] & 0x3FF)).encode()
    code = codes[0]
    if 0xD800 <= code < 0xE000:
        return b"?"
    return b" " if code < 0x20 else _ascii(chr(code)).encode()


def _ascii(char: str) -> str:
    """The ASCII character a look-alike stands for; any other character as it is."""
    code = ord(char)
    if code in _WIDE:
        return chr(code - 0xFEE0)
    if code in _DASHES:
        return "-"
    return " " if code in {0xA0, 0x202F} else char
