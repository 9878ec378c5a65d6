"""Which values of a configuration must never be shown, and how to show the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence

from collector.yaml_tree import Mapping, Node, Path, Scalar, Sequence_, scalars

HIDDEN = "[REDACTED]"

_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)?$|secret|token$|credential|authorization|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|key_pem$|cookie|dsn$|(^|[_-])salt$|hmac|connection_string",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]*(?=@)")
_SHORTEST = 3
"""Shorter values are not looked for inside messages: they would match anywhere."""


def is_secret(path: Sequence[str | int]) -> bool:
    """True for keys whose name says so, and for every header: most of them are credentials."""
    names = [part for part in path if isinstance(part, str)]
    return "headers" in names[:-1] or any(_SECRET_KEY.search(name) for name in names)


def shown(node: Scalar, path: Sequence[str | int]) -> str:
    """A value as it may stand in a message."""
    if node.reference is not None:
        return f"the value of {node.reference}"
    if is_secret(path):
        return f"the given value ({HIDDEN})"
    value = node.text if node.text is not None else node.value
    text = f"'{without_user(value)}'" if isinstance(value, str) and node.text is None else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def without_user(text: str) -> str:
    """A URL without the password it may carry."""
    return _USER_INFO.sub(HIDDEN, text)


def scrub(message: str, node: Node, path: Path) -> str:
    """A message of somebody else, with every secret below ``node`` taken out of it."""
    for below, scalar in scalars(node, path):
        value = str(scalar.value)
        secret = scalar.reference is not None or is_secret(below)
        if secret and len(value) >= _SHORTEST:
            message = message.replace(value, scalar.reference or HIDDEN)
    return without_user(message)


def redacted(node: Node | None, secret: frozenset[Path] = frozenset(), path: Path = ()) -> object:
    """Ordinary dicts and lists: references as they were written, secrets hidden.

    ``secret``: paths known to be secret from their type. What is shown reads back as the same
    configuration, so a plain ``$`` is written ``$$``.
    """
    if node is None:
        return None
    if node.reference is not None:
        return node.reference
    match node:
        case Mapping(entries=entries):
            return {key: redacted(entry.node, secret, (*path, key)) for key, entry in entries.items()}
        case Sequence_(items=items):
            return [redacted(item, secret, (*path, at)) for at, item in enumerate(items)]
    if node.value is not None and (path in secret or is_secret(path)):
        return HIDDEN
    if isinstance(node.value, str):
        return without_user(node.value).replace("$", "$$")
    return node.value
