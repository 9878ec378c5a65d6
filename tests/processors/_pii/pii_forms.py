"""Forms in which values occur in everyday text, as data: for the tests, and for the table in the docs.

Also a reader of its own, made of the standard library and none of the product's code, that says what a text reads as.
"""

from __future__ import annotations

import html
import quopri
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from tests.processors._pii.pii_kit import CARD, EMAIL, IBAN, OPENAI_KEY, PASSWORD, SSN

Write = Callable[[str], str]


@dataclass(frozen=True)
class Planted:
    """A value, how people write it in groups, what it reads as, and what must stand in its place."""

    value: str
    grouped: str
    marker: str
    before: str = ""
    """What must stand in front of it for anybody to know what it is."""


PLANTED = {
    "email": Planted(EMAIL, EMAIL, "[EMAIL]"),
    "credit_card": Planted(CARD, " ".join(CARD[i : i + 4] for i in range(0, 16, 4)), "[CREDIT_CARD]"),
    "iban": Planted(IBAN, " ".join(IBAN[i : i + 4] for i in range(0, 22, 4)), "[IBAN]"),
    "us_ssn": Planted(SSN, SSN, "[US_SSN]"),
    "api_key": Planted(OPENAI_KEY, OPENAI_KEY, "[API_KEY]"),
    "secret": Planted(PASSWORD, PASSWORD, "[SECRET]", "password: "),
}

NUMBERS = ("credit_card", "iban", "us_ssn")
GROUPED = ("credit_card", "iban")
ALL = tuple(PLANTED)


def _each(write: Callable[[int], str]) -> Write:
    return lambda text: "".join(write(ord(char)) for char in text)


def _signs(write: Callable[[int], str]) -> Write:
    return lambda text: "".join(char if char.isalnum() else write(ord(char)) for char in text)


def _octets(sign: str, text: str) -> str:
    return "".join(f"{sign}{octet:02X}" for octet in text.encode())


def _json_escaped(text: str) -> str:
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _js_escaped(text: str) -> str:
    return _json_escaped(text).replace("\\", "%")


def _quoted(text: str) -> str:
    return "".join(char if char.isalnum() or char in "- ." or char < " " else _octets("=", char) for char in text)


def _between(sign: str) -> Write:
    return lambda text: f"{text[:3]}{sign}{text[3:7]}{sign}{text[7:]}"


def _gaps(gap: str) -> Write:
    return lambda text: text.replace(" ", gap)


def _digits(zero: int) -> Write:
    return lambda text: "".join(chr(zero + int(char)) if char.isdigit() else char for char in text)


def _mathematical(text: str) -> str:
    table = {**{chr(65 + i): chr(0x1D5D4 + i) for i in range(26)}, **{chr(97 + i): chr(0x1D5EE + i) for i in range(26)}}
    return _digits(0x1D7EC)("".join(table.get(char, char) for char in text))


def _wide(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


_LOOKS = str.maketrans({"a": "\u0430", "e": "\u0435", "o": "\u043e", "c": "\u0441", "p": "\u0440", "E": "\u0415"})


def _confused(text: str) -> str:
    return text.translate(_LOOKS)


def _indented(text: str) -> str:
    return f"{text[:9]}\r\n   {text[10:]}"


def _with_minus(text: str) -> str:
    return text.replace(" ", "-").replace("-", "\u2212")


def _once(write: Write, times: int) -> Write:
    def written(text: str) -> str:
        for _ in range(times):
            text = write(text)
        return text

    return written


@dataclass(frozen=True)
class Form:
    """One way to write values."""

    name: str
    example: str
    """For the docs: what the way does to a value."""
    write: Write
    entities: tuple[str, ...] = ALL
    is_grouped: bool = False
    """It is about the gaps: the value is written in groups."""
    can_nest: bool = False
    """It writes any text, in whatever form that is."""


_PERCENT: Write = lambda text: quote(text, safe="-._")  # noqa: E731
_NAMED = {"@": "&commat;", "-": "&hyphen;", ".": "&period;", " ": "&nbsp;"}

FORMS = (
    Form("percent-encoded", "`jane%40example.com`", _PERCENT, can_nest=True),
    Form("percent-encoded, every character", "`%6A%61%6E%65…`", lambda t: _octets("%", t), can_nest=True),
    Form("percent-encoded twice", "`jane%2540example.com`", _once(_PERCENT, 2), can_nest=True),
    Form(
        "percent-encoded by JavaScript's `escape`",
        "`%u0040`",
        lambda t: _json_escaped(t).replace("\\", "%"),
        can_nest=True,
    ),
    Form("decimal reference", "`&#64;`", _signs(lambda c: f"&#{c};"), can_nest=True),
    Form("decimal reference, every character", "`&#106;&#97;…`", _each(lambda c: f"&#{c};"), can_nest=True),
    Form("hexadecimal reference", "`&#x40;`", _signs(lambda c: f"&#x{c:x};"), can_nest=True),
    Form("named reference", "`&commat;`", lambda t: "".join(_NAMED.get(c, c) for c in t)),
    Form("reference, escaped again", "`&amp;#64;`", _signs(lambda c: f"&amp;#{c};"), can_nest=True),
    Form("escape of JSON and Java", r"`\u0040`", _json_escaped, can_nest=True),
    Form("escape of C and Python", r"`\x40`", lambda t: _octets("\\x", t), can_nest=True),
    Form("octal escape", r"`\100`", lambda t: "".join(f"\\{octet:03o}" for octet in t.encode()), can_nest=True),
    Form("escape of YAML", r"`\U00000040`", _signs(lambda c: f"\\U{c:08X}"), can_nest=True),
    Form("escape of JavaScript", r"`\u{40}`", _signs(lambda c: f"\\u{{{c:x}}}"), can_nest=True),
    Form("quoted-printable", "`jane=40example.com`", _quoted, can_nest=True),
    Form("quoted-printable, every character", "`=6A=61=6E=65…`", lambda t: _octets("=", t), can_nest=True),
    Form("quoted-printable, line broken", "`jane@exam=⏎ple.com`", _between("=\n")),
    Form("quoted-printable, line broken by CRLF", "`jane@exam=␍⏎ple.com`", _between("=\r\n")),
    Form("no-break spaces", "`4111\u00a01111…`", _gaps("\u00a0"), GROUPED, is_grouped=True),
    Form("thin spaces", "`4111\u20091111…`", _gaps("\u2009"), GROUPED, is_grouped=True),
    Form("ideographic spaces", "`4111\u30001111…`", _gaps("\u3000"), GROUPED, is_grouped=True),
    Form("double spaces", "`4111  1111…`", _gaps("  "), GROUPED, is_grouped=True),
    Form("tabs", "`4111⇥1111…`", _gaps("\t"), GROUPED, is_grouped=True),
    Form("a line break", "`4111 1111⏎1111 1111`", lambda t: t[:9] + "\n" + t[10:], GROUPED, is_grouped=True),
    Form(
        "a line break and indentation", "`4111 1111⏎   1111 1111`", lambda t: t[:9] + "\r\n   " + t[10:], GROUPED, True
    ),
    Form("dots", "`4111.1111.1111.1111`", _gaps("."), GROUPED, is_grouped=True),
    Form("slashes", "`4111/1111/1111/1111`", _gaps("/"), ("credit_card",), is_grouped=True),
    Form("commas", "`4111,1111,1111,1111`", _gaps(","), ("credit_card",), is_grouped=True),
    Form("plus signs", "`4111+1111+1111+1111`", _gaps("+"), GROUPED, is_grouped=True),
    Form("underscores", "`4111_1111_1111_1111`", _gaps("_"), GROUPED, is_grouped=True),
    Form("en dashes", "`4111–1111–1111–1111`", _gaps("\u2013"), GROUPED, is_grouped=True),
    Form(
        "minus signs", "`536−90−4399`", lambda t: t.replace(" ", "-").replace("-", "\u2212"), NUMBERS, is_grouped=True
    ),
    Form("soft hyphens inside", "`41-11…`", _between("\u00ad")),
    Form("zero-width spaces inside", "`jan·e@exa·mple.com`", _between("\u200b")),
    Form("zero-width joiners inside", "`jan·e@exa·mple.com`", _between("\u200d")),
    Form("byte order marks inside", "`jan·e@exa·mple.com`", _between("\ufeff")),
    Form("marks of direction inside", "`jan·e@exa·mple.com`", _between("\u202c")),
    Form("control characters inside", "`jan␁e@exa␁mple.com`", _between("\x01")),
    Form("key caps", "`4️⃣1️⃣1️⃣1️⃣…`", lambda t: re.sub(r"(\d)", "\\1\ufe0f\u20e3", t), NUMBERS),
    Form("Arabic-Indic digits", "`٤١١١…`", _digits(0x660), NUMBERS),
    Form("Persian digits", "`۴۱۱۱…`", _digits(0x6F0), NUMBERS),
    Form("Devanagari digits", "`४१११…`", _digits(0x966), NUMBERS),
    Form("Bengali digits", "`৪১১১…`", _digits(0x9E6), NUMBERS),
    Form("Thai digits", "`๔๑๑๑…`", _digits(0xE50), NUMBERS),
    Form("mathematical letters and digits", "`𝗷𝗮𝗻𝗲@…`", _mathematical),
    Form("full-width letters and digits", "`ｊａｎｅ＠…`", _wide),
    Form(
        "letters of other scripts",
        "`jаnе@…` (Cyrillic а, е)",
        lambda t: t.translate(_LOOKS),
        ("email", "api_key", "secret"),
    ),
    Form("letters of other scripts, in upper case", "`DЕ89…` (Cyrillic Е)", lambda t: t.translate(_LOOKS), ("iban",)),
    Form("upper case", "`SK-PROJ-…`", str.upper, ("email", "api_key", "secret")),
    Form("lower case", "`de89 3704…`", str.lower, ("iban",), is_grouped=True),
)


def planted(entity: str, form: Form) -> str:
    """The entity's value in the form."""
    value = PLANTED[entity]
    return form.write(value.grouped if form.is_grouped else value.value)


_ESCAPES = re.compile(r"\\+(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2}))|\\+([0-7]{3})")
_UNSEEN = {"Cf", "Mn", "Me", "Cc"}
_LOOKED_AT = {after: chr(before) for before, after in _LOOKS.items()}


def read(text: str) -> str:
    """What a patient reader makes of a text: every form resolved, again and again, and no gaps."""
    for _ in range(8):
        before = text
        text = unquote(re.sub(r"%u([0-9a-fA-F]{4})", lambda m: chr(int(m.group(1), 16)), text))
        text = html.unescape(text)
        text = _ESCAPES.sub(_unescaped, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        text = quopri.decodestring(text.encode("utf-8", "replace")).decode("utf-8", "replace")
        text = unicodedata.normalize("NFKC", text)
        text = "".join(_seen(char) for char in text)
        if text == before:
            break
    return re.sub(r"[\s./,+_\-\u2010-\u2015\u2212]", "", text).lower()


def _unescaped(match: re.Match[str]) -> str:
    code = next((int(digits, 16) for digits in match.groups()[:4] if digits), None)
    return chr(int(match.group(5), 8) if code is None else code)


def _seen(char: str) -> str:
    if unicodedata.category(char) in _UNSEEN and char not in "\r\n\t":
        return ""
    digit = unicodedata.decimal(char, None)
    return _LOOKED_AT.get(char, char) if digit is None else str(digit)
