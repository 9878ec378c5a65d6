"""Values inside JSON text: parsing that never fails, paths, and scalars as text."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

MAX_COUNT = 2**53
"""A token count above this is refused: no emitter means it, and sums must stay in int64."""

_MAX_JSON = 4_000_000
_MAX_LITERAL = 16_384
_MAX_INT = 10**30
_decode = json.JSONDecoder().raw_decode
_SURROGATE = re.compile(r"\\[uU](?:0000)?[dD][89a-fA-F]")


def parse_json(text: str) -> Any:
    """The JSON value of a whole text, or ``None``; the Python text of a dict is understood too."""
    if len(text) > _MAX_JSON:
        return None
    stripped = text.strip()
    try:
        value, end = _decode(stripped)
    except (ValueError, RecursionError):
        value, end = _literal(stripped), len(stripped)
    if end != len(stripped):
        return None
    return _without_surrogates(value) if _SURROGATE.search(stripped) else value


def _without_surrogates(value: Any) -> Any:
    r"""The value with lone surrogates (``"\ud800"``, which no UTF-8 can hold) as U+FFFD."""
    try:
        written = json.dumps(value, ensure_ascii=False)
        return json.loads(written.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
    except (TypeError, ValueError, RecursionError):  # a Python literal that JSON has no form for
        return None


def _literal(text: str) -> Any:
    """A Python dict or list literal (``{'a': None}``), size-capped; never evaluates anything."""
    if not text.startswith(("{", "[")) or "'" not in text or len(text) > _MAX_LITERAL:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def at_path(value: Any, path: str) -> Any:
    """The member of nested objects and lists at a dotted path (``.`` is the whole), or ``None``."""
    for part in path.split(".") if path != "." else ():
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def scalar_text(value: Any) -> str | None:
    """The text of a JSON scalar; none for null, objects, lists and the empty text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value) or None
    return value if isinstance(value, str) and value else None


def number_text(value: int | float) -> str:  # noqa: PYI041 - ints are told apart
    """A number without a trailing ``.0``; nothing for an absurdly long one."""
    if isinstance(value, int):
        return str(value) if abs(value) < _MAX_INT else ""
    return str(int(value)) if value.is_integer() and abs(value) < MAX_COUNT else str(value)


def text(value: str) -> str | None:
    """The text itself, unless it is blank."""
    return value if value.strip() else None
