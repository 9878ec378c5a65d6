"""What is done with a key and with a value, each decided once per distinct one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import re2

from spanloom import numpy_of

Replace = Callable[[str], str]
_FIXED = "****"


class Fate(IntEnum):
    """What became of an attribute."""

    LEFT, IGNORED, REDACTED, ALLOWED, MASKED = range(5)


def compiled(pattern: str) -> Any:
    """The RE2 expression. Raises ``ValueError`` with the reason."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        detail = error.args[0] if error.args else ""
        reason = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
        raise ValueError(f"{pattern!r}: RE2 cannot compile it: {reason}") from None


def replacement(function: str, key: bytes) -> Replace:
    """What stands in the place of a match; ``function``: "", or the name of a hash."""
    match function:
        case "":
            return lambda _match: _FIXED
        case "hmac-sha256" | "hmac-sha512":
            name = function.removeprefix("hmac-")
            return lambda match: hmac.new(key, match.encode(), name).hexdigest()
    name = {"sha3": "sha3_256"}.get(function, function)
    return lambda match: hashlib.new(name, match.encode(), usedforsecurity=False).hexdigest()


def replaced(expression: Any, text: str, replace: Replace) -> str:
    """The text with every match replaced; an empty match that touches the match before it is none, as in Go."""
    parts: list[str] = []
    end = 0
    last = -1
    for match in expression.finditer(text):
        start, stop = match.span()
        if start == stop == last:
            continue
        parts += (text[end:start], replace(match[0]))
        end = last = stop
    return "".join([*parts, text[end:]])


class Rules:
    """The lists of a configuration, compiled."""

    def __init__(
        self,
        *,
        allowed_keys: Iterable[str] | None,
        ignored_keys: Iterable[str],
        ignored_key_patterns: Sequence[str],
        blocked_key_patterns: Sequence[str],
        blocked_values: Sequence[str],
        allowed_values: Sequence[str],
        replace: Replace,
    ) -> None:
        """``allowed_keys``: None allows all."""
        self._allowed_keys = None if allowed_keys is None else frozenset(allowed_keys)
        self._ignored_keys = frozenset(ignored_keys)
        self._ignored_patterns = [compiled(pattern) for pattern in ignored_key_patterns]
        self._blocked_patterns = [compiled(pattern) for pattern in blocked_key_patterns]
        self._blocked_values = [compiled(pattern) for pattern in blocked_values]
        self._allowed_values = [compiled(pattern) for pattern in allowed_values]
        self._any_value = _joined([*blocked_values, *allowed_values])
        self._replace = replace
        self._whole = compiled(".*")

    def of_key(self, key: str) -> Fate:
        """``MASKED``: its values are masked whole, whatever they are; ``LEFT``: they decide."""
        if key in self._ignored_keys or any(pattern.search(key) for pattern in self._ignored_patterns):
            return Fate.IGNORED
        if self._allowed_keys is not None and key not in self._allowed_keys:
            return Fate.REDACTED
        return Fate.MASKED if any(pattern.search(key) for pattern in self._blocked_patterns) else Fate.LEFT

    def concern(self, texts: pa.StringArray) -> npt.NDArray[np.bool_]:
        """Which values some pattern is found in; of the others nothing has to be asked."""
        found = np.zeros(len(texts), np.bool_)
        for pattern in self._any_value:
            found |= numpy_of(pc.match_substring_regex(texts, pattern))
        return found

    def allows(self, text: str) -> bool:
        """The value may stay, whatever is blocked."""
        return any(pattern.search(text) for pattern in self._allowed_values)

    def whole(self, text: str) -> str:
        """The value of a blocked key."""
        return replaced(self._whole, text, self._replace)

    def masked(self, text: str) -> str:
        """The text without what is blocked, one pattern after the other."""
        for pattern in self._blocked_values:
            if pattern.search(text):
                text = replaced(pattern, text, self._replace)
        return text


def _joined(patterns: Sequence[str]) -> list[str]:
    r"""Expressions that are found where one of these is: one for all, and so one pass, where RE2 takes it.

    It does not when together they are too large. ``\Q`` without ``\E`` would quote what follows it.
    """
    if not patterns:
        return []
    whole = "|".join(f"(?:{pattern})" for pattern in patterns)
    if any(r"\Q" in pattern for pattern in patterns) or not _is_taken(whole):
        return list(patterns)
    return [whole]


def _is_taken(pattern: str) -> bool:
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid:
        return False
    return True
