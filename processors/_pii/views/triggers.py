r"""What makes it worth to resolve a text's forms: one RE2 over raw texts, part of the cheap pass over a column.

A form alone is no trigger where everyday text is full of it and nothing can hide in it: typographic dashes and
quotes, the punctuation of Chinese, words of another script. There it must touch what values are made of.
"""

from __future__ import annotations

import functools
import string
from collections import defaultdict
from collections.abc import Iterable

from processors._pii.views.look_alikes import CONFUSABLE, UNSEEN, re2_class, reading

_H = "[0-9A-Fa-f]"
_WIDE = range(0xFF00, 0xFFF0)
# Ordinals and exponents: everyday signs when they stand alone.
_COMMON = (0xAA, 0xB2, 0xB3, 0xB9, 0xBA)
# Dashes, spaces and stops that JSON's escapes spell in ordinary text.
_TYPOGRAPHY = (range(0x2013, 0x2016), range(0x3000, 0x3003), _WIDE)
# Plain hyphens wherever patterns look.
_RESOLVED_DASHES = range(0x2010, 0x2014)
_FIRST_ASTRAL = 0x10000

_LETTERS = string.ascii_letters + string.digits + "@"

_PERCENT = rf"%(?:[2-7]{_H}|0[1-9A-Fa-f]|[C-Fc-f]{_H}%|[Aa][0Dd]|[Uu]{_H}{{4}})"
_REFERENCE = r"&(?:#[0-9xX]|[A-Za-z][A-Za-z0-9]{1,31};)"
_QUOTED = (
    r"=[ \t]*(?:\r?\n|(?:\\+r)?\\+n)|=(?:3D)*(?:2[56BDEF]|3A|40|5[CF]|3D)[0-9A-Za-z=#\\\r\n]"
    r"|[0-9A-Z]=(?:3D)*(?:20|09|(?:C2=)?A[0D])[0-9A-Z]{2}|=(?:3D)*[0-9A-F]{2}=(?:3D)*[0-9A-F]{2}"
)
_ESCAPE = (
    rf"\\(?:x{_H}{{2}}|u\{{|U000|[01][0-7]{{2}}|2[45][05]|3[0-7]{{2}}\\)"
    # ASCII, and ASCII in wide letters
    r"|\\u(?:00[2-7]|[fF]{2}[0-5])"
    # typography, where it touches digits
    r"|[0-9]\\+u(?:201[0-5]|3000)(?:[0-9]|\\+u)"
    # letters of other scripts, where they touch ASCII ones
    rf"|[0-9A-Za-z@]\\+u0[345]{_H}{{2}}|\\u0[345]{_H}{{2}}[0-9A-Za-z@]"
)
_NAMES = r"(?i:password|passwd|pwd|passphrase|secret|token|api[-_ ]?key)"


@functools.cache
def triggers() -> str:
    """The expression."""
    return f"{_PERCENT}|{_REFERENCE}|{_QUOTED}|{_ESCAPE}|{_escaped()}|{_characters()}"


def _characters() -> str:
    letters = [code for code in reading(_LETTERS) if code not in _WIDE and code not in _COMMON]
    wide = re2_class(code for code in reading(_LETTERS) if code in _WIDE)
    common, confusable, unseen = re2_class(_COMMON), re2_class(map(ord, CONFUSABLE)), re2_class(UNSEEN)
    spaces, dots = re2_class(reading(" \n")), re2_class(reading("."))
    dashes = re2_class(code for code in reading("-") if code not in _RESOLVED_DASHES)
    # None begins with what ASCII text is full of: the automaton stays small, and with it the cheap pass fast.
    return "|".join(
        (
            rf"[{re2_class(letters)}{unseen}\x00-\x08\x0B\x0C\x0E-\x1F\x7F]",
            rf"[{confusable}][0-9A-Za-z@]",
            rf"[{spaces}][ \t{spaces}]*[0-9A-Z]|[{dashes}][0-9]|@[0-9A-Za-z-]*[{dots}]",
            rf"\x{{FF20}}|[{wide}](?:[{wide}]{{2}}|[0-9@])",
            rf"[{common}][{common}0-9]",
            rf"{_NAMES}[{re2_class(reading(':='))}]",
        )
    )


def _escaped() -> str:
    r"""``\uXXXX`` of characters beyond ASCII that read as ASCII, or as nothing."""
    codes = [*reading(_LETTERS + " \n.-"), *UNSEEN, *range(1, 9), *range(14, 32), 0x7F]
    kept = [code for code in codes if not any(code in stretch for stretch in _TYPOGRAPHY) and code not in _COMMON]
    plain = (f"{code:04x}" for code in kept if code < _FIRST_ASTRAL)
    pairs = {_surrogates(code) for code in kept if code >= _FIRST_ASTRAL}
    return rf"\\u(?i:{_joined(plain)})|\\u(?i:{'|'.join(sorted(pairs))})"


def _surrogates(code: int) -> str:
    offset = code - _FIRST_ASTRAL
    return rf"{0xD800 + (offset >> 10):04x}\\+u{0xDC00 + (offset & 0x3FF):04x}"[:-2]


def _joined(codes: Iterable[str]) -> str:
    """An expression for numbers of four hex digits, by their first three."""
    last: dict[str, set[str]] = defaultdict(set)
    for code in codes:
        last[code[:3]].add(code[3])
    return "|".join(f"{first}[{''.join(sorted(digits))}]" for first, digits in sorted(last.items()))
