r"""The ways a character is written otherwise than by itself, and what it then reads as.

Percent-encoding, character references of HTML and XML, escapes of programming languages and of YAML,
quoted-printable. Encoding the sign of an encoding again (``%2540``, ``&amp;#64;``, ``\\\\u0040``) is one form, however
often it was done. A form that stands for no character reads as it stands.
"""

from __future__ import annotations

import re
from html import unescape
from html.entities import html5

from processors._pii.views.look_alikes import READS

_H = "[0-9A-Fa-f]"


def _utf8(sign: str, one: str, trail: str, leads: tuple[str, str, str], alone: str) -> str:
    """One character of UTF-8 of which each byte is written behind a sign; or ``alone``, a byte of Latin-1."""
    tail = sign + trail
    forms = [sign + one, *(sign + lead + tail * count for count, lead in enumerate(leads, 1))]
    return "|".join([*forms, sign + alone])


_HEX = (f"[89ABab]{_H}", (f"[CDcd]{_H}", f"[Ee]{_H}", "[Ff][0-7]"), f"[89A-Fa-f]{_H}")
_PERCENT = f"%(?:25)*u[dD][89ABab]{_H}{{2}}%(?:25)*u[dD][C-Fc-f]{_H}{{2}}|%(?:25)*u{_H}{{4}}|" + _utf8(
    "%(?:25)*", f"[0-7]{_H}", *_HEX
)
_REFERENCE = rf"&(?:amp;|#38;)*(?:#[0-9]{{1,9}};?|#[xX]{_H}{{1,8}};?|[A-Za-z][A-Za-z0-9]{{1,31}};)"
_PAIR = rf"\\\\*u[dD][89ABab]{_H}{{2}}\\+u[dD][C-Fc-f]{_H}{{2}}"
_CODE = rf"\\\\*(?:u{_H}{{4}}|u\{{{_H}{{1,6}}\}}|U{_H}{{8}})"
_BYTES = _utf8(r"\\\\*x", f"[0-7]{_H}", *_HEX)
_OCTAL = _utf8(r"\\\\*", "[01][0-7]{2}", "2[0-7]{2}", ("3[0-3][0-7]", "3[45][0-7]", "36[0-7]"), "[23][0-7]{2}")

# Letters and digits need no quoting: `id=64bob` is no quoted `d`, but a run such as `=6A=61` is one.
_QUOTED_SIGN = "09|0[AD]|2[0-9A-F]|3[A-F]|40|5[B-F]|60|7[B-E]"
_QUOTED = (
    r"=[ \t]*(?:\r?\n|(?:\\+r)?\\+n)"
    r"|=(?:3D)*[0-7][0-9A-F](?==[0-9A-F]{2})|=(?<=[0-9A-F]{2}=)(?:3D)*[0-7][0-9A-F]|"
) + _utf8("=(?:3D)*", f"(?:{_QUOTED_SIGN})", "[89AB][0-9A-F]", ("[CD][0-9A-F]", "E[0-9A-F]", "F[0-7]"), "A[0D]")

# Each alternative begins with its sign itself: then `re` jumps from sign to sign.
_FORMS = f"{_PERCENT}|{_REFERENCE}|{_PAIR}|{_CODE}|{_BYTES}|{_OCTAL}"
FORM = re.compile(f"({_FORMS})")
"""One character in another form; as a group, so that ``split`` gives forms and what stands between."""
FORM_OR_QUOTED = re.compile(f"({_QUOTED}|{_FORMS})")
"""The same, quoted-printable among them."""
_BEYOND = re.compile("([\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\U0010ffff]+)")

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
MAY_BE_QUOTED = re.compile(r"=(?:[0-9A-F]{2}|[ \t]*\r?\n|[ \t]*\\)")
"""Whether quoted-printable is possible: much faster than looking for it."""

_DIGITS = {
    "%": re.compile(f"%(?:25)*({_H}{{2}})"),
    "=": re.compile(r"=(?:3D)*([0-9A-F]{2})"),
    "x": re.compile(rf"x({_H}{{2}})"),
    "octal": re.compile(r"([0-7]{3})"),
}
_CODES = re.compile(rf"[uU]\{{?({_H}+)")
_AGAIN = re.compile(r"\A&(?:(?:amp;|#38;)(?=[#A-Za-z]))*")
_LARGEST = 0x10FFFF
_MAX_CACHED = 20_000


def characters(text: str) -> list[str]:
    """By turns what reads as itself, and a character that may not; only the former where all do."""
    if text.isascii() and _CONTROL.search(text) is None:
        return [text]
    runs = _BEYOND.split(text)
    if all(READS.keys().isdisjoint(run) for run in runs[1::2]):
        return [text]
    pieces = [runs[0]]
    for run, behind in zip(runs[1::2], runs[2::2], strict=True):
        if READS.keys().isdisjoint(run):
            pieces += (run, behind)
        else:
            for char in run:
                pieces += (char, "")
            pieces[-1] = behind
    return pieces


class Meanings(dict[str, str]):
    """Form → what it reads as, remembered."""

    def __missing__(self, form: str) -> str:
        if len(self) >= _MAX_CACHED:
            self.clear()
        meaning = self[form] = _meaning(form)
        return meaning


def _meaning(form: str) -> str:
    if form in READS:
        return READS[form]
    char = _character(form)
    if char is None:
        return form
    return "".join(READS.get(each, each) for each in char)


def _character(form: str) -> str | None:
    """The characters a form stands for; None: for none."""
    match form[0]:
        case "&":
            return _referred("&" + _AGAIN.sub("", form))
        case "%":
            return _coded(form) if "u" in form else _decoded("%", form, 16)
        case "=":
            return "" if form[-1] in "\nn" else _decoded("=", form, 16)
        case "\\":
            return _escaped(form)
    return form


def _referred(reference: str) -> str | None:
    if reference[1] == "#":
        return unescape(reference)
    return html5.get(reference[1:])


def _escaped(form: str) -> str | None:
    kind = form.lstrip("\\")[0]
    if kind == "x":
        return _decoded("x", form, 16)
    if kind.isdigit():
        return _decoded("octal", form, 8)
    return _coded(form)


def _coded(form: str) -> str | None:
    """The character of one code point, or of the two halves of UTF-16."""
    codes = [int(code, 16) for code in _CODES.findall(form)]
    if len(codes) == 2:
        return chr(0x10000 + ((codes[0] & 0x3FF) << 10) + (codes[1] & 0x3FF))
    return _char(codes[0])


def _char(code: int) -> str | None:
    return None if code > _LARGEST or 0xD800 <= code < 0xE000 else chr(code)


def _decoded(kind: str, form: str, base: int) -> str | None:
    octets = bytes(int(digits, base) for digits in _DIGITS[kind].findall(form))
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1") if len(octets) == 1 else None
