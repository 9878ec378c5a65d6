"""Pseudonyms for users and sessions: the same person stays the same, and nobody can tell who.

With a marker instead, all users whose id is an e-mail address would become one user.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from processors._pii.entities import canonical, digest

_KEY_BYTES = 32
_FILE = "pii.key"
_SESSION_WORDS = ("session", "conversation", "thread", "chat")


class Pseudonyms:
    """Keyed pseudonyms; the key is made when the first one is needed."""

    def __init__(self, load_key: Callable[[], bytes]) -> None:
        self._load_key = load_key
        self._key: bytes | None = None

    def of(self, key: str, value: bytes) -> bytes:
        """``user-<16 hex digits>``, or ``session-…`` where the attribute key says so.

        Raises ``OSError`` when the key can be neither read nor written.
        """
        if self._key is None:
            self._key = self._load_key()
        prefix = "session" if any(word in key.lower() for word in _SESSION_WORDS) else "user"
        return f"{prefix}-{digest(self._key, canonical(value))}".encode()


def has_key(folder: Path) -> bool:
    """Whether a key was made there already."""
    return (folder / _FILE).exists()


def key_file(folder: Path) -> bytes:
    """The secret key kept in the folder, made on first use; the same for every process that asks.

    Raises ``OSError``, also for a file that holds no key.
    """
    path = folder / _FILE
    with suppress(FileNotFoundError):
        return _read(path)
    folder.mkdir(parents=True, exist_ok=True)
    # Written in full under another name, then linked: no process ever sees half a key, and of two
    # that begin at once the second finds the first one's.
    handle, temporary = tempfile.mkstemp(prefix=f".{_FILE}.", dir=folder)
    try:
        with os.fdopen(handle, "w") as file:  # mkstemp made it readable by its owner only
            file.write(secrets.token_hex(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        Path(temporary).unlink()
    _sync(folder)
    return _read(path)


def _read(path: Path) -> bytes:
    text = path.read_text("ascii", "replace").strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < _KEY_BYTES:
        raise OSError(f"{path} holds no key of {_KEY_BYTES} bytes in hex")
    return key


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
