"""From sources to one merged tree: files, ``${...}`` references, ``--set`` overrides.

The language is that of the Collector. Where it differs it is on the safe side: an unset variable is
an error, an empty section (``processors:``) leaves what another file said, and text that comes from
a variable or a file is taken literally (a ``$`` in a password stays a ``$``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from collector.config.yaml_tree import (
    Entry,
    Mapping,
    Node,
    Place,
    Problem,
    Scalar,
    Sequence_,
    format_path,
    is_null,
    parse,
)

MAX_DEPTH = 20
"""References inside references: more is taken for a cycle."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NULLS = {"", "~", "null", "Null", "NULL"}


@dataclass
class Document:
    """A merged configuration with everything that was noticed on the way."""

    root: Node
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    is_complete: bool = True
    """False: a source could not be read, so what is missing may be in there."""


def load(sources: Sequence[Path | str], *, overrides: Sequence[str], environ: AnyMapping[str, str]) -> Document:
    """Reads, merges left to right, applies ``overrides`` (``a.b.c=VALUE``) and expands references.

    A source is a path, ``file:PATH``, ``env:NAME`` (a variable that holds YAML) or ``yaml:TEXT``.
    """
    document = Document(Mapping({}, Place(str(sources[0]) if sources else "")))
    reader = _Reader(environ, document.problems)
    layers: list[Node | None] = [reader.source(source) for source in sources]
    layers += [_override(override, document.problems) for override in overrides]
    for layer in layers:
        if isinstance(layer, Mapping):
            document.root = _merge(document.root, layer, (), reader, document.warnings)
        elif layer is None:
            document.is_complete = False
        elif not is_null(layer):
            document.problems.append(Problem(layer.place, "", "a configuration is a map of sections at its top"))
    document.root = reader.expand(document.root, ())
    return document


def literal(text: str, source: str) -> Document:
    """A document held in the program itself."""
    problems: list[Problem] = []
    return Document(parse(text, source, problems), problems)


def layered(base: Document, *, overrides: Sequence[str], environ: AnyMapping[str, str]) -> Document:
    """``base`` with overrides applied, as ``load`` does."""
    document = load((), overrides=overrides, environ=environ)
    reader = _Reader(environ, document.problems)
    document.root = reader.expand(_merge(base.root, document.root, (), reader, document.warnings), ())
    document.problems[:0] = base.problems
    return document


def _merge(base: Node, over: Node, path: tuple[str, ...], reader: _Reader, warnings: list[Problem]) -> Node:
    if isinstance(base, Mapping) and isinstance(over, Scalar):
        over = reader.section(over, path)
    elif isinstance(over, Mapping) and isinstance(base, Scalar):
        base = reader.section(base, path)
    if isinstance(base, Mapping) and is_null(over):
        if base.entries:
            why = "this section is empty: what was said before stays (the Collector would drop it)"
            warnings.append(Problem(over.place, format_path(path), why))
        return base
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return over
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        known = entries.get(key)
        node = _merge(known.node, entry.node, (*path, key), reader, warnings) if known else entry.node
        place = known.place if known and node is known.node else entry.place
        entries[key] = Entry(node, place)
    return Mapping(entries, base.place)


def _override(text: str, problems: list[Problem]) -> Node | None:
    key, equals, value = text.partition("=")
    parts = [part.strip() for part in re.split(r"::|\.", key)]
    place = Place("--set")
    if not equals or not all(parts):
        problems.append(Problem(place, key, "expected KEY=VALUE with a key like exporters.debug.verbosity"))
        return None
    node = parse(value, place.source, problems, at=place)
    for part in reversed(parts):
        node = Mapping({part: Entry(node, place)}, place)
    return node


@dataclass(frozen=True)
class _Reference:
    scheme: str
    data: str
    written: str


@dataclass(frozen=True)
class _Retrieved:
    """What a reference stands for. ``source`` is set when it has lines of its own."""

    text: str
    source: str | None = None


class _UnresolvedError(Exception):
    """A reference that leads nowhere; the text says why."""


class _Reader:
    """Fetches what references point at. The environment is an argument, so that nothing is hidden."""

    def __init__(self, environ: AnyMapping[str, str], problems: list[Problem]) -> None:
        self._environ = environ
        self._problems = problems

    def source(self, source: Path | str) -> Node | None:
        """The tree of one ``-c`` argument, or None once the problem is noted."""
        match = _SCHEME.match(source) if isinstance(source, str) else None
        scheme, data = (match[1], match[2]) if match else ("file", str(source))
        place = Place(data if scheme == "file" else scheme if scheme == "yaml" else str(source))
        try:
            retrieved = self._retrieve(_Reference(scheme, data, str(source)), place, (), 0)
        except _UnresolvedError as error:
            self._problems.append(Problem(place, "", str(error)))
            return None
        noted = len(self._problems)
        node = parse(retrieved.text, retrieved.source or place.source, self._problems)
        return node if isinstance(node, Mapping) or len(self._problems) == noted else None

    def section(self, node: Scalar, path: tuple[str, ...]) -> Node:
        """``node`` expanded if it is one whole reference: it may stand for a section to be merged."""
        if isinstance(node.value, str) and _whole(_split(node.value)) is not None:
            return self.expand(node, path)
        return node

    def expand(self, node: Node, path: tuple[str | int, ...], depth: int = 0) -> Node:
        """The tree with every reference replaced by what it stands for."""
        match node:
            case Mapping(entries=entries):
                expanded = {
                    key: replace(entry, node=self.expand(entry.node, (*path, key), depth))
                    for key, entry in entries.items()
                }
                return replace(node, entries=expanded)
            case Sequence_(items=items):
                return replace(node, items=tuple(self.expand(item, (*path, i), depth) for i, item in enumerate(items)))
            case Scalar(value=str() as text, reference=None) if "$" in text:
                try:
                    return self._scalar(node, text, path, depth)
                except _UnresolvedError as error:
                    self._problems.append(Problem(node.place, format_path(path), str(error)))
                    return replace(node, value="", reference=text)
        return node

    def _scalar(self, node: Scalar, text: str, path: tuple[str | int, ...], depth: int) -> Node:
        parts = _split(text)
        whole = _whole(parts)
        if whole is not None:
            return self._whole(whole, node.place, path, depth)
        value = self._joined(parts, node.place, path, depth)
        return replace(node, value=value, reference=text if any(isinstance(p, _Reference) for p in parts) else None)

    def _joined(self, parts: Sequence[str | _Reference], place: Place, path: tuple[str | int, ...], depth: int) -> str:
        return "".join(p if isinstance(p, str) else self._retrieve(p, place, path, depth).text for p in parts)

    def _whole(self, reference: _Reference, place: Place, path: tuple[str | int, ...], depth: int) -> Node:
        """The value of a reference that is all of a scalar: typed as YAML, its text kept beside."""
        retrieved = self._retrieve(reference, place, path, depth)
        ignored: list[Problem] = []
        structured = self._problems if retrieved.source and retrieved.source.endswith((".yaml", ".yml")) else ignored
        node = parse(
            retrieved.text, retrieved.source or place.source, structured, at=None if retrieved.source else place
        )
        if isinstance(node, Scalar):
            is_text = isinstance(node.value, str) or (node.value is None and retrieved.text.strip() not in _NULLS)
            value = retrieved.text if is_text or ignored else node.value
            return Scalar(value, place, retrieved.text, reference.written)
        if ignored:
            return Scalar(retrieved.text, place, retrieved.text, reference.written)
        expanded = self.expand(node, path, depth + 1)
        if reference.scheme in {"file", "yaml"}:
            return replace(expanded, text=retrieved.text)
        return _referring(replace(expanded, text=retrieved.text), reference.written)

    def _retrieve(self, reference: _Reference, place: Place, path: tuple[str | int, ...], depth: int) -> _Retrieved:
        if depth > MAX_DEPTH:
            raise _UnresolvedError(
                f"more than {MAX_DEPTH} references inside each other: is {reference.written!r} a cycle?"
            )
        match reference.scheme:
            case "env":
                return self._variable(reference, place, path, depth)
            case "file":
                return _file(reference.data)
            case "yaml":
                return _Retrieved(reference.data)
            case "http" | "https":
                raise _UnresolvedError("a configuration is not fetched over the network: save it as a file first")
        raise _UnresolvedError(
            f"unknown reference {reference.scheme!r}: use env, file or yaml, or '$$' for a plain '$'"
        )

    def _variable(self, reference: _Reference, place: Place, path: tuple[str | int, ...], depth: int) -> _Retrieved:
        name, has_default, default = reference.data.partition(":-")
        if not _VARIABLE.match(name):
            raise _UnresolvedError(f"{name!r} is no name of an environment variable; write '$$' for a plain '$'")
        if name in self._environ:
            return _Retrieved(self._environ[name])
        if not has_default:
            raise _UnresolvedError(
                f"the environment variable {name} is not set; set it, or give a default: ${{env:{name}:-value}}"
            )
        return _Retrieved(self._joined(_split(default), place, path, depth + 1))


def _file(name: str) -> _Retrieved:
    try:
        text = Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise _UnresolvedError(f"cannot read the file {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _UnresolvedError(f"the file {name} is not UTF-8 text") from None
    # Editors and secret mounts end a file with a newline that is no part of the value.
    return _Retrieved(text.removesuffix("\n").removesuffix("\r"), name)


def _referring(node: Node, reference: str) -> Node:
    """Everything below a structured variable hides behind the same reference."""
    match node:
        case Mapping(entries=entries):
            hidden = {key: replace(entry, node=_referring(entry.node, reference)) for key, entry in entries.items()}
            return replace(node, entries=hidden, reference=reference)
        case Sequence_(items=items):
            return replace(node, items=tuple(_referring(item, reference) for item in items), reference=reference)
    return replace(node, reference=reference)


def _whole(parts: Sequence[str | _Reference]) -> _Reference | None:
    return parts[0] if len(parts) == 1 and isinstance(parts[0], _Reference) else None


def _split(text: str) -> list[str | _Reference]:
    """Literal text and references in order; ``$$`` is a literal ``$``."""
    parts: list[str | _Reference] = []
    plain, at = "", 0
    while at < len(text):
        if text.startswith("$$", at):
            plain, at = plain + "$", at + 2
            continue
        end = _closing(text, at + 2) if text.startswith("${", at) else -1
        if end < 0:
            plain, at = plain + text[at], at + 1
            continue
        if plain:
            parts.append(plain)
        parts.append(_reference(text[at + 2 : end], text[at : end + 1]))
        plain, at = "", end + 1
    return [*parts, plain] if plain or not parts else parts


def _closing(text: str, start: int) -> int:
    """Position of the ``}`` that ends a reference whose content begins at ``start``, or -1."""
    open_braces = 1
    for at in range(start, len(text)):
        open_braces += {"{": 1, "}": -1}.get(text[at], 0)
        if not open_braces:
            return at
    return -1


def _reference(content: str, written: str) -> _Reference:
    match = _SCHEME.match(content)
    # ``${X:-default}`` is a variable with a default, not a scheme called X.
    if match and not match[2].startswith("-"):
        return _Reference(match[1], match[2], written)
    return _Reference("env", content, written)
