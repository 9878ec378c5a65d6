"""Hundreds of a user's patterns in one pass, by Hyperscan where it is installed.

RE2 reads a text against a few dozen patterns at once at hundreds of MB/s, and against hundreds of real
ones at less than one. Hyperscan only says which patterns match somewhere; RE2 still says where.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from typing import Any

MANY = 30
"""More patterns of a user's than so many are a large set."""


def is_installed() -> bool:
    """Whether ``spanloom[hyperscan]`` is."""
    return importlib.util.find_spec("hyperscan") is not None


class HyperscanSet:
    """Tells which of some patterns match a text.

    ``known`` are the positions of those it answers for. ``others`` must be asked one by one: Hyperscan cannot
    compile them, or might understand them otherwise than RE2.
    """

    def __init__(self, regexes: Sequence[str]) -> None:
        import hyperscan  # noqa: PLC0415 - optional

        flags = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_UTF8
        self.known = [i for i, regex in enumerate(regexes) if regex.isascii() and _compiles(hyperscan, regex, flags)]
        self.others = [i for i in range(len(regexes)) if i not in set(self.known)]
        self._database = hyperscan.Database()
        if self.known:
            self._database.compile(
                expressions=[regexes[i].encode() for i in self.known],
                ids=self.known,
                elements=len(self.known),
                flags=[flags] * len(self.known),
            )
        # A scan needs the database's scratch space for itself.
        self._lock = threading.Lock()

    def matching(self, text: bytes) -> list[int]:
        """Positions of the patterns that may match, in their order: all ``others`` are among them."""
        return sorted({*self.others, *self.known_in(text)})

    def known_in(self, text: bytes) -> list[int]:
        """Positions of the patterns among ``known`` that match, in no order."""
        if not text.isascii() and not _is_utf8(text):
            return self.known  # what Hyperscan does then is not defined
        found: list[int] = []
        if self.known:
            with self._lock:
                self._database.scan(text, match_event_handler=_noting(found))
        return found


def _noting(found: list[int]) -> Any:
    def note(id_: int, _start: int, _end: int, _flags: int, _context: Any) -> None:
        found.append(id_)

    return note


def _compiles(hyperscan: Any, regex: str, flags: int) -> bool:
    if "\\p" in regex or "\\P" in regex or "\\z" in regex:
        return False
    try:
        hyperscan.Database().compile(expressions=[regex.encode()], ids=[0], elements=1, flags=[flags])
    except hyperscan.error:
        return False
    return True


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
