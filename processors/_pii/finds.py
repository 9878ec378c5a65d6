"""What was found in a text, and what becomes of finds that overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processors._pii.entities import Entity


@dataclass(slots=True)
class Found:
    """A stretch of a text's bytes, and what it is."""

    start: int
    end: int
    rank: int
    entity: Entity
    read: bytes | None = None
    """What it reads as, where that is not what stands there."""


def merged(found: list[Found]) -> list[Found]:
    """Sorted, without overlaps: two that overlap become one, named after the first pattern."""
    if len(found) < 2:
        return found
    credentials = [f for f in found if f.entity.name == "url_credentials"]
    apart: list[Found] = []
    for item in sorted(found, key=lambda f: (f.start, -f.end)):
        if (
            credentials
            and item.entity.name == "email"
            and any(c.start < item.end and item.start < c.end for c in credentials)
        ):
            continue  # "password@host" of a URL is no address
        last = apart[-1] if apart else None
        if last is None or item.start >= last.end:
            apart.append(item)
            continue
        _join(last, item)
    return apart


def _join(last: Found, item: Found) -> None:
    """Widens ``last``, which begins first, to hold both."""
    if item.end > last.end:
        last.read = item.read if item.start == last.start else None
        last.end = item.end
    elif last.read is None and (item.start, item.end) == (last.start, last.end):
        last.read = item.read
    if item.rank < last.rank:
        last.rank, last.entity = item.rank, item.entity


def kept_beside(found: list[Found], read: Sequence[Found]) -> list[Found]:
    """The finds in a text as it stands that are none of those in the text as it reads.

    An address as it stands begins too early where the sign before it is escaped (``to%3Ajane@example.org``).
    """
    addresses = [r for r in read if r.entity.name == "email"]
    if not addresses:
        return found
    return [
        f
        for f in found
        if f.entity.name != "email" or not any(f.start <= a.start and a.end == f.end for a in addresses)
    ]
