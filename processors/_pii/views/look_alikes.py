"""What characters beyond ASCII read as: loads ``look_alikes.txt`` and ``confusables.txt``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import resources

_WORDS = {"space": " ", "line": "\n", "nothing": ""}
_CONTROLS = (*range(0x09), *range(0x0B, 0x0D), *range(0x0E, 0x20), 0x7F)
"""Shown by nobody; tabs and line breaks are read as they are."""


def _table(name: str) -> Iterator[tuple[str, str]]:
    text = resources.files("processors._pii.views").joinpath(name).read_text("ascii")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        meaning, *stretches = line.split()
        for stretch in stretches:
            first, _, last = stretch.partition("-")
            for code in range(int(first, 16), int(last or first, 16) + 1):
                yield chr(code), _WORDS.get(meaning, meaning)


CONFUSABLE: Mapping[str, str] = dict(_table("confusables.txt"))
"""Letters of other scripts, each with the ASCII letter it looks like."""

SAME: Mapping[str, str] = {**dict.fromkeys(map(chr, _CONTROLS), ""), **dict(_table("look_alikes.txt"))}
"""Characters that are ASCII ones in another form, odd spaces and dashes, and characters that nobody sees."""

READS: Mapping[str, str] = {**CONFUSABLE, **SAME}
"""All of them: character → what it reads as, which may be nothing."""


def reading(meanings: str) -> list[int]:
    """Code points beyond ASCII that are one of the given ASCII characters in another form."""
    return sorted(ord(char) for char, meaning in SAME.items() if meaning and meaning in meanings and ord(char) > 0x7F)


UNSEEN = sorted(ord(char) for char, meaning in SAME.items() if not meaning and ord(char) > 0x7F)
"""Code points beyond ASCII that are not shown."""


def runs(codes: Iterable[int]) -> list[tuple[int, int]]:
    """First and last of each run of consecutive code points."""
    found: list[tuple[int, int]] = []
    for code in sorted(codes):
        if found and code == found[-1][1] + 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return found


def re2_class(codes: Iterable[int]) -> str:
    """The inside of a character class of RE2."""
    return "".join(rf"\x{{{a:X}}}" if a == b else rf"\x{{{a:X}}}-\x{{{b:X}}}" for a, b in runs(codes))


def re_class(codes: Iterable[int]) -> str:
    """The inside of a character class of Python's ``re``."""
    return "".join(rf"\U{a:08X}-\U{b:08X}" for a, b in runs(codes))
