"""Checks of candidates: is it one, and where exactly does it begin and end?

Each takes a text and a match of its pattern in ``text.scan`` and yields stretches of ``text.raw``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from processors._pii.checks.around import DIGIT, WORD, Check, Spans, at, free
from processors._pii.checks.secret_checks import SECRET_CHECKS
from processors._pii.checks.wallets import is_wallet
from processors._pii.scan import Text

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
    domain = scan[start + 1 : end]
    if not local or _VERSION.match(domain) or (local == b"git" and at(scan, end) in {0x3A, 0x2F}):
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
    before = at(scan, position - 1)
    if before in WORD:
        return False
    if before == 0x2E:  # "."
        return at(scan, position - 2) not in DIGIT and at(scan, position - 2) != 0
    return before != 0x2D or not _HEX_GROUP.search(scan, max(0, position - 5), position)


_HEX_GROUP = re.compile(rb"(?:[a-f][0-9a-f]{3}|[0-9a-f][a-f][0-9a-f]{2}|[0-9a-f]{2}[a-f][0-9a-f]|[0-9a-f]{3}[a-f])-\Z")


def _ends_number(scan: bytes, position: int) -> bool:
    after = at(scan, position)
    return after not in WORD and not (after == 0x2E and at(scan, position + 1) in DIGIT)


_ZERO = ord("0")
_AS_NUMBER = bytes(c - _ZERO if c in DIGIT else 0 for c in range(256))
_DOUBLED = bytes(sum(divmod(2 * (c - _ZERO), 10)) if c in DIGIT else 0 for c in range(256))


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
        match = form.match(scan, start) if form is not None and at(scan, start - 1) not in WORD else None
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
    if not free(scan, start, end):
        return
    for near, beyond in ((start - 1, start - 2), (end, end + 1)):
        if at(scan, near) in {separator, 0x2E, 0x2D} and at(scan, beyond) in DIGIT:
            return
    if _is_ssn(scan[start:end]):
        yield text.span(start, end)


def ssn_in_context(text: Text, start: int, end: int) -> Spans:
    """A number without separators after a word that says what it is."""
    scan = text.scan
    number = re.search(rb"[0-9]{3}[ .-]?[0-9]{2}[ .-]?[0-9]{4}\Z", scan[max(start, end - 11) : end])
    if number is not None:
        begin = end - len(number.group())
        if free(scan, begin, end) and _is_ssn(number.group()):
            yield text.span(begin, end)


def _is_ssn(number: bytes) -> bool:
    """Area, group and serial as the Social Security Administration issues them."""
    digits = bytes(c for c in number if c in DIGIT).decode()
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000" and digits not in _NO_SSN


def phone(text: Text, start: int, end: int) -> Spans:
    """A telephone number by its form: international, or ten digits in North American groups."""
    scan = text.scan
    count = sum(c in DIGIT for c in scan[start:end])
    before = at(scan, start - 1)
    if count < 7 or before in WORD or before in b".+-/" or at(scan, end) in WORD:
        return
    if at(scan, end) in {0x2D, 0x2E} and at(scan, end + 1) in DIGIT:
        return
    yield text.span(start, end)


_PHONE = re.compile(rb"\+?\(?[0-9][0-9 ().-]*\Z")


def phone_in_context(text: Text, start: int, end: int) -> Spans:
    """A telephone number in any grouping, behind a word that says what it is."""
    number = _PHONE.search(text.scan, start, end)
    if number is not None:
        yield from phone(text, number.start(), end)


def mac(text: Text, start: int, end: int) -> Spans:
    """The hardware address of one device: not of none, not of all."""
    digits = text.scan[start:end].translate(None, b":-.").lower()
    if free(text.scan, start, end) and digits not in {b"0" * 12, b"f" * 12}:
        yield text.span(start, end)


def wallet(text: Text, start: int, end: int) -> Spans:
    """A cryptocurrency address with the right checksum."""
    if is_wallet(text.scan[start:end].decode()):
        yield text.span(start, end)


_SENTENCE = ".,;:!?)]}\u3002\uff0c\u3001\uff09\uff1b\uff1a"


def url(text: Text, start: int, end: int) -> Spans:
    """A URL without the punctuation of the sentence behind it."""
    if at(text.scan, start - 1) not in WORD:
        value = text.scan[start:end].decode("utf-8", "replace").rstrip(_SENTENCE)
        yield text.span(start, min(end, start + len(value.encode())))


def ip(text: Text, start: int, end: int) -> Spans:
    """An IPv4 or IPv6 address; not ``::`` alone, which is an operator in many languages."""
    scan = text.scan
    value = scan[start:end].rstrip(b".")
    end = start + len(value)
    if not value.strip(b":") or at(scan, start - 1) in WORD or at(scan, end) in WORD:
        return
    if at(scan, start - 1) == 0x2E or (at(scan, end) == 0x2E and at(scan, end + 1) in DIGIT):
        return
    try:
        ipaddress.ip_address(value.decode())
    except ValueError:
        return
    yield text.span(start, end)


def checks(data: Mapping[str, Any]) -> dict[str, Check]:
    """Every check by the name patterns use."""
    plain: Sequence[Check] = (email, ssn, ssn_in_context, phone, phone_in_context, mac, wallet, url, ip)
    named = {check.__name__: check for check in (*plain, *SECRET_CHECKS)}
    return {**named, "card": Card(data["cards"]), "iban": Iban(data["ibans"])}
