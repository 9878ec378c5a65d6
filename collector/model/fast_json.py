"""JSON read and written as the standard library does, text for text, in a fraction of its time.

msgspec does the work wherever the two agree. They do not on NaN, infinities and lone surrogates,
which msgspec refuses, nor on how a float is written; those are left to the standard library.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring
from typing import Any

import msgspec

_READ = msgspec.json.Decoder().decode
_WRITE = msgspec.json.Encoder().encode
_STANDARD = json.JSONDecoder(parse_constant=str)

_SHORT = 40
"""Characters up to which the standard library quotes faster."""
_MAX_LEVELS = 100
_SAME = frozenset({str, int, bool, type(None)})
"""Types that both write alike, besides ``dict`` and ``list``."""


def loads(text: str) -> Any:
    """The value of JSON text; ``NaN`` and the infinities are text. Raises ``ValueError`` and ``RecursionError``."""
    try:
        return _READ(text)
    except (ValueError, RecursionError):
        return _STANDARD.decode(text)


def dumps(value: Any) -> str | None:
    """Compact JSON text, characters not escaped; None for a value that the standard library has to write.

    That is any value with a float, a lone surrogate, another type than those of JSON, or deep nesting.
    """
    if not _is_same(value):
        return None
    try:
        return _WRITE(value).decode()
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None


def quote(text: str) -> str:
    """The JSON string of a text without lone surrogates."""
    return encode_basestring(text) if len(text) < _SHORT else _WRITE(text).decode()


def write_object(members: dict[str, Any]) -> str:
    """``dumps`` of an object whose values are text, bool, None, 64-bit int or ``raw``."""
    return _WRITE(members).decode()


raw = msgspec.Raw
"""JSON text as a member of ``write_object``."""


def _is_same(value: Any) -> bool:
    level = [value]
    for _ in range(_MAX_LEVELS):
        inner: list[Any] = []
        for member in level:
            kind = type(member)
            if kind is dict:
                inner += member.values()
            elif kind is list:
                inner += member
            elif kind not in _SAME:
                return False
        if not inner:
            return True
        level = inner
    return False
