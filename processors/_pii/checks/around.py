"""What stands around a candidate: helpers of the checks, and their types."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from processors._pii.scan import Text

Spans = Iterator[tuple[int, int]]
Check = Callable[[Text, int, int], Spans]

ALNUM = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
WORD = ALNUM | {0x5F}
DIGIT = frozenset(b"0123456789")


def at(scan: bytes, position: int) -> int:
    """The byte there, or 0 outside of the text."""
    return scan[position] if 0 <= position < len(scan) else 0


def free(scan: bytes, start: int, end: int) -> bool:
    """Neither side continues a word."""
    return at(scan, start - 1) not in WORD and at(scan, end) not in WORD
