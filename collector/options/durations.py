"""Go durations, as the Collector's configuration writes them: ``300ms``, ``1m30s``, ``7d``."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

_NANOS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_NANOS |= {"d": 24 * _NANOS["h"], "w": 7 * 24 * _NANOS["h"]}
_LONGEST = 2**63 - 1
"""Nanoseconds, as in Go."""
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d|w)")


def parse_duration(value: Any) -> Any:
    """A ``timedelta`` (to the microsecond) from text; 0 and timedeltas pass. Raises ``ValueError``."""
    if isinstance(value, timedelta) or value is None:
        return value
    if value in (0, "0"):
        return timedelta(0)
    if not isinstance(value, str):
        raise ValueError(f"{value!r} has no unit: write e.g. '{value}s' or '{value}d'")
    parts = _PART.findall(value)
    if not parts or "".join(n + u for n, u in parts) != value:
        raise ValueError(f"{value!r} is not a duration: write e.g. '200ms', '30s', '1h30m' or '7d'")
    nanos = sum(Decimal(number) * _NANOS[unit] for number, unit in parts)
    if nanos > _LONGEST:
        raise ValueError(f"{value!r} is too long: at most 292 years")
    return timedelta(microseconds=float(nanos / 1000))


def format_duration(value: timedelta) -> str:
    """The shortest text that parses to the same duration."""
    micros = value // timedelta(microseconds=1)
    for unit in ("d", "h", "m", "s", "ms", "us"):
        if micros and not (micros * 1000) % _NANOS[unit]:
            return f"{micros * 1000 // _NANOS[unit]}{unit}"
    return "0s"


def nanoseconds(value: timedelta) -> int:
    """Whole nanoseconds."""
    return value // timedelta(microseconds=1) * 1000


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    Field(json_schema_extra={"type": "string", "examples": ["200ms", "30s", "1h30m"]}),
]
"""A Go duration (``300ms``, ``1m30s``) as the Collector writes them; days (``7d``) too."""
