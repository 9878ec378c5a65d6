"""What masking must know about JSON: numbers that stand outside strings, and OTLP/JSON values."""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from processors._pii.scan import Text, rewrite

_LITERAL = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NUMBER = b"0123456789.eE+-"
_SPACE = b" \t\r\n"
_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SIMPLE = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_MAX_DEPTH = 8

# What may stand around a number, spaces escaped or not: cheap to see, and rarely so in prose.
_BEFORE = re.compile(rb"[:,\[](?:\s|\\+[nrt])*\Z")
_AFTER = re.compile(rb"(?:\s|\\+[nrt])*(?:[,\]}]|\Z)")
_NEAR = 256


def quoted_number(text: Text, start: int, end: int) -> tuple[int, int, bytes] | None:
    """Whether ``raw[start:end]`` lies in a JSON number outside of strings.

    Then the answer is the whole number's extent and the quotation mark that a text put in its place
    needs: escaped as often as the JSON it stands in is. None: anything else.
    """
    raw = text.raw
    if raw[start:end].strip(_NUMBER) or raw.lstrip(_SPACE)[:1] not in {b"{", b"[", b'"'}:
        return None
    start, end = _extent(raw, start, end)
    if not _BEFORE.search(raw, max(0, start - _NEAR), start) or not _AFTER.match(raw, end):
        return None
    depth = _depth_outside_strings(text, start, 0)
    return None if depth is None else (start, end, b"\\" * (2**depth - 1) + b'"')


def _extent(raw: bytes, start: int, end: int) -> tuple[int, int]:
    while start and raw[start - 1] in _NUMBER:
        start -= 1
    while end < len(raw) and raw[end] in _NUMBER:
        end += 1
    return start, end


def _depth_outside_strings(text: Text, position: int, depth: int) -> int | None:
    """How many times the JSON around the position is encoded; None: it is in a plain string."""
    content = text.raw
    if content.lstrip(_SPACE)[:1] not in {b"{", b"[", b'"'} or depth > _MAX_DEPTH:
        return None
    starts, ends = _literals(text)
    at = bisect_right(starts, position) - 1
    if at < 0 or position >= ends[at]:
        return depth
    inner = _inner(text, starts[at], ends[at])
    place = inner.to_scan(position - starts[at] - 1)
    return _depth_outside_strings(_level(inner), place, depth + 1)


def _literals(text: Text) -> tuple[list[int], list[int]]:
    """Starts and ends of all string literals of a JSON text; worked out once."""
    if -1 not in text.levels:
        spans = [m.span() for m in _LITERAL.finditer(text.raw)]
        text.levels[-1] = ([s for s, _ in spans], [e for _, e in spans], text)
    starts, ends, _ = text.levels[-1]
    return starts, ends


def _inner(text: Text, start: int, end: int) -> Text:
    """A literal's content with one level of escapes resolved; worked out once."""
    if start not in text.levels:
        closed = end - start > 1 and text.raw[end - 1 : end] == b'"'
        content = text.raw[start + 1 : end - 1 if closed else end]
        text.levels[start] = ([], [], rewrite(content, _ESCAPE, _unescape))
    return text.levels[start][2]


def _level(inner: Text) -> Text:
    """The resolved content as a text of its own; worked out once."""
    if -2 not in inner.levels:
        inner.levels[-2] = ([], [], Text(inner.scan, inner.scan))
    return inner.levels[-2][2]


def _unescape(unit: bytes) -> bytes:
    escape = unit[1:]
    if escape[:1] == b"u" and len(escape) == 5:
        return chr(int(escape[1:], 16)).encode("utf-8", "replace")
    return _SIMPLE.get(escape, escape)


class OtlpMasker:
    """Masks one OTLP/JSON AnyValue in place: every string, number, byte string and key in it."""

    def __init__(
        self,
        mask: Callable[[bytes], bytes],
        is_secret: Callable[[str], bool],
        secret_marker: Callable[[], str],
    ) -> None:
        self._mask = mask
        self._is_secret = is_secret
        self._secret_marker = secret_marker
        self.changed = False

    def value(self, value: Any) -> None:
        """Masks an AnyValue object."""
        if not isinstance(value, dict):
            return
        for member in list(value):
            self._member(value, member)

    def container(self, inner: Any) -> None:
        """Masks an ArrayValue or KeyValueList object."""
        values = inner.get("values") if isinstance(inner, dict) else None
        if not isinstance(values, list):
            return
        for position, entry in enumerate(values):
            if isinstance(entry, str):
                values[position] = self._text(entry)
            elif isinstance(entry, dict):
                self._entry(entry)

    def _entry(self, entry: dict[str, Any]) -> None:
        key = entry.get("key")
        if not isinstance(key, str):
            self.value(entry)
            return
        inner = entry.get("value")
        if self._is_secret(key) and isinstance(inner, dict) and not inner.keys() <= {"boolValue"}:
            self._replace_all(inner, self._secret_marker())
        else:
            self.value(inner)
        entry["key"] = self._text(key)

    def _member(self, value: dict[str, Any], member: str) -> None:
        content = value[member]
        match member:
            case "arrayValue" | "kvlistValue":
                self.container(content)
            case "bytesValue" if isinstance(content, str):
                value[member] = self.encoded(content)
            case _ if isinstance(content, str) and member == "stringValue":
                value[member] = self._text(content)
            case _ if isinstance(content, str | int | float) and not isinstance(content, bool):
                masked = self._text(str(content), count=False)
                if masked != str(content):
                    self._replace_all(value, masked)

    def encoded(self, content: str) -> str:
        """Base64 of the masked bytes; what is no base64 is masked as text."""
        try:
            octets = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            return self._text(content)
        masked = self._mask(octets)
        if masked == octets:
            return content
        self.changed = True
        return base64.b64encode(masked).decode()

    def _replace_all(self, value: dict[str, Any], text: str) -> None:
        if value != {"stringValue": text}:
            value.clear()
            value["stringValue"] = text
            self.changed = True

    def _text(self, content: str, *, count: bool = True) -> str:
        raw = content.encode("utf-8", "replace")
        masked = self._mask(raw)
        if masked == raw:
            return content
        self.changed = self.changed or count
        return masked.decode("utf-8", "replace")
