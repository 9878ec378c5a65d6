"""YAML as a tree in which every value knows the file and line it came from.

The values follow YAML 1.2: ``yes`` and ``on`` are text, ``0123`` is a number; dates stay text.
A key that stands twice in one map is an error, which YAML libraries often let pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node as YamlNode, ScalarNode, SequenceNode

MAX_NODES = 200_000
"""Aliases can make a small document huge; above this many values it is refused."""
MAX_NESTING = 100

_TOO_DEEP = f"lists and maps are nested more than {MAX_NESTING} levels deep"
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written; line 0: the source has no lines."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong (or odd) at a place of the configuration."""

    place: Place
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.place), self.path, self.message) if part)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value without children."""

    value: str | int | float | bool | None
    place: Place
    text: str | None = None
    """As it was written, where that may differ from ``str(value)``: ``0123``, ``1.10``, ``true``."""
    reference: str | None = None
    """The ``${env:X}`` text this came from: the value may be a secret, the reference is not."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A value under its key."""

    node: Node
    place: Place
    """Of the key."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A map; keys are text, as written."""

    entries: dict[str, Entry]
    place: Place
    text: str | None = None
    reference: str | None = None

    def get(self, key: str) -> Node | None:
        """The value under ``key``, or None."""
        entry = self.entries.get(key)
        return entry.node if entry else None


@dataclass(frozen=True, slots=True)
class Sequence_:  # noqa: N801 - the name of the ABC is taken
    """A list."""

    items: tuple[Node, ...]
    place: Place
    text: str | None = None
    reference: str | None = None


Node = Scalar | Mapping | Sequence_
Path = tuple[str | int, ...]


def format_path(path: Sequence[str | int]) -> str:
    """``("policies", 0, "type")`` → ``policies[0].type``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def is_null(node: Node | None) -> bool:
    """True for nothing at all and for a YAML null."""
    return node is None or (isinstance(node, Scalar) and node.value is None)


def child(node: Node | None, part: str | int) -> Node | None:
    """One step down, or None."""
    if isinstance(node, Mapping):
        return node.get(str(part))
    if isinstance(node, Sequence_) and isinstance(part, int) and 0 <= part < len(node.items):
        return node.items[part]
    return None


def find(node: Node | None, path: Sequence[str | int]) -> Node | None:
    """The node at ``path``, or None."""
    for part in path:
        node = child(node, part)
    return node


def locate(root: Node, path: Sequence[str | int]) -> Place:
    """The place of the deepest part of ``path`` that exists: that of its key, or of the list item."""
    place, node = root.place, root
    for part in path:
        following = child(node, part)
        if following is None:
            break
        place = node.entries[str(part)].place if isinstance(node, Mapping) else following.place
        node = following
    return place


def plain(node: Node | None) -> Any:
    """Ordinary dicts, lists and values."""
    match node:
        case Mapping(entries=entries):
            return {key: plain(entry.node) for key, entry in entries.items()}
        case Sequence_(items=items):
            return [plain(item) for item in items]
        case Scalar(value=value):
            return value
    return None


def scalars(node: Node, path: Path = ()) -> Iterator[tuple[Path, Scalar]]:
    """All scalars below ``node`` with their paths."""
    match node:
        case Mapping(entries=entries):
            for key, entry in entries.items():
                yield from scalars(entry.node, (*path, key))
        case Sequence_(items=items):
            for position, item in enumerate(items):
                yield from scalars(item, (*path, position))
        case Scalar():
            yield path, node


def set_at(node: Node, path: Sequence[str | int], change: Callable[[Node], Node | None]) -> Node:
    """A copy of the tree with the node at ``path`` changed; None as the answer removes it."""
    if not path:
        return change(node) or node
    part, rest = path[0], path[1:]
    if isinstance(node, Mapping):
        entries = dict(node.entries)
        changed = change(entries[str(part)].node) if not rest else set_at(entries[str(part)].node, rest, change)
        if changed is None:
            del entries[str(part)]
        else:
            entries[str(part)] = replace(entries[str(part)], node=changed)
        return replace(node, entries=entries)
    assert isinstance(node, Sequence_)
    items = [set_at(item, rest, change) if at == part else item for at, item in enumerate(node.items)]
    return replace(node, items=tuple(items))


def parse(text: str, source: str, problems: list[Problem], *, at: Place | None = None) -> Node:
    """Reads one YAML document.

    Syntax errors and duplicate keys go to ``problems`` (never with a piece of the text, which may
    hold secrets). ``at``: the place to give every node, for text that is part of another file.
    """
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.composer.warn_double_anchors = False  # YAML allows it: the later one holds from there on
        document = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = at or Place(source, mark.line + 1 if mark else 0)
        problems.append(Problem(place, "", f"this is not valid YAML: {_syntax(error)}"))
        return Scalar(None, place)
    except RecursionError:
        problems.append(Problem(at or Place(source), "", _TOO_DEEP))
        return Scalar(None, at or Place(source))
    # The scanner lets Python's own errors out for some bad escapes.
    except (YAMLError, ValueError, OverflowError):
        problems.append(Problem(at or Place(source), "", "this is not valid YAML: it holds characters YAML forbids"))
        return Scalar(None, at or Place(source))
    if document is None:
        return Scalar(None, at or Place(source, 1))
    return _Builder(source, problems, at).build(document, ())


def _syntax(error: MarkedYAMLError) -> str:
    if "alias" in (error.problem or ""):
        return "undefined alias"  # its name may be a password that begins with '*'
    context = "" if not error.context or error.context.startswith("while") else f"{error.context} "
    return f"{context}{error.problem}"


@dataclass
class _Builder:
    source: str
    problems: list[Problem]
    at: Place | None
    built: int = field(default=0)

    def place(self, node: YamlNode) -> Place:
        return self.at or Place(self.source, node.start_mark.line + 1)

    def build(self, node: YamlNode, path: Path) -> Node:
        self.built += 1
        place = self.place(node)
        if self.built > MAX_NODES:
            if self.built == MAX_NODES + 1:
                self.problems.append(Problem(place, format_path(path), f"more than {MAX_NODES:,} values: refused"))
            return Scalar(None, place)
        if len(path) > MAX_NESTING:
            self.problems.append(Problem(place, "", _TOO_DEEP))
            return Scalar(None, place)
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return Sequence_(tuple(self.build(n, (*path, i)) for i, n in enumerate(node.value)), place)
        assert isinstance(node, ScalarNode)
        return self.scalar(node, path)

    def mapping(self, node: MappingNode, path: Path) -> Mapping:
        entries: dict[str, Entry] = {}
        inherited: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            place = self.place(key_node)
            if not isinstance(key_node, ScalarNode):
                self.problems.append(Problem(place, format_path(path), "a key must be text, not a list or map"))
                continue
            if key_node.tag == f"{_TAG}merge":
                inherited |= self.merged(value_node, path)
                continue
            key = key_node.value
            if key in entries:
                first = entries[key].place
                why = f"this key is here twice: first in line {first.line}, again in line {place.line}"
                self.problems.append(Problem(place, format_path((*path, key)), why))
                continue
            value = self.build(value_node, (*path, key))
            if is_null(value):  # an empty value ends where the next token begins, lines below
                value = replace(value, place=place)
            entries[key] = Entry(value, place)
        return Mapping({**inherited, **entries}, self.place(node))

    def merged(self, node: YamlNode, path: Path) -> dict[str, Entry]:
        """The entries a merge key (``<<``) brings in; earlier maps of a list win."""
        sources = node.value if isinstance(node, SequenceNode) else [node]
        entries: dict[str, Entry] = {}
        for source in reversed(sources):
            if isinstance(source, MappingNode):
                entries |= self.mapping(source, path).entries
            else:
                why = "'<<' takes a map or a list of maps"
                self.problems.append(Problem(self.place(node), format_path(path), why))
        return entries

    def scalar(self, node: ScalarNode, path: Path) -> Scalar:
        place, text, kind = self.place(node), str(node.value), str(node.tag).removeprefix(_TAG)
        try:
            match kind:
                case "str" | "timestamp" | "value":
                    return Scalar(text, place)
                case "null" | "bool" | "int" | "float":
                    return Scalar(_VALUES[kind](text), place, text)
        except ValueError:
            pass
        why = "a value with a tag ('!...') of its own cannot be read here; quote it if the '!' is part of it"
        self.problems.append(Problem(place, format_path(path), why))
        return Scalar(None, place)


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower()
    sign, digits = (-1, digits[1:]) if digits.startswith("-") else (1, digits.lstrip("+"))
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2])
    return sign * (int(digits[2:], base) if base else int(digits))


def _float(text: str) -> float:
    digits = text.replace("_", "").lower()
    if digits.lstrip("+-") == ".inf":
        return -math.inf if digits.startswith("-") else math.inf
    return math.nan if digits == ".nan" else float(digits)


def _boolean(text: str) -> bool:
    return text.lower() == "true"


_VALUES: dict[str, Callable[[str], str | int | float | bool | None]] = {
    "null": lambda _: None,
    "bool": _boolean,
    "int": _integer,
    "float": _float,
}
