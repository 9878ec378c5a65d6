"""Identifiers of persons and accounts: loads ``identifiers.yaml`` and checks what its patterns find."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

from processors._pii.checks.checksums import BY_NAME, Checksum, never_fails
from processors._pii.scan import Text

SEPARATOR = r"(?:[ -]|\x{A0}|\x{202F}|[\x{2010}-\x{2013}])?"
"""A space or hyphen as raw text may hold it: resolving escapes makes all of them plain ones."""

_BEFORE, _BEHIND = 60, 40
_NO_SEPARATORS = b" .:/-+"
_DIGITS = frozenset(b"0123456789")
_HEX_GROUP = re.compile(rb"[0-9a-f]*[a-f][0-9a-f]*-\Z")
_LONGEST_HEX_GROUP = 13


@functools.cache
def data() -> Mapping[str, Mapping[str, Any]]:
    """The content of ``identifiers.yaml``."""
    text = resources.files("processors._pii").joinpath("identifiers.yaml").read_text("utf-8")
    loaded: Mapping[str, Mapping[str, Any]] = YAML(typ="safe").load(text)
    return loaded


class Identifier:
    """Accepts a candidate by its checksum and by what stands around it."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self._checksum: Checksum = BY_NAME[entry["checksum"]] if "checksum" in entry else never_fails
        self._needs: str | None = entry.get("needs")
        self._words = re.compile(entry.get("words", r"(?!)").encode(), re.IGNORECASE)

    def __call__(self, text: Text, start: int, end: int) -> Iterator[tuple[int, int]]:
        scan = text.scan
        value = scan[start:end]
        compact = value.translate(None, _NO_SEPARATORS).decode().upper()
        if _stands_free(scan, start, end) and self._is_meant(scan, start, end, value) and self._checksum(compact):
            yield text.span(start, end)

    def _is_meant(self, scan: bytes, start: int, end: int, value: bytes) -> bool:
        if self._needs is None:
            return True
        if self._needs == "form" and not value.isalnum():
            return True
        if self._needs != "words" and not (scan[:start].strip() or scan[end:].strip()):
            return self._needs == "form" or not value.isdigit()
        return (
            self._words.search(scan, max(0, start - _BEFORE), start) is not None
            or self._words.search(scan, end, end + _BEHIND) is not None
        )


def _stands_free(scan: bytes, start: int, end: int) -> bool:
    """No part of a fraction, of a longer number with separators, of a UUID."""
    before, beyond = scan[max(0, start - 1) : start], scan[max(0, start - 2) : start - 1] if start > 1 else b""
    after, further = scan[end : end + 1], scan[end + 1 : end + 2]
    if before in {b".", b"-", b","} and beyond[:1].isdigit():
        return False
    if after in {b".", b"-", b"/"} and further.isdigit():
        return False
    return before != b"-" or not _HEX_GROUP.search(scan, max(0, start - _LONGEST_HEX_GROUP), start)


def prefilter(entry: Mapping[str, Any]) -> str:
    """RE2 over raw text for an entry."""
    if entry.get("needs") == "words":  # rarer than what the form alone would hit
        return f"(?i:{entry['words'].replace(chr(92) + 'b', '')})"
    pattern: str = entry.get("prefilter", entry["regex"])
    return f"(?i:{pattern.replace('{s}', SEPARATOR).replace('[ -]?', SEPARATOR).replace(' ?', SEPARATOR)})"


def regex(entry: Mapping[str, Any]) -> str:
    """RE2 over text with resolved escapes."""
    pattern: str = entry["regex"]
    return rf"\b(?i:{pattern.replace('{s}', '[ -]?')})\b"
