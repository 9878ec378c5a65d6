"""Who is asked first: an order said by neighbourhood, not by numbers.

``order.yaml`` lists the dialects. Inside a dialect, rows stand as in its file. A row (and with it the rows of
the same field that stand below it in the file, up to the next that says so) may stand ``before`` or ``after`` a
dialect, or after one row of a dialect: ``otel_genai`` or ``otel_genai/gen_ai.request.model``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from collector.errors import ConfigError, suggest

REST = "*"
"""In a list of dialects: where those stand that say nothing of their place, by name."""


@dataclass(frozen=True, slots=True)
class Item:
    """A thing to be put in order."""

    table: str
    """The file it stands in."""
    label: str
    """What it reads; others refer to it as ``table/label``."""
    place: str
    """Where it is written, for messages."""
    before: str | None = None
    after: str | None = None
    part: str = ""
    """The list of its file that it stands in: a row never follows one of another list."""

    @property
    def name(self) -> str:
        """How others refer to it."""
        return f"{self.table}/{self.label}"

    @property
    def follows(self) -> tuple[str, str]:
        """What it shares with those it may stand behind without saying so."""
        return self.table, self.part

    @property
    def anchor(self) -> str | None:
        """What it stands beside; none: it stands where its dialect does."""
        return self.before or self.after

    @property
    def side(self) -> str:
        """On which side of it."""
        return "before" if self.before else "after"

    def __str__(self) -> str:
        return f"{self.place} ({self.side} {self.anchor})"


@dataclass(slots=True)
class _Beside:
    """What stands right before and right behind a dialect or an item: runs of items."""

    before: list[list[int]] = field(default_factory=list)
    after: list[list[int]] = field(default_factory=list)


def arrange(families: Sequence[str], items: Sequence[Item]) -> list[int]:
    """The places of ``items`` in ``families``' order, each number an index in ``items``.

    ``items`` come file by file, each file's in its own order. Beside one anchor, runs stand in the order of
    their dialects. Raises ``ConfigError`` for an anchor that is not there or not one, and for a circle.
    """
    at_home, beside = _runs(families, items)
    order = list(_walk(families, at_home, beside))
    if len(order) < len(items):
        raise ConfigError(_circle(items, sorted(set(range(len(items))) - set(order))))
    return order


def _runs(families: Sequence[str], items: Sequence[Item]) -> tuple[dict[str, list[int]], dict[str | int, _Beside]]:
    """The items that stand where their dialect does, and the runs that stand beside something."""
    rank = {family: n for n, family in enumerate(families)}
    at_home: dict[str, list[int]] = {}
    beside: dict[str | int, _Beside] = {}
    run: list[int] = []
    for n in sorted(range(len(items)), key=lambda n: rank[items[n].table]):
        item = items[n]
        if item.before and item.after:
            raise ConfigError(f"{item.place}: 'before' and 'after' at once")
        if item.anchor is None and run and items[run[0]].follows == item.follows:
            run.append(n)
            continue
        if item.anchor is None:
            run = at_home.setdefault(item.table, [])
            run.append(n)
            continue
        run = [n]
        sides = beside.setdefault(_resolved(item, rank, items), _Beside())
        (sides.before if item.before else sides.after).append(run)
    return at_home, beside


def _resolved(item: Item, families: Iterable[str], items: Sequence[Item]) -> str | int:
    """The family or the index of the item that an anchor names."""
    anchor, key = item.anchor or "", item.side
    if "/" not in anchor:
        if anchor not in families:
            raise ConfigError(f"{item.place}: {key}: there is no dialect {anchor!r}{suggest(anchor, families)}")
        return anchor
    found = [n for n, other in enumerate(items) if other.name == anchor]
    if not found:
        near = suggest(anchor, [other.name for other in items])
        raise ConfigError(f"{item.place}: {key}: there is no row {anchor!r} of the same field{near}")
    if len(found) > 1:
        raise ConfigError(f"{item.place}: {key}: {len(found)} rows are called {anchor!r}; give the one meant an 'id'")
    return found[0]


def _walk(families: Sequence[str], at_home: dict[str, list[int]], beside: dict[str | int, _Beside]) -> Iterator[int]:
    nothing = _Beside()

    def around(anchor: str | int, middle: Iterable[int]) -> Iterator[int]:
        sides = beside.get(anchor, nothing)
        for run in sides.before:
            yield from each(run)
        yield from middle if isinstance(anchor, int) else each(middle)
        for run in sides.after:
            yield from each(run)

    def each(run: Iterable[int]) -> Iterator[int]:
        for n in run:
            yield from around(n, (n,))

    for family in families:
        yield from around(family, at_home.get(family, ()))


def _circle(items: Sequence[Item], lost: Sequence[int]) -> str:
    """A message that names the items which stand beside one another only."""
    named = {items[n].name: n for n in lost}
    chain, n = [lost[0]], lost[0]
    # A row without an anchor is lost with the one above it in its run.
    while (anchor := items[_head(items, n)].anchor) in named and (n := named[str(anchor)]) not in chain:
        chain.append(n)
    return "rows stand beside one another in a circle: " + ", ".join(str(items[_head(items, n)]) for n in chain)


def _head(items: Sequence[Item], n: int) -> int:
    """The first item of the run that this one stands in."""
    while items[n].anchor is None and n and items[n - 1].follows == items[n].follows:
        n -= 1
    return n


def order_of_dialects(listed: Sequence[str], given: Sequence[Item]) -> list[str]:
    """All dialects in order: ``listed`` ones, and among them those of ``given`` by what they say of their place.

    Raises ``ConfigError`` for a name in the list that is no dialect, for one that says its place though the list
    has it, and for what ``arrange`` refuses.
    """
    names = [item.table for item in given]
    _check_list(listed, names)
    for item in given:
        if item.anchor is not None and item.table in listed:
            raise ConfigError(f"{item.place}: 'before' and 'after' are for dialects that order.yaml does not list")
    free = sorted(item.table for item in given if item.table not in listed and item.anchor is None)
    order = [name for entry in listed for name in (free if entry == REST else [entry])]
    moved = sorted((item for item in given if item.anchor is not None), key=lambda item: item.table)
    return _with_moved(order, moved)


def _with_moved(order: list[str], moved: list[Item]) -> list[str]:
    known = [*order, *(item.table for item in moved)]
    for item in moved:
        if item.anchor not in known or item.anchor == item.table:
            near = suggest(item.anchor or "", set(known) - {item.table})
            raise ConfigError(f"{item.place}: {item.side}: there is no dialect {item.anchor!r}{near}")
    waiting = list(moved)
    while waiting:
        ready = [item for item in waiting if item.anchor in order]
        if not ready:
            raise ConfigError(f"dialects stand beside one another in a circle: {', '.join(map(str, waiting))}")
        # Of several behind one anchor the last by name is put there first.
        for item in [*(i for i in ready if i.before), *(i for i in reversed(ready) if i.after)]:
            at = order.index(str(item.anchor))
            order.insert(at if item.before else at + 1, item.table)
        waiting = [item for item in waiting if item not in ready]
    return order


def _check_list(listed: Sequence[str], names: Sequence[str]) -> None:
    for name in listed:
        if name != REST and name not in names:
            raise ConfigError(f"order.yaml: there is no dialect {name!r}{suggest(name, names)}")
    if len(set(listed)) != len(listed) or REST not in listed:
        raise ConfigError(f"order.yaml: each dialect stands once, and {REST!r} where the others are")
