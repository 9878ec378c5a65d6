"""Values of stored rows as people read them: money without trailing zeros, times without a T, one line each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

_ZONE = re.compile(r"\[.*tz=")
CUT = "…"


def readable_rows(rows: Iterable[Sequence[Any]], types: Sequence[str]) -> Iterable[list[Any]]:
    """The rows with decimals and times made readable; ``types``: of the columns, as Arrow names them, or empty."""
    readers = [_reader(kind) for kind in types]
    for row in rows:
        yield [read(value) for read, value in zip(readers, row, strict=True)] if readers else list(row)


def _reader(kind: str) -> Any:
    if kind.startswith("decimal"):
        return lambda value: plain_number(value) if isinstance(value, str) else value
    if kind.startswith("timestamp"):
        return lambda value: plain_time(value, utc=bool(_ZONE.search(kind))) if isinstance(value, str) else value
    if "decimal" in kind:
        return _nested
    return lambda value: value


def _nested(value: Any) -> Any:
    """A map or list with amounts of money in it."""
    if isinstance(value, dict):
        return {key: _nested(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_nested(inner) for inner in value]
    return plain_number(value) if isinstance(value, str) else value


def plain_number(text: str) -> str:
    """A decimal number without zeros at its end: ``0.000210000000`` is ``0.00021``; other text as it is."""
    if not re.fullmatch(r"-?\d+\.\d+", text):
        return text
    return text.rstrip("0").rstrip(".")


def plain_time(text: str, *, utc: bool = True) -> str:
    """An ISO time as ``2026-11-20 08:00:00.25Z``: a space for the T, no zeros at its end."""
    day, found, clock = text.partition("T")
    if not found:
        return text
    clock = clock.removesuffix("Z")
    if "." in clock:
        clock = clock.rstrip("0").rstrip(".")
    return f"{day} {clock}{'Z' if utc else ''}"


def plain_duration(nanoseconds: int | None) -> str:
    """``850ms``, ``1.25s``, ``3m 12s``; empty when it is not known."""
    if nanoseconds is None:
        return ""
    sign, size = "-" if nanoseconds < 0 else "", abs(nanoseconds)
    if size < 1_000_000:
        return f"{sign}{size // 1_000}µs"
    if size < 1_000_000_000:
        return f"{sign}{size // 1_000_000}ms"
    if size < 60_000_000_000:
        return f"{sign}{plain_number(f'{size / 1e9:.2f}')}s"
    minutes, seconds = divmod(size // 1_000_000_000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}h {minutes}m" if hours else f"{sign}{minutes}m {seconds}s"


def plain_dollars(amount: Decimal | str | None) -> str:
    """``$0.00021``; empty when it is not known."""
    return "" if amount is None else f"${plain_number(format(Decimal(amount), 'f'))}"


def clock_of(text: str | None) -> str:
    """The time of day of an ISO time, to the second; empty when it is not known."""
    if text is None:
        return ""
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S")


def cell(value: Any) -> str:
    """A value as text, JSON where it is no text; empty for null."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def on_one_line(text: str) -> str:
    """The text with line breaks written out, and without what could steer a terminal."""
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return "".join(c if c.isprintable() or c == "\u200d" else "�" for c in text)


def harmless(text: str) -> str:
    """The text with its line breaks, and without what could steer a terminal."""
    return "".join(c if c.isprintable() or c in "\n\u200d" else " " if c == "\t" else "�" for c in text)


def cut(text: str, width: int) -> str:
    """At most so many characters, the last one a sign that more was there."""
    return text if len(text) <= width else text[: max(0, width - 1)] + CUT
