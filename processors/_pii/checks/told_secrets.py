"""The check of secrets in free text: is what follows ``password:`` or ``token=`` one, or prose, or code?"""

from __future__ import annotations

import re
from collections.abc import Iterable

from processors._pii.checks.around import ALNUM, Spans, at
from processors._pii.checks.secret_checks import is_placeholder
from processors._pii.scan import Text

_NAME = re.compile(rb"([A-Za-z][A-Za-z _-]*?)[ \t*_`]{0,4}(?::=|[:=])[ \t*_`>]{0,4}([\"']{0,2})")
_VALUE = re.compile(rb"[^\s\"'<>&;,`]+")
_QUOTED = {quote: re.compile(rb"[^\s%b]+" % quote) for quote in (b'"', b"'")}
# Page tokens, and the special tokens of models.
_NO_SECRET_BEFORE = re.compile(
    rb"(?i:page|next|continuation|sync|eos|bos|pad|unk|stop|start|end|mask|special|max)[ _-]?\Z"
)
_LONGEST_BEFORE = 16
_CODE = re.compile(rb"[A-Za-z_$][\w$]*(?:[.:]+[A-Za-z_$][\w$]*)*[(\[{]|[A-Za-z_]+(?:[.:]+[A-Za-z_]+)+\Z|[$@%{]")
_LETTERS = re.compile(rb"[A-Za-z_.-]+\Z")
_NUMBER = re.compile(rb"[0-9.]+\Z")
_LINE_END = re.compile(rb"[.!]?[ \t]*(?:\r|\n|\Z)")
_COUNTED = re.compile(rb"(?i:tok(?:en)?|key)[_-]?[0-9]*\Z")
_SHORTEST = 4
_LONG_NUMBER = 6
_PUNCTUATION = b".!?)]}:*"


class Told:
    """Secrets that their name in front of them tells."""

    def __init__(self, no_secrets: Iterable[str]) -> None:
        self._no_secrets = frozenset(word.encode() for word in no_secrets)

    def __call__(self, text: Text, start: int, end: int) -> Spans:
        """The value behind a name such as ``password``."""
        scan = text.scan
        name = _NAME.match(scan, start, end)
        if name is None:
            return
        is_password = name.group(1).lower().startswith((b"pass", b"pwd"))
        if _NO_SECRET_BEFORE.search(scan, max(0, start - _LONGEST_BEFORE), start):
            return
        if not is_password and at(scan, start - 1) in ALNUM and not scan[start : start + 1].isupper():
            return
        quote = name.group(2)[:1]
        found = (_QUOTED[quote] if quote else _VALUE).match(scan, name.end())
        if found is None or (quote and at(scan, found.end()) != quote[0]):
            return
        value = found.group() if quote else found.group().rstrip(_PUNCTUATION)
        if self._is_secret(scan, name, value, is_password=is_password):
            yield text.span(name.end(), name.end() + len(value))

    def _is_secret(self, scan: bytes, name: re.Match[bytes], value: bytes, *, is_password: bool) -> bool:
        if len(value) < _SHORTEST or is_placeholder(value) or value.lower() in self._no_secrets or _CODE.match(value):
            return False
        if _NUMBER.match(value) or _COUNTED.match(value):
            is_token = name.group(1).lower().endswith(b"token")
            return value.isdigit() and (is_password or (len(value) >= _LONG_NUMBER and not is_token))
        if not _LETTERS.match(value):
            return True
        if not is_password or b"_" in value or b"." in value:
            return False
        # A word: it is one where it is quoted, where nothing but the value can be meant, and at the end of a line.
        end = name.end() + len(value)
        is_glued = name.group().endswith(b"=") and at(scan, end) in b" \t\r\n&;\0"
        return bool(name.group(2)) or is_glued or _LINE_END.match(scan, end) is not None
