"""Checks of candidates: is it one, and where exactly does it begin and end?

Each takes a text and a match of its pattern in ``text.scan`` and yields stretches of ``text.raw``.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from processors._pii.scan import Text

Spans = Iterator[tuple[int, int]]
Check = Callable[[Text, int, int], Spans]

_ALNUM = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_WORD = _ALNUM | {0x5F}
_DIGIT = frozenset(b"0123456789")


def _at(scan: bytes, position: int) -> int:
    """The byte there, or 0 outside of the text."""
    return scan[position] if 0 <= position < len(scan) else 0


def _free(scan: bytes, start: int, end: int) -> bool:
    """Neither side continues a word."""
    return _at(scan, start - 1) not in _WORD and _at(scan, end) not in _WORD


_AT = re.compile(rb"@|%40|&#64;|&#[xX]40;|&commat;")
_VERSION = re.compile(rb"[0-9]+\.[0-9]+(?:\.|\Z)|[0-9]x\.")
_LOCAL_MAX = 256
# Matched backwards, from the sign on. Beyond ASCII nearly all is allowed in an address (RFC 6531).
_LOCAL = re.compile(r"""[^\s\x00-\x1f"(),:;<>@\[\]\\{}|=/&?#!$*^`~]+""")
# Languages that put no space before an address: there the address is the ASCII at the end.
_ASCII_AFTER_CJK = re.compile("([!-~]+)[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")


def email(text: Text, start: int, end: int) -> Spans:
    """An address, of which the pattern found ``@domain``; not ``git@host:path``, ``package@1.2.3-rc``."""
    scan = text.scan
    local = _local_part(scan[max(0, start - _LOCAL_MAX) : start])
    domain = _AT.sub(b"", scan[start:end], count=1)
    if not local or _VERSION.match(domain) or (local == b"git" and _at(scan, end) in {0x3A, 0x2F}):
        return
    yield text.span(start - len(local), end)


def _local_part(before: bytes) -> bytes:
    """The end of the text that can be the part of an address before its sign."""
    backwards = before.decode("utf-8", "ignore")[::-1]
    match = _LOCAL.match(backwards)
    if match is None:
        return b""
    ascii_only = None if match.group().isascii() else _ASCII_AFTER_CJK.match(match.group())
    local = (ascii_only.group(1) if ascii_only else match.group())[::-1]
    return local.lstrip(".'%+-").encode()


class Card:
    """Payment card numbers by issuer range, length and Luhn's checksum."""

    _GROUPS = re.compile(rb"[0-9]+")
    _MAX_LISTED = 12

    def __init__(self, issuers: Sequence[Mapping[str, Any]]) -> None:
        self._issuers: dict[int, list[tuple[bytes, bytes]]] = {}
        for issuer in issuers:
            bounds = [prefix.encode().split(b"-") for prefix in issuer["prefixes"]]
            for length in issuer["lengths"]:
                self._issuers.setdefault(length, []).extend((b[0], b[-1]) for b in bounds)
        self._first_digits = frozenset(low[0] for ranges in self._issuers.values() for low, _ in ranges)

    def __call__(self, text: Text, start: int, end: int) -> Spans:
        """Looks at every way to read the run of digit groups, from the left."""
        scan = text.scan
        groups = [m.span() for m in self._GROUPS.finditer(scan, start, end)]
        first = 0
        while first < len(groups):
            last = self._card_from(scan, groups, first)
            if last is None:
                first += 1
                continue
            yield text.span(groups[first][0], groups[last][1])
            first = last + 1

    def _card_from(self, scan: bytes, groups: list[tuple[int, int]], first: int) -> int | None:
        start, end = groups[first]
        if end - start not in _FIRST_GROUPS or scan[start] not in self._first_digits:
            return None
        if first == 0 and not _starts_number(scan, start):
            return None
        shape: tuple[int, ...] = ()
        digits = b""
        for last in range(first, min(first + 5, len(groups))):
            begin, end = groups[last]
            shape += (end - begin,)
            digits += scan[begin:end]
            if len(digits) > 19 or (last > first + 1 and scan[begin - 1] != scan[groups[first][1]]):
                return None
            if shape in _SHAPES and self.is_number(digits) and self._ends_card(scan, groups, first, last):
                return last
        return None

    def _ends_card(self, scan: bytes, groups: list[tuple[int, int]], first: int, last: int) -> bool:
        """The number may end here; in a long list of numbers groups of four say nothing."""
        if last == len(groups) - 1:
            return _ends_number(scan, groups[last][1])
        return first == last or len(groups) <= self._MAX_LISTED or groups[last + 1][1] - groups[last + 1][0] != 4

    def is_number(self, digits: bytes) -> bool:
        """Whether the digits are a possible card number."""
        ranges = self._issuers.get(len(digits), ())
        return luhn(digits) and len(set(digits)) > 1 and any(low <= digits[: len(low)] <= high for low, high in ranges)


# How card numbers are grouped: the usual fours, and the groups of networks with other lengths.
_SHAPES = frozenset(
    [(n,) for n in range(13, 20)]
    + [(8, 8), (6, 13), (4, 6, 4), (4, 6, 5), (4, 4, 5)]
    + [(4, a, b, c) for a in (3, 4) for b in (3, 4) for c in range(1, 6) if a + b + c >= 9]
    + [(4, 4, 4, 4, n) for n in (1, 2, 3)]
)
_FIRST_GROUPS = frozenset(shape[0] for shape in _SHAPES)


def _starts_number(scan: bytes, position: int) -> bool:
    """Nothing before it says that the number began earlier: a word, a fraction, a hex group."""
    before = _at(scan, position - 1)
    if before in _WORD:
        return False
    if before == 0x2E:  # "."
        return _at(scan, position - 2) not in _DIGIT and _at(scan, position - 2) != 0
    return before != 0x2D or not _HEX_GROUP.search(scan, max(0, position - 5), position)


_HEX_GROUP = re.compile(rb"(?:[a-f][0-9a-f]{3}|[0-9a-f][a-f][0-9a-f]{2}|[0-9a-f]{2}[a-f][0-9a-f]|[0-9a-f]{3}[a-f])-\Z")


def _ends_number(scan: bytes, position: int) -> bool:
    after = _at(scan, position)
    return after not in _WORD and not (after == 0x2E and _at(scan, position + 1) in _DIGIT)


_ZERO = ord("0")
_AS_NUMBER = bytes(c - _ZERO if c in _DIGIT else 0 for c in range(256))
_DOUBLED = bytes(sum(divmod(2 * (c - _ZERO), 10)) if c in _DIGIT else 0 for c in range(256))


def luhn(digits: bytes) -> bool:
    """Luhn's checksum (ISO/IEC 7812-1)."""
    return (sum(digits[-1::-2].translate(_AS_NUMBER)) + sum(digits[-2::-2].translate(_DOUBLED))) % 10 == 0


class Iban:
    """International bank account numbers by country, length and the remainder of 97 (ISO 13616)."""

    _SEPARATOR = b" -"

    def __init__(self, lengths: Mapping[str, int]) -> None:
        self._forms = {
            country.encode(): re.compile(rb"(?:[A-Za-z0-9][ -]?){%d}[A-Za-z0-9](?![A-Za-z0-9_])" % (length - 1))
            for country, length in lengths.items()
        }

    def __call__(self, text: Text, start: int, _end: int) -> Spans:
        scan = text.scan
        form = self._forms.get(scan[start : start + 2].upper())
        match = form.match(scan, start) if form is not None and _at(scan, start - 1) not in _WORD else None
        if match is None:
            return
        compact = match.group().translate(None, self._SEPARATOR)
        if (compact.isupper() or compact.islower()) and mod_97(compact.decode().upper()) == 1:
            yield text.span(*match.span())


def mod_97(iban: str) -> int:
    """The remainder that is 1 for a valid IBAN (ISO/IEC 7064)."""
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97


# Printed on sample cards and in advertisements, never issued.
_NO_SSN = frozenset({"078051120", "219099999", "123456789", "111111111", "987654321"})


def ssn(text: Text, start: int, end: int) -> Spans:
    """A US social security number with separators."""
    scan = text.scan
    separator = scan[start + 3]
    if not _free(scan, start, end):
        return
    for near, beyond in ((start - 1, start - 2), (end, end + 1)):
        if _at(scan, near) in {separator, 0x2E, 0x2D} and _at(scan, beyond) in _DIGIT:
            return
    if _is_ssn(scan[start:end]):
        yield text.span(start, end)


def ssn_in_context(text: Text, start: int, end: int) -> Spans:
    """A number without separators after a word that says what it is."""
    scan = text.scan
    number = re.search(rb"[0-9]{3}[ .-]?[0-9]{2}[ .-]?[0-9]{4}\Z", scan[max(start, end - 11) : end])
    if number is not None:
        begin = end - len(number.group())
        if _free(scan, begin, end) and _is_ssn(number.group()):
            yield text.span(begin, end)


def _is_ssn(number: bytes) -> bool:
    """Area, group and serial as the Social Security Administration issues them."""
    digits = bytes(c for c in number if c in _DIGIT).decode()
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000" and digits not in _NO_SSN


def phone(text: Text, start: int, end: int) -> Spans:
    """A telephone number by its form: international, or ten digits in North American groups."""
    scan = text.scan
    count = sum(c in _DIGIT for c in scan[start:end])
    before = _at(scan, start - 1)
    if count < 8 or before in _WORD or before in b".+-/" or _at(scan, end) in _WORD:
        return
    if _at(scan, end) in {0x2D, 0x2E} and _at(scan, end + 1) in _DIGIT:
        return
    yield text.span(start, end)


def ip(text: Text, start: int, end: int) -> Spans:
    """An IPv4 or IPv6 address, except those that name nobody: unspecified, loopback."""
    scan = text.scan
    value = scan[start:end].rstrip(b".")
    end = start + len(value)
    if not value.strip(b":") or _at(scan, start - 1) in _WORD or _at(scan, end) in _WORD:
        return
    if _at(scan, start - 1) == 0x2E or (_at(scan, end) == 0x2E and _at(scan, end + 1) in _DIGIT):
        return
    try:
        address = ipaddress.ip_address(value.decode())
    except ValueError:
        return
    if not (address.is_loopback or address.is_unspecified):
        yield text.span(start, end)


# Patterns stop at the shortest key, so that a text full of beginnings is not read over and over.
_TAIL = re.compile(rb"[\w-]*(?:\.[\w-]{6,}){0,4}")
_WORDS_AHEAD = 24
_WORDS = re.compile(rb"[a-z]+(?:[-_.][a-z]*)*(?:[^\w-]|\Z)")


def token(text: Text, start: int, end: int) -> Spans:
    """A vendor's key to its end; not words joined by hyphens."""
    scan = text.scan
    if _at(scan, start - 1) in _ALNUM:
        return
    if not _WORDS.match(scan, start, min(len(scan), end + _WORDS_AHEAD)):
        tail = _TAIL.match(scan, end)
        yield text.span(start, tail.end() if tail else end)


def exact_token(text: Text, start: int, end: int) -> Spans:
    """A token of exactly this length."""
    if _free(text.scan, start, end):
        yield text.span(start, end)


def jwt(text: Text, start: int, end: int) -> Spans:
    """A JSON web token that does not begin in the middle of a longer word."""
    if _at(text.scan, start - 1) not in _ALNUM:
        yield text.span(start, end)


def last_40(text: Text, _start: int, end: int) -> Spans:
    """An AWS secret access key: 40 characters after its name."""
    if _at(text.scan, end) not in _ALNUM | {0x2B, 0x2F}:
        yield text.span(end - 40, end)


def assigned(text: Text, start: int, end: int) -> Spans:
    """The part behind the ``=``, or all of it."""
    if _at(text.scan, start - 1) not in _ALNUM:
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


def _is_placeholder(value: bytes) -> bool:
    """Already masked, or a reference to a value elsewhere."""
    return not value.strip(b"*") or value.startswith((b"[", b"${", b"{{", b"$(", b"<", b"%(", b"***"))


def user_info(text: Text, start: int, end: int) -> Spans:
    """``user:password`` between ``://`` and ``@``."""
    value = text.scan[start + 3 : end - 1]
    if not _is_placeholder(value.partition(b":")[2]):
        yield text.span(start + 3, end - 1)


def parameter(text: Text, start: int, end: int) -> Spans:
    """A query parameter's value."""
    begin = text.scan.index(b"=", start, end) + 1
    if not _is_placeholder(text.scan[begin:end]):
        yield text.span(begin, end)


def credentials(text: Text, start: int, end: int) -> Spans:
    """What follows an authentication scheme, if it looks like credentials and not like prose."""
    scan = text.scan
    match = re.match(rb'([A-Za-z]+)(?:\s|%20)+"?', scan[start:end])
    if match is None or _at(scan, start - 1) in _ALNUM:
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
    has_digit = any(c in _DIGIT for c in value)
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
        if close > begin and not _is_placeholder(raw[begin:close]):
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
    while _at(raw, position + run) == 0x5C:
        run += 1
    mark = _at(raw, position + run)
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
    if name is None or _at(scan, start - 1) in _WORD:
        return
    if not _is_placeholder(scan[name.end() : end]) and scan[name.end() : name.end() + 1] != b"$":
        yield text.span(name.end(), end)


def checks(data: Mapping[str, Any]) -> dict[str, Check]:
    """Every check by the name patterns use."""
    plain: Sequence[Check] = (
        email, ssn, ssn_in_context, phone, ip, token, exact_token, jwt, last_40, assigned, pem, user_info,
        parameter, credentials, field, assignment,
    )  # fmt: skip
    named = {check.__name__: check for check in plain}
    return {**named, "card": Card(data["cards"]), "iban": Iban(data["ibans"])}
