"""OTTL taken apart: enough of its grammar for what people write into a configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"\\]|\\.)*")
  | (?P<octets>0x[0-9a-fA-F]+)
  | (?P<number>-?\d+(?:\.\d+)?)
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
  | (?P<sign>==|!=|<=|>=|[<>+\-*/(),\[\]=])
    )""",
    re.VERBOSE,
)


_ESCAPED = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}


class UnreadableError(ValueError):
    """What stands there has no translation. The message says why, in words for a user."""


@dataclass(frozen=True)
class Text:
    """A literal text, without its escapes."""

    value: str


@dataclass(frozen=True)
class Number:
    """A literal number, as it is written."""

    text: str


@dataclass(frozen=True)
class Octets:
    """A literal of bytes, as hex: an id."""

    hex: str


@dataclass(frozen=True)
class Path:
    """``attributes["k"]``, ``status.code``, ``nil``, ``true``, an enum name."""

    name: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """A function, and what is read of its result by key."""

    name: str
    arguments: tuple[Node, ...]
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Several:
    """A list."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Operation:
    """``and``, ``or``, ``not``, a comparison or arithmetic."""

    sign: str
    parts: tuple[Node, ...]


Node = Text | Number | Octets | Path | Call | Several | Operation


@dataclass(frozen=True)
class Statement:
    """What is done, and to what."""

    call: Call
    where: Node | None


def condition(text: str) -> Node:
    """Raises ``UnreadableError``."""
    parser = _Parser(text)
    found = parser.either()
    parser.end()
    return found


def statement(text: str) -> Statement:
    """Raises ``UnreadableError``."""
    parser = _Parser(text)
    call = parser.value()
    if not isinstance(call, Call):
        raise UnreadableError("it is no statement")
    where = parser.either() if parser.take("where") else None
    parser.end()
    return Statement(call, where)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise UnreadableError(f"{text[at:].strip()[:20]!r} is not understood")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        self._at = 0

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise UnreadableError(f"{self._tokens[self._at][1]!r} is not understood there")

    def take(self, *wanted: str) -> str:
        """The next token if it is one of these, else nothing."""
        kind, text = self._peek()
        if kind != "text" and text in wanted:
            self._at += 1
            return text
        return ""

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _next(self) -> tuple[str, str]:
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else ("", "")

    def _expect(self, sign: str) -> None:
        if not self.take(sign):
            raise UnreadableError(f"{sign!r} is missing")

    def either(self) -> Node:
        parts = [self._both()]
        while self.take("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Operation("or", tuple(parts))

    def _both(self) -> Node:
        parts = [self._negated()]
        while self.take("and"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else Operation("and", tuple(parts))

    def _negated(self) -> Node:
        if self.take("not"):
            return Operation("not", (self._negated(),))
        return self._comparison()

    def _comparison(self) -> Node:
        left = self._sum()
        sign = self.take("==", "!=", "<=", ">=", "<", ">")
        return Operation(sign, (left, self._sum())) if sign else left

    def _sum(self) -> Node:
        left = self._product()
        while sign := self.take("+", "-"):
            left = Operation(sign, (left, self._product()))
        return left

    def _product(self) -> Node:
        left = self.value()
        while sign := self.take("*", "/"):
            left = Operation(sign, (left, self.value()))
        return left

    def value(self) -> Node:
        kind, text = self._next()
        if kind == "text":
            return Text(_unescaped(text))
        if kind == "number":
            return Number(text)
        if kind == "octets":
            return Octets(text[2:].lower())
        if text == "(":
            inside = self.either()
            self._expect(")")
            return inside
        if text == "[":
            return Several(self._list("]"))
        if kind != "word":
            raise UnreadableError(f"{text!r} is not understood there" if text else "something is missing at the end")
        if self.take("("):
            arguments = self._list(")")
            return Call(text, arguments, self._keys())
        return Path(text, self._keys())

    def _list(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self.take(end):
            if items:
                self._expect(",")
            items.append(self.either())
        return tuple(items)

    def _keys(self) -> tuple[str, ...]:
        keys: list[str] = []
        while self.take("["):
            kind, text = self._next()
            if kind != "text":
                raise UnreadableError(f"[{text}]: only keys that are written out have one")
            keys.append(_unescaped(text))
            self._expect("]")
        return tuple(keys)


def texts(nodes: Sequence[Node]) -> list[str]:
    """The values of literal texts. Raises ``UnreadableError`` when one is something else."""
    found = [node.value for node in nodes if isinstance(node, Text)]
    if len(found) < len(nodes):
        raise UnreadableError("only texts that are written out have one")
    return found


def _unescaped(literal: str) -> str:
    """What a literal says, without its quotes: the escapes are Go's."""

    def character(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) > 1:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            raise UnreadableError(f"'\\\\{code}' is no escape")
        return _ESCAPES[code]

    return _ESCAPED.sub(character, literal[1:-1])
