"""Checks of candidates: is it one, and where exactly does it begin and end?

Each takes a text and a match of its pattern in ``text.scan`` and yields stretches of ``text.raw``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from processors._pii.checks.around import ALNUM, DIGIT, WORD, Check, Spans, at, free
from processors._pii.checks.secret_checks import SECRET_CHECKS
from processors._pii.checks.told_secrets import Told
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

    def grouped(self, text: Text, start: int, _end: int) -> Spans:
        """The same with other signs, line breaks or wide gaps between the groups."""
        scan = text.scan
        run = _RUN.match(scan, start, start + _LONGEST_RUN)
        if run is None or _IS_PLAIN.match(run.group()):  # the other pattern's
            return
        if not _GOES_ON.search(scan, max(0, start - 4), start):
            yield from self(text, start, run.end())

    def _card_from(self, scan: bytes, groups: list[tuple[int, int]], first: int) -> int | None:
        start, end = groups[first]
        if end - start not in _FIRST_GROUPS or scan[start] not in self._first_digits:
            return None
        if first == 0 and not (_starts_number(scan, start) or _ends_word(scan, start)):
            return None
        shape: tuple[int, ...] = ()
        digits = b""
        for last in range(first, min(first + 5, len(groups))):
            begin, end = groups[last]
            shape += (end - begin,)
            digits += scan[begin:end]
            if len(digits) > 19 or (last > first + 1 and _sign(scan, groups, last) != _sign(scan, groups, first + 1)):
                return None
            if (
                shape in _SHAPES
                and self.is_number(digits)
                and self._ends_card(scan, groups, first, last)
                and self._is_whole(scan, groups, first, last)
                and (first or _starts_number(scan, start) or _is_of_a_large_network(digits))
            ):
                return last
        return None

    def _is_whole(self, scan: bytes, groups: list[tuple[int, int]], first: int, last: int) -> bool:
        """Signs between groups, and lines of one group each, make a card only of all groups there are."""
        if first == last:
            return True
        between = [scan[groups[i][1] : groups[i + 1][0]] for i in range(first, last)]
        sign = between[0].strip()
        if sign in _USUAL and not all(b"\n" in each for each in between):
            return True
        start, end = groups[0][0], groups[-1][1]
        is_alone = first == 0 and last == len(groups) - 1
        is_list = sign == b"," and (at(scan, start - 1) == _OPENING or at(scan, end) == _CLOSING)
        return is_alone and not is_list and (sign in _USUAL or _shape(groups) in _SIGNED)

    def _ends_card(self, scan: bytes, groups: list[tuple[int, int]], first: int, last: int) -> bool:
        """The number may end here; in a long list of numbers groups of four say nothing."""
        if last == len(groups) - 1:
            return _ends_number(scan, groups[last][1])
        return first == last or len(groups) <= self._MAX_LISTED or groups[last + 1][1] - groups[last + 1][0] != 4

    def is_number(self, digits: bytes) -> bool:
        """Whether the digits are a possible card number."""
        ranges = self._issuers.get(len(digits), ())
        return luhn(digits) and len(set(digits)) > 1 and any(low <= digits[: len(low)] <= high for low, high in ranges)


_RUN = re.compile(rb"[0-9]+(?:(?:[ \t\r\n]{1,8}| ?[./,+_-] ?)[0-9]+)*")
_IS_PLAIN = re.compile(rb"[0-9]+(?:[ -][0-9]+)*\Z")
_GOES_ON = re.compile(rb"[0-9] ?[./,+_] ?\Z")
_LONGEST_RUN = 100
_USUAL = frozenset({b"", b"-"})
_OPENING, _CLOSING = 0x5B, 0x5D
_SIGNED = frozenset([(4, 4, 4, 4), (4, 6, 4), (4, 6, 5)])
"""Groups of cards with unusual signs between them."""


def _sign(scan: bytes, groups: list[tuple[int, int]], position: int) -> bytes:
    """What separates a group from the one before it: a sign, or nothing but space."""
    return scan[groups[position - 1][1] : groups[position][0]].strip()


def _shape(groups: list[tuple[int, int]]) -> tuple[int, ...]:
    return tuple(end - start for start, end in groups)


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


_WORD_BEFORE = re.compile(rb"(?:\A|[^0-9A-Za-z])[0-9A-Za-z]*?(?<![0-9])([A-Za-z]{3,24})\Z")
_WORD_BEHIND = re.compile(rb"[A-Za-z]{3,24}(?![0-9A-Za-z])")
_HEX = b"0123456789abcdefABCDEF"


def _ends_word(scan: bytes, position: int) -> bool:
    """A word or an underscore is glued to the number: ``receipt_4111…``, ``card4111…``; not a hex digit or an ``x``."""
    if at(scan, position - 1) == 0x5F:
        return True
    word = _WORD_BEFORE.search(scan, max(0, position - 32), position)
    return word is not None and bool(word.group(1).strip(_HEX))


def _ends_number(scan: bytes, position: int) -> bool:
    after = at(scan, position)
    if after in ALNUM:
        word = _WORD_BEHIND.match(scan, position)
        return word is not None and bool(word.group().strip(_HEX))
    return not (after == 0x2E and at(scan, position + 1) in DIGIT)


def _is_of_a_large_network(digits: bytes) -> bool:
    """Ids glued to a word have any length and beginning; cards that are written so have these."""
    return len(digits) in {15, 16} and digits[:1] in {b"2", b"3", b"4", b"5", b"6"}


_ZERO = ord("0")
_AS_NUMBER = bytes(c - _ZERO if c in DIGIT else 0 for c in range(256))
_DOUBLED = bytes(sum(divmod(2 * (c - _ZERO), 10)) if c in DIGIT else 0 for c in range(256))


def luhn(digits: bytes) -> bool:
    """Luhn's checksum (ISO/IEC 7812-1)."""
    return (sum(digits[-1::-2].translate(_AS_NUMBER)) + sum(digits[-2::-2].translate(_DOUBLED))) % 10 == 0


class Iban:
    """International bank account numbers by country, length and the remainder of 97 (ISO 13616)."""

    _SEPARATOR = b" -\t\r\n.+_"

    def __init__(self, lengths: Mapping[str, int]) -> None:
        self._forms = {country.encode(): _iban_form(length) for country, length in lengths.items()}

    def __call__(self, text: Text, start: int, _end: int) -> Spans:
        scan = text.scan
        form = self._forms.get(scan[start : start + 2].upper())
        # Beside lower-case letters an IBAN in upper case is told apart; beside others it may be part of a digest.
        beside = at(scan, start - 1)
        is_free = beside not in ALNUM or (scan[start : start + 1].isupper() and chr(beside).islower())
        match = form.match(scan, start) if form is not None and is_free else None
        if match is None:
            return
        compact = match.group().translate(None, self._SEPARATOR)
        if (compact.isupper() or compact.islower()) and mod_97(compact.decode().upper()) == 1:
            yield text.span(*match.span())


def _iban_form(length: int) -> re.Pattern[bytes]:
    """Spaces and hyphens anywhere; other signs, line breaks and wide gaps between groups of four."""
    groups, rest = divmod(length - 4, 4)
    gap = rb"(?:[ \t\r\n]{1,8}| ?[.+_-] ?)"
    grouped = rb"[A-Za-z0-9]{4}(?:%b[A-Za-z0-9]{4}){%d}" % (gap, groups)
    if rest:
        grouped += rb"%b[A-Za-z0-9]{%d}" % (gap, rest)
    return re.compile(rb"(?:(?:[A-Za-z0-9][ -]?){%d}[A-Za-z0-9]|%b)(?![A-Za-z0-9])" % (length - 1, grouped))


def mod_97(iban: str) -> int:
    """The remainder that is 1 for a valid IBAN (ISO/IEC 7064)."""
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97


# Printed on sample cards and in advertisements, never issued.
_NO_SSN = frozenset({"078051120", "219099999", "123456789", "111111111", "987654321"})


def ssn(text: Text, start: int, end: int) -> Spans:
    """A US social security number with separators."""
    scan = text.scan
    separator = scan[start + 3]
    if at(scan, start - 1) in ALNUM or at(scan, end) in ALNUM:
        return
    for near, beyond in ((start - 1, start - 2), (end, end + 1)):
        if at(scan, near) in {separator, 0x2E, 0x2D} and at(scan, beyond) in DIGIT:
            return
    if _is_ssn(scan[start:end]):
        yield text.span(start, end)


_SSN = re.compile(rb"[0-9]{3}(?:[ \t\r\n]{1,8}| ?[./,+_-] ?)?[0-9]{2}(?:[ \t\r\n]{1,8}| ?[./,+_-] ?)?[0-9]{4}\Z")


def ssn_in_context(text: Text, start: int, end: int) -> Spans:
    """A number without separators after a word that says what it is."""
    scan = text.scan
    number = _SSN.search(scan, max(start, end - 29), end)
    if number is None or at(scan, number.start() - 1) in DIGIT or at(scan, end) in ALNUM:
        return
    if _is_ssn(number.group()):
        yield text.span(number.start(), end)


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
    named: dict[str, Check] = {check.__name__: check for check in (*plain, *SECRET_CHECKS)}
    card = Card(data["cards"])
    by_data: dict[str, Check] = {
        "card": card,
        "grouped_card": card.grouped,
        "iban": Iban(data["ibans"]),
        "told": Told(data["no_secrets"]),
    }
    return {**named, **by_data}
