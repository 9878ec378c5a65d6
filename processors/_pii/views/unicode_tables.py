"""Writes ``look_alikes.txt`` from Python's tables of Unicode: ``python -m processors._pii.views.unicode_tables``.

A newer Python knows a newer Unicode: run it then. A test holds the file to what the running Python says.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from processors._pii.views.look_alikes import runs

FILE = Path(__file__).with_name("look_alikes.txt")

SPACE, LINE, NOTHING = "space", "line", "nothing"
"""Names of what cannot be written as itself in the file."""

_KEPT = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz@.-_+:/=,")
_FIRST = 0x80
# Shown on the page, though the general category Cf says they are format characters: signs before numbers.
_VISIBLE_FORMATS = frozenset({*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD})
# Not shown either (Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties, which Python lacks), and the
# frame that makes a key cap of a digit.
_IGNORABLE = frozenset(
    {
        *(0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2065, 0x20E3, 0x3164, 0xFFA0),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    }
)
# No dashes by category.
_MORE_DASHES = frozenset({0x2212, 0x2043})
# IDNA reads it as the dot of a domain.
_MORE_DOTS = frozenset({0x3002})

_ABOUT = """\
# What characters beyond ASCII read as, one line for each: the ASCII character, a space, the code points in hex.
# `space`, `line` and `nothing` (not shown at all) are words. Made by processors/_pii/views/unicode_tables.py;
# do not edit.
# Unicode {version}
"""


def tables() -> dict[str, list[int]]:
    """What is read → the code points that read so, from the running Python's Unicode."""
    found: dict[str, list[int]] = {}
    for code in range(_FIRST, sys.maxunicode + 1):
        meaning = _meaning(code)
        if meaning is not None:
            found.setdefault(meaning, []).append(code)
    return dict(sorted(found.items()))


def _meaning(code: int) -> str | None:
    char = chr(code)
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if code in _IGNORABLE or (category == "Cf" and code not in _VISIBLE_FORMATS):
        return NOTHING
    if category in {"Zl", "Zp"} or code == 0x85:
        return LINE
    if category == "Zs":
        return SPACE
    if category == "Pd" or code in _MORE_DASHES:
        return "-"
    if code in _MORE_DOTS:
        return "."
    compatible = unicodedata.normalize("NFKC", char)
    return compatible if compatible in _KEPT else None


def text(found: Mapping[str, Iterable[int]]) -> str:
    """The file's content."""
    lines = [_ABOUT.format(version=unicodedata.unidata_version)]
    for meaning, codes in found.items():
        parts = [f"{a:04X}" if a == b else f"{a:04X}-{b:04X}" for a, b in runs(codes)]
        lines.append(f"{meaning} {' '.join(parts)}\n")
    return "".join(lines)


if __name__ == "__main__":
    FILE.write_text(text(tables()), encoding="ascii")
