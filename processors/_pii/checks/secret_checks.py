"""Checks of secrets: vendors' keys, tokens, credentials, and values under a secret's name."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from processors._pii.checks.around import ALNUM, DIGIT, WORD, Check, Spans, at
from processors._pii.scan import Text

# Patterns stop at the shortest key, so that a text full of beginnings is not read over and over.
_TAIL = re.compile(rb"[\w-]*(?:\.[\w-]{6,}){0,4}")
_WORDS_AHEAD = 24
# No word is longer than some 16 letters: a longer run is a key that happens to have no digit.
_WORDS = re.compile(rb"[a-z]{1,16}(?:[-_.][a-z]{0,16})*(?:[^\w-]|\Z)")


def token(text: Text, start: int, end: int) -> Spans:
    """A vendor's key to its end; not words joined by hyphens."""
    scan = text.scan
    if at(scan, start - 1) in ALNUM:
        return
    if not _WORDS.match(scan, start, min(len(scan), end + _WORDS_AHEAD)):
        tail = _TAIL.match(scan, end)
        yield text.span(start, tail.end() if tail else end)


def exact_token(text: Text, start: int, end: int) -> Spans:
    """A token of exactly this length."""
    if at(text.scan, start - 1) not in ALNUM and at(text.scan, end) not in ALNUM:
        yield text.span(start, end)


_SHOUTED = re.compile(rb"[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]{6,}){0,4}")
_LEAST_DIGITS = 3


def token_in_other_case(text: Text, start: int, end: int) -> Spans:
    """A vendor's key of which somebody changed the case; not words, not the name of a constant."""
    scan = text.scan
    tail = _SHOUTED.match(scan, end)
    end = tail.end() if tail else end
    value = scan[start:end]
    is_one_case = value.isupper() or value.islower()
    has_digits = sum(c in DIGIT for c in value) >= _LEAST_DIGITS or (value.islower() and not value.isalpha())
    if at(scan, start - 1) not in ALNUM and is_one_case and has_digits and not _WORDS.match(value.lower()):
        yield text.span(start, end)


def jwt(text: Text, start: int, end: int) -> Spans:
    """A JSON web token that does not begin in the middle of a longer word."""
    if at(text.scan, start - 1) not in ALNUM:
        yield text.span(start, end)


def last_40(text: Text, _start: int, end: int) -> Spans:
    """An AWS secret access key: 40 characters after its name."""
    if at(text.scan, end) not in ALNUM | {0x2B, 0x2F}:
        yield text.span(end - 40, end)


def assigned(text: Text, start: int, end: int) -> Spans:
    """The part behind the ``=``, or all of it."""
    if at(text.scan, start - 1) not in ALNUM:
        yield text.span(text.scan.find(b"=", start, end) + 1 or start, end)


_PEM_END = re.compile(rb"-----END [A-Z0-9 ]{0,60}-----")
_PEM_BODY = re.compile(rb"[A-Za-z0-9+/=\s\\]*")
_PEM_MAX = 16 * 1024


def pem(text: Text, start: int, end: int) -> Spans:
    """A private key to its END line, or, cut off, as far as it looks like base64."""
    scan = text.scan
    closing = _PEM_END.search(scan, end, end + _PEM_MAX)
    if closing is not None:
        yield text.span(start, closing.end())
        return
    body = _PEM_BODY.match(scan, end)
    yield text.span(start, body.end() if body else end)


def is_placeholder(value: bytes) -> bool:
    """Already masked, or a reference to a value elsewhere."""
    return not value.strip(b"*") or value.startswith((b"[", b"${", b"{{", b"$(", b"<", b"%(", b"***"))


def user_info(text: Text, start: int, end: int) -> Spans:
    """``user:password`` between ``://`` and ``@``."""
    value = text.scan[start + 3 : end - 1]
    if not is_placeholder(value.partition(b":")[2]):
        yield text.span(start + 3, end - 1)


def parameter(text: Text, start: int, end: int) -> Spans:
    """A query parameter's value."""
    begin = text.scan.index(b"=", start, end) + 1
    if not is_placeholder(text.scan[begin:end]):
        yield text.span(begin, end)


def credentials(text: Text, start: int, end: int) -> Spans:
    """What follows an authentication scheme, if it looks like credentials and not like prose."""
    scan = text.scan
    match = re.match(rb'([A-Za-z]+)(?:\s|%20)+"?', scan[start:end])
    if match is None or at(scan, start - 1) in ALNUM:
        return
    begin = start + match.end()
    if _are_credentials(match.group(1).lower(), scan[begin:end]):
        yield text.span(begin, end)


def _are_credentials(scheme: bytes, value: bytes) -> bool:
    if scheme == b"basic":
        try:
            return b":" in base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
        except (binascii.Error, ValueError):
            return False
    has_digit = any(c in DIGIT for c in value)
    return len(value) >= 16 and has_digit


_SCALAR = re.compile(rb"[0-9][0-9.eE+-]*")
_NEXT = re.compile(rb"[\s\\nrt]*,[\s\\nrt]*")


def field(text: Text, start: int, end: int) -> Spans:
    """The value under a secret's name: a string to its own closing quote, an array of them, a number."""
    raw = text.raw
    opening = text.to_raw(end - 1)
    if raw[opening : opening + 1].isdigit():
        number = _SCALAR.match(raw, opening)
        if number is not None and len(number.group()) >= 4:
            yield opening, number.end()
        return
    listed = text.scan[start:end].rstrip(b"\"'").rstrip().endswith(b"[")
    while True:
        quote = _opening_quote(raw, opening)
        if quote is None:
            return
        begin, run, mark = quote
        close = closing_quote(raw, begin, run, mark)
        if close > begin and not is_placeholder(raw[begin:close]):
            yield begin, close
        follows = _NEXT.match(raw, close + run + 1) if listed else None
        if follows is None:
            return
        opening = follows.end()


def _opening_quote(raw: bytes, position: int) -> tuple[int, int, int] | None:
    """Behind the quote there, its number of backslashes, the mark; None: there is no quote."""
    # An escape that was blanked out is two quotes in the copy: the position may be the second.
    while position and raw[position - 1] == 0x5C:
        position -= 1
    run = 0
    while at(raw, position + run) == 0x5C:
        run += 1
    mark = at(raw, position + run)
    return (position + run + 1, run, mark) if mark in {0x22, 0x27} else None


def closing_quote(raw: bytes, position: int, run: int, mark: int) -> int:
    r"""Where the string ends that was opened with ``run`` backslashes before its quote.

    Each level of JSON doubles backslashes: a quote inside the string has more of them than the one
    that closes it, and backslashes that stand for themselves come in multiples of ``2 * (run + 1)``.
    A string without an end (the text was cut off) ends with the text.
    """
    quote = raw.find(mark, position)
    while quote >= 0:
        start = position + len(raw[position:quote].rstrip(b"\\"))
        extra = quote - start - run
        if extra >= 0 and extra % (2 * (run + 1)) == 0:
            return quote - run
        if extra < 0:  # the string around this one ends
            return start
        position = quote + 1
        quote = raw.find(mark, position)
    return len(raw)


_NAME = re.compile(rb"-{0,2}[A-Za-z_-]+(?:=|:\s*|[ ])[\"']?")


def assignment(text: Text, start: int, end: int) -> Spans:
    """The value in ``NAME=value``, ``name: value``, ``--name value``."""
    scan = text.scan
    name = _NAME.match(scan, start, end)
    if name is None or at(scan, start - 1) in WORD:
        return
    if not is_placeholder(scan[name.end() : end]) and scan[name.end() : name.end() + 1] != b"$":
        yield text.span(name.end(), end)


SECRET_CHECKS: Sequence[Check] = (
    token, exact_token, token_in_other_case, jwt, last_40, assigned, pem, user_info, parameter,
    credentials, field, assignment,
)  # fmt: skip
