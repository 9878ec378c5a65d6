"""Which values of a configuration must never be shown, and how to show the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence

from collector.config.yaml_tree import Mapping, Node, Path, Scalar, Sequence_, scalars

HIDDEN = "[REDACTED]"

_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)?$|secret|token$|credential|authorization|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|key_pem$|cookie|dsn$|(^|[_-])salt$|hmac|connection_string",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]*(?=@)")
_QUERY_SECRET = re.compile(
    r"(?<=[?&])([^=&#\s]*(?:key|token|secret|password|sig|auth)[^=&#\s]*=)[^&#\s$]+", re.IGNORECASE
)
_DEFAULT = re.compile(r":-[^}]*")
_PARTS = re.compile(r"(\$\{[^}]*\}+)")
_SCHEME = re.compile(r"(?:(?:Basic|Bearer|Token|ApiKey)\s+)?[\s:;,=]*\Z", re.IGNORECASE)
_SHORTEST = 3
"""Shorter values are not looked for inside messages: they would match anywhere."""


def is_secret(path: Sequence[str | int], known: frozenset[Path] = frozenset()) -> bool:
    """True for keys whose name says so, for every header (most of them are credentials), and for ``known``."""
    names = [part for part in path if isinstance(part, str)]
    return "headers" in names or tuple(path) in known or any(_SECRET_KEY.search(name) for name in names)


def shown(node: Scalar, path: Sequence[str | int], known: frozenset[Path] = frozenset()) -> str:
    """A value as it may stand in a message."""
    secret = is_secret(path, known)
    if node.reference is not None:
        return f"the value of {shown_reference(node.reference, secret=secret)}"
    if secret:
        return f"the given value ({HIDDEN})"
    value = node.text if node.text is not None else node.value
    text = f"'{without_user(value)}'" if isinstance(value, str) and node.text is None else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def shown_reference(text: str, *, secret: bool) -> str:
    """Text with references as it was written; for a secret without its own words and defaults."""
    if not secret:
        return without_user(text)
    parts = _PARTS.split(text)
    parts[1::2] = [_DEFAULT.sub(f":-{HIDDEN}", reference) for reference in parts[1::2]]
    parts[0::2] = [words if _SCHEME.match(words) else HIDDEN for words in parts[0::2]]
    return "".join(parts)


def without_user(text: str) -> str:
    """A URL without the passwords and keys it may carry before the host or in its query."""
    return _QUERY_SECRET.sub(rf"\1{HIDDEN}", _USER_INFO.sub(HIDDEN, text))


def scrub(message: str, node: Node, path: Path, known: frozenset[Path] = frozenset()) -> str:
    """A message of somebody else, with every secret below ``node`` taken out of it."""
    for below, scalar in scalars(node, path):
        value = str(scalar.value)
        secret = is_secret(below, known)
        if (secret or scalar.reference is not None) and len(value) >= _SHORTEST:
            stand_in = shown_reference(scalar.reference, secret=secret) if scalar.reference else HIDDEN
            message = message.replace(value, stand_in)
    return without_user(message)


def redacted(node: Node | None, known: frozenset[Path] = frozenset(), path: Path = ()) -> object:
    """Ordinary dicts and lists: references as they were written, secrets hidden.

    ``known``: paths known to be secret from their type. What is shown reads back as the same
    configuration, so a plain ``$`` is written ``$$``.
    """
    if node is None:
        return None
    if node.reference is not None:
        return shown_reference(node.reference, secret=is_secret(path, known))
    match node:
        case Mapping(entries=entries):
            return {key: redacted(entry.node, known, (*path, key)) for key, entry in entries.items()}
        case Sequence_(items=items):
            return [redacted(item, known, (*path, at)) for at, item in enumerate(items)]
    if node.value is not None and is_secret(path, known):
        return HIDDEN
    if isinstance(node.value, str):
        return without_user(node.value).replace("$", "$$")
    return node.value
